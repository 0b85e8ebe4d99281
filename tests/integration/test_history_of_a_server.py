"""The history of a real server: what its start left in it, two operators at one listener, a change undone down to the kernel."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.free_port import free_port
from tests.integration.running_server import ADMIN, PACKAGE_PATH, USING, RunningServer, running_server

OPERATOR = {"name": "olga", "domainId": "#d", "password": "olga's long password", "role": "operator"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """With an operator besides the administrator."""
    lines = [
        {"@type": "upsert", "object": "Domain", "matchOn": ["name"], "value": {"d": {"name": "example.net"}}},
        {"@type": "upsert", "object": "Account", "matchOn": ["name", "domainId"], "value": {"o": OPERATOR}},
    ]
    with running_server(tmp_path_factory.mktemp("server"), extra_lines=lines) as running:
        yield running


class Operator:
    """Somebody at the API."""

    def __init__(self, server: RunningServer, credentials: tuple[str, str]) -> None:
        self._http = httpx.Client(base_url=server.http.base_url, auth=credentials, timeout=60, trust_env=False)
        self._account_id = self._http.get("/jmap/session").json()["primaryAccounts"]["urn:stalwart:jmap"]

    def request(self, *calls: tuple[str, dict[str, Any]]) -> list[list[Any]]:
        """The method responses to the calls (name, arguments); their call ids are 0, 1, …"""
        numbered = [
            [name, {"accountId": self._account_id, **arguments}, str(number)]
            for number, (name, arguments) in enumerate(calls)
        ]
        answer = self._http.post("/jmap", json={"using": USING, "methodCalls": numbered})
        responses: list[list[Any]] = answer.json()["methodResponses"]
        return responses

    def call(self, name: str, **arguments: Any) -> dict[str, Any]:
        ((answered, result, _),) = self.request((name, arguments))
        assert answered == name, result
        return dict(result)

    def close(self) -> None:
        self._http.close()


@pytest.fixture
def admin(server: RunningServer) -> Iterator[Operator]:
    person = Operator(server, ADMIN)
    yield person
    person.close()


@pytest.fixture
def olga(server: RunningServer) -> Iterator[Operator]:
    person = Operator(server, ("olga@example.net", str(OPERATOR["password"])))
    yield person
    person.close()


def answers(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def test_the_first_start_and_the_plan_file_are_in_the_history(server: RunningServer, admin: Operator) -> None:
    found = admin.call("x:Change/get", ids=None)["list"]
    by_cause: dict[str, set[str]] = {}
    for change in found:
        by_cause.setdefault(change["cause"], set()).add(change["objectType"])
    assert by_cause["firstStart"] >= {"x:SystemSettings", "x:Certificate", "x:Account"}
    assert by_cause["planFile"] >= {"x:Domain", "x:Account", "x:NetworkListener"}
    assert ADMIN[1] not in str(found)
    assert "argon2" not in str(found)
    assert "PRIVATE KEY" not in str(found)


def test_of_two_operators_at_one_listener_the_second_hears_of_it_and_sees_what_the_first_changed(
    server: RunningServer, admin: Operator, olga: Operator
) -> None:
    seen = {person: person.call("x:NetworkListener/get", ids=None) for person in (admin, olga)}
    listener_id = next(each["id"] for each in seen[admin]["list"] if each["name"] == "imap")
    state = seen[admin]["state"]
    assert seen[olga]["state"] == state
    admin.call("x:NetworkListener/set", ifInState=state, update={listener_id: {"maxConnections": 77}})

    own_change = {"ifInState": state, "update": {listener_id: {"maxConnections": 5, "tlsTimeout": "30s"}}}
    ((name, error, _),) = olga.request(("x:NetworkListener/set", own_change))
    assert (name, error["type"]) == ("error", "stateMismatch")

    (_, changed, _), (_, found, _), (_, told, _) = olga.request(
        ("x:NetworkListener/changes", {"sinceState": state}),
        ("x:Change/query", {"filter": {"objectId": listener_id}, "limit": 1}),
        ("x:Change/get", {"#ids": {"resultOf": "1", "name": "x:Change/query", "path": "/ids"}}),
    )
    assert changed["updated"] == [listener_id]
    (change,) = told["list"]
    assert found["ids"] == [change["id"]]
    assert (change["account"], change["after"]) == ("admin", {"maxConnections": 77})
    assert (change["sourceAddress"], change["listener"]) == ("127.0.0.1", "http")

    olga.call("x:NetworkListener/set", ifInState=changed["newState"], update={listener_id: {"tlsTimeout": "30s"}})
    (now,) = olga.call("x:NetworkListener/get", ids=[listener_id])["list"]
    assert (now["maxConnections"], now["tlsTimeout"]) == (77, 30_000)


def test_a_reverted_change_of_addresses_is_undone_in_the_kernel(
    server: RunningServer, admin: Operator, olga: Operator
) -> None:
    old, new = free_port(), free_port()
    value = {"name": "moving", "protocol": "smtp", "bind": [f"127.0.0.1:{old}"]}
    created = admin.call("x:NetworkListener/set", create={"m": value})["created"]["m"]["id"]
    admin.call("x:NetworkListener/set", update={created: {"bind": [f"127.0.0.1:{new}"]}})
    assert (answers(old), answers(new)) == (False, True)
    (change_id,) = olga.call("x:Change/query", filter={"objectId": created}, limit=1)["ids"]
    olga.call("x:Change/set", create={"r": {"revertOf": change_id}}, dryRun=True)
    assert (answers(old), answers(new)) == (False, True)
    answer = olga.call("x:Change/set", create={"r": {"revertOf": change_id}})
    assert answer["created"]["r"]["account"] == "olga@example.net"
    assert (answers(old), answers(new)) == (True, False)
    admin.call("x:NetworkListener/set", destroy=[created])
    assert not answers(old)
    (destroyed,) = admin.call("x:Change/query", filter={"objectId": created, "kind": "destroyed"})["ids"]
    admin.call("x:Change/set", create={"r": {"revertOf": destroyed}})
    assert answers(old)
    assert admin.call("x:NetworkListener/get", ids=[created])["list"][0]["name"] == "moving"


def test_an_operator_reverts_nothing_that_is_for_administrators(server: RunningServer, olga: Operator) -> None:
    (change_id,) = olga.call("x:Change/query", filter={"objectType": "x:Account", "objectName": "alice"})["ids"]
    refused = olga.call("x:Change/set", create={"r": {"revertOf": change_id}})["notCreated"]["r"]
    assert refused["type"] == "forbidden"
    assert "sysAccountDestroy" in refused["description"]


def test_the_command_line_shows_the_history_and_reverts(server: RunningServer, admin: Operator, tmp_path: Path) -> None:
    gatepost = commands(server, tmp_path)
    listener_id = server.listener("pop3")["id"]
    admin.call("x:NetworkListener/set", update={listener_id: {"tlsTimeout": "7s"}})
    line = next(line for line in gatepost("history", "pop3").splitlines() if "tlsTimeout: 1m → 7s" in line)
    change_id = line.split()[0]
    assert "updated NetworkListener pop3" in line
    assert "from the next connection on: tlsTimeout" in gatepost("history", "--revert", change_id, "--dry-run")
    assert gatepost("history", "--revert", change_id).startswith(f"reverted {change_id}: updated NetworkListener pop3")
    assert server.listener("pop3")["tlsTimeout"] == 60_000


def commands(server: RunningServer, directory: Path) -> Callable[..., str]:
    environment = {
        **os.environ,
        "PYTHONPATH": PACKAGE_PATH,
        "GATEPOST_URL": str(server.http.base_url),
        "GATEPOST_USER": ADMIN[0],
        "GATEPOST_PASSWORD": ADMIN[1],
    }

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "gatepost", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=directory)
        return done.stdout

    return run
