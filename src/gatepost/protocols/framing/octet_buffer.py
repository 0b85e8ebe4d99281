"""A buffer that is cut into CRLF lines and counted blocks without rescanning what was already looked at."""

from __future__ import annotations


class LineTooLong(ValueError):
    """No line end within the limit. The part that was read is discarded up to and including the next line end."""


class OctetBuffer:
    """Input of one connection. Lines end in CRLF only: a bare CR or a bare LF is data (RFC 5321 section 2.3.8).

    Where an RFC-agnostic peer may end lines with LF alone (POP3 and ManageSieve clients do), pass
    `accept_bare_lf=True`; SMTP never does.
    """

    __slots__ = ("_accept_bare_lf", "_data", "_discarding", "_scanned", "_start")

    def __init__(self, *, accept_bare_lf: bool = False) -> None:
        self._data = bytearray()
        self._start = 0
        self._scanned = 0
        self._accept_bare_lf = accept_bare_lf
        self._discarding = False

    def __len__(self) -> int:
        return len(self._data) - self._start

    def feed(self, data: bytes) -> None:
        """Append octets."""
        if self._start and self._start == len(self._data):
            self.clear()
        self._data += data

    def clear(self) -> None:
        """Forget everything that is buffered."""
        self._data.clear()
        self._start = self._scanned = 0

    def take(self, count: int) -> bytes:
        """Remove and return up to `count` octets."""
        end = min(self._start + count, len(self._data))
        block = bytes(memoryview(self._data)[self._start : end])
        self._advance(end)
        return block

    def take_line(self, limit: int) -> bytes | None:
        """Remove one line and return it without its line end; None while it is incomplete.

        `limit` counts octets including the line end. Raises LineTooLong once for a line beyond it; the rest of that
        line is skipped by the calls that follow.
        """
        while True:
            end, width = self._find_line_end()
            if end < 0:
                self._look_at_incomplete(limit)
                return None
            start = self._start
            was_discarding, self._discarding = self._discarding, False
            line = bytes(memoryview(self._data)[start:end])
            self._advance(end + width)
            if was_discarding:
                continue
            if end + width - start > limit:
                raise LineTooLong
            return line

    def _look_at_incomplete(self, limit: int) -> None:
        if len(self) < limit:
            return
        keep = 1 if self._data.endswith(b"\r") else 0
        self._advance(len(self._data) - keep)
        if not self._discarding:
            self._discarding = True
            raise LineTooLong

    def _find_line_end(self) -> tuple[int, int]:
        """Position and width of the next line end, -1 where there is none yet."""
        if not self._accept_bare_lf:
            found, width = self._data.find(b"\r\n", max(self._start, self._scanned - 1)), 2
        else:
            found, width = self._data.find(b"\n", max(self._start, self._scanned)), 1
            if found > self._start and self._data[found - 1] == 0x0D:
                found, width = found - 1, 2
        if found < 0:
            self._scanned = len(self._data)
        return found, width

    def _advance(self, position: int) -> None:
        self._start = position
        self._scanned = position
        if position == len(self._data):
            self.clear()
        elif position > 65536:
            del self._data[:position]
            self._start = self._scanned = 0
