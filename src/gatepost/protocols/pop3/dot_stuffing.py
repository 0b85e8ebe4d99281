"""A message on its way out: byte-stuffed, lines ended by CRLF (RFC 1939 section 3)."""

from __future__ import annotations

import re

_BARE_LF = re.compile(rb"(?<!\r)\n")


class DotStuffing:
    """Encodes a message that comes in parts, cut anywhere. A bare LF becomes CRLF, a bare CR is content."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = b"\n"

    def encode(self, part: bytes) -> bytes:
        """The octets to send for the next part."""
        if not part:
            return b""
        has_bare_lf = part.count(b"\n") != part.count(b"\r\n")  # hardly ever: worth a look before searching
        out = _BARE_LF.sub(b"\r\n", part) if has_bare_lf else part
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
    position = 0
    while True:
        end = content.find(b"\n", position)
        if end < 0:
            return content
        is_empty_line = content[position:end] in (b"", b"\r")
        position = end + 1
        if is_empty_line:
            break
    for _ in range(lines):
        end = content.find(b"\n", position)
        if end < 0:
            return content
        position = end + 1
    return content[:position]
