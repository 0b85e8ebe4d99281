"""A message on its way out: byte-stuffed, lines ended by CRLF (RFC 1939 section 3)."""

from __future__ import annotations

import re

_BLOCK = 32 * 1024  # octets
_EMPTY_LINE = re.compile(rb"(?:\A|\n)\r?\n")


class DotStuffing:
    """Encodes a message that comes in parts, cut anywhere. A bare LF becomes CRLF, a bare CR is content."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = b"\n"

    def encode(self, part: bytes) -> bytes:
        """The octets to send for the next part."""
        if not part:
            return b""
        has_bare_lf = part.count(b"\n") != part.count(b"\r\n")  # hardly ever: worth a look before replacing
        out = part.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") if has_bare_lf else part
        if self._last == b"\r" and part.startswith(b"\n"):
            out = out[1:]  # the LF is not bare: its CR was sent with the part before
        out = out.replace(b"\n.", b"\n..")
        if self._last == b"\n" and part.startswith(b"."):
            out = b"." + out
        self._last = part[-1:]
        return out

    def finish(self) -> bytes:
        """What ends the message: a line end, where its last line has none, and the dot."""
        return b".\r\n" if self._last == b"\n" else b"\r\n.\r\n"


def top(content: bytes, lines: int) -> bytes:
    """The header, the empty line and the first `lines` lines of the body (RFC 1939 section 7, TOP)."""
    empty_line = _EMPTY_LINE.search(content)
    return content[: _behind_lines(content, empty_line.end(), lines)] if empty_line else content


def _behind_lines(content: bytes, position: int, lines: int) -> int:
    """Counts line ends block by block, and goes from one to the next in the last block only: there may be millions."""
    while lines and position < len(content):
        found = content.count(b"\n", position, position + _BLOCK)
        if found < lines:
            lines -= found
            position += _BLOCK
            continue
        for _ in range(lines):
            position = content.index(b"\n", position) + 1
        return position
    return min(position, len(content))
