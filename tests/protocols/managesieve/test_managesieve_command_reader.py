"""Commands out of octets (RFC 5804 section 4), and names of scripts (section 1.6)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.hang_deadline import hang_deadline

from gatepost.protocols.managesieve.command_reader import Atom, CommandReader, LiteralTooLong, Token, Unreadable
from gatepost.protocols.managesieve.strings import encode_literal, encode_string, script_name


def read_all(*pieces: bytes, line_limit: int = 200, literal_limit: int = 100) -> list[tuple[Token, ...] | Unreadable]:
    reader = CommandReader(line_limit=line_limit, literal_limit=literal_limit)
    commands = []
    for piece in pieces:
        reader.feed(piece)
        while (command := reader.read()) is not None:
            commands.append(command)
    return commands


@pytest.mark.parametrize(
    ("line", "tokens"),
    [
        (b"NOOP", (Atom("NOOP"),)),
        (b'havespace "a b" 99', (Atom("HAVESPACE"), b"a b", 99)),
        (b'X  "a\\"b\\\\"  ', (Atom("X"), b'a"b\\')),
        (b'X ""', (Atom("X"), b"")),
        (b'"Zm9v"', (b"Zm9v",)),
        (b'X "caf\xc3\xa9"', (Atom("X"), b"caf\xc3\xa9")),
        (b"", ()),
    ],
)
def test_lines(line: bytes, tokens: tuple[Token, ...]) -> None:
    assert read_all(line + b"\r\n") == read_all(line + b"\n") == [tokens]


@pytest.mark.parametrize("plus", [b"+", b""])
def test_literals_hold_any_octets_and_commands_go_on_behind_them(plus: bytes) -> None:
    text = b'\r\n"{3+}\r\n\0.\r\n'
    data = b'PUT "a" {%d%b}\r\n%b\r\nREN {1+}\r\na {0+}\r\n\r\n' % (len(text), plus, text)
    assert read_all(data) == [(Atom("PUT"), b"a", text), (Atom("REN"), b"a", b"")]


@pytest.mark.parametrize(
    "line", [b'X "a', b'X "a\\n"', b'X a"b"', b'X "a""b"', b"X (a)", b"X 12345678901", b"\xff", b'X "\0"', b"X 1a"]
)
def test_what_makes_no_sense_is_one_unreadable_command(line: bytes) -> None:
    (command, after) = read_all(line + b"\r\nNOOP\r\n")
    assert isinstance(command, Unreadable)
    assert after == (Atom("NOOP"),)


def test_a_literal_behind_nonsense_is_not_read_as_commands() -> None:
    (command, after) = read_all(b'PUT "x {8+}\r\nLOGOUT\r\n\r\nNOOP\r\n')
    assert isinstance(command, Unreadable)
    assert after == (Atom("NOOP"),)


def test_more_arguments_than_any_command_has_are_not_kept() -> None:
    (command,) = read_all(b"X " + b"{90+}\r\n" + (b"x" * 90 + b" {90+}\r\n") * 1000 + b"x" * 90 + b"\r\n")
    assert isinstance(command, Unreadable)


@pytest.mark.parametrize(("length", "is_too_large"), [(99, False), (100, False), (101, True), (1600, True)])
def test_a_literal_over_the_limit_is_skipped(length: int, is_too_large: bool) -> None:
    (command, after) = read_all(b'PUT "a" {%d+}\r\n%b\r\nNOOP\r\n' % (length, b"x" * length))
    assert (command == Unreadable("The literal is too long", is_too_large=True)) is is_too_large
    assert after == (Atom("NOOP"),)


def test_a_literal_far_over_the_limit_is_not_waited_for() -> None:
    with pytest.raises(LiteralTooLong):
        read_all(b'PUT "a" {1601+}\r\n')


@pytest.mark.parametrize(("length", "is_readable"), [(199, True), (200, True), (201, False)])
def test_a_line_over_the_limit_is_skipped(length: int, is_readable: bool) -> None:
    (command, after) = read_all(b'X "' + b"x" * (length - 6) + b'"\r\n' + b"NOOP\r\n")
    assert isinstance(command, tuple) is is_readable
    assert after == (Atom("NOOP"),)


INPUT = (
    b'NOOP\r\nPUTSCRIPT "a b" {12+}\r\nkeep;\r\nstop;\r\nX "\r\nREN {1}\r\na {1+}\nb\nHAVESPACE "x" 5\r\n'
    + b"A {101+}\r\n%b\r\nB %b\r\nZ\r\n" % (b"y" * 101, b"z" * 300)
)


@given(st.lists(st.integers(0, len(INPUT)), max_size=12))
def test_where_the_input_is_cut_makes_no_difference(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(INPUT)]
    assert read_all(*(INPUT[start:end] for start, end in pairwise(edges))) == read_all(INPUT)


def test_input_octet_by_octet_makes_no_difference() -> None:
    assert read_all(*(INPUT[i : i + 1] for i in range(len(INPUT)))) == read_all(INPUT)
    assert len(read_all(INPUT)) == 8


@given(st.lists(st.binary(max_size=30) | st.sampled_from([b'"', b"{5+}\r\n", b"\r\n", b"X "]), max_size=20))
def test_any_octets_give_a_documented_outcome(pieces: list[bytes]) -> None:
    try:
        read_all(*pieces)
    except LiteralTooLong:
        pass


@pytest.mark.parametrize("filling", [b" ", b"\t", b"{", b"{1", b'"\\"', b"a "])
def test_a_line_is_read_in_a_time_that_grows_with_its_length(filling: bytes) -> None:
    """Not with its square: a line of spaces, which needs no login, stopped all conversations of a worker."""
    line = b"X " + filling * (512 * 1024 // len(filling)) + b"}"
    with hang_deadline():
        assert all(isinstance(read, Unreadable) for read in read_all(line + b"\r\n", line_limit=1024 * 1024))


@given(st.text(max_size=1100))
def test_strings_come_back_as_they_were_sent(text: str) -> None:
    sent = encode_string(text)
    reader = CommandReader(line_limit=8192, literal_limit=8192)
    reader.feed(b"X " + sent + b"\r\n")
    assert reader.read() == (Atom("X"), text.encode())


def test_strings_that_cannot_be_quoted_are_literals() -> None:
    assert encode_string('a"b\\') == b'"a\\"b\\\\"'
    assert encode_string("a\r\nb") == encode_literal(b"a\r\nb") == b"{4}\r\na\r\nb"
    assert encode_string("x" * 1024).startswith(b'"')
    assert encode_string("x" * 1025).startswith(b"{1025}")


@pytest.mark.parametrize(
    "name", ["a", "a b", "x" * 128, "caf\u00e9", "\u65e5\u672c", "../../etc", "a/b", "\U0001f4e7" * 128]
)
def test_names_of_scripts(name: str) -> None:
    assert script_name(name.encode()) == name


@pytest.mark.parametrize("name", ["", "x" * 129, "a\nb", "a\0", "\x7f", "\u0085", "\u2028", "\u2029"])
def test_names_that_no_script_can_have(name: str) -> None:
    assert script_name(name.encode()) is None


def test_names_are_brought_to_normal_form() -> None:
    assert script_name("cafe\u0301".encode()) == "caf\u00e9"
    assert script_name(b"caf\xe9") is None
