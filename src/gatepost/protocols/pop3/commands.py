"""A command line, and what obeying it may lead to."""

from __future__ import annotations

from dataclasses import dataclass

from gatepost.protocols.pop3.events import Pop3Question
from gatepost.protocols.pop3.replies import Reply

_MOST_DIGITS = 10


@dataclass(frozen=True, slots=True)
class Command:
    """`keyword` in upper case (RFC 1939 section 3: case-insensitive); `argument` is everything behind the first space."""

    keyword: str
    argument: bytes

    @classmethod
    def parse(cls, line: bytes) -> Command:
        """Any line is a command, if an unknown one."""
        keyword, _, argument = line.partition(b" ")
        return cls(keyword.decode("ascii", "replace").upper(), argument)

    @property
    def words(self) -> list[bytes]:
        """The arguments between spaces."""
        return self.argument.split()


@dataclass(frozen=True, slots=True)
class Challenge:
    """Send it behind `+ `; the next line is the client's answer to it (RFC 5034 section 4)."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class BeginTls:
    """STLS, if nothing is pipelined behind it."""


@dataclass(frozen=True, slots=True)
class Hangup:
    """Send the reply, then close."""

    reply: Reply


Outcome = Reply | Challenge | BeginTls | Hangup | Pop3Question


def number(word: bytes) -> int | None:
    """The value of a decimal number, None where the word is none."""
    return int(word) if word.isdigit() and len(word) <= _MOST_DIGITS else None


def text(octets: bytes) -> str:
    """A name or password. Old clients send what their keyboard's character set gives; that is read as ISO 8859-1."""
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode("iso-8859-1")
