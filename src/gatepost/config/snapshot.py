"""A whole configuration written as a plan: applied to an empty server, that server gives the same snapshot. Pure.

    snapshot = take_snapshot(shapes, {"Domain": [...], "Account": [...]})

Objects refer to each other as `#name`, so ids of one server do not matter on another. The same configuration gives the
same text, so that two snapshots can be compared line by line. What a server does not give back (passwords, keys) is not in
it; `missing` says what that is, and a remark in front of the object too. Called by `gatepost snapshot`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gatepost.config.object_shape import ObjectShape, ObjectShapes, PropertyShape
from gatepost.config.wire_values import is_made_by_server

Objects = Mapping[str, Sequence[Mapping[str, Any]]]  # type name without `x:` → objects with their `id`

_UNFIT_IN_NAME = re.compile(r"[^A-Za-z0-9_-]+")
_HEADER = (
    "# A configuration of gatepost. `gatepost apply FILE` and `gatepost serve --plan FILE` bring it about,",
    "# `gatepost diff FILE` compares it with a server, `gatepost check FILE` looks at it without one.",
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The text of the plan file, and for every object with a secret the words for what is missing."""

    text: str
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    """One object on its way into the plan. `missing` are its properties that are not in `value`."""

    local_name: str
    label: str
    match_on: tuple[str, ...]
    value: Mapping[str, Any]
    missing: tuple[str, ...]


def take_snapshot(shapes: ObjectShapes, objects: Objects, *, is_exact: bool = False) -> Snapshot:
    """The plan that says what is there. `is_exact`: and that nothing else shall be (reconcile instead of upsert)."""
    names = _LocalNames()
    lines: list[str] = []
    missing: list[str] = []
    for shape in in_order_of_reference(shapes, objects):
        entries = _entries(shape, objects[shape.name], names)
        missing += [f"{_titled(shape, entry)}: {', '.join(entry.missing)}" for entry in entries if entry.missing]
        written = (_singleton_lines if shape.is_singleton else _exact_lines if is_exact else _lines)(shape, entries)
        lines += ["", *written] if written else []
    return Snapshot("\n".join((*_HEADER, *lines, "")), tuple(missing))


def in_order_of_reference(shapes: ObjectShapes, objects: Iterable[str]) -> list[ObjectShape]:
    """The types, those that others refer to first, else by name."""
    waiting = {name: shapes.by_name[name] for name in sorted(objects)}
    ordered: list[ObjectShape] = []
    while waiting:
        free = [name for name, shape in waiting.items() if not _referenced_types(shape) & (waiting.keys() - {name})]
        chosen = (free or list(waiting))[0]  # types that refer to each other in a circle: by name
        ordered.append(waiting.pop(chosen))
    return ordered


def _referenced_types(shape: ObjectShape) -> set[str]:
    return {each.referenced_type for each in shape.properties.values() if each.referenced_type and each.is_written}


class _LocalNames:
    """What the objects are called in the plan: by label, unique over all types."""

    def __init__(self) -> None:
        self._by_id: dict[tuple[str, str], str] = {}
        self._labels: dict[str, str] = {}
        self._taken: set[str] = set()

    def label(self, shape: ObjectShape, item: Mapping[str, Any]) -> str:
        """What people call the object: `imap`, `alice@example.org`."""
        domain = self._labels.get(str(item.get("domainId")))
        label = str(item.get(shape.label_property or "") or f"{shape.name} without a name")
        self._labels[str(item["id"])] = label
        return f"{label}@{domain}" if domain else label

    def give(self, shape: ObjectShape, item: Mapping[str, Any], label: str) -> str:
        wanted = _UNFIT_IN_NAME.sub("-", label).strip("-")[:200] or shape.name
        name, number = wanted, 1
        while name.casefold() in self._taken:
            number += 1
            name = f"{wanted}-{number}"
        self._taken.add(name.casefold())
        self._by_id[shape.name, str(item["id"])] = name
        return name

    def reference(self, declared: PropertyShape, object_id: Any) -> str | None:
        """`#name` of the object; None for one that is not in the plan."""
        name = self._by_id.get((declared.referenced_type or "", str(object_id)))
        return None if name is None else f"#{name}"


def _entries(shape: ObjectShape, items: Sequence[Mapping[str, Any]], names: _LocalNames) -> list[_Entry]:
    found: list[_Entry] = []
    for item in sorted(items, key=lambda item: _sort_key(shape, item, names)):
        if is_made_by_server(item):
            continue
        value = _value(shape, item, names)
        label = names.label(shape, item)
        local_name = names.give(shape, item, label)
        found.append(_Entry(local_name, label, _match_on(shape, value), value, _missing(shape, item)))
    return found


def _sort_key(shape: ObjectShape, item: Mapping[str, Any], names: _LocalNames) -> tuple[str, str]:
    """By what identifies the object on any server: ids differ."""
    value = _value(shape, item, names)
    keys = [str(value.get(name) or "").casefold() for name in shape.key_properties]
    return json.dumps(keys), json.dumps(value, sort_keys=True)


def _value(shape: ObjectShape, item: Mapping[str, Any], names: _LocalNames) -> dict[str, Any]:
    """Every property that a client may write and the server gave back."""
    return {
        declared.name: _referring(declared, item[declared.name], names)
        for declared in shape.properties.values()
        if declared.is_written and not declared.is_secret and declared.name in item
    }


def _referring(declared: PropertyShape, value: Any, names: _LocalNames) -> Any:
    if not declared.is_reference or value is None:
        return value
    if isinstance(value, Mapping):
        references = {names.reference(declared, member): present for member, present in value.items()}
        return {reference: present for reference, present in references.items() if reference is not None}
    return names.reference(declared, value)


def _match_on(shape: ObjectShape, value: Mapping[str, Any]) -> tuple[str, ...]:
    """The key of the type; for an object without a name the first text that it has too."""
    if shape.is_singleton or any(value.get(name) is not None for name in shape.key_properties):
        return shape.key_properties
    text = next(((name,) for name, item in value.items() if isinstance(item, str)), ())
    return (*shape.key_properties, *text)


def _missing(shape: ObjectShape, item: Mapping[str, Any]) -> tuple[str, ...]:
    """Secrets that the object has or must have; one whose file is named needs none."""
    return tuple(
        declared.name
        for declared in shape.properties.values()
        if declared.is_secret and not item.get(f"{declared.name}File")
    )


def _lines(shape: ObjectShape, entries: Sequence[_Entry]) -> list[str]:
    lines: list[str] = []
    for entry in entries:
        lines += _remarks(shape, entry)
        lines.append(_operation("upsert", shape, entry.match_on, {entry.local_name: entry.value}))
    return lines


def _exact_lines(shape: ObjectShape, entries: Sequence[_Entry]) -> list[str]:
    match_on = dict.fromkeys(shape.key_properties) | dict.fromkeys(name for each in entries for name in each.match_on)
    remarks = [remark for entry in entries for remark in _remarks(shape, entry)]
    values = {entry.local_name: entry.value for entry in entries}
    return [*remarks, _operation("reconcile", shape, tuple(match_on), values)]


def _singleton_lines(shape: ObjectShape, entries: Sequence[_Entry]) -> list[str]:
    return [_json({"@type": "update", "object": shape.name, "value": entry.value}) for entry in entries]


def _operation(kind: str, shape: ObjectShape, match_on: Sequence[str], values: Mapping[str, Any]) -> str:
    return _json({"@type": kind, "object": shape.name, "matchOn": list(match_on), "value": values})


def _remarks(shape: ObjectShape, entry: _Entry) -> list[str]:
    if not entry.missing:
        return []
    names = ", ".join(entry.missing)
    if all(shape.properties[name].is_written for name in entry.missing):
        words = f"to create the {shape.name}, add it to the line below"
    else:
        words = f"where the {shape.name} is created, the server makes a new one and shows it once"
    return [f"# {names} of {entry.label} is not in here: no server gives it back. What exists keeps its own; {words}."]


def _titled(shape: ObjectShape, entry: _Entry) -> str:
    return entry.label if entry.label.startswith(shape.name) else f"{shape.name} {entry.label}"


def _json(operation: Mapping[str, Any]) -> str:
    return json.dumps(operation, ensure_ascii=False, separators=(",", ":"))
