"""Open connections of all workers through the API: who is there, paging over many, and ending one by its id."""

from __future__ import annotations

import imaplib
import socket
import time
from contextlib import ExitStack

from tests.integration.running_server import PASSWORDS, RunningServer, eventually
from tests.tls_client import trusting_context

MANY = 600


def test_a_session_is_shown_with_account_state_and_tls(shared_server: RunningServer) -> None:
    with imaplib.IMAP4_SSL("127.0.0.1", shared_server.ports["imaps"], ssl_context=trusting_context()) as client:
        client.login("alice@example.org", PASSWORDS["alice"])
        client.select("INBOX")
        host, port = client.sock.getsockname()
        (connection_id,) = shared_server.call("x:Connection/query", filter={"account": "alice", "protocol": "imap"})[
            "ids"
        ]
        (shown,) = shared_server.call("x:Connection/get", ids=[connection_id])["list"]
        assert (shown["listener"], shown["source"]) == ("imaps", f"{host}:{port}")
        assert shown["destination"] == f"127.0.0.1:{shared_server.ports['imaps']}"
        assert (shown["account"], shown["state"]) == ("alice@example.org", "selected")
        assert (shown["tlsVersion"], shown["cipherSuite"]) == ("TLSv1.3", client.sock.cipher()[0])  # type: ignore[attr-defined]  # an SSLSocket
        assert shown["keyExchangeGroup"]
        assert shown["bytesReceived"] > 0
        assert shown["bytesSent"] > 0
        began = time.mktime(time.strptime(shown["since"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
        assert abs(time.time() - began) < 120


def test_many_connections_of_all_workers_are_listed_once_each_and_page_by_page(shared_server: RunningServer) -> None:
    with ExitStack() as open_sockets:
        sources = set()
        for _ in range(MANY):
            sock = open_sockets.enter_context(socket.create_connection(shared_server.address("pop3"), timeout=30))
            host, port = sock.getsockname()
            sources.add(f"{host}:{port}")
        eventually(lambda: shared_server.status("pop3")["connections"] == MANY)
        ids: list[str] = []
        filter_ = {"listener": "pop3", "source": "127.0.0.0/8"}
        while len(ids) < MANY:
            page = shared_server.call(
                "x:Connection/query",
                filter=filter_,
                sort=[{"property": "source"}],
                position=len(ids),
                limit=250,
                calculateTotal=True,
            )
            assert page["total"] == MANY
            ids += page["ids"]
        assert len(set(ids)) == MANY
        shown = shared_server.call("x:Connection/get", ids=ids, properties=["source", "worker"])["list"]
        assert [each["source"] for each in shown] == sorted(sources, key=str.casefold)
        assert {each["worker"] for each in shown} == set(shared_server.worker_pids())
    eventually(lambda: shared_server.status("pop3")["connections"] == 0)


def test_a_client_whose_connection_is_destroyed_hears_so_in_its_protocol(shared_server: RunningServer) -> None:
    before = shared_server.status("imap")["ended"]["operator"]
    with (
        socket.create_connection(shared_server.address("imap"), timeout=30) as kept,
        socket.create_connection(shared_server.address("imap"), timeout=30) as sock,
    ):
        for each in (kept, sock):
            assert each.recv(4096).startswith(b"* OK")
        host, port = sock.getsockname()
        found = shared_server.call("x:Connection/get", ids=None)["list"]
        (connection_id,) = [each["id"] for each in found if each["source"] == f"{host}:{port}"]
        answer = shared_server.call("x:Connection/set", destroy=[connection_id, "w1-0"])
        assert answer["destroyed"] == [connection_id]
        assert answer["notDestroyed"]["w1-0"]["type"] == "notFound"
        assert sock.recv(4096).startswith(b"* BYE")
        assert sock.recv(4096) == b""
        kept.sendall(b"a NOOP\r\n")
        assert kept.recv(4096).startswith(b"a OK")
    assert shared_server.status("imap")["ended"]["operator"] == before + 1
    line = eventually(lambda: [each for each in shared_server.log().splitlines() if f"id={connection_id} " in each])[0]
    assert "connection.closed" in line
    assert "ending=operator" in line
