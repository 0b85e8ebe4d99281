"""Stop and start: what was configured and what was delivered is there again, and stopping is polite."""

from __future__ import annotations

import imaplib
import smtplib
import socket
from pathlib import Path

from tests.free_port import free_port
from tests.integration.running_server import ADMIN, LISTENERS, PASSWORDS, RunningServer, eventually, running_server

ALICE = "alice@example.org"


def _start_again(directory: Path, ports: dict[str, int]) -> RunningServer:
    return RunningServer(directory, ["--data", str(directory / "data"), "--workers", "1"], ports, ADMIN)


def _subjects(server: RunningServer) -> list[bytes]:
    with imaplib.IMAP4(*server.address("imap-clear"), timeout=20) as client:
        client.login(ALICE, PASSWORDS["alice"])
        client.select("INBOX", readonly=True)
        _, data = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        return [item[1].strip() for item in data if isinstance(item, tuple)]


def test_listeners_accounts_and_mail_are_as_before(tmp_path: Path) -> None:
    extra = free_port()
    with running_server(tmp_path) as server:
        server.create_listener(name="extra", protocol="pop3", bind=[f"127.0.0.1:{extra}"], maxConnections=7)
        with smtplib.SMTP(*server.address("smtp"), timeout=20) as client:
            client.sendmail("somebody@example.net", [ALICE], b"Subject: kept\r\n\r\nover a restart\r\n")
        listeners = server.call("x:NetworkListener/get", ids=None)["list"]
        certificates = server.call("x:Certificate/get", ids=None)["list"]
        ports = server.ports
    assert len(listeners) == len(LISTENERS) + 1
    again = _start_again(tmp_path, ports)
    try:
        assert again.call("x:NetworkListener/get", ids=None)["list"] == listeners
        assert again.call("x:Certificate/get", ids=None)["list"] == certificates
        assert _subjects(again) == [b"Subject: kept"]
        assert again.status("extra")["state"] == "active"
    finally:
        assert again.stop() == 0


def test_the_same_plan_file_twice_changes_nothing(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        revision = server.status("imap")["storedRevision"]
        ports = server.ports
    arguments = ["--data", str(tmp_path / "data"), "--plan", str(tmp_path / "plan.ndjson"), "--workers", "1"]
    again = RunningServer(tmp_path, arguments, ports, ADMIN)
    try:
        assert again.status("imap")["storedRevision"] == revision
    finally:
        again.stop()


def test_sigterm_tells_open_sessions_in_their_protocol_and_ends_with_exit_code_0(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        smtp = socket.create_connection(server.address("smtp"), timeout=20)
        imap = socket.create_connection(server.address("imap-clear"), timeout=20)
        assert smtp.recv(4096).startswith(b"220 ")
        assert imap.recv(4096).startswith(b"* OK")
        assert server.stop() == 0
        assert smtp.recv(4096).startswith(b"421 4.3.2 ")
        assert imap.recv(4096).startswith(b"* BYE")
        assert smtp.recv(4096) == imap.recv(4096) == b""
        with socket.socket() as probe:
            assert probe.connect_ex(server.address("smtp")) != 0
        smtp.close()
        imap.close()


def test_a_listener_that_cannot_be_bound_is_failed_and_the_rest_runs_until_the_address_is_free(tmp_path: Path) -> None:
    with socket.socket() as other_process:
        other_process.bind(("127.0.0.1", 0))
        other_process.listen()
        port = other_process.getsockname()[1]
        line = {
            "@type": "create",
            "object": "NetworkListener",
            "value": {"l": {"name": "unlucky", "protocol": "smtp", "bind": [f"127.0.0.1:{port}"]}},
        }
        with running_server(tmp_path, extra_lines=[line]) as server:
            assert f"127.0.0.1:{port}" in server.output
            assert "failed: EADDRINUSE" in server.output
            status = server.status("unlucky")
            assert status["state"] == "failed"
            assert "EADDRINUSE" in status["reason"]
            assert server.http.get("/healthz/ready").status_code == 503
            other_process.close()
            eventually(lambda: server.status("unlucky")["state"] == "active")
            assert server.http.get("/healthz/ready").status_code == 200
            with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
                assert sock.recv(4096).startswith(b"220 ")
