"""API keys at a running server: good and no longer good in every worker from the answer on, over TLS and from their networks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from tests.integration.running_server import PACKAGE_PATH, USING, RunningServer

MakeKey = Callable[..., tuple[str, str]]
TRIES = 12  # connections, enough for every worker to have its turn
REFUSALS = 3  # who fails more often is slowed down


def statuses(server: RunningServer, token: str, source: str = "127.0.0.1", tries: int = TRIES) -> set[int]:
    """What requests with the key are answered with, each over a TLS connection of its own."""
    found = set()
    for _ in range(tries):
        # The server has made its certificate itself.
        transport = httpx.HTTPTransport(local_address=source, verify=False)
        with httpx.Client(transport=transport, timeout=60, trust_env=False) as client:
            url = f"https://127.0.0.1:{server.ports['https']}/api/account"
            found.add(client.get(url, headers={"authorization": f"Bearer {token}"}).status_code)
    return found


@pytest.fixture
def make_key(shared_server: RunningServer) -> Iterator[MakeKey]:
    """`make_key(**properties)`: id and secret of a new key; it is gone afterwards."""
    made: list[str] = []

    def make(**properties: object) -> tuple[str, str]:
        wanted = {"name": f"key {len(made)}", **properties}
        created = shared_server.set("ApiKey", create={"k": wanted})["created"]["k"]
        made.append(created["id"])
        return created["id"], created["secret"]

    yield make
    left = {each["id"] for each in shared_server.call("x:ApiKey/get", ids=None)["list"]}
    shared_server.set("ApiKey", destroy=[each for each in made if each in left])


def test_a_key_is_good_in_every_worker_when_it_is_answered_and_no_longer_when_it_is_gone(
    shared_server: RunningServer, make_key: MakeKey
) -> None:
    key_id, token = make_key()
    assert statuses(shared_server, token) == {200}
    shared_server.set("ApiKey", update={key_id: {"allowedNetworks": ["127.2.0.0/16"]}})
    assert statuses(shared_server, token, source="127.2.0.1") == {200}
    assert statuses(shared_server, token, source="127.3.0.1", tries=REFUSALS) == {401}
    shared_server.set("ApiKey", destroy=[key_id])
    assert statuses(shared_server, token, source="127.4.0.1", tries=REFUSALS) == {401}
    assert token not in shared_server.log()


def test_a_key_for_the_metrics_is_good_for_them_and_for_nothing_else(
    shared_server: RunningServer, make_key: MakeKey
) -> None:
    _, token = make_key(permissions=["sysListenerStatusGet"])
    _, other = make_key(permissions=["sysDomainGet"])
    headers = {"x-forwarded-for": "192.0.2.1"}  # so that being on this machine is not enough
    for key, expected in ((token, 200), (other, 403)):
        answer = httpx.get(
            f"http://127.0.0.1:{shared_server.ports['http']}/metrics",
            headers={**headers, "authorization": f"Bearer {key}"},
            trust_env=False,
        )
        assert answer.status_code == expected
    listing = subprocess.run(
        [sys.executable, "-m", "gatepost", "get", "Domain"],
        env={
            **os.environ,
            "PYTHONPATH": PACKAGE_PATH,
            "GATEPOST_URL": f"http://127.0.0.1:{shared_server.ports['http']}",
            "GATEPOST_TOKEN": token,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert listing.returncode == 1
    assert "the permission sysDomainGet is needed, and the API key does not have it" in listing.stderr


def test_a_key_for_the_history_sees_no_more_of_it_than_of_the_objects_themselves(
    shared_server: RunningServer, make_key: MakeKey
) -> None:
    made, token = make_key(permissions=["sysChangeGet", "sysChangeQuery", "sysDomainGet"])
    (change,) = shared_server.call("x:Change/query", filter={"objectId": made})["ids"]
    since = shared_server.call("x:Change/changes", sinceState="1-1", maxChanges=1)["oldState"]
    url = f"http://127.0.0.1:{shared_server.ports['http']}/jmap"

    def asked(method: str, **arguments: object) -> dict[str, Any]:
        call = [f"x:Change/{method}", {"accountId": shared_server.account_id, **arguments}, "c"]
        body = {"using": USING, "methodCalls": [call]}
        answer = httpx.post(url, json=body, headers={"authorization": f"Bearer {token}"}, trust_env=False)
        ((name, response, _),) = answer.json()["methodResponses"]
        assert name == call[0], response
        return dict(response)

    everything = asked("get", ids=None)["list"]
    assert {each["objectType"] for each in everything} == {"x:Domain"}
    seen = [each["id"] for each in everything]
    assert asked("get", ids=[change])["notFound"] == [change]
    assert asked("query")["ids"] == seen
    assert asked("query", filter={"operator": "NOT", "conditions": [{"objectType": "x:Domain"}]})["ids"] == []
    assert asked("query", filter={"text": "argon2"}, calculateTotal=True)["total"] == 0
    assert set(asked("changes", sinceState=since)["created"]) <= set(seen)
    assert {each["id"] for each in asked("queryChanges", sinceQueryState=since)["added"]} <= set(seen)


def test_the_keys_of_an_account_end_with_it(shared_server: RunningServer, make_key: MakeKey) -> None:
    domain = shared_server.call("x:Domain/get", ids=None)["list"][0]["id"]
    account = {"name": "carol", "domainId": domain, "password": "a password of carol"}
    account_id = shared_server.set("Account", create={"a": account})["created"]["a"]["id"]
    key_id, token = make_key(accountId=account_id)
    assert statuses(shared_server, token) == {200}
    shared_server.set("Account", destroy=[account_id])
    assert statuses(shared_server, token, source="127.5.0.1", tries=REFUSALS) == {401}
    assert shared_server.call("x:ApiKey/get", ids=[key_id])["notFound"] == [key_id]
