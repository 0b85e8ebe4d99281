"""What SEARCH looks for (RFC 3501 section 6.4.4)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from enum import Enum

from gatepost.protocols.imap.arguments import Arguments
from gatepost.protocols.imap.date_time import parse_date
from gatepost.protocols.imap.errors import BadSyntax, CommandRefused
from gatepost.protocols.imap.flags import parse_flag
from gatepost.protocols.imap.sequence_set import SequenceSet


class Relation(Enum):
    """How a date compares with the one that is given; times of day do not count."""

    BEFORE = "BEFORE"
    ON = "ON"
    SINCE = "SINCE"


@dataclass(frozen=True, slots=True)
class All:
    """Every message matches all of `keys` (ALL: there are none)."""

    keys: tuple[SearchKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Either:
    """OR."""

    left: SearchKey
    right: SearchKey


@dataclass(frozen=True, slots=True)
class Not:
    """NOT."""

    key: SearchKey


@dataclass(frozen=True, slots=True)
class HasFlag:
    """A system flag or keyword is set."""

    flag: str


@dataclass(frozen=True, slots=True)
class IsRecent:
    """\\Recent is set."""


@dataclass(frozen=True, slots=True)
class InSet:
    """The message's sequence number, or its uid, is in the set."""

    messages: SequenceSet
    by_uid: bool


@dataclass(frozen=True, slots=True)
class SizeIs:
    """LARGER or SMALLER than so many octets."""

    is_larger: bool
    octets: int


@dataclass(frozen=True, slots=True)
class InternalDateIs:
    """BEFORE, ON, SINCE."""

    relation: Relation
    day: date


@dataclass(frozen=True, slots=True)
class SentDateIs:
    """SENTBEFORE, SENTON, SENTSINCE: the date of the Date field."""

    relation: Relation
    day: date


@dataclass(frozen=True, slots=True)
class HeaderHas:
    """A field of this (lower-case) name has the text in it; empty text: there is such a field."""

    name: bytes
    text: str


@dataclass(frozen=True, slots=True)
class BodyHas:
    """BODY: the text is in the body. TEXT: or in the header."""

    text: str
    or_header: bool


SearchKey = All | Either | Not | HasFlag | IsRecent | InSet | SizeIs | InternalDateIs | SentDateIs | HeaderHas | BodyHas

_FLAG_KEYS: dict[str, SearchKey] = {
    "ALL": All(),
    "RECENT": IsRecent(),
    "OLD": Not(IsRecent()),
    "NEW": All((IsRecent(), Not(HasFlag("\\Seen")))),
}
for _flag in ("Answered", "Deleted", "Draft", "Flagged", "Seen"):
    _FLAG_KEYS[_flag.upper()] = HasFlag("\\" + _flag)
    _FLAG_KEYS["UN" + _flag.upper()] = Not(HasFlag("\\" + _flag))

_FIELD_KEYS = frozenset(("BCC", "CC", "FROM", "SUBJECT", "TO"))
_CODECS = {"UTF-8": "utf-8", "US-ASCII": "utf-8"}  # 8-bit text without a charset is UTF-8 where it comes at all
_NAME = re.compile(rb"[A-Za-z]+")
_DATE = re.compile(rb"[0-9A-Za-z-]+")
_MAX_DEPTH = 50
_MAX_KEYS = 500


def parse_search(arguments: Arguments) -> SearchKey:
    """All arguments of SEARCH behind the first space, CHARSET included. Raises BadSyntax and CommandRefused."""
    codec = "utf-8"
    first = arguments.match(_NAME, "search key").group().upper() if not _is_set_or_list(arguments) else b""
    if first == b"CHARSET":
        arguments.space()
        codec = _codec(arguments.astring())
        arguments.space()
        first = b""
    return _KeyParser(arguments, codec).top(first)


def _is_set_or_list(arguments: Arguments) -> bool:
    return any(arguments.next_is(bytes((octet,))) for octet in b"(*0123456789")


def _codec(charset: bytes) -> str:
    codec = _CODECS.get(charset.decode("latin-1").upper())
    if codec is None:
        raise CommandRefused("BADCHARSET (US-ASCII UTF-8)", "Unknown charset")
    return codec


class _KeyParser:
    def __init__(self, arguments: Arguments, codec: str) -> None:
        self._arguments = arguments
        self._codec = codec
        self._keys_left = _MAX_KEYS

    def top(self, first_name: bytes) -> SearchKey:
        keys = [self._named(first_name.decode(), 0) if first_name else self._key(0)]
        while not self._arguments.is_at_end:
            self._arguments.space()
            if not self._arguments.is_at_end:
                keys.append(self._key(0))
        return keys[0] if len(keys) == 1 else All(tuple(keys))

    def _key(self, depth: int) -> SearchKey:
        self._keys_left -= 1
        if depth > _MAX_DEPTH or self._keys_left < 0:
            raise BadSyntax("Search is too complicated")
        if self._arguments.may_take(b"("):
            return self._list(depth)
        if _is_set_or_list(self._arguments):
            return InSet(self._set(), by_uid=False)
        name = self._arguments.match(_NAME, "search key").group().decode().upper()
        return self._named(name, depth)

    def _list(self, depth: int) -> SearchKey:
        keys = [self._key(depth + 1)]
        while not self._arguments.may_take(b")"):
            self._arguments.space()
            keys.append(self._key(depth + 1))
        return All(tuple(keys))

    def _named(self, name: str, depth: int) -> SearchKey:
        if name in _FLAG_KEYS:
            return _FLAG_KEYS[name]
        self._arguments.space()
        if name in _FIELD_KEYS:
            return HeaderHas(name.lower().encode(), self._text())
        match name:
            case "NOT":
                return Not(self._key(depth + 1))
            case "OR":
                left = self._key(depth + 1)
                self._arguments.space()
                return Either(left, self._key(depth + 1))
            case "BODY" | "TEXT":
                return BodyHas(self._text(), or_header=name == "TEXT")
            case "HEADER":
                field = self._arguments.astring().lower()
                self._arguments.space()
                return HeaderHas(field, self._text())
            case "KEYWORD":
                return HasFlag(parse_flag(self._arguments.flag()))
            case "UNKEYWORD":
                return Not(HasFlag(parse_flag(self._arguments.flag())))
            case "LARGER" | "SMALLER":
                return SizeIs(name == "LARGER", self._arguments.number())
            case "UID":
                return InSet(self._set(), by_uid=True)
            case "BEFORE" | "ON" | "SINCE":
                return InternalDateIs(Relation(name), self._date())
            case "SENTBEFORE" | "SENTON" | "SENTSINCE":
                return SentDateIs(Relation(name.removeprefix("SENT")), self._date())
        raise BadSyntax("Unknown search key")

    def _set(self) -> SequenceSet:
        return SequenceSet.parse(self._arguments.sequence_set())

    def _date(self) -> date:
        if self._arguments.next_is(b'"'):
            return parse_date(self._arguments.string())
        return parse_date(self._arguments.match(_DATE, "date").group())

    def _text(self) -> str:
        return self._arguments.astring().decode(self._codec, "replace")
