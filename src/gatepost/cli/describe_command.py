"""describe: the object types of the server and their properties, out of the schema document."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gatepost.cli.client_command import Invocation
from gatepost.cli.completion import complete_object_type
from gatepost.cli.named_objects import find_shape
from gatepost.cli.output import Output, value_text
from gatepost.config.object_shape import ObjectShape, PropertyShape

_MOST_CHOICES_IN_A_TABLE = 8
_MAX_INTEGER = 2**53 - 1  # of JSON (RFC 8620 section 1.3): where there is no limit of its own

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
    nested = invocation.client.shapes.within(shape)
    output.result({**_as_json(shape), **({"nested": [_as_json(each) for each in nested]} if nested else {})})
    output.line(shape.name + (" (singleton)" if shape.is_singleton else ""), style="bold")
    output.line(f"{shape.description}\n")
    for each in shape.properties.values():
        _print_property(output, each)
    for inner in nested:
        output.line(f"\n{inner.name}", style="bold")
        for each in inner.properties.values():
            _print_property(output, each)


def _print_property(output: Output, declared: PropertyShape) -> None:
    """A line of facts, the meaning below it: as readable on a narrow terminal as in a file."""
    default, change = default_words(declared), change_words(declared)
    facts = [
        type_words(declared),
        default if default == "required" else f"default {default}" if default.removesuffix("-") else "",
        limit_words(declared),
        f"a change applies: {change}" if change in _EFFECT_WORDS.values() and change else change,
    ]
    output.line(declared.name, style="bold")
    output.paragraph("; ".join(fact for fact in facts if fact), indent=4)
    output.paragraph(declared.description, indent=4)
    if len(declared.choices) > _MOST_CHOICES_IN_A_TABLE:
        output.paragraph(f"Names: {', '.join(declared.choices)}", indent=4)


def type_words(declared: PropertyShape) -> str:
    """The type as people write it: `set of socketAddress`, `one of tls12, tls13`, `duration or null`."""
    match declared.type_name:
        case "enum":
            words = f"one of {_choice_words(declared)}"
        case "set":
            members = _choice_words(declared) or declared.format or declared.referenced_type or "text"
            words = f"set of {members}"
        case "object":
            words = declared.referenced_type or "object"
        case "objectList":
            words = f"list of {declared.referenced_type or 'objects'}"
        case "map":
            words = f"map of {declared.referenced_type or _plain_words(declared)}"
        case "objectId":
            words = f"id of {declared.referenced_type or 'an object'}"
        case "string" | "number":
            words = _plain_words(declared)
        case other:
            words = other
    return f"{words} or null" if declared.is_nullable else words


def _plain_words(declared: PropertyShape) -> str:
    """Of a text or a number: what it is, else its format."""
    return {"string": "text", "unsignedInteger": "number"}.get(declared.format or "", declared.format) or "text"


def _choice_words(declared: PropertyShape) -> str:
    """The names that there are, if they fit into a table."""
    count = len(declared.choices)
    return ", ".join(declared.choices) if count <= _MOST_CHOICES_IN_A_TABLE else f"{count} names, see below"


def default_words(declared: PropertyShape) -> str:
    """The default, or that there must be a value."""
    if declared.update == "serverSet":
        return ""
    return (
        "required" if declared.is_required else value_text(declared, declared.default) if declared.has_default else ""
    )


def change_words(declared: PropertyShape) -> str:
    """Who may write it, or what a change does to what runs."""
    effect = declared.live_effect or ""
    return _UPDATE_WORDS.get(declared.update) or _EFFECT_WORDS.get(effect, effect)


def limit_words(declared: PropertyShape) -> str:
    """The limits: `1 to 255 octets`, `at least 1 member`, `1 to 64 characters`. A limit that nobody meets is left out."""
    if declared.update == "serverSet":
        return ""
    if declared.is_set:
        return _range_words(declared.min_items, declared.max_items, "member")
    if declared.type_name == "string":
        return _range_words(declared.min_length, declared.max_length, "character")
    least = None if declared.minimum is None else value_text(declared, declared.minimum)
    most = None if declared.maximum in (None, _MAX_INTEGER) else value_text(declared, declared.maximum)
    unit = f" {declared.unit}" if declared.unit and not declared.is_duration else ""
    words = _range_words(None if least == "0" else least, most, "")
    return words if most is None else f"{words}{unit}"


def _range_words(least: object, most: object, unit: str) -> str:
    units = f" {unit}{'' if str(most if most is not None else least) == '1' else 's'}" if unit else ""
    if least and most is not None:
        return f"{least}{units}" if least == most else f"{least} to {most}{units}"
    return f"at least {least}{units}" if least else f"at most {most}{units}" if most is not None else ""


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
        "maxItems": declared.max_items,
        "minLength": declared.min_length,
        "maxLength": declared.max_length,
        "unit": declared.unit,
        "isRequired": declared.is_required,
        "update": declared.update,
        "liveEffect": declared.live_effect,
        "description": declared.description,
    }
    return {**document, "default": declared.default} if declared.has_default else document
