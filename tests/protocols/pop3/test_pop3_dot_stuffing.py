"""A message as RETR and TOP send it (RFC 1939 sections 3 and 7)."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.hang_deadline import hang_deadline

from gatepost.protocols.pop3.dot_stuffing import DotStuffing, top

texts = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"..", b"x", b"\r\n.\r\n", b"\xe9"])).map(b"".join)


def stuffed(*parts: bytes) -> bytes:
    stuffing = DotStuffing()
    return b"".join([stuffing.encode(part) for part in parts]) + stuffing.finish()


def unstuffed(data: bytes) -> bytes:
    """What a client makes of it."""
    assert data.endswith(b".\r\n")
    lines = data[:-3].split(b"\r\n")
    return b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines)


@pytest.mark.parametrize(
    ("message", "sent"),
    [
        (b"", b".\r\n"),
        (b"a\r\n", b"a\r\n.\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b".\r\n", b"..\r\n.\r\n"),
        (b"a\r\n.\r\n..b\r\n", b"a\r\n..\r\n...b\r\n.\r\n"),
        (b"a\n.\nb\n", b"a\r\n..\r\nb\r\n.\r\n"),
        (b"a\r.b\r\n", b"a\r.b\r\n.\r\n"),
        (b"a\r", b"a\r\r\n.\r\n"),
        (b"a.b\r\n", b"a.b\r\n.\r\n"),
    ],
)
def test_dots_are_stuffed_and_lines_end_in_crlf(message: bytes, sent: bytes) -> None:
    assert stuffed(message) == sent


@given(texts)
def test_a_client_gets_the_message_back_and_sees_the_end_once(message: bytes) -> None:
    sent = stuffed(message)
    assert sent.find(b"\r\n.\r\n", 0, len(sent) - 1) < 0
    expected = message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    if expected and not expected.endswith(b"\r\n"):
        expected += b"\r\n"
    assert unstuffed(sent) == expected


@given(texts, st.lists(st.integers(0, 60)))
def test_where_parts_are_cut_makes_no_difference(message: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(message)) for cut in cuts), len(message)]
    parts = [message[start:end] for start, end in itertools.pairwise(edges)]
    assert stuffed(*parts) == stuffed(message)
    assert stuffed(*(message[i : i + 1] for i in range(len(message)))) == stuffed(message)


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_top_gives_the_header_and_some_lines(end: bytes) -> None:
    lines = [b"Subject: x", b"To: y", b"", b"one", b"", b"three"]
    message = end.join(lines) + end
    header = end.join(lines[:3]) + end
    assert top(message, 0) == header
    assert top(message, 1) == header + b"one" + end
    assert top(message, 2) == header + b"one" + end + end
    assert top(message, 3) == message
    assert top(message, 4) == top(message, 10**9) == message


@given(
    st.lists(st.sampled_from([b"a", b"\r\n", b"\n", b"x" * 20_000, b"\n" * 20_000]), max_size=12),
    st.integers(0, 70_000),
)
def test_top_gives_as_many_lines_of_a_long_body_as_there_are(pieces: list[bytes], lines: int) -> None:
    body = b"".join(pieces)
    assert top(b"a: b\n\n" + body, lines) == b"a: b\n\n" + b"".join(re.findall(rb"[^\n]*\n|[^\n]+", body)[:lines])


def test_top_of_millions_of_lines_costs_little() -> None:
    """Seconds, in which nobody else was served."""
    message = b"x\n\n" + b"\n" * 30_000_000
    with hang_deadline(10):
        for lines in range(25_000_000, 25_000_010):
            assert len(top(message, lines)) == 3 + lines


def test_top_of_a_message_without_body() -> None:
    assert top(b"Subject: x\r\n", 3) == b"Subject: x\r\n"
    assert top(b"Subject: x\r\n\r\nno end", 1) == b"Subject: x\r\n\r\nno end"
    assert top(b"", 1) == b""
