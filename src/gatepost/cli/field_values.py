"""`--field key=value` and `--where key=value`, typed by the schema. Pure: files are read by the caller."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gatepost.cli.failure import CommandError, usage_error
from gatepost.config.object_shape import ObjectShape, PropertyShape, did_you_mean
from gatepost.config.wire_values import canonical_text, patched, split_pointer
from gatepost.values.duration import parse_duration

_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_LEAST_WITHOUT_UNIT = 100  # ms; who writes 5 means seconds

ReadText = Callable[[str], str]  # of a file by its name; `-` is standard input. Raises CommandError


def parse_fields(shape: ObjectShape, fields: Sequence[str], read: ReadText) -> dict[str, Any]:
    """The values, or the PatchObject where keys are pointers. Raises CommandError with the property in it.

    `maxConnections=10`, `bind=[::]:25,[::]:26`, `bind/[::]:25=true`, `tlsTimeout=30s`, `socketTtl=null`; a text may stand in
    a file, `privateKey=@key.pem`, and one that begins with an at sign has two of them.
    """
    values: dict[str, Any] = {}
    for field in fields:
        key, value = _parse(shape, _with_file(shape, field, read), "--field")
        if key in values:
            raise usage_error(f"--field {key}: is given twice; a set takes its members behind commas: {key}=a,b")
        values[key] = value
    return values


def _with_file(shape: ObjectShape, field: str, read: ReadText) -> str:
    """The field with what stands in its file."""
    key, separator, text = field.partition("=")
    declared = _named(shape, key)
    if not text.startswith("@") or declared is None or declared.type_name != "string":
        return field
    if text.startswith("@@"):
        return f"{key}={text[1:]}"
    content = read(text[1:])
    return f"{key}{separator}{content.removesuffix(chr(10)) if declared.format == 'secret' else content}"


def parse_conditions(shape: ObjectShape, conditions: Sequence[str]) -> dict[str, Any]:
    """The filter (RFC 8620 section 5.5) that all the conditions make together; empty without any."""
    found: list[dict[str, Any]] = []
    for condition in conditions:
        key, separator, text = condition.partition("=")
        if separator and key == "id":
            raise usage_error("--where id: give the id as an argument instead")
        declared = _property(shape, condition, "--where", key)
        value = (
            _known(declared, text)
            if declared.choices
            else text
            if declared.is_set
            else _typed(declared, text, "--where")
        )
        found.append({declared.name: canonical_text(declared, value) if isinstance(value, str) else value})
    if len({name for item in found for name in item}) < len(found):
        return {"operator": "AND", "conditions": found}
    return {name: value for item in found for name, value in item.items()}


def whole_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a new object, whose sets may be given by their members: `bind/[::]:25=true`."""
    whole: dict[str, Any] = {}
    for key, value in values.items():
        root, *path = split_pointer(key)
        whole[root] = patched(whole.get(root), path, value)
    return whole


def _parse(shape: ObjectShape, field: str, option: str) -> tuple[str, Any]:
    key, _, text = field.partition("=")
    root, slash, rest = key.partition("/")
    declared = _property(shape, field, option, root)
    if not slash:
        return declared.name, _typed(declared, text, option)
    value = _member(declared, text, option) if declared.is_set else _json_or_text(text)
    return f"{declared.name}/{rest}", value


def _property(shape: ObjectShape, field: str, option: str, name: str) -> PropertyShape:
    if "=" not in field:
        raise usage_error(f"{option} {field!r}: write a property and a value: {option} {field or 'key'}=value")
    return find_property(shape, option, name)


def find_property(shape: ObjectShape, option: str, name: str) -> PropertyShape:
    """The property of that name, whatever its case. Raises CommandError with a hint where there is none."""
    declared = _named(shape, name)
    if declared is None:
        hint = did_you_mean(name, shape.properties) or f"; see `gatepost describe {shape.name}`"
        raise usage_error(f"{option} {name}: {shape.name} has no such property{hint}")
    return declared


def _named(shape: ObjectShape, name: str) -> PropertyShape | None:
    return next((each for each in shape.properties.values() if each.name.casefold() == name.casefold()), None)


def _typed(declared: PropertyShape, text: str, option: str) -> Any:
    if text == "null" and (declared.is_nullable or declared.type_name != "string"):
        return None
    match declared.type_name:
        case "boolean":
            return _boolean(declared, text, option)
        case "number":
            return _number(declared, text, option)
        case "enum":
            return _choice(declared, text)
        case "set":
            return _set(declared, text, option)
        case "string" | "objectId" | "utcDateTime" | "blobId":
            return text
        case _:
            return _json(declared, text, option)


def _boolean(declared: PropertyShape, text: str, option: str) -> bool:
    value = _BOOLEANS.get(text.casefold())
    if value is None:
        raise _refused(declared, text, option, "write true or false")
    return value


def _number(declared: PropertyShape, text: str, option: str) -> int | float:
    if declared.is_duration and text.isdecimal() and 0 < int(text) < _LEAST_WITHOUT_UNIT:
        raise _refused(
            declared, text, option, f"without a unit it would be {text} milliseconds: write {text}ms or {text}s"
        )
    if declared.is_duration and not text.isdecimal():
        try:
            return parse_duration(text)
        except ValueError as error:
            raise usage_error(f"{option} {declared.name}: {error}") from None
    try:
        number = float(text) if declared.format == "float" else int(text)
    except ValueError:
        raise _refused(declared, text, option, "write a number") from None
    if declared.minimum is not None and number < declared.minimum:
        raise _refused(declared, text, option, f"the least is {declared.minimum}")
    if declared.maximum is not None and number > declared.maximum:
        raise _refused(declared, text, option, f"the most is {declared.maximum}")
    return number


def _choice(declared: PropertyShape, text: str) -> str:
    """The member in its own spelling; what is none is left to the server, which may know other names for it."""
    return next((choice for choice in declared.choices if choice.casefold() == text.casefold()), text)


def _known(declared: PropertyShape, text: str) -> str | None:
    """The member in its own spelling, where one that does not exist would be found nowhere."""
    if text == "null" and declared.is_nullable and not declared.is_set:
        return None
    chosen = _choice(declared, text)
    if chosen not in declared.choices:
        hint = did_you_mean(text, declared.choices) or f"; it is one of {', '.join(declared.choices)}"
        raise usage_error(f"--where {declared.name}: {text!r} is not one of its values{hint}")
    return chosen


def _set(declared: PropertyShape, text: str, option: str) -> dict[str, Any]:
    if text.startswith("{") or (text.startswith("[") and text.endswith("]")):
        members = _json(declared, text, option)
    else:
        members = [member.strip() for member in text.split(",") if member.strip()]
    if isinstance(members, dict):
        return members
    if declared.member_type == "enum":
        members = [_choice(declared, str(member)) for member in members]
    return {str(member): True for member in members}


def _member(declared: PropertyShape, text: str, option: str) -> bool | None:
    """The value of a pointer into a set: a member is there (true) or taken out (null)."""
    if text.casefold() in ("null", "false", "no"):
        return None
    if text.casefold() in ("true", "yes"):
        return True
    raise _refused(declared, text, option, "write true to add the member, null to take it out")


def _json(declared: PropertyShape, text: str, option: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise _refused(declared, text, option, "write JSON") from None


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _refused(declared: PropertyShape, text: str, option: str, words: str) -> CommandError:
    return usage_error(f"{option} {declared.name}: {text!r} does not fit; {words}")


def reference_properties(shape: ObjectShape, values: dict[str, Any]) -> list[PropertyShape]:
    """The properties of single references among the values, whose value may be a name instead of an id."""
    named = (shape.properties.get(split_pointer(key)[0]) for key in values if "/" not in key)
    return [each for each in named if each is not None and each.type_name == "objectId"]
