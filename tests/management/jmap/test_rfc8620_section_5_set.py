"""RFC 8620 sections 5.3 (/set), 5.4 (/copy), 6 (binary data). What only this server does at a /set is in `test_set_method.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
import pytest

from gatepost.management.access import Caller
from gatepost.management.jmap.capabilities import OFFERED
from gatepost.management.jmap.engine import MethodContext
from gatepost.management.jmap.limits import Limits
from gatepost.management.methods.reading import TypeReader
from gatepost.management.methods.set_request import read_set
from gatepost.registry.account import Role
from gatepost.registry.declaration import ListView, MenuPlace, ObjectType, Property, declared_properties
from gatepost.registry.kinds import ObjectId, SetOf, Text
from gatepost.values.ids import Id

Api = Any
SET = "x:Domain/set"
MX = "x:NetworkListener/set"


async def refusal(api: Api, name: str, operation: str, key: str, **arguments: Any) -> dict[str, Any]:
    """The SetError of one operation."""
    error: dict[str, Any] = (await api.call(name, **arguments))[f"not{operation}"][key]
    return error


async def test_5_3_create_then_update_then_destroy_whatever_the_order_of_the_arguments(api: Api) -> None:
    arguments = {
        "destroy": ["#new"],
        "update": {"org": {"description": "seen"}},
        "create": {"new": {"name": "new.example"}, "kept": {"name": "kept.example"}},
    }
    answer = await api.call(SET, **arguments)
    assert list(answer["created"]) == ["new", "kept"]
    assert answer["destroyed"] == [answer["created"]["new"]["id"]]
    assert [each["name"] for each in (await api.call("x:Domain/get"))["list"]] == ["example.org", "kept.example"]


async def test_5_3_the_answer_has_every_list_and_states_before_and_after(api: Api) -> None:
    answer = await api.call(SET, create={"d": {"name": "new.example"}})
    assert set(answer) == {
        "accountId", "oldState", "newState", "created", "updated", "destroyed", "notCreated", "notUpdated",
        "notDestroyed",
    }  # fmt: skip
    assert answer["oldState"] != answer["newState"]
    assert [answer[name] for name in ("updated", "destroyed", "notCreated", "notUpdated", "notDestroyed")] == [None] * 5
    assert (await api.call("x:Domain/get"))["state"] == answer["newState"]


async def test_5_3_if_in_state_must_be_the_state(api: Api) -> None:
    state = (await api.call("x:Domain/get"))["state"]
    assert await api.error(SET, ifInState="another", destroy=["org"]) == "stateMismatch"
    first = await api.call(SET, ifInState=state, update={"org": {"description": "first"}})
    assert await api.error(SET, ifInState=state, update={"org": {"description": "second"}}) == "stateMismatch"
    assert first["newState"] == (await api.call("x:Domain/get"))["state"]
    await api.call(SET, ifInState=None, update={"org": {"description": "third"}})


async def test_5_3_of_an_update_all_is_done_or_nothing(api: Api) -> None:
    before = api.store.value("NetworkListener", "mx")
    error = await refusal(api, MX, "Updated", "mx", update={"mx": {"socketTtl": 9, "tlsTimeout": -1}})
    assert error["properties"] == ["tlsTimeout"]
    assert api.store.value("NetworkListener", "mx") == before


async def test_5_3_a_taken_name_is_not_an_invalid_property_but_the_error_made_for_it(api: Api) -> None:
    error = await refusal(api, SET, "Created", "d", create={"d": {"name": "example.org"}})
    assert (error["type"], error["existingId"]) == ("alreadyExists", "org")


async def test_5_3_who_comes_second_sees_what_the_first_has_changed(api: Api) -> None:
    """Two operators with the same listener before them."""
    state = (await api.call("x:NetworkListener/get"))["state"]
    await api.call(MX, "olga", ifInState=state, update={"mx": {"socketTtl": 9}})
    assert await api.error(MX, ifInState=state, update={"mx": {"socketTtl": 8}}) == "stateMismatch"
    changes = "x:NetworkListener/changes"
    reference = {"resultOf": "c", "name": changes, "path": "/updated"}
    _, get = await api.calls([changes, {"sinceState": state}, "c"], ["x:NetworkListener/get", {"#ids": reference}, "g"])
    assert [(each["id"], each["socketTtl"]) for each in get[1]["list"]] == [("mx", 9)]


async def test_5_3_an_update_with_the_id_itself_or_what_the_server_set_as_it_is_changes_nothing(api: Api) -> None:
    (shown,) = (await api.call("x:Certificate/get"))["list"]
    answer = await api.call("x:Certificate/set", update={shown["id"]: shown})
    assert answer["updated"] == {shown["id"]: None}
    error = await refusal(api, SET, "Updated", "org", update={"org": {"id": "other"}})
    assert (error["type"], error["properties"]) == ("invalidProperties", ["id"])


async def test_5_3_an_object_that_was_read_can_be_written_back_whole(api: Api) -> None:
    for listener in (await api.call("x:NetworkListener/get"))["list"]:
        assert (await api.call(MX, update={listener["id"]: listener}))["updated"] == {listener["id"]: None}


async def test_5_3_a_create_with_an_id_or_a_property_that_the_server_sets_is_refused(api: Api) -> None:
    error = await refusal(api, SET, "Created", "d", create={"d": {"name": "new.example", "id": "mine"}})
    assert (error["type"], error["properties"]) == ("invalidProperties", ["id"])


async def test_5_3_null_gives_a_property_its_default_back(api: Api) -> None:
    await api.call(MX, update={"mx": {"socketBacklog": 5, "socketTtl": 9, "socketNoDelay": False}})
    await api.call(MX, update={"mx": {"socketTtl": None, "socketNoDelay": None}})
    (listener,) = (await api.call("x:NetworkListener/get", ids=["mx"]))["list"]
    assert (listener["socketBacklog"], listener["socketTtl"], listener["socketNoDelay"]) == (5, None, True)


@pytest.mark.parametrize(
    "patch",
    [
        {"bind/[::]:26": True, "bind": {"[::]:27": True}},  # one pointer is the beginning of another
        {"socketTtl/x": 1},  # into what is no object
        {"nothing/x": True},  # what leads there does not exist
        {"bind/[::]:25/x": True},
        {"bind/~2": True},  # RFC 6901 section 3
    ],
)
async def test_5_3_a_patch_that_makes_no_sense_is_an_invalid_patch(patch: dict[str, object], api: Api) -> None:
    error = await refusal(api, MX, "Updated", "mx", update={"mx": patch})
    assert error["type"] == "invalidPatch"
    assert (await api.call("x:NetworkListener/get", ids=["mx"]))["list"][0]["bind"] == {"[::]:25": True}


async def test_5_3_a_slash_in_a_member_is_escaped(api: Api) -> None:
    await api.call(MX, update={"mx": {"overrideProxyTrustedNetworks/10.0.0.0~18": True}})
    (listener,) = (await api.call("x:NetworkListener/get", ids=["mx"]))["list"]
    assert listener["overrideProxyTrustedNetworks"] == {"10.0.0.0/8": True}


async def test_5_3_every_invalid_property_is_named(api: Api) -> None:
    wire = {"name": "?", "bind": [], "socketTtl": "9", "protocol": "gopher", "colour": 1, "id": "x"}
    error = await refusal(api, MX, "Created", "l", create={"l": wire})
    assert error["type"] == "invalidProperties"
    assert sorted(error["properties"]) == sorted(wire)
    assert {each["property"] for each in error["validationErrors"]} == set(wire)


@pytest.mark.parametrize(
    ("operation", "arguments", "kind"),
    [
        ("Updated", {"update": {"no": {}}}, "notFound"),
        ("Destroyed", {"destroy": ["no"]}, "notFound"),
        ("Updated", {"update": {"no": {}}, "destroy": ["no"]}, "notFound"),
        ("Destroyed", {"update": {"no": {}}, "destroy": ["no"]}, "notFound"),
    ],
)
async def test_5_3_an_object_that_is_not_there(operation: str, arguments: Any, kind: str, api: Api) -> None:
    assert (await refusal(api, SET, operation, "no", **arguments))["type"] == kind


async def test_5_3_an_object_that_is_destroyed_in_the_same_call_is_not_updated(api: Api) -> None:
    (created,) = (await api.call(SET, create={"d": {"name": "new.example"}}))["created"].values()
    answer = await api.call(SET, update={created["id"]: {"description": "x"}}, destroy=[created["id"]])
    assert answer["notUpdated"][created["id"]]["type"] == "willDestroy"
    assert answer["destroyed"] == [created["id"]]


@pytest.mark.parametrize(("name", "type_"), [("singleton", "x:SystemSettings")])
async def test_5_3_a_singleton_is_neither_made_nor_destroyed(name: str, type_: str, api: Api) -> None:
    answer = await api.call(f"{type_}/set", create={"c": {}}, destroy=[name])
    assert answer["notCreated"]["c"]["type"] == answer["notDestroyed"][name]["type"] == "singleton"


async def test_5_3_a_singleton_of_another_id_is_not_found(api: Api) -> None:
    answer = await api.call("x:SystemSettings/set", update={"other": {}}, destroy=["another"])
    assert answer["notUpdated"]["other"]["type"] == answer["notDestroyed"]["another"]["type"] == "notFound"


async def test_5_3_names_that_two_objects_exchange_are_valid_in_the_end(api: Api) -> None:
    wire = {name: {"name": name, "domainId": "org", "password": "x"} for name in ("one", "two")}
    created = (await api.call("x:Account/set", create=wire))["created"]
    one, two = created["one"]["id"], created["two"]["id"]
    answer = await api.call("x:Account/set", update={one: {"name": "two"}, two: {"name": "one"}})
    assert answer["updated"] == {one: None, two: None}


@pytest.mark.parametrize("creation_id", ["", "two words", "#d", "a/b", "x" * 256, "ä"])
async def test_5_3_a_creation_id_is_an_id(creation_id: str, api: Api) -> None:
    assert await api.error(SET, create={creation_id: {"name": "new.example"}}) == "invalidArguments"


async def test_5_3_a_creation_id_stands_for_an_id_in_later_calls_and_the_newest_counts(api: Api) -> None:
    account = {"name": "bob", "domainId": "#d", "password": "x"}
    first, second, third = await api.calls(
        [SET, {"create": {"d": {"name": "one.example"}}}, "1"],
        [SET, {"create": {"d": {"name": "two.example"}}}, "2"],
        ["x:Account/set", {"create": {"a": account}}, "3"],
    )
    assert first[1]["created"]["d"]["id"] != second[1]["created"]["d"]["id"]
    assert third[1]["created"]["a"]["domainId"] == second[1]["created"]["d"]["id"]


async def test_5_3_a_creation_id_that_stands_for_nothing_is_an_invalid_property(api: Api) -> None:
    account = {"name": "bob", "domainId": "#nothing", "password": "x"}
    error = await refusal(api, "x:Account/set", "Created", "a", create={"a": account})
    assert (error["type"], error["properties"]) == ("invalidProperties", ["domainId"])


async def test_5_3_a_creation_id_can_be_updated_and_destroyed_by_later_calls(api: Api) -> None:
    _, second, third = await api.calls(
        [SET, {"create": {"d": {"name": "one.example"}}}, "1"],
        [SET, {"update": {"#d": {"description": "x"}}}, "2"],
        [SET, {"destroy": ["#d"]}, "3"],
    )
    assert second[1]["updated"] == {"new1": None}
    assert third[1]["destroyed"] == ["new1"]


@pytest.mark.parametrize(("count", "is_taken"), [(3, True), (4, False)])
async def test_5_3_max_objects_in_set_is_the_limit_that_is_announced(
    count: int, is_taken: bool, make_api: Callable[..., Api]
) -> None:
    api = make_api(max_objects_in_set=3)
    arguments = {
        "create": {"a": {"name": "a.example"}},
        "update": {"org": {"description": "x"}},
        "destroy": [f"no{number}" for number in range(count - 2)],
    }
    if is_taken:
        assert (await api.call(SET, **arguments))["created"]
    else:
        revision = api.store.revisions
        assert await api.error(SET, **arguments) == "requestTooLarge"
        assert api.store.revisions == revision


@pytest.mark.parametrize(
    "arguments", [{"create": []}, {"create": {"a": 5}}, {"update": {"org": None}}, {"destroy": {"org": True}}]
)
async def test_5_3_arguments_of_the_wrong_form_are_refused(arguments: dict[str, object], api: Api) -> None:
    assert await api.error(SET, **arguments) == "invalidArguments"


async def test_5_3_what_succeeds_is_done_where_something_else_fails(api: Api) -> None:
    answer = await api.call(
        SET,
        create={"good": {"name": "good.example"}, "bad": {"name": ""}},
        update={"org": {"description": "x"}, "no": {}},
        destroy=["none"],
    )
    assert (list(answer["created"]), list(answer["notCreated"])) == (["good"], ["bad"])
    assert (list(answer["updated"]), list(answer["notUpdated"])) == (["org"], ["no"])
    assert (answer["destroyed"], list(answer["notDestroyed"])) == (None, ["none"])


class _Thing(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    name: Annotated[str, Property(kind=Text(), label="Name", help="")] = ""
    domain_id: Annotated[str | None, Property(kind=ObjectId("Domain"), label="One", help="")] = None
    domain_ids: Annotated[tuple[str, ...], Property(kind=SetOf(ObjectId("Domain")), label="Many", help="")] = ()


THING: ObjectType[_Thing] = ObjectType(
    name="Thing",
    struct=_Thing,
    properties=declared_properties(_Thing),
    description="",
    form=(),
    list_view=ListView("", "", "", "", None, ()),
    menu=MenuPlace("", "", "", "", ""),
)


@pytest.mark.parametrize(
    ("wire", "resolved"),
    [
        ({"domainId": "#d"}, {"domainId": "real"}),
        ({"domainId": "#unknown"}, {"domainId": "#unknown"}),
        ({"name": "#d"}, {"name": "#d"}),
        ({"domainIds": {"#d": True, "other": True}}, {"domainIds": {"real": True, "other": True}}),
        ({"domainIds": ["#d", 5]}, {"domainIds": ["real", 5]}),
        ({"domainIds/#d": True, "domainIds/other": None}, {"domainIds/real": True, "domainIds/other": None}),
    ],
)
async def test_5_3_creation_ids_are_found_wherever_an_id_is_expected(
    wire: dict[str, object], resolved: dict[str, object], api: Api
) -> None:
    caller = Caller(Id("id-admin"), "admin", Role.ADMIN)
    context = MethodContext(caller, frozenset(OFFERED), {"d": Id("real")}, Limits())
    arguments = {"accountId": "id-admin", "update": {"t": wire}}
    (item,) = read_set(TypeReader(THING, api.store), arguments, context, lambda: Id("new")).items
    assert item.resolved == resolved


async def test_5_4_there_is_one_account_so_nothing_can_be_copied(api: Api) -> None:
    assert await api.error("x:Domain/copy", fromAccountId="id-admin", create={}) == "unknownMethod"


async def test_6_1_no_uploads_are_taken_as_the_session_says(api: Api) -> None:
    async with api.client() as client:
        url = "/jmap/upload/id-admin/"
        assert (await client.post(url, content=b"x")).status_code == 401
        answer = await client.post(url, content=b"x", auth=("admin", "secret"))
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert (answer.json()["type"], answer.json()["limit"]) == ("urn:ietf:params:jmap:error:limit", "maxSizeUpload")


async def test_6_2_a_blob_that_is_not_there_is_not_found(api: Api) -> None:
    async with api.client() as client:
        for name in ("name", "a%2Fb", "%C3%A4%20%25"):  # whatever a client puts into the template
            url = f"/jmap/download/id-admin/blob/{name}?accept=text%2Fplain"
            assert (await client.get(url)).status_code == 401
            answer = await client.get(url, auth=("admin", "secret"))
            assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize("using", [["urn:ietf:params:jmap:core"], None])
async def test_6_3_a_blob_that_is_not_there_is_not_copied(using: list[str] | None, api: Api) -> None:
    copy = ["Blob/copy", {"fromAccountId": "id-admin", "blobIds": ["b1", "b2", "b1"]}, "c"]
    ((name, answer, _),) = await api.calls(copy, using=using)
    assert (name, answer["fromAccountId"], answer["accountId"], answer["copied"]) == (
        "Blob/copy", "id-admin", "id-admin", None,
    )  # fmt: skip
    assert {blob_id: error["type"] for blob_id, error in answer["notCopied"].items()} == {
        "b1": "notFound",
        "b2": "notFound",
    }


async def test_6_3_blobs_of_no_account_cannot_be_copied(api: Api) -> None:
    assert await api.error("Blob/copy", fromAccountId="id-olga", blobIds=[]) == "fromAccountNotFound"
    assert await api.error("Blob/copy", accountId="id-olga", fromAccountId="id-admin", blobIds=[]) == "accountNotFound"
    wrong: list[dict[str, Any]] = [
        {"blobIds": []},
        {"fromAccountId": "id-admin"},
        {"fromAccountId": "id-admin", "blobIds": "b"},
    ]
    for arguments in wrong:
        assert await api.error("Blob/copy", **arguments) == "invalidArguments"
