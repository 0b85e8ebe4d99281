"""get, query, changes and queryChanges for every object type (RFC 8620 sections 5.1, 5.2, 5.5, 5.6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gatepost.registry.ip_network import BLOCKED_IP, BlockedIp
from gatepost.values.ip_mask import IpMask

Api = Any
GET, QUERY = "x:NetworkListener/get", "x:NetworkListener/query"


async def test_get_gives_all_with_null(api: Api) -> None:
    answer = await api.call(GET, ids=None)
    assert [each["id"] for each in answer["list"]] == ["web", "webs", "mx"]
    assert answer["list"][2]["bind"] == {"[::]:25": True}
    assert (answer["notFound"], answer["state"], answer["accountId"]) == ([], "s3", "id-admin")


async def test_get_leaves_nothing_unsaid(api: Api) -> None:
    answer = await api.call(GET, ids=["mx", "nothing", "not an id!", "mx"])
    assert [each["id"] for each in answer["list"]] == ["mx"]
    assert answer["notFound"] == ["nothing", "not an id!"]


async def test_get_gives_the_properties_that_were_asked_for_and_always_the_id(api: Api) -> None:
    assert (await api.call(GET, ids=["mx"], properties=["name"]))["list"] == [{"id": "mx", "name": "mx"}]
    assert (await api.call(GET, ids=["mx"], properties=[]))["list"] == [{"id": "mx"}]
    assert await api.error(GET, ids=["mx"], properties=["color"]) == "invalidArguments"


async def test_secrets_are_never_given(api: Api) -> None:
    (account,) = (await api.call("x:Account/get", ids=["id-alice"]))["list"]
    assert "password" not in account
    assert (await api.call("x:Account/get", ids=["id-alice"], properties=["password"]))["list"] == [{"id": "id-alice"}]
    (certificate,) = (await api.call("x:Certificate/get", ids=None))["list"]
    assert "privateKey" not in certificate
    assert certificate["isSelfSigned"] is True


async def test_a_singleton_is_there_before_it_was_ever_stored(api: Api) -> None:
    for ids in (None, ["singleton"]):
        (settings,) = (await api.call("x:SystemSettings/get", ids=ids))["list"]
        assert (settings["id"], settings["maxConnections"]) == ("singleton", 8192)
    assert (await api.call("x:SystemSettings/get", ids=["other"]))["notFound"] == ["other"]
    assert (await api.call("x:SystemSettings/query"))["ids"] == ["singleton"]


async def test_get_has_a_limit(make_api: Callable[..., Api]) -> None:
    api = make_api(max_objects_in_get=3)
    assert len((await api.call(GET, ids=None))["list"]) == 3
    assert await api.error(GET, ids=["a", "b", "c", "d"]) == "requestTooLarge"
    assert await make_api(max_objects_in_get=2).error(GET, ids=None) == "requestTooLarge"


@pytest.mark.parametrize(
    "arguments",
    [{"ids": "mx"}, {"ids": [5]}, {"properties": "name"}, {"idz": None}, {"accountId": None}, {"accountId": 5}],
)
async def test_arguments_of_the_wrong_form_are_refused(arguments: dict[str, object], api: Api) -> None:
    assert await api.error(GET, **arguments) == "invalidArguments"


async def test_another_account_is_not_found(api: Api) -> None:
    assert await api.error(GET, accountId="id-alice") == "accountNotFound"


async def test_who_gives_no_account_means_the_own_one(api: Api) -> None:
    calls = [
        [QUERY, {"filter": {}, "limit": 500, "calculateTotal": True}, "q"],
        [GET, {"#ids": {"resultOf": "q", "name": QUERY, "path": "/ids"}, "properties": None}, "g"],
        ["x:NetworkListener/set", {"update": {"mx": {"maxConnections": 7}}}, "s"],
    ]
    answer = await api.post({"using": ["urn:ietf:params:jmap:core", "urn:stalwart:jmap"], "methodCalls": calls})
    found, got, changed = (arguments for _, arguments, _ in answer.json()["methodResponses"])
    assert (found["total"], len(got["list"]), changed["updated"]) == (3, 3, {"mx": None})
    assert {each["accountId"] for each in (found, got, changed)} == {"id-admin"}


# --- query ----------------------------------------------------------------------------------------------------------


async def ids(api: Api, condition: object = None, **arguments: Any) -> list[str]:
    found: list[str] = (await api.call(QUERY, filter=condition, **arguments))["ids"]
    return found


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (None, ["web", "webs", "mx"]),
        ({}, ["web", "webs", "mx"]),
        ({"name": "WEB"}, ["web", "webs"]),
        ({"name": "web", "useTls": False}, ["web"]),
        ({"protocol": "http"}, ["web", "webs"]),
        ({"protocol": "htt"}, []),
        ({"bind": ":25"}, ["mx"]),
        ({"maxConnections": 8192}, ["web", "webs", "mx"]),
        ({"maxConnections": True}, []),
        ({"socketTtl": None}, ["web", "webs", "mx"]),
        ({"text": "8443"}, ["webs"]),
        ({"operator": "NOT", "conditions": [{"name": "web"}]}, ["mx"]),
        ({"operator": "OR", "conditions": [{"name": "mx"}, {"tlsImplicit": True}]}, ["webs", "mx"]),
        ({"operator": "AND", "conditions": [{"name": "web"}, {"tlsImplicit": True}]}, ["webs"]),
        ({"operator": "AND", "conditions": []}, ["web", "webs", "mx"]),
        ({"operator": "NOT", "conditions": [{"operator": "OR", "conditions": [{"name": "web"}]}]}, ["mx"]),
    ],
)
async def test_filters(condition: object, found: list[str], api: Api) -> None:
    assert await ids(api, condition) == found


@pytest.mark.parametrize(
    ("bind", "found"),
    [
        ("127.0.0.1:8080", ["web"]),
        ("127.0.0.1:808", []),  # a whole address
        ("127.0.0.1:80", []),
        ("127.0.0.1", ["web"]),
        ("::ffff:127.0.0.1", ["web"]),
        ("27.0.0.1", []),
        ("127.0.0.", ["web"]),  # none: a part of the text
        ("[0::0]:25", ["mx"]),
        ("[::]", ["webs", "mx"]),
        ("0:0::0", ["webs", "mx"]),
        (":25", ["mx"]),
        (":443", []),
        ("443", ["webs"]),
        (None, []),
        (25, []),
    ],
)
async def test_addresses_are_found_as_addresses(bind: object, found: list[str], api: Api) -> None:
    assert await ids(api, {"bind": bind}) == found


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("10.0.0.1", ["host", "ten"]),
        ("10.0.0.10", ["ten", "tens"]),
        ("10.9.0.0/16", ["ten"]),
        ("10.1.2.3/8", ["ten"]),
        ("110.0.0.1", []),
        ("0.0.0.0/0", []),
        ("::ffff:10.0.0.1", ["host", "ten"]),
        ("2001:DB8:0:0::7", ["six"]),
        ("10.0.", ["host", "ten", "tens"]),
        ("2001:db8", ["six"]),
        (None, []),
    ],
)
async def test_networks_are_found_by_what_lies_in_them(wanted: object, found: list[str], api: Api) -> None:
    networks = {"host": "10.0.0.1", "ten": "10.0.0.0/8", "tens": "10.0.0.10", "six": "2001:db8::/32"}
    for name, network in networks.items():
        api.store.put(BLOCKED_IP, name, BlockedIp(network=IpMask.parse(network)))
    answer = await api.call("x:BlockedIp/query", filter={"network": wanted})
    assert sorted(answer["ids"]) == sorted(found)


async def test_a_network_in_a_set_is_found_by_what_lies_in_it(api: Api) -> None:
    await api.call("x:NetworkListener/set", update={"mx": {"overrideProxyTrustedNetworks": ["192.0.2.0/24"]}})
    found = {"192.0.2.7": ["mx"], "192.0.3.7": [], "192.0.2": ["mx"]}
    for wanted, expected in found.items():
        assert await ids(api, {"overrideProxyTrustedNetworks": wanted}) == expected
    assert await ids(api, {"overrideProxyTrustedNetworks": None}) == ["web", "webs"]


@pytest.mark.parametrize(
    ("condition", "kind"),
    [
        ({"color": "red"}, "unsupportedFilter"),
        ([], "invalidArguments"),
        ({"operator": "XOR", "conditions": []}, "invalidArguments"),
        ({"operator": "AND"}, "invalidArguments"),
        ({"operator": "AND", "conditions": [None]}, "invalidArguments"),
        ({"name": {}}, "invalidArguments"),
        ({"bind": ["[::]:25"]}, "invalidArguments"),
        ({"text": 5}, "invalidArguments"),
    ],
)
async def test_filters_that_make_no_sense(condition: object, kind: str, api: Api) -> None:
    assert await api.error(QUERY, filter=condition) == kind


async def test_a_secret_cannot_be_searched_for(api: Api) -> None:
    assert await api.error("x:Account/query", filter={"password": "hash"}) == "unsupportedFilter"


async def test_sorting(api: Api) -> None:
    assert await ids(api, sort=[{"property": "name"}]) == ["mx", "web", "webs"]
    assert await ids(api, sort=[{"property": "name", "isAscending": False}]) == ["webs", "web", "mx"]
    by_protocol = {"property": "protocol", "isAscending": False, "collation": "i;octet"}
    assert await ids(api, sort=[by_protocol, {"property": "name", "isAscending": False}]) == ["mx", "webs", "web"]
    assert await ids(api, sort=[{"property": "useTls"}]) == ["web", "webs", "mx"]
    assert await api.error(QUERY, sort=[{"property": "color"}]) == "unsupportedSort"
    assert await api.error(QUERY, sort=[{"property": "name", "collation": "i;klingon"}]) == "unsupportedSort"
    assert await api.error(QUERY, sort=[{"isAscending": True}]) == "invalidArguments"


async def test_windows_on_the_result(api: Api) -> None:
    assert await ids(api, position=1) == ["webs", "mx"]
    assert await ids(api, position=-1) == ["mx"]
    assert await ids(api, position=-9) == ["web", "webs", "mx"]
    assert await ids(api, position=9) == []
    assert await ids(api, limit=2) == ["web", "webs"]
    assert await ids(api, limit=0) == []
    assert await ids(api, anchor="webs") == ["webs", "mx"]
    assert await ids(api, anchor="webs", anchorOffset=1) == ["mx"]
    assert await ids(api, anchor="webs", anchorOffset=-9) == ["web", "webs", "mx"]
    assert await api.error(QUERY, anchor="nothing") == "anchorNotFound"
    assert await api.error(QUERY, limit=-1) == "invalidArguments"


async def test_the_total_is_counted_when_asked_for(api: Api) -> None:
    answer = await api.call(QUERY, limit=1, calculateTotal=True)
    assert (answer["total"], answer["position"], answer["canCalculateChanges"]) == (3, 0, True)
    assert "limit" not in answer
    assert "total" not in await api.call(QUERY)


async def test_a_limit_of_the_server_is_told(make_api: Callable[..., Api]) -> None:
    answer = await make_api(max_objects_in_get=2).call(QUERY, calculateTotal=True)
    assert (len(answer["ids"]), answer["limit"], answer["total"]) == (2, 2, 3)


# --- changes --------------------------------------------------------------------------------------------------------


async def change_listeners(api: Api) -> None:
    create = {"n": {"name": "new", "bind": ["[::]:143"], "protocol": "imap"}}
    await api.call("x:NetworkListener/set", create=create, update={"mx": {"socketTtl": 9}}, destroy=["webs"])


async def test_changes_since_a_state(api: Api) -> None:
    await change_listeners(api)
    answer = await api.call("x:NetworkListener/changes", sinceState="s3")
    assert (answer["created"], answer["updated"], answer["destroyed"]) == (["new1"], ["mx"], ["webs"])
    assert (answer["oldState"], answer["newState"], answer["hasMoreChanges"]) == ("s3", "s6", False)
    assert (await api.call("x:NetworkListener/changes", sinceState="s3", maxChanges=1))["hasMoreChanges"]
    assert await api.error("x:NetworkListener/changes", sinceState="s99") == "cannotCalculateChanges"
    assert await api.error("x:NetworkListener/changes", sinceState="s3", maxChanges=0) == "invalidArguments"
    assert await api.error("x:NetworkListener/changes") == "invalidArguments"


async def test_changes_of_a_query_lead_to_the_new_result(api: Api) -> None:
    sort = [{"property": "name"}]
    before = await api.call(QUERY, sort=sort)
    await change_listeners(api)
    answer = await api.call("x:NetworkListener/queryChanges", sinceQueryState=before["queryState"], sort=sort)
    result = [each for each in before["ids"] if each not in answer["removed"]]
    for added in answer["added"]:
        result.insert(added["index"], added["id"])
    after = await api.call(QUERY, sort=sort)
    assert (result, answer["newQueryState"]) == (after["ids"], after["queryState"])
    since = {"sinceQueryState": before["queryState"], "sort": sort}
    assert (await api.call("x:NetworkListener/queryChanges", calculateTotal=True, **since))["total"] == 3
    assert await api.error("x:NetworkListener/queryChanges", maxChanges=1, **since) == "tooManyChanges"
    assert await api.error("x:NetworkListener/queryChanges", sinceQueryState="s99") == "cannotCalculateChanges"


# --- who may read what ----------------------------------------------------------------------------------------------


async def test_an_operator_sees_everything(api: Api) -> None:
    for type_name in ("NetworkListener", "SystemSettings", "Certificate", "Domain", "Account"):
        assert (await api.call(f"x:{type_name}/get", "olga", ids=None))["list"]


async def test_a_user_sees_the_own_account_alone(api: Api) -> None:
    for type_name in ("NetworkListener", "SystemSettings", "Certificate", "Domain"):
        assert await api.error(f"x:{type_name}/get", "alice") == "forbidden"
        assert await api.error(f"x:{type_name}/query", "alice") == "forbidden"
    answer = await api.call("x:Account/get", "alice", ids=None)
    assert [each["id"] for each in answer["list"]] == ["id-alice"]
    assert (await api.call("x:Account/get", "alice", ids=["id-admin"]))["notFound"] == ["id-admin"]
    assert (await api.call("x:Account/query", "alice", calculateTotal=True))["total"] == 1
    assert (await api.call("x:Account/changes", "alice", sinceState="s0"))["created"] == ["id-alice"]


async def test_a_forbidden_verb_is_refused_before_anything_is_read(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(type(api.store), "state")
    assert await api.error("x:NetworkListener/get", "alice", ids=None) == "forbidden"
    assert await api.error("x:NetworkListener/set", "alice", destroy=["mx"]) == "forbidden"
    assert api.server.turns == 0


# --- status ---------------------------------------------------------------------------------------------------------


async def test_the_status_of_listeners_is_read_from_the_running_server(api: Api) -> None:
    answer = await api.call("x:ListenerStatus/get", ids=["mx", "nothing"])
    (status,) = answer["list"]
    assert (status["id"], status["name"], status["state"]) == ("mx", "mx", "active")
    assert status["runningRevision"] == status["storedRevision"]
    assert answer["notFound"] == ["nothing"]
    api.server.listener_states["mx"] = "failed"
    assert (await api.call("x:ListenerStatus/query", filter={"state": "failed"}))["ids"] == ["mx"]
    assert (await api.call("x:ListenerStatus/get"))["state"] != answer["state"]


async def test_the_status_of_a_listener_is_nobodys_to_change(api: Api) -> None:
    answer = await api.call(
        "x:ListenerStatus/set", create={"c": {}}, update={"mx": {"state": "active"}}, destroy=["mx"]
    )
    refused = [answer["notCreated"]["c"], answer["notUpdated"]["mx"], answer["notDestroyed"]["mx"]]
    assert [each["type"] for each in refused] == ["forbidden"] * 3
    assert (answer["created"], answer["updated"], answer["destroyed"]) == (None, None, None)
    assert await api.error("x:ListenerStatus/set", ifInState="other", destroy=["mx"]) == "stateMismatch"
    assert (await api.call("x:ListenerStatus/set", destroy=["mx"], dryRun=True))["dryRun"] == {}


@pytest.mark.parametrize(
    ("filter_", "is_found"),
    [
        ({"name": "M"}, True),
        ({"text": "mx"}, True),
        ({"state": "activ"}, False),  # of a choice the whole is compared
        ({"reason": None}, True),
        ({"connections": 1}, False),
    ],
)
async def test_the_status_of_listeners_is_found_as_other_objects_are(api: Api, filter_: object, is_found: bool) -> None:
    assert ("mx" in (await api.call("x:ListenerStatus/query", filter=filter_))["ids"]) is is_found


@pytest.mark.parametrize("name", ["addresses", "refused", "color"])
async def test_nothing_is_looked_for_within_the_parts_of_a_status(api: Api, name: str) -> None:
    assert await api.error("x:ListenerStatus/query", filter={name: "x"}) == "unsupportedFilter"
    assert await api.error("x:ListenerStatus/query", sort=[{"property": name}]) == "unsupportedSort"
