"""A message on its way in: counted, checked, and freed of its dot-stuffing.

Used by the engine for DATA and BDAT. Each block is looked at once, as it comes, so that a big message never holds up the
other conversations of the process.
"""

from __future__ import annotations

from gatepost.protocols.smtp.replies import (
    MESSAGE_HAS_BARE_LINE_END,
    MESSAGE_LINE_TOO_LONG,
    MESSAGE_TOO_BIG,
    Reply,
)

_END_OF_DATA = b"\r\n.\r\n"


class MessageContent:
    """The octets of one message. Beyond the size limit they are counted and not kept."""

    __slots__ = (
        "_data",
        "_ends_in_cr",
        "_has_long_line",
        "_line_length",
        "_line_limit",
        "_lone_cr",
        "_lone_lf",
        "_size_limit",
        "size",
    )

    def __init__(self, *, size_limit: int, line_limit: int) -> None:
        """`size_limit` in octets of the whole message, `line_limit` in octets of a line without its CRLF."""
        self._data = bytearray()
        self._size_limit = size_limit
        self._line_limit = line_limit
        self._line_length = 0
        self._has_long_line = False
        self._lone_cr = 0  # CRs that no LF has followed (yet)
        self._lone_lf = 0
        self._ends_in_cr = False
        self.size = 0

    def add(self, block: bytes) -> None:
        """Append octets of the message."""
        if not block:
            return
        self.size += len(block)
        if self.size <= self._size_limit:
            self._data += block
        else:
            self._data.clear()
        self._count_line_ends(block)
        self._measure_lines(block)

    @property
    def is_too_big(self) -> bool:
        """Whether more came than the limit allows."""
        return self.size > self._size_limit

    def problem(self) -> Reply | None:
        """Why the finished message cannot be taken, or None."""
        if self.is_too_big:
            return MESSAGE_TOO_BIG
        if self._lone_cr or self._lone_lf:
            return MESSAGE_HAS_BARE_LINE_END
        if self._has_long_line:
            return MESSAGE_LINE_TOO_LONG
        return None

    def octets(self) -> bytes:
        """The message; only whole where `problem()` is None."""
        return bytes(self._data)

    def _count_line_ends(self, block: bytes) -> None:
        pairs = block.count(b"\r\n")
        if self._ends_in_cr and block.startswith(b"\n"):
            pairs += 1
        self._lone_cr += block.count(b"\r") - pairs
        self._lone_lf += block.count(b"\n") - pairs
        self._ends_in_cr = block.endswith(b"\r")

    def _measure_lines(self, block: bytes) -> None:
        """A line is too long where no LF is found within the limit. Jumps from the last LF within reach to the next."""
        if self._has_long_line:
            return
        reach = self._line_limit + 2
        start = -self._line_length
        while len(block) - start >= reach:
            line_end = block.rfind(b"\n", max(start, 0), start + reach)
            if line_end < 0:
                self._has_long_line = True
                break
            start = line_end + 1
        line_end = block.rfind(b"\n")
        self._line_length = len(block) - line_end - 1 if line_end >= 0 else self._line_length + len(block)


class DotStuffedReader:
    """Cuts a message out of the stream behind DATA (RFC 5321 section 4.5.2).

    Only CRLF . CRLF ends it. A line that begins with a dot and has more on it loses that dot.
    """

    __slots__ = ("_is_first_block", "_tail", "content")

    def __init__(self, content: MessageContent) -> None:
        self.content = content
        self._tail = b"\r\n"  # the end of the DATA command: a dot may stand right behind it
        self._is_first_block = True

    def feed(self, octets: bytes) -> bytes | None:
        """Take octets of the stream. None while the message goes on; else what came behind its end."""
        pending = self._tail + octets
        end = pending.find(_END_OF_DATA)
        if end >= 0:
            self._pass_on(pending[: end + 2])
            return pending[end + len(_END_OF_DATA) :]
        held_back = _length_of_possible_end(pending)
        cut = len(pending) - held_back
        self._tail = pending[cut:]
        self._pass_on(pending[:cut])
        return None

    def _pass_on(self, block: bytes) -> None:
        if not block:
            return
        block = block.replace(b"\r\n.", b"\r\n")
        if self._is_first_block:
            block = block[2:]
            self._is_first_block = False
        self.content.add(block)


def _length_of_possible_end(octets: bytes) -> int:
    for length in range(len(_END_OF_DATA) - 1, 0, -1):
        if octets.endswith(_END_OF_DATA[:length]):
            return length
    return 0
