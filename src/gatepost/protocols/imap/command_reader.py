"""Cuts the input of a client into commands: lines and the literals between them (RFC 3501 section 4.3, RFC 7888).

Used by the engine. Decides nothing about a command but its tag, its name and its size. A literal that is too long is
never taken into memory.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from gatepost.protocols.framing.octet_buffer import LineTooLong, OctetBuffer

_LITERAL = re.compile(rb"\{(\d{1,20})(\+?)\}\Z")
_BEGIN = re.compile(rb"([^\x00-\x20\x7f-\xff(){%*\"\\+]{1,255}) ([A-Za-z0-9_-]{1,64})(?= |\Z)")
_TAG = re.compile(rb"([^\x00-\x20\x7f-\xff(){%*\"\\+]{1,255})(?: |\Z)")
_MAX_LITERALS = 1000  # in one command
_UNREAD_LIMIT = 128 * 1024  # octets that wait to be looked at before reading pauses


@dataclass(frozen=True, slots=True)
class RawCommand:
    """A whole command. `texts` are what stands around the literals: always one more than there are `literals`. The first
    begins behind the name and may be empty."""

    tag: bytes
    name: str  # upper-case
    texts: tuple[bytes, ...]
    literals: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The command is dropped. `is_too_big`: one literal was over the limit. `is_hopeless`: where the next command begins
    cannot be known, or costs too much to find."""

    tag: bytes | None
    text: str
    is_too_big: bool = False
    is_hopeless: bool = False


class Ask(Enum):
    """What the client waits for before it goes on."""

    FOR_LITERAL = "a continuation request"


class _Phase(Enum):
    LINE = "a line, or the text behind a literal"
    LITERAL = "octets of a literal"
    SKIPPING = "octets of a literal that nobody wants"


class CommandReader:
    """`line_limit()` gives the octets that the text of a command may have now, `literal_limit(name)` those that all
    literals of such a command may have."""

    def __init__(self, line_limit: Callable[[], int], literal_limit: Callable[[str], int]) -> None:
        self._buffer = OctetBuffer(accept_bare_lf=True)
        self._line_limit = line_limit
        self._literal_limit = literal_limit
        self._phase = _Phase.LINE
        self._tag = b""
        self._name = ""
        self._texts: list[bytes] = []
        self._literals: list[bytes] = []
        self._literal = bytearray()
        self._missing = self._text_size = self._literal_size = 0  # octets
        self._skips_line = False

    @property
    def unread(self) -> int:
        """Octets that are buffered."""
        return len(self._buffer)

    @property
    def wants_input(self) -> bool:
        """False while more is buffered than the longest line."""
        return len(self._buffer) < _UNREAD_LIMIT

    def feed(self, data: bytes) -> None:
        """Append octets."""
        self._buffer.feed(data)

    def clear(self) -> None:
        """Forget everything that came before."""
        self._buffer.clear()
        self._forget_command()
        self._skips_line = False

    def next_line(self) -> bytes | None:
        """A line that is no command: a SASL response, or DONE. Raises LineTooLong."""
        return self._buffer.take_line(self._line_limit())

    def next_command(self) -> RawCommand | Unreadable | Ask | None:
        """The next command; None when more input is needed."""
        while True:
            match self._phase:
                case _Phase.LINE:
                    try:
                        line = self._buffer.take_line(self._line_limit())
                    except LineTooLong:
                        return self._drop("Command line too long")
                    if line is None:
                        return None
                    found = self._take_text(line)
                    if found is not None:
                        return found
                case _Phase.LITERAL:
                    if not self._fill_literal():
                        return None
                case _Phase.SKIPPING:
                    self._missing -= len(self._buffer.take(min(self._missing, _UNREAD_LIMIT)))
                    if self._missing and not len(self._buffer):
                        return None
                    if not self._missing:
                        self._phase = _Phase.LINE

    def _take_text(self, line: bytes) -> RawCommand | Unreadable | Ask | None:
        """None: this line alone says nothing yet."""
        marker = _LITERAL.search(line) if line.endswith(b"}") else None
        if self._skips_line:
            return self._skip_rest(marker)
        if not self._texts:
            begin = _BEGIN.match(line)
            if begin is None:
                return self._without_command(line)
            self._tag, self._name = begin.group(1), begin.group(2).decode().upper()
            line = line[begin.end(2) :]
        self._text_size += len(line)
        if self._text_size > self._line_limit():
            return self._drop("Command too long", is_hopeless=marker is not None)
        if marker is None:
            return self._finish(line)
        self._texts.append(line[: len(line) - len(marker.group())])
        return self._begin_literal(int(marker.group(1)), is_waiting=not marker.group(2))

    def _begin_literal(self, size: int, *, is_waiting: bool) -> Unreadable | Ask | None:
        limit = self._literal_limit(self._name)
        self._literal_size += size
        if self._literal_size > limit or len(self._literals) >= _MAX_LITERALS:
            dropped = self._drop("Literal too big", is_too_big=True, is_hopeless=not is_waiting and size > 2 * limit)
            if not is_waiting:
                self._skip(size)
            return dropped
        self._literal = bytearray()
        self._missing = size
        self._phase = _Phase.LITERAL
        return Ask.FOR_LITERAL if is_waiting else None

    def _fill_literal(self) -> bool:
        block = self._buffer.take(self._missing)
        self._literal += block
        self._missing -= len(block)
        if self._missing:
            return False
        self._literals.append(bytes(self._literal))
        self._literal = bytearray()
        self._phase = _Phase.LINE
        return True

    def _finish(self, last_text: bytes) -> RawCommand:
        command = RawCommand(self._tag, self._name, (*self._texts, last_text), tuple(self._literals))
        self._forget_command()
        return command

    def _without_command(self, line: bytes) -> Unreadable:
        tag = _TAG.match(line)
        return Unreadable(tag.group(1), "Unknown command") if tag else Unreadable(None, "Invalid tag")

    def _drop(self, text: str, *, is_too_big: bool = False, is_hopeless: bool = False) -> Unreadable:
        dropped = Unreadable(self._tag or None, text, is_too_big, is_hopeless)
        self._forget_command()
        return dropped

    def _skip(self, size: int) -> None:
        self._missing = size
        self._phase = _Phase.SKIPPING
        self._skips_line = True

    def _skip_rest(self, marker: re.Match[bytes] | None) -> Unreadable | None:
        """The text behind a literal that was skipped. A client that waits for a continuation has the answer already."""
        self._skips_line = False
        if marker is not None and marker.group(2):
            self._skip(int(marker.group(1)))
        return None

    def _forget_command(self) -> None:
        self._phase = _Phase.LINE
        self._tag = b""
        self._name = ""
        self._texts = []
        self._literals = []
        self._literal = bytearray()
        self._missing = self._text_size = self._literal_size = 0
