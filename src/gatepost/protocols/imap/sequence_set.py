"""Sets of message numbers: `2,4:7,9:*` (RFC 3501 section 9, sequence-set)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from gatepost.protocols.imap.errors import BadSyntax

_SET = re.compile(rb"(?:[1-9]\d{0,9}|\*)(?::(?:[1-9]\d{0,9}|\*))?(?:,(?:[1-9]\d{0,9}|\*)(?::(?:[1-9]\d{0,9}|\*))?)*\Z")
_STAR = 0
_LARGEST = 2**32 - 1


@dataclass(frozen=True, slots=True)
class SequenceSet:
    """Ranges as the client wrote them, both ends included; 0 stands for `*`, the largest number in use."""

    ranges: tuple[tuple[int, int], ...]

    @classmethod
    def parse(cls, text: bytes) -> SequenceSet:
        """Raises BadSyntax."""
        if _SET.match(text) is None:
            raise BadSyntax("Invalid sequence set")
        ranges = []
        for piece in text.split(b","):
            first, _, last = piece.partition(b":")
            ranges.append((_number(first), _number(last or first)))
        return cls(tuple(ranges))

    def within(self, largest: int) -> list[tuple[int, int]]:
        """The ranges in rising order, apart from each other, `*` replaced. A range that has `*` at one end has
        `largest` in it, whatever the other end is."""
        replaced = (sorted((first or largest, last or largest)) for first, last in self.ranges)
        merged: list[tuple[int, int]] = []
        for first, last in sorted((first, last) for first, last in replaced):
            if merged and first <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
            else:
                merged.append((first, last))
        return merged

    def is_beyond(self, largest: int) -> bool:
        """Whether a number without a star in its range is larger than `largest`, or nothing is there for a star."""
        if not largest:
            return True
        return any(max(ends) > largest for ends in self.ranges if _STAR not in ends)


def format_sequence_set(numbers: Iterable[int]) -> bytes:
    """The shortest set of these numbers, rising; empty for none."""
    pieces: list[str] = []
    first = last = 0
    for number in sorted(numbers):
        if last and number == last + 1:
            last = number
            continue
        if last:
            pieces.append(_piece(first, last))
        first = last = number
    if last:
        pieces.append(_piece(first, last))
    return ",".join(pieces).encode()


def _piece(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}:{last}"


def _number(text: bytes) -> int:
    if text == b"*":
        return _STAR
    number = int(text)
    if number > _LARGEST:
        raise BadSyntax("Number is too large")
    return number
