"""No octets inside a message are ever taken for its end or for a command (RFC 5321 sections 2.3.8 and 4.1.1.4)."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.protocols.smtp.content import DotStuffedReader, MessageContent
from gatepost.protocols.smtp.replies import MESSAGE_HAS_BARE_LINE_END

MakeDialogue = Callable[..., Any]

OPEN = b"MAIL FROM:<bob@example.net>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n"
HIDDEN = b"MAIL FROM:<ceo@example.org>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\nforged\r\n"

NO_ENDS = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r",
    b"\r.\r\n",
    b"\r\n.\r",
    b"\r\n.\r\r\n",
    b"\r\n\r.\r\n",
    b"\n\n.\r\n",
    b"\r\n.\x00\r\n",
    b"\r\n\x00.\r\n",
    b"\r\n.\r\x00\n",
]


@pytest.mark.parametrize("no_end", NO_ENDS)
def test_only_crlf_dot_crlf_ends_a_message(dialogue: MakeDialogue, no_end: bytes) -> None:
    smtp = dialogue()
    answer = smtp.codes(OPEN + b"text" + no_end + HIDDEN + b".\r\nNOOP\r\n")
    assert answer[:3] == [250, 250, 354]
    assert len(answer) == 5, "one message and one NOOP"
    assert answer[4] == 250
    assert len(smtp.messages) <= 1


@pytest.mark.parametrize("no_end", [end for end in NO_ENDS if b"\x00" not in end])
def test_a_message_with_a_bare_cr_or_lf_is_refused_whole(dialogue: MakeDialogue, no_end: bytes) -> None:
    smtp = dialogue()
    answer = smtp.lines(OPEN + b"text" + no_end + HIDDEN + b".\r\n")
    assert answer[-1].startswith(b"550 5.6.0 ")
    assert smtp.messages == []


@pytest.mark.parametrize("text", [b"a\nb\r\n", b"a\rb\r\n", b"\na\r\n", b"a\r\r\n", b"a\n"])
def test_a_chunk_with_a_bare_cr_or_lf_is_refused(dialogue: MakeDialogue, text: bytes) -> None:
    smtp = dialogue()
    opening = OPEN.removesuffix(b"DATA\r\n")
    answer = smtp.codes(opening + b"BDAT %d LAST\r\n" % len(text) + text + b"NOOP\r\n")
    assert answer == [250, 250, 550, 250]


@pytest.mark.parametrize(
    "line",
    [b"NOOP\nQUIT\r\n", b"NOOP\rQUIT\r\n", b"MAIL FROM:<a@b.example>\nQUIT\r\n", b"MAIL FROM:<a\r@b.example>\r\n"],
)
def test_a_bare_cr_or_lf_ends_no_command(dialogue: MakeDialogue, line: bytes) -> None:
    smtp = dialogue()
    assert smtp.codes(line + b"NOOP\r\n") == [501, 250]
    assert smtp.events == []
    assert not smtp.is_closed


def test_an_authentication_response_with_a_bare_lf_is_refused(dialogue: MakeDialogue) -> None:
    smtp = dialogue(is_tls=True)
    assert smtp.codes(b"AUTH PLAIN\r\nAGEAYg==\nQUIT\r\nNOOP\r\n") == [334, 501, 250]
    assert smtp.events == []


# --- the reader alone -----------------------------------------------------------------------------------------------


def stuffed(content: bytes) -> bytes:
    """What a client sends for a message that ends in CRLF, or is empty."""
    lines = content.split(b"\r\n")[:-1]
    return b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines) + b".\r\n"


def read(pieces: list[bytes]) -> tuple[MessageContent, bytes | None]:
    content = MessageContent(size_limit=1_000_000, line_limit=1000)
    reader = DotStuffedReader(content)
    rest: bytes | None = None
    for piece in pieces:
        rest = reader.feed(piece) if rest is None else rest + piece
    return content, rest


TEXT = st.lists(st.sampled_from([b".", b"..", b"a", b"\r\n", b"\r\n.", b"", b"\xff"]), max_size=20).map(b"".join)


@given(TEXT, st.lists(st.integers(0, 80), max_size=8))
def test_dot_stuffing_round_trip_however_it_is_cut(text: bytes, cuts: list[int]) -> None:
    message = text + b"\r\n"
    wire = stuffed(message) + b"behind"
    places = sorted({0, len(wire), *(cut for cut in cuts if cut < len(wire))})
    content, rest = read([wire[a:b] for a, b in itertools.pairwise(places)])
    assert content.octets() == message
    assert content.problem() is None
    assert rest == b"behind"


@given(st.lists(st.sampled_from([b"\r", b"\n", b".", b"a"]), max_size=30).map(b"".join), st.booleans())
def test_bare_line_ends_are_found_wherever_they_stand(text: bytes, octet_by_octet: bool) -> None:
    content = MessageContent(size_limit=1000, line_limit=1000)
    for piece in [text[i : i + 1] for i in range(len(text))] if octet_by_octet else [text]:
        content.add(piece)
    without_pairs = text.replace(b"\r\n", b"")
    has_bare = b"\r" in without_pairs or b"\n" in without_pairs
    assert (content.problem() is MESSAGE_HAS_BARE_LINE_END) is has_bare


@given(st.lists(st.integers(0, 12), max_size=8), st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_long_lines_are_found_however_the_message_is_cut(lengths: list[int], widths: list[int]) -> None:
    message = b"".join(b"x" * length + b"\r\n" for length in lengths)
    content = MessageContent(size_limit=1000, line_limit=10)
    position = 0
    while position < len(message):
        width = widths[position % len(widths)]
        content.add(message[position : position + width])
        position += width
    assert (content.problem() is not None) is any(length > 10 for length in lengths)
