"""An account is destroyed while mail for it is being delivered, again and again: nothing is kept for nobody, and each client hears
what became of its message."""

from __future__ import annotations

import socket
import sqlite3
import threading
import time
from collections.abc import Iterator

import pytest
from tests.integration.running_server import RunningServer, running_server

ROUNDS = 40
OTHERS = 60  # further recipients of the same message: looking them up makes time pass after the first was found
DELIVERED, NO_SUCH_USER = b"250 ", b"550 "


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    bob = {"matchOn": ["name", "domainId"], "value": {"b": {"name": "bob", "domainId": "#d", "quota": 10**9}}}
    line = {"@type": "upsert", "object": "Account", **bob}
    with running_server(tmp_path_factory.mktemp("going"), workers=2, extra_lines=[line]) as running:
        yield running


class LmtpClient:
    """One transaction, of which the end of the message is held back."""

    def __init__(self, server: RunningServer, first: str) -> None:
        self._sock = socket.create_connection(server.address("lmtp"), 30)
        self._lines = self._sock.makefile("rb")
        assert self._lines.readline().startswith(b"220")
        recipients = [first, *(f"bob+{number}@example.org" for number in range(OTHERS))]
        commands = ["MAIL FROM:<>", *(f"RCPT TO:<{recipient}>" for recipient in recipients), "DATA"]
        self._sock.sendall("".join(f"{command}\r\n" for command in ["LHLO client.example.org", *commands]).encode())
        while self._lines.readline()[3:4] == b"-":
            pass
        for expected in [b"250"] * (len(commands) - 1) + [b"354"]:
            answer = self._lines.readline()
            assert answer.startswith(expected), answer
        self.answers: list[bytes] = []

    def send(self) -> None:
        """The message, and what each recipient's answer begins with."""
        self._sock.sendall(b"Subject: late\r\n\r\ntext\r\n.\r\n")
        self.answers = [self._lines.readline()[:4] for _ in range(1 + OTHERS)]
        self._lines.close()
        self._sock.close()


def _create(server: RunningServer, name: str) -> str:
    domain_id = server.call("x:Domain/get", ids=None)["list"][0]["id"]
    account = {"name": name, "domainId": domain_id, "password": "a long enough password"}
    created: str = server.set("Account", create={"a": account})["created"]["a"]["id"]
    return created


def _rows_of_nobody(server: RunningServer) -> list[tuple[str, int]]:
    database = sqlite3.connect(f"file:{server.directory}/data/gatepost.sqlite3?mode=ro", uri=True)
    try:
        return database.execute(
            "SELECT account_id, messages FROM mailbox"
            " WHERE account_id NOT IN (SELECT id FROM configuration_object WHERE type = 'Account')"
        ).fetchall()
    finally:
        database.close()


def test_nothing_is_kept_for_an_account_that_is_destroyed_during_a_delivery(server: RunningServer) -> None:
    """Whoever came first comes a little later the next time: so the two meet."""
    outcomes: list[bytes] = []
    head_start = 0.0  # of the delivery; seconds
    while len(outcomes) < ROUNDS or min(outcomes.count(each) for each in (DELIVERED, NO_SUCH_USER)) < ROUNDS // 8:
        assert len(outcomes) < 10 * ROUNDS, "one always comes first"
        name = f"leaving{len(outcomes)}"
        account_id = _create(server, name)
        client = LmtpClient(server, f"{name}@example.org")
        destroying = threading.Timer(max(0.0, head_start), server.set, ("Account",), {"destroy": [account_id]})
        destroying.start()
        time.sleep(max(0.0, -head_start))
        client.send()
        destroying.join()
        assert client.answers[0] in (DELIVERED, NO_SUCH_USER)
        assert set(client.answers[1:]) == {DELIVERED}
        outcomes.append(client.answers[0])
        head_start += 0.002 if client.answers[0] == NO_SUCH_USER else -0.002
    assert _rows_of_nobody(server) == []
    assert "store.failed" not in server.log()
