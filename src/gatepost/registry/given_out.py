"""Kinds of values that the server makes and gives out, and never takes: maps, and objects within objects. Pure.

QUEUE = NestedType("AcceptQueue", AcceptQueue, declared_properties(AcceptQueue), "Accept queue", "...")
queues: Annotated[Sequence[AcceptQueue], server_set(ListOf(QUEUE), "Accept queues", "...")]
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from gatepost.registry.declaration import DeclaredProperty, Property, Update
from gatepost.registry.kinds import Kind
from gatepost.registry.problem import invalid

T = TypeVar("T")


def server_set(kind: Kind[Any], label: str, words: str, unit: str | None = None) -> Property:
    """A property that nobody but the server writes."""
    return Property(kind=kind, label=label, help=words, update=Update.SERVER_SET, unit=unit)


@dataclass(frozen=True, slots=True)
class NestedType:
    """The type of objects that stand within others and have no id. `name` is without the `x:` that it carries on the wire."""

    name: str
    struct: type[msgspec.Struct]
    properties: Mapping[str, DeclaredProperty]  # by wire name, in order of declaration
    label: str
    description: str

    @property
    def wire_name(self) -> str:
        """`x:ProxyHeader`."""
        return f"x:{self.name}"

    def to_wire(self, value: msgspec.Struct) -> dict[str, object]:
        """All properties with their wire names."""
        fields = msgspec.structs.asdict(value)
        return {name: declared.to_wire(fields[declared.field_name]) for name, declared in self.properties.items()}


class GivenOut(Kind[T]):
    """What these kinds share."""

    def parse(self, wire: object) -> T:
        raise invalid("is set by the server", wire)

    @property
    def stand_in(self) -> T:
        raise TypeError("is set by the server")

    @abstractmethod
    def nested(self) -> Iterator[NestedType]:
        """The types of the objects within, those within these not."""


@dataclass(frozen=True, slots=True)
class ObjectOf(GivenOut[msgspec.Struct]):
    """One object within another."""

    of: NestedType

    def to_wire(self, value: msgspec.Struct) -> object:
        return self.of.to_wire(value)

    def schema(self) -> dict[str, object]:
        return {"type": "object", "objectName": self.of.wire_name}

    def nested(self) -> Iterator[NestedType]:
        yield self.of


@dataclass(frozen=True, slots=True)
class ListOf(GivenOut[Sequence[msgspec.Struct]]):
    """Objects within another, in order; a JSON array."""

    of: NestedType

    def to_wire(self, value: Sequence[msgspec.Struct]) -> object:
        return [self.of.to_wire(each) for each in value]

    def schema(self) -> dict[str, object]:
        return {"type": "objectList", "objectName": self.of.wire_name}

    def nested(self) -> Iterator[NestedType]:
        yield self.of


@dataclass(frozen=True, slots=True)
class MapOf(GivenOut[Mapping[str, Any]]):
    """Values of one kind by names; a JSON object."""

    values: Kind[Any]

    def to_wire(self, value: Mapping[str, Any]) -> object:
        return {name: self.values.to_wire(each) for name, each in value.items()}

    def schema(self) -> dict[str, object]:
        key = {"type": "string", "format": "string"}
        return {"type": "map", "keyClass": key, "valueClass": self.values.schema()}

    def nested(self) -> Iterator[NestedType]:
        if isinstance(self.values, GivenOut):
            yield from self.values.nested()


@dataclass(frozen=True, slots=True)
class PropertyValues(GivenOut[Mapping[str, object]]):
    """Properties of an object with their values in wire form."""

    def to_wire(self, value: Mapping[str, object]) -> object:
        return dict(value)

    def schema(self) -> dict[str, object]:
        """The values of a map have one class in the schema document; here each is as its property's kind writes it."""
        text = {"type": "string", "format": "string"}
        return {"type": "map", "keyClass": text, "valueClass": {"type": "string", "format": "text"}}

    def nested(self) -> Iterator[NestedType]:
        return iter(())
