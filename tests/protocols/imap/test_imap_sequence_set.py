"""Sets of message numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.protocols.imap.errors import BadSyntax
from gatepost.protocols.imap.sequence_set import SequenceSet, format_sequence_set


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        (b"1", [(1, 1)]),
        (b"2,4:7,9,12:*", [(2, 2), (4, 7), (9, 9), (12, 15)]),  # RFC 3501 section 9
        (b"*:4,5:7", [(4, 15)]),
        (b"*", [(15, 15)]),
        (b"20:*", [(15, 20)]),  # the largest number is in it, whatever the other end is
        (b"7:4", [(4, 7)]),
        (b"1,1,2,2:3", [(1, 3)]),
    ],
)
def test_ranges_within_fifteen(text: bytes, ranges: list[tuple[int, int]]) -> None:
    assert SequenceSet.parse(text).within(15) == ranges


@pytest.mark.parametrize("text", [b"", b"0", b"1,", b",1", b"1:", b":1", b"1:2:3", b"a", b"1 2", b"**", b"4294967296"])
def test_what_is_no_set(text: bytes) -> None:
    with pytest.raises(BadSyntax):
        SequenceSet.parse(text)


@pytest.mark.parametrize(
    ("text", "largest", "is_beyond"),
    [(b"3", 3, False), (b"4", 3, True), (b"1:4", 3, True), (b"1:*", 3, False), (b"9:*", 3, False), (b"*", 0, True)],
)
def test_numbers_that_nothing_has(text: bytes, largest: int, is_beyond: bool) -> None:
    """RFC 3501 section 6.4.8 and formal syntax: numbers are limited by EXISTS"""
    assert SequenceSet.parse(text).is_beyond(largest) == is_beyond


@given(st.sets(st.integers(1, 60)))
def test_formatted_sets_have_the_same_numbers(numbers: set[int]) -> None:
    text = format_sequence_set(numbers)
    if not numbers:
        assert text == b""
        return
    ranges = SequenceSet.parse(text).within(99)
    assert {number for first, last in ranges for number in range(first, last + 1)} == numbers
