"""x:Change: what the history tells over the API, and to whom."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.management.conftest import NOW, Api

from gatepost.management.recording import object_write
from gatepost.registry.change import ChangeCause
from gatepost.registry.system_settings import SYSTEM_SETTINGS, SystemSettings
from gatepost.store.history import Author, Retention
from gatepost.values.ids import Id

NEW = {"name": "edge", "protocol": "imap", "bind": ["127.0.0.1:10143"]}


async def make_history(api: Api) -> None:
    """h1: admin creates edge; h2, an hour later: olga updates it; h3, another hour later: admin destroys mx."""
    await api.call("x:NetworkListener/set", create={"n": NEW})
    api.now += timedelta(hours=1)
    await api.call(
        "x:NetworkListener/set", user="olga", update={"new1": {"tlsTimeout": "30s", "bind/[::1]:10143": True}}
    )
    api.now += timedelta(hours=1)
    await api.call("x:NetworkListener/set", destroy=["mx"])


async def change(api: Api, change_id: str) -> dict[str, Any]:
    (found,) = (await api.call("x:Change/get", ids=[change_id]))["list"]
    return dict(found)


async def test_a_change_says_who_when_from_where_and_what(api: Api) -> None:
    await make_history(api)
    assert await change(api, "h2") == {
        "id": "h2",
        "at": "2030-06-01T13:00:00Z",
        "revision": api.store.revisions - 1,
        "kind": "updated",
        "objectType": "x:NetworkListener",
        "objectId": "new1",
        "objectName": "edge",
        "cause": "api",
        "accountId": "id-olga",
        "account": "olga",
        "apiKey": None,
        "sourceAddress": "127.0.0.1",
        "listenerId": "web",
        "listener": "web",
        "before": {"bind": {"127.0.0.1:10143": True}, "tlsTimeout": 60_000},
        "after": {"bind": {"127.0.0.1:10143": True, "[::1]:10143": True}, "tlsTimeout": 30_000},
        "redacted": {},
        "revertOf": None,
    }


async def test_a_change_that_came_with_an_api_key_names_the_key(api: Api) -> None:
    answer = await api.call("x:ApiKey/set", create={"k": {"name": "deploy"}})
    headers = {"authorization": f"Bearer {answer['created']['k']['secret']}"}
    call = ["x:NetworkListener/set", {"accountId": "id-admin", "create": {"n": NEW}}, "0"]
    async with api.client() as client:
        await client.post("/jmap", json={"using": ["urn:stalwart:jmap"], "methodCalls": [call]}, headers=headers)
    found = await change(api, "h2")
    assert (found["account"], found["apiKey"]) == ("admin", "deploy")
    assert (await change(api, "h1"))["redacted"] == {"secret": True}
    assert (await api.call("x:Change/query", filter={"apiKey": "deploy"}))["ids"] == ["h2"]


async def test_a_created_and_a_destroyed_object_are_there_as_a_whole(api: Api) -> None:
    await make_history(api)
    created, destroyed = await change(api, "h1"), await change(api, "h3")
    assert (created["kind"], created["before"]) == ("created", None)
    assert created["after"].items() >= {"name": "edge", "protocol": "imap", "maxConnections": 8192}.items()
    assert (destroyed["kind"], destroyed["after"], destroyed["objectName"]) == ("destroyed", None, "mx")
    assert destroyed["before"]["bind"] == {"[::]:25": True}


async def test_no_secret_is_told(api: Api) -> None:
    value = {"name": "bob", "domainId": "org", "password": "correct horse battery"}
    await api.call("x:Account/set", create={"b": value})
    answer = await api.post(
        {"using": ["urn:gatepost:jmap"], "methodCalls": [["x:Change/get", {"accountId": "id-admin"}, "0"]]}
    )
    assert "correct horse" not in answer.text
    assert "hash of" not in answer.text
    found = await change(api, "h1")
    assert (found["objectName"], found["redacted"]) == ("bob@example.org", {"password": True})


async def test_what_is_refused_leaves_no_change(api: Api) -> None:
    await api.call("x:NetworkListener/set", create={"n": NEW | {"protocol": "gopher"}}, update={"mx": {"name": "web"}})
    await api.call("x:NetworkListener/set", create={"n": NEW}, dryRun=True)
    await api.call("x:NetworkListener/set", update={"mx": {"socketBacklog": 1024}})
    assert (await api.call("x:Change/get", ids=None))["list"] == []


async def test_an_object_that_is_set_and_destroyed_by_one_call_has_one_change_each(api: Api) -> None:
    await api.call("x:NetworkListener/set", create={"n": NEW}, destroy=["mx"])
    found = (await api.call("x:Change/get", ids=None, properties=["kind", "revision"]))["list"]
    assert sorted(each["kind"] for each in found) == ["created", "destroyed"]
    assert len({each["revision"] for each in found}) == 1


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (None, ["h3", "h2", "h1"]),
        ({"objectType": "x:NetworkListener"}, ["h3", "h2", "h1"]),
        ({"objectType": "Account"}, []),
        ({"objectId": "new1"}, ["h2", "h1"]),
        ({"objectName": "EDG"}, ["h2", "h1"]),
        ({"account": "olga"}, ["h2"]),
        ({"accountId": "id-admin"}, ["h3", "h1"]),
        ({"kind": "destroyed"}, ["h3"]),
        ({"cause": "planFile"}, []),
        ({"apiKey": None}, ["h3", "h2", "h1"]),
        ({"sourceAddress": "127.", "listener": "web"}, ["h3", "h2", "h1"]),
        ({"after": "2030-06-01T13:00:00Z"}, ["h3", "h2"]),
        ({"before": "2030-06-01T13:00:00Z"}, ["h1"]),
        ({"after": "2030-06-01T12:30:00Z", "before": "2030-06-01T13:30:00Z"}, ["h2"]),
        ({"text": "[::1]:10143"}, ["h2"]),
        ({"text": "olga"}, ["h2"]),
        ({"revision": 1}, []),
        ({"operator": "NOT", "conditions": [{"account": "olga"}]}, ["h3", "h1"]),
        ({"operator": "OR", "conditions": [{"account": "olga"}, {"kind": "destroyed"}]}, ["h3", "h2"]),
    ],
)
async def test_changes_are_found(api: Api, wanted: dict[str, Any] | None, expected: list[str]) -> None:
    await make_history(api)
    answer = await api.call("x:Change/query", filter=wanted, calculateTotal=True)
    assert (answer["ids"], answer["total"]) == (expected, len(expected))
    assert answer["canCalculateChanges"] is True


async def test_what_comes_while_a_query_is_answered_is_told_as_a_change(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = api.store.history.find

    async def with_another(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(api.store.history, "find", find)
        await api.call("x:NetworkListener/set", create={"n": NEW})
        return await find(*arguments, **options)

    monkeypatch.setattr(api.store.history, "find", with_another)
    answer = await api.call("x:Change/query")
    assert answer["ids"] == []
    assert (await api.call("x:Change/changes", sinceState=answer["queryState"]))["created"] == ["h1"]


async def test_changes_are_sorted_and_paged(api: Api) -> None:
    await make_history(api)
    oldest_first = [{"property": "at", "isAscending": True}]
    assert (await api.call("x:Change/query", sort=oldest_first, limit=2))["ids"] == ["h1", "h2"]
    assert (await api.call("x:Change/query", anchor="h2", anchorOffset=1))["ids"] == ["h1"]
    assert (await api.call("x:Change/query", position=-1))["ids"] == ["h1"]
    by_name = [{"property": "account"}, {"property": "at"}]
    assert (await api.call("x:Change/query", sort=by_name))["ids"] == ["h1", "h3", "h2"]


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({"filter": {"redacted": "x"}}, "unsupportedFilter"),
        ({"filter": {"account": 7}}, "invalidArguments"),
        ({"filter": {"after": "yesterday"}}, "invalidArguments"),
        ({"filter": {"revision": "7"}}, "invalidArguments"),
        ({"filter": {"text": None}}, "invalidArguments"),
        ({"filter": {"objectType": None}}, "invalidArguments"),
        ({"filter": {"account": "x" * 1001}}, "invalidArguments"),
        ({"filter": {"text": "x" * 1001}}, "invalidArguments"),
        ({"filter": []}, "invalidArguments"),
        ({"filter": {"operator": "OR", "conditions": [{"text": "x"}] * 257}}, "unsupportedFilter"),
        ({"filter": {"operator": "XOR", "conditions": []}}, "invalidArguments"),
        ({"filter": {"operator": "AND", "conditions": [None]}}, "invalidArguments"),
        ({"sort": [{"property": "before"}]}, "unsupportedSort"),
        ({"anchor": "h9"}, "anchorNotFound"),
    ],
)
async def test_a_query_that_makes_no_sense_is_refused(api: Api, arguments: dict[str, Any], kind: str) -> None:
    assert await api.error("x:Change/query", **arguments) == kind


async def test_the_state_changes_with_every_change_and_only_then(api: Api) -> None:
    first = (await api.call("x:Change/get", ids=[]))["state"]
    await api.call("x:NetworkListener/set", create={"n": NEW}, dryRun=True)
    assert (await api.call("x:Change/get", ids=[]))["state"] == first
    await api.call("x:NetworkListener/set", create={"n": NEW})
    assert (await api.call("x:Change/get", ids=[]))["state"] != first


async def test_what_is_new_since_a_state_is_told_in_parts(api: Api) -> None:
    state = (await api.call("x:Change/query"))["queryState"]
    await make_history(api)
    answer = await api.call("x:Change/changes", sinceState=state, maxChanges=2)
    assert (answer["created"], answer["hasMoreChanges"]) == (["h1", "h2"], True)
    answer = await api.call("x:Change/changes", sinceState=answer["newState"], maxChanges=2)
    assert (answer["created"], answer["destroyed"], answer["hasMoreChanges"]) == (["h3"], [], False)
    assert answer["newState"] == (await api.call("x:Change/get", ids=[]))["state"]
    answer = await api.call(
        "x:Change/queryChanges", sinceQueryState=state, filter={"account": "olga"}, calculateTotal=True
    )
    assert (answer["added"], answer["removed"], answer["total"]) == ([{"id": "h2", "index": 0}], [], 1)
    assert await api.error("x:Change/queryChanges", sinceQueryState=state, maxChanges=2) == "tooManyChanges"


async def test_what_is_removed_because_of_its_age_is_told_as_destroyed(api: Api) -> None:
    await make_history(api)
    state = (await api.call("x:Change/get", ids=[]))["state"]
    api.store.history.record(99, [], Retention(NOW + timedelta(minutes=61), 100))
    answer = await api.call("x:Change/changes", sinceState=state, maxChanges=1)
    assert (answer["destroyed"], answer["created"], answer["hasMoreChanges"]) == (["h1"], [], True)
    answer = await api.call("x:Change/changes", sinceState=answer["newState"])
    assert (answer["destroyed"], answer["hasMoreChanges"]) == (["h2"], False)
    assert (await api.call("x:Change/get", ids=["h1", "h3"]))["notFound"] == ["h1"]
    assert (await api.call("x:Change/queryChanges", sinceQueryState=state))["removed"] == ["h1", "h2"]


@pytest.mark.parametrize("state", ["", "1", "x", "0-0", "1-99", "2-0", "1-2-3", "\uff19-9", "99999999999999999999-1"])
async def test_a_state_that_never_was_is_told_so(api: Api, state: str) -> None:
    await make_history(api)
    assert await api.error("x:Change/changes", sinceState=state) == "cannotCalculateChanges"


async def test_settings_bound_the_history(api: Api) -> None:
    api.store.put(SYSTEM_SETTINGS, "singleton", SystemSettings(history_retention=3_600_000, history_max_changes=2))
    await make_history(api)
    assert (await api.call("x:Change/query"))["ids"] == ["h3", "h2"]
    await api.call("x:SystemSettings/set", update={"singleton": {"historyMaxChanges": 1}})
    assert (await api.call("x:Change/query"))["ids"] == ["h4"]


async def test_who_may_see_the_history(api: Api) -> None:
    await make_history(api)
    assert (await api.call("x:Change/query", user="olga"))["ids"]
    for name in ("x:Change/get", "x:Change/query", "x:Change/set", "x:Change/changes", "x:Change/queryChanges"):
        assert await api.error(name, user="alice", sinceState="1-0", sinceQueryState="1-0") == "forbidden"
    async with api.client() as client:
        answer = await client.get("/api/account", auth=("olga", "secret"))
    assert [each for each in answer.json()["permissions"] if "Change" in each] == [
        "sysChangeGet",
        "sysChangeQuery",
        "sysChangeCreate",
    ]


async def test_the_history_is_not_part_of_the_configuration_capability(api: Api) -> None:
    using = ["urn:ietf:params:jmap:core", "urn:stalwart:jmap"]
    ((name, answer, _),) = await api.calls(["x:Change/query", {}, "0"], using=using)
    assert (name, answer["type"]) == ("error", "unknownMethod")


async def test_what_no_account_has_done_says_what_has(api: Api) -> None:
    author = Author(at=NOW, cause=ChangeCause.FIRST_START)
    await api.store.commit([object_write(author, SYSTEM_SETTINGS, Id("singleton"), None, SystemSettings())])
    found = await change(api, "h1")
    assert (found["cause"], found["account"], found["accountId"], found["sourceAddress"]) == (
        "firstStart",
        None,
        None,
        None,
    )
    assert (found["objectName"], found["objectId"]) == (None, "singleton")


async def test_a_filter_looks_for_text_in_the_whole_history_a_few_times_at_most(api: Api) -> None:
    texts = [{"text": f"word {number}"} for number in range(17)]
    some = {"operator": "OR", "conditions": [{"operator": "NOT", "conditions": texts[:8]}, *texts[8:16]]}
    await api.call("x:Change/query", filter=some)
    assert await api.error("x:Change/query", filter={"operator": "OR", "conditions": texts}) == "unsupportedFilter"
