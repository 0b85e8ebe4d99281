"""What a plan file and the command line need to know about an object type, read out of the schema document.

The server makes the schema document from its own declarations (at boot in memory, for clients at /api/schema); the
commands and the plan resolution read it through this module alone. Pure: no I/O, and no import of the declarations, so
that a client works with the server that it talks to and not with the version that it was installed with.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

SINGLETON_ID = "singleton"
_TYPE_PREFIX = re.compile(r"(?i:x):")


class UnknownObjectTypeError(ValueError):
    """A name that is no object type; the message says which there are."""


@dataclass(frozen=True, slots=True)
class PropertyShape:
    """One property of an object type, with the words of the schema document (`type`, `format`, `update`)."""

    name: str
    type_name: str  # string, number, boolean, enum, set, map, object, objectList, objectId, utcDateTime, blobId
    format: str | None = None  # of a string or number, or of the members of a set or map
    member_type: str | None = None  # of a set or map: string, number, enum, objectId, object
    choices: tuple[str, ...] = ()  # of an enum, or of a set of enum members
    referenced_type: str | None = None  # of an objectId, an object or list, or of members that are one: without `x:`
    is_nullable: bool = False
    minimum: int | None = None
    maximum: int | None = None
    min_items: int | None = None
    max_items: int | None = None
    min_length: int | None = None
    max_length: int | None = None
    is_lower_case: bool = False  # however it is written, the server stores it so
    unit: str | None = None
    update: str = "mutable"  # mutable, immutable, serverSet
    is_required: bool = False
    has_default: bool = False
    default: object = None
    description: str = ""
    live_effect: str | None = None

    @property
    def is_set(self) -> bool:
        """Whether its wire form is `{"<member>": true}`."""
        return self.type_name == "set"

    @property
    def is_duration(self) -> bool:
        """Whether its wire form is integer milliseconds."""
        return self.type_name == "number" and self.format == "duration"

    @property
    def is_reference(self) -> bool:
        """Whether it holds the id, or a set of ids, of other objects."""
        return "objectId" in (self.type_name, self.member_type)

    @property
    def is_written(self) -> bool:
        """Whether a client may give it, on create at least."""
        return self.update != "serverSet"

    @property
    def is_secret(self) -> bool:
        """Whether the server takes it and never gives it back."""
        return self.type_name == "string" and self.format in ("secret", "secretText")


@dataclass(frozen=True, slots=True)
class ObjectShape:
    """One object type. `name` is without `x:`; `properties` stand in the order of the schema document."""

    name: str
    is_singleton: bool
    properties: Mapping[str, PropertyShape]
    description: str = ""
    label_property: str | None = None  # what people call an object by
    columns: tuple[tuple[str, str], ...] = ()  # (property, label) of a list of objects
    key_properties: tuple[str, ...] = ()  # no two objects have the same values of all of them

    @property
    def wire_name(self) -> str:
        """The type name in method calls: `x:NetworkListener`."""
        return f"x:{self.name}"


@dataclass(frozen=True, slots=True)
class ObjectShapes:
    """All object types of a server."""

    by_name: Mapping[str, ObjectShape]
    nested: Mapping[str, ObjectShape] = field(default_factory=dict)  # objects that stand within others, and have no id

    def within(self, shape: ObjectShape) -> list[ObjectShape]:
        """The types of the objects within those of this type, and within these, each once."""
        found: dict[str, ObjectShape] = {}
        waiting = [shape]
        while waiting:
            named = dict.fromkeys(each.referenced_type or "" for each in waiting.pop(0).properties.values())
            new = [self.nested[name] for name in named if name in self.nested and name not in found]
            found.update((each.name, each) for each in new)
            waiting += new
        return list(found.values())

    def find(self, name: str) -> ObjectShape:
        """The type of that name, whatever its case, with or without `x:`. Raises UnknownObjectTypeError."""
        wanted = bare_type_name(name).casefold()
        for shape in self.by_name.values():
            if shape.name.casefold() == wanted:
                return shape
        known = sorted(self.by_name)
        hint = did_you_mean(bare_type_name(name), known) or f"; there are {', '.join(known) or 'none'}"
        raise UnknownObjectTypeError(f"{name!r} is not an object type{hint}")

    def configuration(self) -> list[ObjectShape]:
        """The types that a plan can be about: those whose objects clients may change. A history is none."""
        return [
            shape
            for shape in self.by_name.values()
            if any(each.update == "mutable" for each in shape.properties.values())
        ]

    def linked_types(self) -> set[str]:
        """The names of the types that objects of other types refer to, in what a plan can be about."""
        properties = (each for shape in self.configuration() for each in shape.properties.values() if each.is_written)
        return {each.referenced_type for each in properties if each.referenced_type is not None}


def bare_type_name(name: str) -> str:
    """`NetworkListener` of `x:NetworkListener`."""
    return _TYPE_PREFIX.sub("", name.strip(), count=1)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'bind'?`, or nothing where no known name is close."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    close = difflib.get_close_matches(name.casefold(), by_folded, n=1)
    return f"; did you mean {by_folded[close[0]]!r}?" if close else ""


def shapes_of(document: Mapping[str, Any]) -> ObjectShapes:
    """The object types of a schema document (its members `objects`, `schemas`, `fields`, `lists`, `enums`).

    Properties of a type with variants are those of all its variants. Members that are not known are passed over.
    """
    objects = document.get("objects", {})
    nested = (wire_name for wire_name in document.get("schemas", {}) if wire_name not in objects)
    return ObjectShapes(_object_shapes(document, objects), _object_shapes(document, nested))


def _object_shapes(document: Mapping[str, Any], wire_names: Iterable[str]) -> dict[str, ObjectShape]:
    names = [bare_type_name(wire_name) for wire_name in wire_names]
    return {name: _object_shape(document, name) for name in names}


def _object_shape(document: Mapping[str, Any], name: str) -> ObjectShape:
    wire_name = f"x:{name}"
    described = document["objects"].get(wire_name, {})
    listed = document.get("lists", {}).get(wire_name, {})
    properties: dict[str, PropertyShape] = {}
    for schema_name in _schema_names(document, wire_name):
        fields = document.get("fields", {}).get(schema_name, {})
        defaults = fields.get("defaults", {})
        for key, declared in fields.get("properties", {}).items():
            properties[key] = _property_shape(key, declared, defaults, document.get("enums", {}))
    label = listed.get("labelProperty") or ("name" if "name" in properties else None)
    is_singleton = described.get("type") == "singleton"
    return ObjectShape(
        name=name,
        is_singleton=is_singleton,
        properties=properties,
        description=described.get("description") or "",
        label_property=label,
        columns=tuple((column["name"], column.get("label") or column["name"]) for column in listed.get("columns", ())),
        key_properties=tuple(described.get("keyProperties", [label] if label and not is_singleton else [])),
    )


def _schema_names(document: Mapping[str, Any], wire_name: str) -> list[str]:
    schema = document.get("schemas", {}).get(wire_name, {})
    if schema.get("type") == "multiple":
        return [variant["schemaName"] for variant in schema.get("variants", ())]
    return [schema.get("schemaName", wire_name)]


def _property_shape(
    name: str, declared: Mapping[str, Any], defaults: Mapping[str, Any], enums: Mapping[str, Any]
) -> PropertyShape:
    kind = declared.get("type", {})
    member = kind.get("class") or kind.get("valueClass") or {}
    innermost = member or kind
    referenced = innermost.get("objectName")
    return PropertyShape(
        name=name,
        type_name=kind.get("type", "string"),
        format=innermost.get("format"),
        member_type=member.get("type"),
        choices=tuple(choice["name"] for choice in enums.get(innermost.get("enumName", ""), ())),
        referenced_type=bare_type_name(referenced) if referenced else None,
        is_nullable=bool(kind.get("nullable")) and not declared.get("required"),
        minimum=kind.get("min"),
        maximum=kind.get("max"),
        min_items=kind.get("minItems"),
        max_items=kind.get("maxItems"),
        min_length=kind.get("minLength"),
        max_length=kind.get("maxLength"),
        is_lower_case=bool(innermost.get("isLowerCase")),
        unit=declared.get("unit"),
        update=declared.get("update", "mutable"),
        is_required=bool(declared.get("required")),
        has_default=name in defaults,
        default=defaults.get(name),
        description=declared.get("description") or "",
        live_effect=declared.get("liveEffect"),
    )
