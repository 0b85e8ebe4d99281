"""RFC 8620 sections 5.1, 5.2, 5.5 and 5.6 on a running server: whatever changes objects changes the states of their types and of no
others, clients that follow know every change, and pages stay right while objects come and go."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.certificates import certificate_pem, key_pem, new_certificate, new_key
from tests.free_port import free_port
from tests.integration.running_server import ADMIN, RunningServer

CONFIGURED = (
    "NetworkListener",
    "SystemSettings",
    "Certificate",
    "BlockedIp",
    "AllowedIp",
    "Domain",
    "Account",
    "ApiKey",
)
Change = Callable[[RunningServer], None]


def states(server: RunningServer) -> dict[str, str]:
    """The state of every type that has changes to tell of."""
    types = [*(f"x:{name}" for name in CONFIGURED), "x:Change"]
    answers = server.calls(*([f"{name}/get", {"accountId": server.account_id, "ids": []}, name] for name in types))
    return {name: answer["state"] for _, answer, name in answers}


def domain_of_all(server: RunningServer) -> str:
    """Its id."""
    (found,) = server.call("x:Domain/query", filter={"name": "example.org"})["ids"]
    return str(found)


def changed_types(server: RunningServer, change: Change) -> set[str]:
    before = states(server)
    change(server)
    return {name for name, state in states(server).items() if state != before[name]}


@contextmanager
def pushed_states(server: RunningServer) -> Iterator[Iterator[dict[str, str]]]:
    """What an event stream of all types is told, change by change."""
    with (
        httpx.Client(auth=ADMIN, timeout=20, trust_env=False) as client,
        client.stream("GET", f"http://127.0.0.1:{server.ports['http']}/jmap/eventsource/?types=*") as response,
    ):
        lines = response.iter_lines()
        assert next(lines) == ":"
        yield (
            json.loads(line.removeprefix("data: "))["changed"][server.account_id]
            for line in lines
            if line.startswith("data: ")
        )


def written(directory: Path, days: int) -> dict[str, str]:
    """The files of a certificate that is valid for so long; the properties that name them."""
    key, now = new_key(), datetime.now(UTC)
    made = new_certificate("state.example", key, (now - timedelta(days=2), now + timedelta(days=days)))
    for name, text in (("chain.pem", certificate_pem(made)), ("key.pem", key_pem(key))):
        (directory / f"{name}.new").write_text(text)
        (directory / f"{name}.new").rename(directory / name)
    return {"certificateFile": str(directory / "chain.pem"), "privateKeyFile": str(directory / "key.pem")}


def test_5_1_a_certificate_file_that_is_renewed_is_a_change_that_is_pushed(
    shared_server: RunningServer, tmp_path: Path
) -> None:
    created = shared_server.set("Certificate", create={"c": written(tmp_path, 30)})["created"]["c"]
    sort = [{"property": "notValidAfter"}]
    query = shared_server.call("x:Certificate/query", sort=sort)
    before = states(shared_server)
    with pushed_states(shared_server) as pushed:
        written(tmp_path, 60)
        told = next(pushed)
        while "x:Certificate" not in told:  # the history may be told of by itself
            told |= next(pushed)
    after = states(shared_server)
    assert {name for name in after if after[name] != before[name]} == {"x:Certificate", "x:Change"}
    assert told["x:Certificate"] == after["x:Certificate"]
    changes = shared_server.call("x:Certificate/changes", sinceState=before["x:Certificate"])
    assert (changes["created"], changes["updated"], changes["destroyed"]) == ([], [created["id"]], [])
    moved = shared_server.call("x:Certificate/queryChanges", sinceQueryState=query["queryState"], sort=sort)
    assert moved["removed"] == [each["id"] for each in moved["added"]] == [created["id"]]
    shared_server.set("Certificate", destroy=[created["id"]])


def test_5_2_an_account_takes_its_keys_along_and_both_types_say_so(shared_server: RunningServer) -> None:
    wire = {"name": "leaves", "domainId": domain_of_all(shared_server), "password": "a long enough password"}
    account_id = shared_server.set("Account", create={"a": wire})["created"]["a"]["id"]
    keys = {name: {"name": name, "accountId": account_id} for name in ("one", "two")}
    key_ids = {each["id"] for each in shared_server.set("ApiKey", create=keys)["created"].values()}
    before = states(shared_server)
    seen = shared_server.call("x:ApiKey/query")
    with pushed_states(shared_server) as pushed:
        shared_server.set("Account", destroy=[account_id])
        told = next(pushed)
        while not {"x:Account", "x:ApiKey"} <= told.keys():
            told |= next(pushed)
    after = states(shared_server)
    assert {name for name in after if after[name] != before[name]} == {"x:Account", "x:ApiKey", "x:Change"}
    assert (told["x:Account"], told["x:ApiKey"]) == (after["x:Account"], after["x:ApiKey"])
    assert set(shared_server.call("x:ApiKey/changes", sinceState=before["x:ApiKey"])["destroyed"]) == key_ids
    changes = shared_server.call("x:ApiKey/queryChanges", sinceQueryState=seen["queryState"])
    assert (set(changes["removed"]), changes["added"]) == (key_ids, [])


@pytest.mark.parametrize(
    ("type_name", "create", "update"),
    [
        ("Domain", {"name": "state.example"}, {"description": "x"}),
        ("BlockedIp", {"network": "203.0.113.99"}, {"reason": "x"}),
        ("AllowedIp", {"network": "203.0.113.99"}, {"reason": "x"}),
        ("Account", {"name": "state", "password": "a long enough password"}, {"password": "another long password"}),
        ("ApiKey", {"name": "state"}, {"expiresAt": "2040-01-31T12:00:00Z"}),
        ("NetworkListener", {"name": "state", "protocol": "pop3"}, {"tlsTimeout": 1000}),
    ],
)
def test_5_1_each_change_of_an_object_is_one_of_its_type_alone(
    type_name: str, create: dict[str, Any], update: dict[str, Any], shared_server: RunningServer
) -> None:
    if type_name == "NetworkListener":
        create = {**create, "bind": [f"127.0.0.1:{free_port()}"]}
    if type_name == "Account":
        create = {**create, "domainId": domain_of_all(shared_server)}
    made: list[str] = []

    def set_(**arguments: Any) -> Change:
        def change(server: RunningServer) -> None:
            answer = server.set(type_name, **arguments)
            made.extend(each["id"] for each in (answer["created"] or {}).values())

        return change

    expected = {f"x:{type_name}", "x:Change"}
    assert changed_types(shared_server, set_(create={"o": create})) == expected
    assert changed_types(shared_server, set_(update={made[0]: update})) == expected
    if "password" not in update:
        assert changed_types(shared_server, set_(update={made[0]: update})) == set()  # as it is already
    assert changed_types(shared_server, set_(update={made[0]: update}, dryRun=True)) == set()
    assert changed_types(shared_server, set_(destroy=made)) == expected


def test_5_5_pages_by_anchor_stay_right_while_objects_come_and_go(shared_server: RunningServer) -> None:
    names = [f"page{number:02}.example" for number in range(0, 40, 2)]
    wire = {f"d{number}": {"name": name} for number, name in enumerate(names)}
    created = shared_server.set("Domain", create=wire)["created"]
    ids = {name: created[f"d{number}"]["id"] for number, name in enumerate(names)}
    wanted = {"filter": {"name": "page"}, "sort": [{"property": "name"}]}
    page = shared_server.call("x:Domain/query", limit=5, **wanted)["ids"]
    followed, number = list(page), 1
    while page:
        # Before the place where the client is: one more, and one less.
        shared_server.set("Domain", create={"d": {"name": f"page{number:02}.example"}}, destroy=[page[0]])
        followed.remove(page[0])
        number += 2
        page = shared_server.call("x:Domain/query", anchor=page[-1], anchorOffset=1, limit=5, **wanted)["ids"]
        followed += page
    assert len(followed) == len(set(followed))
    there = shared_server.call("x:Domain/query", **wanted)["ids"]
    assert set(followed) <= set(there)
    assert {ids[name] for name in names} & set(there) <= set(followed)  # none of those that stayed was passed over
    gone = ids[names[0]]
    (answer,) = shared_server.calls(
        ["x:Domain/query", {"accountId": shared_server.account_id, "anchor": gone, **wanted}, "0"]
    )
    assert (answer[0], answer[1]["type"]) == ("error", "anchorNotFound")
    for position, found in (
        (-3, there[-3:]),
        (-1000, there),
        (len(there), []),
        (10**6, []),
        (len(there) - 1, there[-1:]),
    ):
        assert shared_server.call("x:Domain/query", position=position, **wanted)["ids"] == found
    last = {"anchor": there[-1], **wanted}
    assert shared_server.call("x:Domain/query", anchorOffset=-(10**6), **last)["ids"] == there
    assert shared_server.call("x:Domain/query", anchorOffset=1, **last)["ids"] == []
    shared_server.set("Domain", destroy=there)


def test_5_2_a_client_that_takes_changes_one_by_one_ends_at_the_state_of_get(shared_server: RunningServer) -> None:
    state = states(shared_server)["x:Domain"]
    wire = {f"d{number}": {"name": f"step{number}.example"} for number in range(6)}
    ids = [each["id"] for each in shared_server.set("Domain", create=wire)["created"].values()]
    shared_server.set("Domain", update={ids[0]: {"description": "x"}}, destroy=ids[3:5])
    known: set[str] = set()
    for number in range(20):
        changes = shared_server.call("x:Domain/changes", sinceState=state, maxChanges=1)
        if number == 2:
            shared_server.set("Domain", destroy=[ids[0]])  # while the client is on its way
        known = (known | set(changes["created"])) - set(changes["destroyed"])
        state = changes["newState"]
        if not changes["hasMoreChanges"]:
            break
    assert known == {ids[1], ids[2], ids[5]}
    assert state == states(shared_server)["x:Domain"]
    shared_server.set("Domain", destroy=list(known))


def test_5_3_a_state_between_states_is_none_that_a_set_takes(shared_server: RunningServer) -> None:
    before = states(shared_server)["x:Domain"]
    wire = {f"d{number}": {"name": f"between{number}.example"} for number in range(3)}
    ids = [each["id"] for each in shared_server.set("Domain", create=wire)["created"].values()]
    between = shared_server.call("x:Domain/changes", sinceState=before, maxChanges=1)["newState"]
    arguments = {"accountId": shared_server.account_id, "ifInState": between, "destroy": ids}
    (answer,) = shared_server.calls(["x:Domain/set", arguments, "0"])
    assert answer[1]["type"] == "stateMismatch"
    shared_server.set("Domain", destroy=ids)


def test_7_3_who_asks_for_the_header_of_the_event_source_gets_it(shared_server: RunningServer) -> None:
    answer = shared_server.http.head("/jmap/eventsource/?types=*&closeafter=no&ping=0")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
