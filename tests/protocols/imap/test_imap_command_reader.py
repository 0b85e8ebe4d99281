"""Cutting input into commands and literals."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.protocols.imap.command_reader import Ask, CommandReader, RawCommand, Unreadable

LIMIT = 100
MAX_LINE = 200
Found = RawCommand | Unreadable | Ask


def reader() -> CommandReader:
    return CommandReader(lambda: MAX_LINE, lambda name: 1000 if name == "APPEND" else LIMIT)


def read_all(*pieces: bytes) -> list[Found]:
    cutter, found = reader(), []
    for piece in pieces:
        cutter.feed(piece)
        while (one := cutter.next_command()) is not None:
            found.append(one)
    return found


def test_a_command_without_literals_is_one_text() -> None:
    assert read_all(b"a1 login joe {x} \r\n") == [RawCommand(b"a1", "LOGIN", (b" joe {x} ",), ())]


def test_a_synchronising_literal_is_asked_for() -> None:
    """RFC 3501 section 4.3"""
    assert read_all(b"a x {3}\r\n", b"a\r\n y\r\n") == [
        Ask.FOR_LITERAL,
        RawCommand(b"a", "X", (b" ", b" y"), (b"a\r\n",)),
    ]


def test_a_non_synchronising_literal_is_not() -> None:
    """RFC 7888 section 3"""
    assert read_all(b"a x {3+}\r\nabc{0+}\r\n\r\n") == [RawCommand(b"a", "X", (b" ", b"", b""), (b"abc", b""))]


STREAM = b'a x {3+}\r\n{9} "q{1}" {2+}\r\n\r\n!\r\nb noop\nc append {150+}\r\n' + b"m" * 150 + b"\r\n+ bad\r\nd y\r\n"


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_how_the_input_is_split_makes_no_difference(cuts: list[int]) -> None:
    points = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[a:b] for a, b in itertools.pairwise(points)]
    assert read_all(*pieces) == read_all(STREAM)


def test_octet_by_octet_is_the_same_too() -> None:
    assert read_all(*(STREAM[at : at + 1] for at in range(len(STREAM)))) == read_all(STREAM)


@given(st.binary(max_size=200))
def test_nothing_makes_it_fail(octets: bytes) -> None:
    read_all(octets, b"\r\n")


@pytest.mark.parametrize(("size", "is_taken"), [(LIMIT - 1, True), (LIMIT, True), (LIMIT + 1, False)])
def test_the_literal_limit(size: int, is_taken: bool) -> None:
    (found,) = read_all(b"a x {%d}\r\n" % size)
    assert (found is Ask.FOR_LITERAL) == is_taken
    if not is_taken:
        assert found == Unreadable(b"a", "Literal too big", is_too_big=True)


def test_literals_of_a_command_are_limited_together() -> None:
    found = read_all(b"a x {60+}\r\n" + b"l" * 60 + b" {41}\r\n")
    assert found == [Unreadable(b"a", "Literal too big", is_too_big=True)]


def test_after_a_refused_literal_the_client_goes_on_with_a_command() -> None:
    assert read_all(b"a x {999}\r\n", b"b y\r\n")[1:] == [RawCommand(b"b", "Y", (b"",), ())]


@pytest.mark.parametrize("cut", [0, 5, 20, 140, 150])
def test_a_literal_that_was_not_asked_for_is_skipped(cut: int) -> None:
    """RFC 7888 section 4: the octets are there and must not be taken for commands"""
    stream = b"a x {150+}\r\n" + b"z noop\r\n" * 18 + b"123456 more {1+}\r\n!\r\nb y\r\n"
    assert read_all(stream[:cut], stream[cut:]) == [
        Unreadable(b"a", "Literal too big", is_too_big=True),
        RawCommand(b"b", "Y", (b"",), ()),
    ]


def test_a_huge_literal_that_was_not_asked_for_is_hopeless() -> None:
    (found,) = read_all(b"a x {99999999999+}\r\n")
    assert isinstance(found, Unreadable)
    assert found.is_hopeless


@pytest.mark.parametrize(("length", "is_taken"), [(MAX_LINE - 1, True), (MAX_LINE, True), (MAX_LINE + 1, False)])
def test_the_line_limit_counts_the_line_end(length: int, is_taken: bool) -> None:
    line = b"a x ".ljust(length - 2, b"z") + b"\r\n"
    found = read_all(line, b"b y\r\n")
    assert isinstance(found[0], RawCommand) == is_taken
    assert found[-1] == RawCommand(b"b", "Y", (b"",), ())


def test_the_texts_of_a_command_are_limited_together() -> None:
    found = read_all(b"a x " + b"y" * 150 + b" {1+}\r\nl" + b"y" * 150 + b"\r\n")
    assert found == [Unreadable(b"a", "Command too long")]


@pytest.mark.parametrize(
    ("line", "tag"),
    [
        (b"", None),
        (b" noop", None),
        (b"* noop", None),
        (b"a", b"a"),
        (b"a ", b"a"),
        (b"a  noop", b"a"),
        (b"a+b x", None),
    ],
)
def test_a_line_that_is_no_command_is_answered_with_the_tag_if_it_has_one(line: bytes, tag: bytes | None) -> None:
    (found,) = read_all(line + b"\r\n")
    assert isinstance(found, Unreadable)
    assert found.tag == tag


def test_reading_pauses_while_much_is_buffered() -> None:
    cutter = reader()
    cutter.feed(b"a noop\r\n")
    assert cutter.wants_input
    cutter.feed(b"x" * 200_000)
    assert not cutter.wants_input
