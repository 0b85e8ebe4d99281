"""Cuts what an SMTP client sends: command lines, responses of an authentication, messages, chunks.

Used by the engine, which says what it expects next. Only CRLF ends a line and only CRLF . CRLF a message, so that no
sender can hide a second message in a first one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from gatepost.protocols.framing.octet_buffer import LineTooLong, OctetBuffer
from gatepost.protocols.smtp import replies
from gatepost.protocols.smtp.content import DotStuffedReader, MessageContent
from gatepost.protocols.smtp.replies import Reply
from gatepost.protocols.smtp.settings import SmtpLimits

_UNREAD_OCTETS = 128 * 1024


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A line where a command is expected."""

    text: str


@dataclass(frozen=True, slots=True)
class AuthLine:
    """A line where a response of an authentication is expected."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that cannot be looked at; `reply` says why."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class MessageEnd:
    """A message has come to its end."""

    content: MessageContent


@dataclass(frozen=True, slots=True)
class ChunkEnd:
    """A chunk has come to its end. `content` is the message so far; None where the chunk was thrown away."""

    content: MessageContent | None


Unit = CommandLine | AuthLine | BadLine | MessageEnd | ChunkEnd


class _Line(Enum):
    COMMAND = "a command"
    AUTH_RESPONSE = "a response of an authentication"


@dataclass(slots=True)
class _Chunk:
    missing: int  # octets
    content: MessageContent | None


class SmtpStream:
    """The input of one connection."""

    __slots__ = ("_buffer", "_expected", "_limits")

    def __init__(self, limits: SmtpLimits) -> None:
        self._buffer = OctetBuffer()
        self._limits = limits
        self._expected: _Line | DotStuffedReader | _Chunk = _Line.COMMAND

    def feed(self, octets: bytes) -> None:
        """Append octets."""
        self._buffer.feed(octets)

    def clear(self) -> None:
        """Forget what was not looked at yet."""
        self._buffer.clear()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left that was not looked at."""
        return len(self._buffer) == 0

    @property
    def has_room(self) -> bool:
        """Whether more may be read from the connection."""
        return len(self._buffer) < _UNREAD_OCTETS

    def expect_auth_response(self) -> None:
        """The next unit is an AuthLine; then commands again."""
        self._expected = _Line.AUTH_RESPONSE

    def expect_message(self, content: MessageContent) -> None:
        """The next unit is a MessageEnd, when the message is in `content`; then commands again."""
        self._expected = DotStuffedReader(content)

    def expect_chunk(self, size: int, content: MessageContent | None) -> None:
        """The next unit is a ChunkEnd, `size` octets later; then commands again."""
        self._expected = _Chunk(size, content)

    def next_unit(self) -> Unit | None:
        """The next unit, or None while it is incomplete."""
        match self._expected:
            case _Line() as expected:
                unit = self._next_line(expected)
            case DotStuffedReader() as reader:
                unit = self._end_of_message(reader)
            case _Chunk() as chunk:
                unit = self._end_of_chunk(chunk)
        if unit is not None:
            self._expected = _Line.COMMAND
        return unit

    def _next_line(self, expected: _Line) -> Unit | None:
        try:
            line = self._buffer.take_line(self._limits.auth_line)
        except LineTooLong:
            return BadLine(replies.LINE_TOO_LONG)
        if line is None:
            return None
        if b"\n" in line or b"\r" in line:
            return BadLine(replies.BARE_LINE_END)
        if expected is _Line.AUTH_RESPONSE:
            return AuthLine(line)
        if len(line) + 2 > self._limits.command_line and line[:5].upper() != b"AUTH ":
            return BadLine(replies.LINE_TOO_LONG)
        try:
            return CommandLine(line.decode("utf-8"))
        except UnicodeDecodeError:
            return BadLine(replies.NOT_TEXT)

    def _end_of_message(self, reader: DotStuffedReader) -> MessageEnd | None:
        rest = reader.feed(self._buffer.take(len(self._buffer)))
        if rest is None:
            return None
        self._buffer.feed(rest)
        return MessageEnd(reader.content)

    def _end_of_chunk(self, chunk: _Chunk) -> ChunkEnd | None:
        octets = self._buffer.take(chunk.missing)
        chunk.missing -= len(octets)
        if chunk.content is not None:
            chunk.content.add(octets)
        return None if chunk.missing else ChunkEnd(chunk.content)
