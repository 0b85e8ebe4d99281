"""What lists and forms made from the schema alone ask for is answered, for every object type that there is a link to."""

from __future__ import annotations

from typing import Any

import pytest

from gatepost.registry.catalogue import EVERY_TYPE, OBJECT_TYPES
from gatepost.registry.schema import schema_document

Api = Any
DOCUMENT: dict[str, Any] = schema_document(EVERY_TYPE.values())
USING = ["urn:ietf:params:jmap:core", "urn:stalwart:jmap"]
RELATIONS = ["IsGreaterThan", "IsGreaterThanOrEqual", "IsLessThan", "IsLessThanOrEqual"]
CONFIGURED = [f"x:{name}" for name in OBJECT_TYPES]


def conditions(filter_: dict[str, Any]) -> list[dict[str, str]]:
    """What a form for the filter can make; every value is text."""
    name = filter_["field"]
    match filter_["type"]:
        case "enum":
            return [{name: choice["name"]} for choice in DOCUMENT["enums"][filter_["enumName"]]]
        case "integer":
            return [{name: "25"}, *({f"{name}{relation}": "25"} for relation in RELATIONS)]
        case "date":
            return [{name: "2030-01-31"}, *({f"{name}{relation}": "2030-01-31"} for relation in RELATIONS)]
        case _:
            return [{name: "a"}]


async def queried(api: Api, type_name: str, **arguments: Any) -> list[dict[str, Any]]:
    """The rows of a page of the list, asked for as such clients do."""
    columns = ["id", *(column["name"] for column in DOCUMENT["lists"][type_name]["columns"])]
    query = [f"{type_name}/query", {"limit": 25, "position": 0, "calculateTotal": True, **arguments}, "0"]
    ids = {"resultOf": "0", "name": f"{type_name}/query", "path": "/ids"}
    get = [f"{type_name}/get", {"#ids": ids, "properties": columns}, "1"]
    (name, found, _), (_, got, _) = await api.calls(query, get, using=USING)
    assert name == query[0], (arguments, found)
    assert [row["id"] for row in got["list"]] == found["ids"]
    return list(got["list"])


@pytest.mark.parametrize("type_name", CONFIGURED)
async def test_a_list_is_sorted_by_every_column_that_says_so(type_name: str, api: Api) -> None:
    rows = await queried(api, type_name)
    for column in DOCUMENT["lists"][type_name]["sort"]:
        for is_ascending in (True, False):
            sort = [{"property": column, "isAscending": is_ascending}]
            assert len(await queried(api, type_name, sort=sort)) == len(rows)


@pytest.mark.parametrize("type_name", CONFIGURED)
async def test_every_filter_of_a_list_takes_what_its_form_makes(type_name: str, api: Api) -> None:
    for filter_ in DOCUMENT["lists"][type_name].get("filters", []):
        for condition in conditions(filter_):
            await queried(api, type_name, filter=condition)


@pytest.mark.parametrize("type_name", CONFIGURED)
async def test_a_form_is_filled_in_and_titled_by_what_a_get_answers(type_name: str, api: Api) -> None:
    fields = [field["name"] for section in DOCUMENT["forms"][type_name]["sections"] for field in section["fields"]]
    label = DOCUMENT["lists"][type_name]["labelProperty"]
    ids = [row["id"] for row in await queried(api, type_name)]
    for properties in (["id", *fields], ["id", label]):
        ((name, got, _),) = await api.calls(
            [f"{type_name}/get", {"ids": ids, "properties": properties}, "0"], using=USING
        )
        assert (name, got.get("notFound")) == (f"{type_name}/get", []), got


@pytest.mark.parametrize(
    ("type_name", "given"),
    [
        ("x:NetworkListener", {"name": "new", "bind": {"127.0.0.1:4001": True}}),
        ("x:BlockedIp", {"network": "192.0.2.0/24"}),
        ("x:AllowedIp", {"network": "192.0.2.0/24"}),
        ("x:Domain", {"name": "example.net"}),
        ("x:Account", {"name": "carol", "domainId": "org", "password": "carol's password"}),
        ("x:ApiKey", {"name": "deploy", "expiresAt": "2030-01-31T12:00:00.000Z"}),
    ],
)
async def test_a_form_that_sends_every_default_back_creates_an_object_that_can_be_changed_and_deleted(
    type_name: str, given: dict[str, Any], api: Api
) -> None:
    async def outcome(arguments: dict[str, Any]) -> dict[str, Any]:
        ((_, answer, _),) = await api.calls([f"{type_name}/set", arguments, "0"], using=USING)
        assert not any(answer[name] for name in ("notCreated", "notUpdated", "notDestroyed")), answer
        result: dict[str, Any] = answer
        return result

    fields = DOCUMENT["fields"][type_name]
    created = (await outcome({"create": {"new-0": {**fields["defaults"], **given}}}))["created"]["new-0"]
    changed = next(name for name in ("maxConnections", "reason", "description", "name") if name in fields["properties"])
    value = 7 if changed == "maxConnections" else "changed"
    assert created["id"] in (await outcome({"update": {created["id"]: {changed: value}}}))["updated"]
    assert (await outcome({"destroy": [created["id"]]}))["destroyed"] == [created["id"]]
