"""What is queued for the client: tagged, untagged and continuation lines (RFC 3501 section 2.2.2)."""

from __future__ import annotations


class Replies:
    """A queue of lines. Texts are ASCII and have no line ends; untagged lines may have literals in them."""

    def __init__(self) -> None:
        self._queued: list[bytes] = []

    def take(self) -> bytes:
        """Everything queued since the last call."""
        octets = b"".join(self._queued)
        self._queued.clear()
        return octets

    def untagged(self, line: bytes) -> None:
        """`* line`."""
        self._queued += (b"* ", line, b"\r\n")

    def raw(self, octets: bytes) -> None:
        """A piece of a line."""
        self._queued.append(octets)

    def continuation(self, text: bytes) -> None:
        """`+ text`."""
        self._queued += (b"+ ", text, b"\r\n")

    def tagged(self, tag: bytes, condition: str, text: str, code: str | bytes = "") -> None:
        """`tag OK [code] text`."""
        self._queued += (tag, b" ", _condition(condition, text, code), b"\r\n")

    def condition(self, condition: str, text: str, code: str | bytes = "") -> None:
        """`* OK [code] text`."""
        self.untagged(_condition(condition, text, code))


def _condition(condition: str, text: str, code: str | bytes) -> bytes:
    octets = code.encode() if isinstance(code, str) else code
    return b"%b [%b] %b" % (condition.encode(), octets, text.encode()) if octets else f"{condition} {text}".encode()
