"""The header of a message or of a part: its fields, where they stand, and their unfolded values (RFC 5322 section 2.2).

Read by the structure parser, the IMAP envelope and SEARCH. Works on octets, changes none of them, and takes whatever it
is given: a line that is no field stays in the header as a field without a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

LONGEST_HEADER = 256 * 1024
"""Octets of a header; what stands behind them is taken for the body. Mail has a hundredth of it: this bounds the time for
hostile mail, in which a header may have as many octets as a message, and millions of fields."""

_BLANK_LINE = re.compile(rb"\n\r?\n")
_FIELD = re.compile(rb"[^\n]*(?:\n[ \t][^\n]*)*\n?")
_LINE_END = re.compile(rb"\r?\n")
_NAME = re.compile(rb"([!-9;-~]+)[ \t]*:")


@dataclass(frozen=True, slots=True)
class Field:
    """One header field. `octets` is all of it, folds and line end included; `name` is lower-case, empty for a line that
    is no field."""

    name: bytes
    octets: bytes
    value_start: int

    @property
    def value(self) -> bytes:
        """The field body, unfolded, without white space around it."""
        return unfolded(self.octets[self.value_start :])


def unfolded(octets: bytes) -> bytes:
    """A field body on one line: line ends are gone, the white space behind them stays (RFC 5322 section 2.2.3). So are
    NULs, which no IMAP string may have."""
    if b"\n" in octets:
        octets = _LINE_END.sub(b"", octets)
    return octets.strip(b" \t\r\n\0").replace(b"\0", b"")


def header_end(octets: bytes, start: int = 0, end: int | None = None) -> int:
    """Where the body begins: behind the first empty line, or at `end` where there is none, but behind a line of the first
    LONGEST_HEADER octets in any case."""
    stop = len(octets) if end is None else end
    if octets.startswith(b"\r\n", start, stop):
        return start + 2
    if octets.startswith(b"\n", start, stop):
        return start + 1
    reach = min(stop, start + LONGEST_HEADER)
    found = _BLANK_LINE.search(octets, start, reach)
    if found or reach == stop:
        return found.end() if found else stop
    line_end = octets.rfind(b"\n", start, reach)
    return line_end + 1 if line_end >= 0 else reach


def empty_line(header: bytes) -> bytes:
    """The empty line at the end of a header as it is there; empty when there is none."""
    for line in (b"\r\n", b"\n"):
        if header == line or header.endswith(b"\n" + line):
            return line
    return b""


def fields(octets: bytes, start: int = 0, end: int | None = None) -> Iterator[Field]:
    """The fields of the header that fills `octets[start:end]`, the empty line at its end left out."""
    stop = len(octets) if end is None else end
    while start < stop:
        found = _FIELD.match(octets, start, stop)
        if found is None or found.end() == start:
            return
        start = found.end()
        text = found.group()
        if text in (b"\r\n", b"\n"):
            continue
        name = _NAME.match(text)
        yield Field(name.group(1).lower(), text, name.end()) if name else Field(b"", text, 0)


def first_values(header: bytes, names: frozenset[bytes]) -> dict[bytes, bytes]:
    """The unfolded value of the first field of each of the (lower-case) names that is there. Other fields are not looked at one by
    one: a hostile header has millions of them."""
    values: dict[bytes, bytes] = {}
    for found in _beginning_of(names).finditer(header):
        name = found.group(1).lower()
        if name not in values:
            field = _FIELD.match(header, found.start())
            values[name] = unfolded(header[found.end() : field.end() if field else len(header)])
    return values


@lru_cache(maxsize=16)
def _beginning_of(names: frozenset[bytes]) -> re.Pattern[bytes]:
    choices = b"|".join(re.escape(name) for name in sorted(names))
    return re.compile(rb"^(" + choices + rb")[ \t]*:", re.IGNORECASE | re.MULTILINE)
