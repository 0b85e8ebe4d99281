"""A new password, and an account that is gone, at a running server: what is over then is over in every worker at once."""

from __future__ import annotations

import socket
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import httpx
from tests.integration.running_server import PASSWORDS, USING, RunningServer

TRIES = 12  # connections, enough for every worker to have its turn
REFUSALS = 3  # who fails more often is slowed down
NEW = "another password of alice"


class Browser(AbstractContextManager["Browser"]):
    """Somebody who has signed in to the web UI; each request comes over a connection of its own."""

    def __init__(self, server: RunningServer, name: str, password: str) -> None:
        limits = httpx.Limits(max_keepalive_connections=0)
        self._client = httpx.Client(base_url=server.http.base_url, limits=limits, timeout=60, trust_env=False)
        answer = self._client.post("/api/login", json={"user": name, "password": password})
        assert answer.status_code == 200, answer.text
        self.account_id: str = answer.json()["accountId"]
        self._csrf = {"x-csrf-token": answer.json()["csrfToken"]}

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def statuses(self, tries: int = TRIES) -> set[int]:
        """What it is answered, at whatever worker."""
        return {self._post("Core/echo", {}).status_code for _ in range(tries)}

    def set_password(self, password: str) -> None:
        update = {self.account_id: {"password": password}}
        answer = self._post("x:Account/set", {"accountId": self.account_id, "update": update})
        assert answer.json()["methodResponses"][0][1]["updated"] == {self.account_id: None}, answer.text

    def _post(self, method: str, arguments: dict[str, Any]) -> httpx.Response:
        return self._client.post(
            "/jmap", json={"using": USING, "methodCalls": [[method, arguments, "0"]]}, headers=self._csrf
        )

    def next_event(self, server: RunningServer, change: Any) -> str:
        """What an event stream says when `change` has been made; nothing where it ends."""
        with self._client.stream("GET", "/jmap/eventsource/?types=x:Domain&closeafter=state&ping=0") as stream:
            assert stream.status_code == 200
            chunks = stream.iter_text()
            next(chunks)
            change()
            return "".join(chunks)


def logged_in(server: RunningServer, name: str, password: str) -> socket.socket:
    """An IMAP client."""
    client = socket.create_connection(server.address("imap-clear"), timeout=30)
    assert client.recv(4096).startswith(b"* OK")
    client.sendall(f'a LOGIN {name} "{password}"\r\n'.encode())
    assert client.recv(4096).startswith(b"a OK")
    return client


def statuses(server: RunningServer, tries: int, **how: Any) -> set[int]:
    url = f"{server.http.base_url}/api/account"
    return {httpx.get(url, timeout=60, trust_env=False, **how).status_code for _ in range(tries)}


def test_what_ends_with_a_password_and_what_with_the_account(server: RunningServer) -> None:
    alice = next(each for each in server.call("x:Account/get", ids=None)["list"] if each["name"] == "alice")
    created = server.set("ApiKey", create={"k": {"name": "of alice", "accountId": alice["id"]}})
    bearer = {"Authorization": f"Bearer {created['created']['k']['secret']}"}
    with Browser(server, "alice", PASSWORDS["alice"]) as hers, Browser(server, "alice", PASSWORDS["alice"]) as stolen:
        heard = stolen.next_event(server, lambda: hers.set_password(NEW))
        assert "event: state" not in heard
        assert hers.statuses() == {200}
        assert stolen.statuses(REFUSALS) == {401}
        assert statuses(server, REFUSALS, auth=("alice", PASSWORDS["alice"])) == {401}
        assert statuses(server, TRIES, auth=("alice", NEW)) == {200}
        assert statuses(server, TRIES, headers=bearer) == {200}

        server.set("Account", update={alice["id"]: {"password": NEW}})
        assert hers.statuses() == {200}  # the password that it has
        with ExitStack() as stack:
            mail = [stack.enter_context(logged_in(server, "alice", NEW)) for _ in range(TRIES)]
            others = stack.enter_context(logged_in(server, "bob", PASSWORDS["bob"]))
            server.set("Account", destroy=[alice["id"]])
            for client in mail:
                assert client.makefile("rb").read().startswith(b"* BYE ")  # and the end
            others.sendall(b"b CREATE still-here\r\n")
            assert others.recv(4096).startswith(b"b OK")
        assert hers.statuses(REFUSALS) == {401}
        assert statuses(server, REFUSALS, headers=bearer) == {401}
        assert statuses(server, REFUSALS, auth=("alice", NEW)) == {401}
