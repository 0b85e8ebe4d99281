"""The kinds of values that a property can have: what is taken from the wire, how it is written, how the schema names it.

Used by the declarations of the object types and by the validation. `parse` takes the JSON value in every accepted
spelling and gives the value that the rest of the program works with, or raises UnfitValueError; `to_wire` is its
inverse for the canonical spelling. Pure.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Generic, TypeVar

from gatepost.registry.bounds import check_length, check_range
from gatepost.registry.problem import Fault, ProblemType, UnfitValueError, as_text, invalid
from gatepost.values.duration import parse_duration
from gatepost.values.ids import Id, is_id
from gatepost.values.ip_mask import IpMask
from gatepost.values.secret import Secret
from gatepost.values.socket_address import SocketAddress

T = TypeVar("T")
E = TypeVar("E", bound=Enum)

MAX_UNSIGNED_INT = 2**53 - 1  # RFC 8620 section 1.3
MAX_DURATION_MS = 10 * 365 * 86_400_000  # ten years: more is a slip of the pen
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")
_CONTROL_CHARACTER_IN_LINES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class Kind(ABC, Generic[T]):
    """One kind of value."""

    @property
    @abstractmethod
    def stand_in(self) -> T:
        """A harmless value that takes the place of an unfit one while the rest of an object is checked."""

    @abstractmethod
    def parse(self, wire: object) -> T:
        """The value of a JSON value. Raises UnfitValueError."""

    @abstractmethod
    def to_wire(self, value: T) -> object:
        """The canonical JSON value."""

    @abstractmethod
    def schema(self) -> dict[str, object]:
        """The `type` of the schema document, without `nullable`."""

    def choices(self) -> list[tuple[str, str]]:
        """Wire name and label of each value, where the schema says that the type is an enum."""
        return []


@dataclass(frozen=True, slots=True)
class Text(Kind[str]):
    """Text of `min_length` to `max_length` characters without control characters.

    `pattern` must match the whole text; `pattern_words` say what it asks for. `fold`: the stored form is lower-case.
    """

    min_length: int = 0
    max_length: int = 255
    pattern: re.Pattern[str] | None = None
    pattern_words: str = ""
    format: str = "string"
    fold: bool = False
    has_lines: bool = False

    @property
    def stand_in(self) -> str:
        return ""

    def parse(self, wire: object) -> str:
        if not isinstance(wire, str):
            raise invalid("must be text", wire)
        check_length(wire, self.min_length, self.max_length, as_text(wire))
        if (_CONTROL_CHARACTER_IN_LINES if self.has_lines else _CONTROL_CHARACTER).search(wire):
            raise invalid("must not contain control characters", repr(wire))
        if wire and self.pattern is not None and self.pattern.fullmatch(wire) is None:
            raise invalid(self.pattern_words, wire)
        return wire.lower() if self.fold else wire

    def to_wire(self, value: str) -> object:
        return value

    def schema(self) -> dict[str, object]:
        schema: dict[str, object] = {"type": "string", "format": self.format, "maxLength": self.max_length}
        schema |= {"minLength": self.min_length} if self.min_length else {}
        return schema | ({"isLowerCase": True} if self.fold else {})


@dataclass(frozen=True, slots=True)
class SecretText(Kind[Secret]):
    """Text that is taken and never given back. `is_hashed`: only a hash of it is stored (passwords). `is_issued`: the server
    makes it, shows it once in the answer to the create, and stores a hash of it."""

    min_length: int = 1
    max_length: int = 1024
    is_hashed: bool = False
    is_issued: bool = False
    has_lines: bool = False

    @property
    def stand_in(self) -> Secret:
        return Secret("")

    def parse(self, wire: object) -> Secret:
        if not isinstance(wire, str):
            raise UnfitValueError(Fault(ProblemType.INVALID, "must be text"))
        check_length(wire, self.min_length, self.max_length, None)
        if "\0" in wire:
            raise UnfitValueError(Fault(ProblemType.INVALID, "must not contain NUL"))
        return Secret(wire)

    def to_wire(self, value: Secret) -> object:
        """What the store keeps; answers to clients leave secrets out."""
        return value.reveal()

    def schema(self) -> dict[str, object]:
        form = "secretText" if self.has_lines else "secret"
        return {"type": "string", "format": form, "minLength": self.min_length, "maxLength": self.max_length}


@dataclass(frozen=True, slots=True)
class Boolean(Kind[bool]):
    """true or false."""

    @property
    def stand_in(self) -> bool:
        return False

    def parse(self, wire: object) -> bool:
        if not isinstance(wire, bool):
            raise invalid("must be true or false", wire)
        return wire

    def to_wire(self, value: bool) -> object:
        return value

    def schema(self) -> dict[str, object]:
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class UnsignedInt(Kind[int]):
    """An integer; `format` is `unsignedInteger` or `size` (octets)."""

    minimum: int = 0
    maximum: int = MAX_UNSIGNED_INT
    format: str = "unsignedInteger"

    @property
    def stand_in(self) -> int:
        return self.minimum

    def parse(self, wire: object) -> int:
        if isinstance(wire, bool) or not isinstance(wire, int):
            raise invalid("must be an integer, written without a point and without quotes", wire)
        check_range(wire, self.minimum, self.maximum)
        return wire

    def to_wire(self, value: int) -> object:
        return value

    def schema(self) -> dict[str, object]:
        return {"type": "number", "format": self.format, "min": self.minimum, "max": self.maximum}


@dataclass(frozen=True, slots=True)
class DurationMs(Kind[int]):
    """A span of time in milliseconds; also taken as text like `1m` or `1h30m`."""

    minimum: int = 0
    maximum: int = MAX_DURATION_MS

    @property
    def stand_in(self) -> int:
        return self.minimum

    def parse(self, wire: object) -> int:
        if isinstance(wire, str):
            try:
                wire = parse_duration(wire)
            except ValueError as error:
                raise invalid(str(error), wire) from None
        if isinstance(wire, bool) or not isinstance(wire, int):
            raise invalid("must be a duration: integer milliseconds, or text like 500ms, 90s, 1m or 1h30m", wire)
        check_range(wire, self.minimum, self.maximum)
        return wire

    def to_wire(self, value: int) -> object:
        return value

    def schema(self) -> dict[str, object]:
        return {"type": "number", "format": "duration", "min": self.minimum, "max": self.maximum}


@dataclass(frozen=True, slots=True)
class Choice(Kind[E]):
    """One of the members of an enum, by its wire name. `aliases` are other spellings that are taken (case-folded)."""

    members: type[E]
    labels: Mapping[E, str]
    aliases: Mapping[str, E] = field(default_factory=dict)

    @property
    def stand_in(self) -> E:
        return next(iter(self.members))

    def parse(self, wire: object) -> E:
        for member in self.members:
            if member.value == wire:
                return member
        if isinstance(wire, str) and (alias := self.aliases.get(wire.casefold())) is not None:
            return alias
        names = ", ".join(member.value for member in self.members)
        raise invalid(f"{as_text(wire)!r} is not one of {names}", wire)

    def to_wire(self, value: E) -> object:
        return value.value

    def schema(self) -> dict[str, object]:
        return {"type": "enum", "enumName": self.members.__name__}

    def choices(self) -> list[tuple[str, str]]:
        return [(member.value, self.labels[member]) for member in self.members]


@dataclass(frozen=True, slots=True)
class ParsedText(Kind[T]):
    """Text that a value type parses; the text of the value is its canonical form."""

    read: Callable[[str], T]
    format: str
    harmless: T | None = None

    def parse(self, wire: object) -> T:
        if not isinstance(wire, str):
            raise invalid("must be text", wire)
        try:
            return self.read(wire)
        except ValueError as error:
            raise invalid(str(error), wire) from None

    @property
    def stand_in(self) -> T:
        if self.harmless is None:
            raise TypeError(f"{self.format} stands only in sets")
        return self.harmless

    def to_wire(self, value: T) -> object:
        return str(value)

    def schema(self) -> dict[str, object]:
        return {"type": "string", "format": self.format}


def socket_address_kind() -> Kind[SocketAddress]:
    """`192.0.2.1:25`, `[::]:25`; the canonical form is stored."""
    return ParsedText(SocketAddress.parse, "socketAddress")


def ip_mask_kind() -> Kind[IpMask]:
    """`192.0.2.1`, `192.0.2.0/24`; host bits are cleared."""
    return ParsedText(IpMask.parse, "ipNetwork", IpMask.parse("0.0.0.0"))  # no client has that address


@dataclass(frozen=True, slots=True)
class ObjectId(Kind[Id]):
    """The id of an object of another type; whether that object exists is a rule between objects."""

    object_name: str

    @property
    def stand_in(self) -> Id:
        return Id("")

    def parse(self, wire: object) -> Id:
        if not isinstance(wire, str):
            raise invalid(f"must be the id of a {self.object_name}", wire)
        if not is_id(wire):
            raise invalid(f"there is no {self.object_name} with the id {as_text(wire)!r}", wire)
        return Id(wire)

    def to_wire(self, value: Id) -> object:
        return value

    def schema(self) -> dict[str, object]:
        return {"type": "objectId", "objectName": f"x:{self.object_name}"}


# Python reads more of ISO 8601 than RFC 3339 has: weeks, no seconds, no dashes.
_UTC_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class UtcDateTime(Kind[datetime]):
    """A point in time, RFC 3339 with `Z` (UTCDate of RFC 8620 section 1.4), whole seconds."""

    @property
    def stand_in(self) -> datetime:
        return datetime(1970, 1, 1, tzinfo=UTC)

    def parse(self, wire: object) -> datetime:
        if not isinstance(wire, str) or not _UTC_DATE.fullmatch(wire):
            raise invalid("must be a date and time in UTC, like 2030-01-31T12:00:00Z", wire)
        try:
            return datetime.fromisoformat(wire).astimezone(UTC).replace(microsecond=0)
        except (ValueError, OverflowError):
            raise invalid("must be a date and time in UTC, like 2030-01-31T12:00:00Z", wire) from None

    def to_wire(self, value: datetime) -> object:
        without_zone = value.replace(tzinfo=None)
        return f"{without_zone.isoformat(timespec='seconds')}Z"  # strftime(3) would write the year 999 in three digits

    def schema(self) -> dict[str, object]:
        return {"type": "utcDateTime"}


@dataclass(frozen=True, slots=True)
class SetOf(Kind[tuple[Any, ...]]):
    """A set of values of another kind; keeps the order in which members came.

    Wire form `{"<member>": true}`; a JSON array of members is taken too.
    """

    member: Kind[Any]
    min_items: int = 0
    max_items: int = 1024

    @property
    def stand_in(self) -> tuple[Any, ...]:
        return ()

    def parse(self, wire: object) -> tuple[Any, ...]:
        given = self._members_of(wire)
        if len(given) > self.max_items:  # not looked at one by one: there may be hundreds of thousands
            raise UnfitValueError(*self.count_faults(len(given)))
        faults: list[Fault] = []
        members: dict[Any, None] = {}  # in order, and found at once
        for spelled in given:
            try:
                member = self.member.parse(spelled)
            except UnfitValueError as error:
                faults += error.faults
                continue
            if member in members:
                text = as_text(self.member.to_wire(member))
                faults.append(Fault(ProblemType.INVALID, f"{text} is given twice", as_text(spelled)))
            members[member] = None
        if not faults:
            faults += self.count_faults(len(members))
        if faults:
            raise UnfitValueError(*faults)
        return tuple(members)

    def _members_of(self, wire: object) -> list[object]:
        if isinstance(wire, list):
            return wire
        if not isinstance(wire, dict):
            raise invalid('must be a set, written {"<member>": true} or as an array of members', wire)
        if wrong := [
            Fault(ProblemType.INVALID, "the value of a member must be true", str(key))
            for key, value in wire.items()
            if value is not True
        ]:
            raise UnfitValueError(*wrong)
        return list(wire)

    def count_faults(self, count: int) -> list[Fault]:
        """What is wrong with a set of `count` members."""
        if count < self.min_items:
            words = f"needs at least {self.min_items} member" + ("s" if self.min_items > 1 else "")
            return [Fault(ProblemType.MIN_LENGTH, words, str(count), self.min_items)]
        if count > self.max_items:
            return [
                Fault(ProblemType.MAX_LENGTH, f"takes at most {self.max_items} members", str(count), self.max_items)
            ]
        return []

    def to_wire(self, value: tuple[Any, ...]) -> object:
        return {str(self.member.to_wire(member)): True for member in value}

    def schema(self) -> dict[str, object]:
        schema: dict[str, object] = {"type": "set", "class": self.member.schema(), "maxItems": self.max_items}
        return schema | ({"minItems": self.min_items} if self.min_items else {})
