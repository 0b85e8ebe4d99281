"""What people and the service manager are told about a server that starts."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from tests.supervisor.plans import TLS, listener, plan

from gatepost.control.messages import BindFailure
from gatepost.plan.plan import ProtocolName
from gatepost.supervisor.readiness import notify_service_manager, table_of_listeners
from gatepost.values.ids import Id


def test_every_address_has_a_line_with_its_state() -> None:
    failure = BindFailure(listener_id=Id("b"), address="[::]:993", errno_name="EADDRINUSE", text="Address in use")
    wanted = plan(
        listener("a", "127.0.0.1:25", "127.0.0.1:587", tls=TLS),
        listener("b", "[::]:993", tls=TLS, is_tls_implicit=True, protocol=ProtocolName.IMAP),
        listener("c", "127.0.0.1:8080", tls=TLS, protocol=ProtocolName.HTTP),
        listener("d", "127.0.0.1:24"),
    )
    lines = [line.split(maxsplit=4) for line in table_of_listeners(wanted, [failure]).splitlines()]
    assert lines == [
        ["NAME", "PROTOCOL", "ADDRESS", "TLS", "STATE"],
        ["a", "smtp", "127.0.0.1:25", "starttls", "active"],
        ["a", "smtp", "127.0.0.1:587", "starttls", "active"],
        ["b", "imap", "[::]:993", "implicit", "failed: EADDRINUSE (Address in use)"],
        ["c", "http", "127.0.0.1:8080", "none", "active"],
        ["d", "smtp", "127.0.0.1:24", "none", "active"],
    ]


def test_the_service_manager_is_told_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        notify_service_manager("READY=1")
        assert manager.recv(100) == b"READY=1"


@pytest.mark.parametrize("path", ["", "/nowhere/notify", "@gatepost-nobody-listens-here"])
def test_a_service_manager_that_does_not_listen_does_not_matter(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    notify_service_manager("READY=1")
