"""The buffer against a model that is as simple as can be, and its limits."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.protocols.framing.octet_buffer import LineTooLong, OctetBuffer

LIMIT = 8
TOO_LONG = "too long"


@dataclass
class Model:
    """What lines come of octets, however they are cut: looked at octet by octet."""

    accept_bare_lf: bool
    line: bytearray = field(default_factory=bytearray)
    has_complained: bool = False

    def feed(self, octets: bytes) -> list[bytes | str]:
        results: list[bytes | str] = []
        for octet in octets:
            self.line.append(octet)
            is_end = self.line.endswith(b"\r\n") or (self.accept_bare_lf and octet == 0x0A)
            # A line is too long for certain once it has `limit` octets and no line end.
            if len(self.line) >= LIMIT and not self.has_complained and not (is_end and len(self.line) == LIMIT):
                self.has_complained = True
                results.append(TOO_LONG)
            if is_end:
                if not self.has_complained:
                    results.append(bytes(self.line).removesuffix(b"\n").removesuffix(b"\r"))
                self.line.clear()
                self.has_complained = False
        return results


def lines_of(buffer: OctetBuffer) -> list[bytes | str]:
    results: list[bytes | str] = []
    while True:
        try:
            line = buffer.take_line(LIMIT)
        except LineTooLong:
            results.append(TOO_LONG)
            continue
        if line is None:
            return results
        results.append(line)


OCTETS = st.lists(st.sampled_from([b"a", b"b", b"\r", b"\n", b"\r\n", b"cccc", b"ddddddddd"]), max_size=30).map(
    b"".join
)


@given(OCTETS, st.lists(st.integers(1, 9), min_size=1), st.booleans())
def test_lines_are_those_of_the_model_however_the_octets_are_cut(
    octets: bytes, widths: list[int], accept_bare_lf: bool
) -> None:
    buffer, model = OctetBuffer(accept_bare_lf=accept_bare_lf), Model(accept_bare_lf)
    seen: list[bytes | str] = []
    expected: list[bytes | str] = []
    position = turn = 0
    while position < len(octets):
        piece = octets[position : position + widths[turn % len(widths)]]
        position, turn = position + len(piece), turn + 1
        buffer.feed(piece)
        seen += lines_of(buffer)
        expected += model.feed(piece)
    assert seen == expected


@given(st.binary(max_size=300), st.lists(st.integers(0, 50)))
def test_counted_blocks_are_the_octets_in_order(octets: bytes, counts: list[int]) -> None:
    buffer = OctetBuffer()
    buffer.feed(octets)
    taken = b""
    for count in counts:
        taken += buffer.take(count)
        assert len(buffer) == len(octets) - len(taken)
    assert taken == octets[: len(taken)]


@pytest.mark.parametrize(
    ("length", "is_fine"), [(LIMIT - 3, True), (LIMIT - 2, True), (LIMIT - 1, False), (LIMIT, False)]
)
@pytest.mark.parametrize("width", [1, 3, 100])
def test_the_limit_counts_the_line_end(length: int, is_fine: bool, width: int) -> None:
    line = b"x" * length
    octets = line + b"\r\nnext\r\n"
    buffer, seen = OctetBuffer(), []
    for start in range(0, len(octets), width):
        buffer.feed(octets[start : start + width])
        seen += lines_of(buffer)
    assert seen == [line if is_fine else TOO_LONG, b"next"]


def test_an_endless_line_takes_no_memory() -> None:
    buffer = OctetBuffer()
    complaints = 0
    for _ in range(1000):
        buffer.feed(b"x" * 1000)
        complaints += lines_of(buffer).count(TOO_LONG)
        assert len(buffer) <= 1
    assert complaints == 1
    buffer.feed(b"\r\nnext\r\n")
    assert lines_of(buffer) == [b"next"]


@pytest.mark.parametrize("rest", [b"\r", b"x\r"])
def test_a_line_end_that_is_cut_in_two_ends_the_line_that_was_too_long(rest: bytes) -> None:
    buffer = OctetBuffer()
    buffer.feed(b"x" * LIMIT + rest)
    assert lines_of(buffer) == [TOO_LONG]
    buffer.feed(b"\nnext\r\n")
    assert lines_of(buffer) == [b"next"]


@pytest.mark.parametrize("octets", [b"a\rb\nc\r\n", b"\n\r\n", b"a\r\r\n", b"\r\n", b"a\n\n\r\n"])
def test_a_bare_cr_or_lf_is_data(octets: bytes) -> None:
    """RFC 5321 section 2.3.8."""
    buffer = OctetBuffer()
    buffer.feed(octets)
    assert lines_of(buffer) == [octets[:-2]]


def test_a_bare_lf_ends_a_line_where_that_is_accepted() -> None:
    buffer = OctetBuffer(accept_bare_lf=True)
    buffer.feed(b"a\nb\r\n\n\r\nc")
    assert lines_of(buffer) == [b"a", b"b", b"", b""]
    assert buffer.take(5) == b"c"


def test_a_line_feed_in_front_of_the_buffer_is_not_joined_with_what_was_taken() -> None:
    buffer = OctetBuffer()
    buffer.feed(b"12345\r\nnext\r\n")
    assert buffer.take(6) == b"12345\r"
    assert lines_of(buffer) == [b"\nnext"]


def test_lines_and_blocks_may_alternate() -> None:
    buffer = OctetBuffer()
    buffer.feed(b"one\r\n12345two\r\n")
    assert buffer.take_line(100) == b"one"
    assert buffer.take(5) == b"12345"
    assert buffer.take_line(100) == b"two"
    assert len(buffer) == 0


def test_a_large_buffer_is_given_back_as_it_is_taken() -> None:
    buffer = OctetBuffer()
    octets = bytes(range(256)) * 4096
    buffer.feed(octets)
    taken = b"".join(iter(lambda: buffer.take(10_000), b""))
    assert taken == octets
    buffer.feed(b"line\r\n")
    assert buffer.take_line(100) == b"line"


def test_clearing_forgets_everything() -> None:
    buffer = OctetBuffer()
    buffer.feed(b"half a line")
    buffer.clear()
    assert len(buffer) == 0
    buffer.feed(b"whole\r\n")
    assert buffer.take_line(100) == b"whole"
