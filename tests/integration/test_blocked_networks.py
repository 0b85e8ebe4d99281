"""Blocked networks of a running server: in force in all workers when the change is answered, and over when their time is."""

from __future__ import annotations

import imaplib
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from tests.integration.running_server import RunningServer, eventually

US, THEM = "127.0.0.1", "127.0.0.66"
TRIES = 12  # enough for every worker to have its turn


def greeting(server: RunningServer, listener: str, source: str) -> bytes:
    """What a client from that address is greeted with; nothing where it is refused."""
    try:
        with socket.create_connection(server.address(listener), timeout=30, source_address=(source, 0)) as client:
            return client.recv(200)
    except ConnectionResetError:
        return b""


def greetings(server: RunningServer, listener: str, source: str) -> set[bool]:
    return {bool(greeting(server, listener, source)) for _ in range(TRIES)}


@pytest.fixture
def clean(shared_server: RunningServer) -> Iterator[RunningServer]:
    """The server, without networks in its lists afterwards."""
    yield shared_server
    for name in ("BlockedIp", "AllowedIp"):
        ids = shared_server.call(f"x:{name}/get", ids=None)["list"]
        shared_server.set(name, destroy=[each["id"] for each in ids])


def block(server: RunningServer, network: str, **more: object) -> str:
    created = server.set("BlockedIp", create={"b": {"network": network, "reason": "test", **more}})["created"]["b"]
    blocked_id: str = created["id"]
    return blocked_id


@pytest.mark.parametrize("listener", ["smtp", "imap", "pop3", "sieve", "lmtp"])
def test_a_blocked_network_gets_nothing_from_any_worker_and_others_do(clean: RunningServer, listener: str) -> None:
    before = clean.status(listener)["refused"]["blockedNetwork"]
    blocked_id = block(clean, f"{THEM}/32")
    assert greetings(clean, listener, THEM) == {False}
    assert greetings(clean, listener, US) == {True}
    assert clean.status(listener)["refused"]["blockedNetwork"] - before == TRIES
    clean.set("BlockedIp", destroy=[blocked_id])
    assert greetings(clean, listener, THEM) == {True}


def test_an_allowed_network_wins_in_all_workers(clean: RunningServer) -> None:
    block(clean, "127.0.0.64/26", endConnections=True)
    assert greetings(clean, "smtp", THEM) == {False}
    clean.set("AllowedIp", create={"a": {"network": THEM}})
    assert greetings(clean, "smtp", THEM) == {True}


def test_a_block_is_over_when_its_time_is_without_anybody_changing_anything(clean: RunningServer) -> None:
    until = datetime.now(UTC) + timedelta(seconds=2)
    block(clean, THEM, expiresAt=until.strftime("%Y-%m-%dT%H:%M:%SZ"))
    revision = clean.status("smtp")["storedRevision"]
    eventually(lambda: greetings(clean, "smtp", THEM) == {True})
    assert clean.status("smtp")["storedRevision"] == revision


def test_open_connections_are_ended_in_the_words_of_their_protocol_where_that_is_asked_for(
    clean: RunningServer,
) -> None:
    clients = [
        imaplib.IMAP4("127.0.0.1", clean.ports["imap-clear"])  # from 127.0.0.1: it stays
        if source == US
        else _imap_from(clean, source)
        for source in (US, THEM, THEM, THEM, THEM)
    ]
    blocked_id = block(clean, THEM)
    assert [client.noop()[0] for client in clients] == ["OK"] * 5
    clean.set("BlockedIp", update={blocked_id: {"endConnections": True}})
    for client in clients[1:]:
        assert client.readline().startswith(b"* BYE ")
        client.shutdown()
    assert clients[0].noop()[0] == "OK"
    clients[0].logout()


def _imap_from(server: RunningServer, source: str) -> imaplib.IMAP4:
    class FromThere(imaplib.IMAP4):
        def _create_socket(self, timeout: float | None) -> socket.socket:
            return socket.create_connection((self.host, self.port), timeout, source_address=(source, 0))

    return FromThere("127.0.0.1", server.ports["imap-clear"])


def test_the_own_address_is_not_blocked_by_accident_and_a_dry_run_warns(clean: RunningServer) -> None:
    answer = clean.call("x:BlockedIp/set", create={"b": {"network": "127.0.0.0/8"}})
    (error,) = answer["notCreated"]["b"]["validationErrors"]
    assert (error["property"], "allowLockOut" in error["description"]) == ("network", True)
    answer = clean.call("x:BlockedIp/set", create={"b": {"network": US}}, dryRun=True, allowLockOut=True)
    (step,) = answer["dryRun"]["b"]["steps"]
    assert (step["kind"], step["properties"]) == ("applyNow", ["blocked networks"])
    assert "could not connect any more" in answer["dryRun"]["b"]["warnings"][0]


def test_a_network_is_listed_once_in_its_canonical_form(clean: RunningServer) -> None:
    blocked_id = block(clean, "198.51.100.77/24")
    (shown,) = clean.call("x:BlockedIp/get", ids=[blocked_id])["list"]
    assert shown["network"] == "198.51.100.0/24"
    answer = clean.call("x:BlockedIp/set", create={"b": {"network": "198.51.100.1/24"}})
    assert answer["notCreated"]["b"]["existingId"] == blocked_id
    assert clean.call("x:BlockedIp/query", filter={"network": "198.51"})["ids"] == [blocked_id]
