"""The access log of a server with two workers: a line for each connection, whole, and the last ones at the end too."""

from __future__ import annotations

import imaplib
import json
import socket
from pathlib import Path
from typing import Any

from tests.integration.running_server import PASSWORDS, eventually, running_server
from tests.tls_client import trusting_context

VISITS = 300
STAYING = 25


def closed(log: str, listener: str) -> list[dict[str, Any]]:
    """The lines of a listener; every line of the log has to be JSON."""
    entries: list[dict[str, Any]] = [json.loads(line) for line in log.splitlines()]
    return [each for each in entries if each["event"] == "connection.closed" and each["listener"] == listener]


def test_every_connection_is_one_line_of_json_and_an_orderly_end_loses_none(tmp_path: Path) -> None:
    with running_server(tmp_path, options=["--log-format", "json", "--log-level", "info"]) as server:
        for _ in range(VISITS):
            with socket.create_connection(server.address("pop3"), timeout=30) as sock:
                sock.sendall(b"QUIT\r\n")
                while sock.recv(4096):
                    pass
        eventually(lambda: len(closed(server.log(), "pop3")) == VISITS)
        staying = [socket.create_connection(server.address("sieve"), timeout=30) for _ in range(STAYING)]
        for sock in staying:
            sock.recv(4096)
        assert server.stop() == 0
        for sock in staying:
            sock.close()
        log = server.log()
    visits, leaves = closed(log, "pop3"), closed(log, "sieve")
    assert {each["process"] for each in visits} == {"worker-1", "worker-2"}
    assert {each["ending"] for each in visits} == {"completed"}
    assert len({each["id"] for each in (*visits, *leaves)}) == VISITS + STAYING
    assert [each["ending"] for each in leaves] == ["shutDown"] * STAYING


def test_a_session_is_told_with_tls_account_and_octets(tmp_path: Path) -> None:
    with running_server(tmp_path, workers=1, options=["--log-format", "json", "--log-level", "info"]) as server:
        client = imaplib.IMAP4_SSL("127.0.0.1", server.ports["imaps"], ssl_context=trusting_context())
        client.login("alice@example.org", PASSWORDS["alice"])
        host, port = client.sock.getsockname()
        client.logout()
        (line,) = eventually(lambda: closed(server.log(), "imaps"))
    assert (line["source"], line["destination"]) == (f"{host}:{port}", f"127.0.0.1:{server.ports['imaps']}")
    assert (line["account"], line["tlsVersion"], line["ending"]) == ("alice@example.org", "TLSv1.3", "completed")
    assert line["cipherSuite"].startswith("TLS_")
    assert line["received"] > 20
    assert line["sent"] > 100
    assert 0 < line["seconds"] < 60


def test_at_level_warning_there_is_none(tmp_path: Path) -> None:
    with running_server(tmp_path, workers=1, options=["--log-level", "warning"]) as server:
        with socket.create_connection(server.address("pop3"), timeout=30) as sock:
            sock.recv(4096)
        eventually(lambda: server.status("pop3")["ended"]["clientClosed"] == 1)
        assert server.stop() == 0
        assert "connection.closed" not in server.log()
