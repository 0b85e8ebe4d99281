"""describe: the object types of the server and their properties, out of the schema document."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gatepost.cli.client_command import Invocation
from gatepost.cli.completion import complete_object_type
from gatepost.cli.named_objects import find_shape
from gatepost.cli.output import value_text
from gatepost.config.object_shape import ObjectShape, PropertyShape

MOST_CHOICES_IN_A_TABLE = 12

_UPDATE_WORDS = {"immutable": "on create only", "serverSet": "set by the server"}
_EFFECT_WORDS = {
    "now": "now",
    "next": "next connection",
    "rebind": "new sockets, then the old ones close",
    "none": "",
}

OptionalObjectName = Annotated[
    str | None,
    typer.Argument(metavar="OBJECT", help="Object type; none: list them all.", autocompletion=complete_object_type),
]


def describe(invocation: Invocation, object_name: OptionalObjectName = None) -> None:
    """Explain an object type: its properties, their types, defaults, limits, and what a change does to what runs."""
    if object_name is None:
        _list_types(invocation)
        return
    shape = find_shape(invocation.client, object_name)
    output = invocation.output
    output.result(_as_json(shape))
    output.line(shape.name + (" (singleton)" if shape.is_singleton else ""), style="bold")
    output.line(f"{shape.description}\n")
    output.table(
        ["Property", "Type", "Default", "Limits", "A change applies", "Meaning"],
        [
            [
                each.name,
                type_words(each),
                "required" if each.is_required else value_text(each, each.default) if each.has_default else "",
                limit_words(each),
                _UPDATE_WORDS.get(each.update) or _EFFECT_WORDS.get(each.live_effect or "", each.live_effect or ""),
                each.description,
            ]
            for each in shape.properties.values()
        ],
    )
    for each in shape.properties.values():
        if len(each.choices) > MOST_CHOICES_IN_A_TABLE:
            output.line(f"\n{each.name}", style="bold")
            output.line(", ".join(each.choices))


def type_words(declared: PropertyShape) -> str:
    """The type as people write it: `set of socketAddress`, `one of tls12, tls13`, `duration or null`."""
    match declared.type_name:
        case "enum":
            words = f"one of {_choice_words(declared)}"
        case "set":
            members = _choice_words(declared) or declared.format or declared.referenced_type or "text"
            words = f"set of {members}"
        case "objectId":
            words = f"id of {declared.referenced_type or 'an object'}"
        case "string" | "number":
            words = {"string": "text", "unsignedInteger": "number"}.get(
                declared.format or "", declared.format
            ) or "text"
        case other:
            words = other
    return f"{words} or null" if declared.is_nullable else words


def _choice_words(declared: PropertyShape) -> str:
    """The names that there are, if they fit into a table."""
    count = len(declared.choices)
    return ", ".join(declared.choices) if count <= MOST_CHOICES_IN_A_TABLE else f"{count} names, see below"


def limit_words(declared: PropertyShape) -> str:
    """The limits: `1 to 255`, `at least 1 member`."""
    if declared.min_items:
        return f"at least {declared.min_items} member{'s' if declared.min_items > 1 else ''}"
    least = None if declared.minimum is None else value_text(declared, declared.minimum)
    most = None if declared.maximum is None else value_text(declared, declared.maximum)
    if least is not None and most is not None:
        return f"{least} to {most}"
    return f"at least {least}" if least is not None else f"at most {most}" if most is not None else ""


def _list_types(invocation: Invocation) -> None:
    shapes = invocation.client.shapes.by_name.values()
    invocation.output.result(
        [{"name": each.name, "isSingleton": each.is_singleton, "description": each.description} for each in shapes]
    )
    invocation.output.table(
        ["Object", "Kind", "Meaning"],
        [[each.name, "singleton" if each.is_singleton else "", each.description] for each in shapes],
    )


def _as_json(shape: ObjectShape) -> dict[str, Any]:
    return {
        "name": shape.name,
        "isSingleton": shape.is_singleton,
        "description": shape.description,
        "properties": [_property_as_json(each) for each in shape.properties.values()],
    }


def _property_as_json(declared: PropertyShape) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": declared.name,
        "type": declared.type_name,
        "format": declared.format,
        "choices": list(declared.choices),
        "objectName": declared.referenced_type,
        "isNullable": declared.is_nullable,
        "minimum": declared.minimum,
        "maximum": declared.maximum,
        "minItems": declared.min_items,
        "isRequired": declared.is_required,
        "update": declared.update,
        "liveEffect": declared.live_effect,
        "description": declared.description,
    }
    return {**document, "default": declared.default} if declared.has_default else document
