"""One page of the reference: an object type as Markdown, out of the schema document that clients get. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gatepost.cli.describe_command import (
    change_words,
    default_words,
    limit_words,
    type_words,
)
from gatepost.config.object_shape import ObjectShape, ObjectShapes, PropertyShape

_MADE = "<!-- Made by `make manual` out of the declarations in src/gatepost/registry/. Change those, not this. -->"
_HEADING = "| property | type | default | limits | a change applies | |\n|---|---|---|---|---|---|"
_MOST_VALUES_IN_A_TABLE = 20
_VERBS = ("Get", "Query", "Create", "Update", "Destroy")


def object_page(shape: ObjectShape, shapes: ObjectShapes, document: Mapping[str, Any]) -> str:
    """The page of one object type, with the types of the objects within it."""
    lines = [_MADE, "", f"# {shape.name}", "", shape.description, "", *_facts(shape, document)]
    for title, names in _sections(shape, document):
        lines += ["", f"## {title}", "", _HEADING, *(_row(shape.properties[name]) for name in names)]
    lines += _values(shape, document)
    for nested in shapes.within(shape):
        lines += ["", f"## {nested.name}", "", _HEADING, *(_row(each) for each in nested.properties.values())]
        lines += _values(nested, document)
    return "\n".join(lines) + "\n"


def index_page(shapes: Sequence[ObjectShape]) -> str:
    """The list of all pages, and what the columns mean."""
    listed = [f"| [{shape.name}]({shape.name}.md) | {shape.description} |" for shape in shapes]
    return "\n".join(
        (_MADE, "", "# Reference of the objects", "", _INTRODUCTION, "", "| object | |", "|---|---|", *listed, "")
    )


_INTRODUCTION = """\
What is configured, object by object, with every property. `gatepost describe OBJECT` says the same of the server that runs,
and `/api/schema` says it to programs. How objects are changed: [api.md](../api.md) over the API,
[operations.md](../operations.md) from the command line and in plan files.

Types: a *set* is written `{"<member>": true}`, a list is taken too; a *duration* is in milliseconds, and taken as `90s` or `1h30m`;
an *id* is that of another object, in plan files `#name` and on the command line its name. *A change applies* **now** to the open
sockets and the next connection, to the **next connection**, or by **new sockets** that are opened before the old ones close. No
open connection is ever closed or changed by it."""


def _facts(shape: ObjectShape, document: Mapping[str, Any]) -> Iterator[str]:
    """How the type is named where it is used."""
    prefix = document["objects"][shape.wire_name]["permissionPrefix"]
    offered = {choice["name"] for choice in document["enums"]["Permission"]}
    verbs = [f"`{verb}`" for verb in _VERBS if f"{prefix}{verb}" in offered]
    facts = [
        f"On the wire `{shape.wire_name}`",
        f"permissions `{prefix}` with {', '.join(verbs)}",
    ]
    if shape.is_singleton:
        facts.append("there is exactly one, with the id `singleton`")
    elif shape.key_properties:
        names = " and ".join(f"`{name}`" for name in shape.key_properties)
        facts.append(f"no two have the same {names}: what a plan matches on")
    yield "; ".join(facts) + "."


def _sections(shape: ObjectShape, document: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """As in the form of the web UI; what is in no form, last."""
    shown: set[str] = set()
    for section in document["forms"][shape.wire_name]["sections"]:
        names = [field["name"] for field in section["fields"] if field["name"] not in shown]
        shown.update(names)
        if names:
            yield section["title"], names
    rest = [name for name in shape.properties if name not in shown]
    if rest:
        yield "Not in a form" if shown else "Properties", rest


def _row(declared: PropertyShape) -> str:
    cells = (
        f"`{declared.name}`",
        type_words(declared),
        _default(declared),
        limit_words(declared),
        change_words(declared),
        declared.description,
    )
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _default(declared: PropertyShape) -> str:
    """As it is written in plan files, where that is not how people write it."""
    if declared.update == "serverSet" or not isinstance(declared.default, bool):
        return default_words(declared).removesuffix("-")
    return "true" if declared.default else "false"


def _values(shape: ObjectShape, document: Mapping[str, Any]) -> Iterator[str]:
    """The names that a property takes, with what they mean; long lists of names as a paragraph."""
    enums = {entry["name"]: entry for entries in document["enums"].values() for entry in entries}
    for declared in shape.properties.values():
        if not declared.choices:
            continue
        yield from ("", f"## Values of {declared.name}", "")
        if len(declared.choices) > _MOST_VALUES_IN_A_TABLE:
            yield ", ".join(f"`{choice}`" for choice in declared.choices)
        else:
            yield from ("| value | |", "|---|---|")
            yield from (f"| `{choice}` | {enums.get(choice, {}).get('label') or ''} |" for choice in declared.choices)
