"""Administration clients of other makers read the schema document into types of their own: one name that they do not know, and
none of their commands works. What they look up must be where they look."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gatepost.registry.catalogue import EVERY_TYPE
from gatepost.registry.schema import schema_document

DOCUMENT: dict[str, Any] = schema_document(EVERY_TYPE.values())
STRING_FORMATS = {
    "string", "ipAddress", "ipNetwork", "socketAddress", "emailAddress", "secret", "secretText", "uri", "color", "text", "html",
}  # fmt: skip
NUMBER_FORMATS = {"integer", "unsignedInteger", "float", "size", "duration"}
SCALARS = {"string", "enum", "objectId"}
FILTERS = {"text": set(), "integer": set(), "date": set(), "enum": {"enumName"}, "objectId": {"objectName"}}


def every_property() -> Iterator[tuple[str, dict[str, Any]]]:
    for type_name, fields in DOCUMENT["fields"].items():
        for name, described in fields["properties"].items():
            yield f"{type_name}.{name}", described


def complaints(where: str, described: dict[str, Any]) -> Iterator[str]:
    """What a strict reader does not understand of a type."""
    match described:
        case {"type": "string", "format": str(form)} if form in STRING_FORMATS:
            return
        case {"type": "number", "format": str(form)} if form in NUMBER_FORMATS:
            return
        case {"type": "boolean" | "utcDateTime"}:
            return
        case {"type": "enum", "enumName": str(name)} if DOCUMENT["enums"].get(name):
            return
        case {"type": "objectId", "objectName": str(name)} if name in DOCUMENT["objects"]:
            return
        case {"type": "object" | "objectList", "objectName": str(name)} if name in DOCUMENT["schemas"]:
            return
        case {"type": "set", "class": {"type": str(member)} as inner} if member in SCALARS:
            yield from complaints(where, inner)
        case {"type": "map", "keyClass": {"type": str(key)} as first, "valueClass": {"type": str(value)} as second} if (
            key in SCALARS and value in {"string", "number", "enum", "object"}
        ):
            yield from complaints(where, first)
            yield from complaints(where, second)
        case _:
            yield f"{where}: {described}"


def test_every_type_is_one_that_they_know() -> None:
    assert [each for where, described in every_property() for each in complaints(where, described["type"])] == []


def test_every_property_says_what_they_need_to_know() -> None:
    for where, described in every_property():
        assert described["update"] in {"mutable", "immutable", "serverSet"}, where
        assert isinstance(described["description"], str), where


def test_a_form_demands_a_value_only_where_the_server_does() -> None:
    """A client demands one for every text, number, choice, date and id that is not nullable."""
    scalars = SCALARS | {"number", "utcDateTime"}
    for type_name in DOCUMENT["objects"]:
        fields = DOCUMENT["fields"][type_name]
        for name, described in fields["properties"].items():
            if described["type"]["type"] in scalars and described["update"] != "serverSet":
                has_value = fields["defaults"].get(name) not in (None, "")
                is_optional = described["type"].get("nullable", False)
                assert has_value or is_optional or described.get("required"), (type_name, name)


def test_every_list_and_filter_is_of_a_form_that_they_know() -> None:
    for type_name, view in DOCUMENT["lists"].items():
        properties = DOCUMENT["fields"][type_name]["properties"]
        for name in ("title", "subtitle", "singularName", "pluralName", "labelProperty"):
            assert isinstance(view[name], str), (type_name, name)
        for column in view["columns"]:  # they have no words for these in a cell
            assert properties[column["name"]]["type"]["type"] not in {"object", "objectList", "map"}, (
                type_name,
                column,
            )
        for each in view["filters"]:
            assert each.keys() == {"type", "field", "label"} | FILTERS[each["type"]], (type_name, each)


def test_the_menu_leads_to_what_there_is_and_has_icons() -> None:
    """The name of a section stands in the addresses of pages; an icon without a name breaks some of them."""
    for section in DOCUMENT["layouts"]:
        assert section["name"]
        assert "/" not in section["name"]
        containers = [item["container"] for item in section["items"]]
        assert all(part for each in [section, *containers] for part in each["icon"].split("-"))
        for link in [link for each in containers for link in each["items"]]:
            assert link.keys() == {"type", "name", "viewName"}
            assert {link["viewName"]} <= DOCUMENT["objects"].keys() & DOCUMENT["lists"].keys() & DOCUMENT[
                "forms"
            ].keys()
