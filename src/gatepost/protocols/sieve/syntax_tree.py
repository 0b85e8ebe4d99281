"""A script as the generic grammar sees it (RFC 5228 section 8.2): any command, any test, whatever it means."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StringList:
    """One string or several."""

    strings: tuple[str, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Number:
    """A number, its multiplier applied."""

    value: int
    line: int


@dataclass(frozen=True, slots=True)
class Tag:
    """A tagged argument's tag, without colon, in lower case."""

    name: str
    line: int


Argument = StringList | Number | Tag


@dataclass(frozen=True, slots=True)
class Test:
    """A test; `name` in lower case."""

    name: str
    line: int
    arguments: tuple[Argument, ...] = ()
    tests: tuple[Test, ...] = ()


@dataclass(frozen=True, slots=True)
class Command:
    """A command; `name` in lower case. `block` is None where a semicolon ends it."""

    name: str
    line: int
    arguments: tuple[Argument, ...] = ()
    tests: tuple[Test, ...] = ()
    block: tuple[Command, ...] | None = None
