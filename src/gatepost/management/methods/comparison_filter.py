"""Conditions on numbers, dates and booleans: written as text too, as forms of administration clients give them, and with a
relation behind the name: `maxConnectionsIsGreaterThan`, `expiresAtIsLessThan`. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from gatepost.management.jmap.failure import invalid_arguments
from gatepost.management.methods.filter import RELATIONS, Holds, ValueTest
from gatepost.registry.kinds import Boolean, DurationMs, Kind, UnsignedInt, UtcDateTime
from gatepost.registry.problem import UnfitValueError
from gatepost.values.duration import parse_duration

ReadBounds = Callable[[object], tuple[Any, Any] | None]
TestMaker = Callable[[object], ValueTest]

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_BOOLEANS = {"true": True, "false": False}


def comparison_tests(kinds: Mapping[str, Kind[Any]]) -> dict[str, TestMaker]:
    """By condition, what makes the test of a value out of what is looked for. Making it raises MethodError invalidArguments."""
    makers: dict[str, TestMaker] = {}
    for name, kind in kinds.items():
        if isinstance(kind, Boolean):
            makers[name] = _equality(name, lambda wanted: _BOOLEANS.get(wanted, wanted))
        elif isinstance(kind, UnsignedInt | DurationMs):
            read = _duration_bounds if isinstance(kind, DurationMs) else _number_bounds
            makers[name] = _equality(name, _first_of(read))
            makers |= _relations(name, read, "a number")
        elif isinstance(kind, UtcDateTime):
            makers |= _relations(
                name, _time_bounds, "a date like 2030-01-31, or a date and time like 2030-01-31T12:00:00Z"
            )
    return makers


def _relations(name: str, read: ReadBounds, words: str) -> dict[str, TestMaker]:
    return {f"{name}{ending}": _relation(f"{name}{ending}", read, holds, words) for ending, holds in RELATIONS.items()}


def _equality(name: str, read: Callable[[Any], object]) -> TestMaker:
    def make(wanted: object) -> ValueTest:
        if isinstance(wanted, list | dict):
            raise invalid_arguments(f"the condition on {name} must be a text, a number, true, false or null")
        sought = read(wanted)
        return lambda value: type(value) is type(sought) and value == sought

    return make


def _relation(name: str, read: ReadBounds, holds: Holds, words: str) -> TestMaker:
    def make(wanted: object) -> ValueTest:
        bounds = read(wanted)
        if bounds is None:
            raise invalid_arguments(f"the condition {name} must be {words}")
        first, last = bounds
        return lambda value: value is not None and holds(value, first, last)

    return make


def _first_of(read: ReadBounds) -> Callable[[object], object]:
    def first(wanted: object) -> object:
        bounds = read(wanted)
        return wanted if bounds is None else bounds[0]

    return first


def _number_bounds(wanted: object) -> tuple[Any, Any] | None:
    if isinstance(wanted, str) and _INTEGER.fullmatch(wanted):
        wanted = int(wanted)
    return (wanted, wanted) if isinstance(wanted, int | float) and not isinstance(wanted, bool) else None


def _duration_bounds(wanted: object) -> tuple[Any, Any] | None:
    if (found := _number_bounds(wanted)) is not None or not isinstance(wanted, str):
        return found
    try:
        return _number_bounds(parse_duration(wanted))
    except ValueError:
        return None


def _time_bounds(wanted: object) -> tuple[str, str] | None:
    """A day goes from its first second to its last. Times compare as texts: all are in UTC, and have years of four digits."""
    try:
        if isinstance(wanted, str) and _DAY.fullmatch(wanted):
            day = date.fromisoformat(wanted).isoformat()
            return f"{day}T00:00:00Z", f"{day}T23:59:59Z"
        kind = UtcDateTime()
        moment = str(kind.to_wire(kind.parse(wanted)))
    except (ValueError, UnfitValueError):
        return None
    return moment, moment
