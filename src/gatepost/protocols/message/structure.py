"""The parts of a message and where their octets are (RFC 2045, RFC 2046), for malformed mail too.

Read by IMAP (BODYSTRUCTURE, sections, SEARCH) and by Sieve's body test. Never raises; depth and number of parts are
limited, so that hostile mail costs no more than long mail. The octets are never changed, joined or decoded here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gatepost.protocols.message.header import first_values, header_end
from gatepost.protocols.message.mime_value import MimeValue, parse_mime_value, without_comments

MAX_DEPTH = 40  # levels of multiparts and attached messages that are opened
MAX_PARTS = 2000  # parts of one message, all levels together

_CONTENT_FIELDS = frozenset(
    (
        b"content-type",
        b"content-transfer-encoding",
        b"content-id",
        b"content-description",
        b"content-disposition",
        b"content-language",
        b"content-location",
        b"content-md5",
    )
)
_US_ASCII = ((b"charset", b"us-ascii"),)
_TEXT_PLAIN = MimeValue(b"text", b"plain", _US_ASCII)
_ATTACHED_MESSAGE = MimeValue(b"message", b"rfc822")
_UNOPENED = MimeValue(b"application", b"octet-stream")


@dataclass(frozen=True, slots=True)
class Part:
    """A body part, or a message. The header is `[header_start:body_start]`, its empty line included; the body is
    `[body_start:body_end]`. `lines` counts the line ends of the body (0 for a multipart). `content` has the content
    fields of the header by lower-case name."""

    header_start: int
    body_start: int
    body_end: int
    lines: int
    content_type: MimeValue
    content: dict[bytes, bytes]
    children: tuple[Part, ...] = ()

    @property
    def is_multipart(self) -> bool:
        """Whether `children` are the parts of a multipart; it has at least one."""
        return bool(self.children) and not self.is_message

    @property
    def is_message(self) -> bool:
        """Whether the body is a message, which is then the only child."""
        return _is_message(self.content_type) and bool(self.children)

    @property
    def transfer_encoding(self) -> bytes | None:
        """The first word of Content-Transfer-Encoding, as written (RFC 2045 section 6.1)."""
        words = without_comments(self.content.get(b"content-transfer-encoding", b"")).split(None, 1)
        return words[0] if words else None

    @property
    def size(self) -> int:
        """Octets of the body."""
        return self.body_end - self.body_start


def parse_structure(octets: bytes, max_depth: int = MAX_DEPTH, max_parts: int = MAX_PARTS) -> Part:
    """The message as a tree of parts.

    A multipart in which no delimiter line is found is shown as text/plain, so that its text can be read. Below
    `max_depth`, and when `max_parts` is reached, what remains is left whole.
    """
    return _Parser(octets, max_parts).part(0, len(octets), max_depth, _TEXT_PLAIN)


class _Parser:
    def __init__(self, octets: bytes, max_parts: int) -> None:
        self._octets = octets
        self._parts_left = max_parts

    def part(self, start: int, end: int, depth: int, default: MimeValue) -> Part:
        octets = self._octets
        self._parts_left -= 1
        body = header_end(octets, start, end)
        content = first_values(octets[start:body], _CONTENT_FIELDS)
        kind = _content_type(content.get(b"content-type"), default)
        children: tuple[Part, ...] = ()
        if kind.first.lower() == b"multipart":
            kind, children = self._multipart(kind, body, end, depth)
        elif _is_message(kind):
            kind, children = self._attached_message(kind, body, end, depth)
        lines = 0 if children and not _is_message(kind) else octets.count(b"\n", body, end)
        return Part(start, body, end, lines, kind, content, children)

    def _multipart(self, kind: MimeValue, body: int, end: int, depth: int) -> tuple[MimeValue, tuple[Part, ...]]:
        if depth <= 0 or self._parts_left <= 0:
            return _UNOPENED, ()
        boundary = kind.parameter(b"boundary")
        ranges = self._ranges(boundary.rstrip(), body, end) if boundary else []
        if not ranges:
            return _TEXT_PLAIN, ()
        default = _ATTACHED_MESSAGE if kind.second.lower() == b"digest" else _TEXT_PLAIN
        children = [self.part(first, last, depth - 1, default) for first, last in ranges]
        return kind, tuple(children)

    def _attached_message(self, kind: MimeValue, body: int, end: int, depth: int) -> tuple[MimeValue, tuple[Part, ...]]:
        if depth <= 0 or self._parts_left <= 0:
            return _UNOPENED, ()
        return kind, (self.part(body, end, depth - 1, _TEXT_PLAIN),)

    def _ranges(self, boundary: bytes, body: int, end: int) -> list[tuple[int, int]]:
        """Where the parts between the delimiter lines are (RFC 2046 section 5.1.1). The line end in front of a
        delimiter belongs to the delimiter; a part that is never ended goes on to `end`."""
        octets = self._octets
        delimiter = re.compile(rb"\n--" + re.escape(boundary) + rb"(--)?[ \t]*(?=\r?\n|\Z)")
        ranges: list[tuple[int, int]] = []
        start = None
        for found in delimiter.finditer(octets, max(body - 1, 0), end):
            if start is not None:
                at = found.start()
                ranges.append((start, max(start, at - 1 if octets[at - 1] == 0x0D else at)))
                if len(ranges) >= self._parts_left:
                    return ranges
            if found.group(1):
                return ranges
            line_end = octets.find(b"\n", found.end(), end)
            start = line_end + 1 if line_end >= 0 else end
        if start is not None:
            ranges.append((start, end))
        return ranges


def _is_message(kind: MimeValue) -> bool:
    return kind.first.lower() == b"message" and kind.second.lower() in (b"rfc822", b"global")


def _content_type(value: bytes | None, default: MimeValue) -> MimeValue:
    """The type that a part has by its header. What cannot be made out is text/plain (RFC 2045 section 5.2), and text
    has a charset (section 5.2 and RFC 2046 section 4.1.2)."""
    if value is None:
        return default
    kind = parse_mime_value(value)
    if kind is None:
        return _TEXT_PLAIN
    match kind.first.lower(), kind.second:
        case b"multipart", b"":
            return MimeValue(kind.first, b"mixed", kind.parameters)
        case b"text", subtype if kind.parameter(b"charset") is None:
            return MimeValue(kind.first, subtype or b"plain", kind.parameters + _US_ASCII)
        case b"text", b"":
            return MimeValue(kind.first, b"plain", kind.parameters)
        case _, b"":
            return _TEXT_PLAIN
    return kind
