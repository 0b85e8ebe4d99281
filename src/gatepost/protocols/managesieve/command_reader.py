"""Cutting the input into commands: atoms, numbers, quoted strings and literals (RFC 5804 section 4).

Called by the engine. A literal is taken in as it arrives, and dropped as it arrives where it is too long, so that memory
stays bounded whatever a client announces.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gatepost.protocols.framing.octet_buffer import LineTooLong, OctetBuffer

_TOKEN = re.compile(
    rb'[ \t]*(?:"((?:[^"\\\0]|\\["\\])*)"|([0-9]{1,10})(?=[ \t]|\Z)|([A-Za-z][!#-\'*-z|~]*))(?=[ \t]|\Z)'
)
_LITERAL = re.compile(rb"\{([0-9]{1,10})\+?\}\Z")  # what stands in front is for `_TOKEN`: no white space here
_ESCAPE = re.compile(rb'\\(["\\])')
_MOST_TOKENS = 4  # a name and two arguments are the most that any command has


@dataclass(frozen=True, slots=True)
class Atom:
    """A bare word, in upper case: the name of a command."""

    name: str


Token = Atom | bytes | int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A command that was read to its end and cannot be understood. `is_too_large`: a literal was over the limit."""

    text: str
    is_too_large: bool = False


class LiteralTooLong(ValueError):
    """A literal so long that it is not worth waiting for its end: the connection has to be closed."""


class CommandReader:
    """The input of one conversation. `literal_limit`, in octets, may be changed between commands."""

    def __init__(self, *, line_limit: int, literal_limit: int) -> None:
        self._input = OctetBuffer(accept_bare_lf=True)
        self._line_limit = line_limit
        self.literal_limit = literal_limit
        self._begin()

    def _begin(self) -> None:
        self._tokens: list[Token] = []
        self._problem: Unreadable | None = None
        self._literal = bytearray()
        self._missing: int | None = None  # octets of the literal that is being read

    def __len__(self) -> int:
        return len(self._input)

    def feed(self, data: bytes) -> None:
        """Append octets."""
        self._input.feed(data)

    def clear(self) -> None:
        """Forget everything, a half-read command too."""
        self._input.clear()
        self._begin()

    def read(self) -> tuple[Token, ...] | Unreadable | None:
        """The next command or string; None while it is incomplete. Raises LiteralTooLong."""
        while True:
            if self._missing is not None and not self._read_literal():
                return None
            try:
                line = self._input.take_line(self._line_limit)
            except LineTooLong:
                self._begin()
                return Unreadable("The line is too long")
            if line is None:
                return None
            if not self._read_line(line):
                result = self._problem or tuple(self._tokens)
                self._begin()
                return result

    def _read_literal(self) -> bool:
        """Whether all of it is there."""
        missing = self._missing or 0
        octets = self._input.take(missing)
        self._missing = missing - len(octets)
        if self._problem is None:
            self._literal += octets
        if self._missing:
            return False
        self._add(bytes(self._literal))
        self._literal.clear()
        self._missing = None
        return True

    def _read_line(self, line: bytes) -> bool:
        """Take in one line; whether a literal follows, and with it more of the command.

        The end of the line says so even when the line makes no sense: what follows must not be read as commands.
        """
        literal = _LITERAL.search(line)
        self._read_tokens(line[: literal.start()] if literal else line)
        if literal is None:
            return False
        self._missing = int(literal[1])
        if self._missing > self.literal_limit:
            if self._missing > 16 * self.literal_limit:
                raise LiteralTooLong
            self._fail("The literal is too long", is_too_large=True)
        return True

    def _read_tokens(self, line: bytes) -> None:
        position, end = 0, len(line.rstrip(b" \t"))
        while position < end:
            match = _TOKEN.match(line, position)
            if match is None:
                self._fail("Syntax error: a string, a number or a literal expected")
                return
            self._add(_token(match))
            position = match.end()

    def _add(self, token: Token) -> None:
        if len(self._tokens) < _MOST_TOKENS:
            self._tokens.append(token)
        else:
            self._fail("Too many arguments")

    def _fail(self, text: str, *, is_too_large: bool = False) -> None:
        if self._problem is None:
            self._problem = Unreadable(text, is_too_large)


def _token(match: re.Match[bytes]) -> Token:
    if match[1] is not None:
        return _ESCAPE.sub(rb"\1", match[1])
    return int(match[2]) if match[2] is not None else Atom(match[3].decode("ascii").upper())
