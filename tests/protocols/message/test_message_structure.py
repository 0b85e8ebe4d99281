"""Where the parts of a message are, for sound mail and for what is on the wire instead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.protocols.message.structure import Part, parse_structure


def crlf(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


def body(octets: bytes, part: Part) -> bytes:
    return octets[part.body_start : part.body_end]


def kind(part: Part) -> tuple[bytes, bytes]:
    return part.content_type.first, part.content_type.second


def test_a_message_without_mime_fields_is_us_ascii_text() -> None:
    """RFC 2045 section 5.2"""
    part = parse_structure(crlf("Subject: x\n\none\ntwo\n"))
    assert kind(part) == (b"text", b"plain")
    assert part.content_type.parameter(b"charset") == b"us-ascii"
    assert (part.body_start, part.size, part.lines) == (14, 10, 2)


@pytest.mark.parametrize(
    ("octets", "start"),
    [(b"", 0), (b"\r\n", 2), (b"\nx", 1), (b"A: b", 4), (b"A: b\r\n", 6), (b"A: b\n\nx", 6), (b"A: b\r\n\nx", 7)],
)
def test_the_header_ends_at_the_first_empty_line_or_with_the_message(octets: bytes, start: int) -> None:
    assert parse_structure(octets).body_start == start


def test_the_line_end_in_front_of_a_delimiter_belongs_to_the_delimiter() -> None:
    """RFC 2046 section 5.1.1"""
    octets = crlf(
        "Content-Type: multipart/mixed; boundary=b\n\npre\n--b\n\nfirst\n--b\nA: b\n\nsecond\n\n--b--\nepilogue"
    )
    part = parse_structure(octets)
    assert [body(octets, child) for child in part.children] == [b"first", b"second\r\n"]
    assert [child.lines for child in part.children] == [0, 1]
    assert part.lines == 0


def test_bare_line_feeds_work_as_line_ends() -> None:
    octets = b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nfirst\n--b\n\nsecond\n--b--\n"
    assert [body(octets, child) for child in parse_structure(octets).children] == [b"first", b"second"]


def test_an_outer_delimiter_ends_inner_multiparts_that_were_never_ended() -> None:
    """RFC 2046 section 5.1.2"""
    octets = crlf(
        "Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/alternative; boundary=i\n\n"
        "--i\n\ninner\n--o\n\nouter\n"
    )
    inner, outer = parse_structure(octets).children
    assert [body(octets, child) for child in inner.children] == [b"inner"]
    assert body(octets, outer) == b"outer\r\n"


def test_a_boundary_that_begins_another_is_not_taken_for_it() -> None:
    octets = crlf("Content-Type: multipart/mixed; boundary=a\n\n--a\n\nx\n--ab\ny\n--a--\n")
    assert [body(octets, child) for child in parse_structure(octets).children] == [b"x\r\n--ab\r\ny"]


@pytest.mark.parametrize("parameters", ["", "; boundary=", "; boundary=never"])
def test_a_multipart_without_delimiters_is_shown_as_text(parameters: str) -> None:
    octets = crlf(f"Content-Type: multipart/mixed{parameters}\n\ntext\n")
    part = parse_structure(octets)
    assert (kind(part), part.children, body(octets, part)) == ((b"text", b"plain"), (), b"text\r\n")


def test_empty_parts_are_parts() -> None:
    octets = crlf("Content-Type: multipart/mixed; boundary=b\n\n--b\n--b\n\n--b\n--b--")
    assert [child.size for child in parse_structure(octets).children] == [0, 0, 0]


def test_parts_of_a_digest_are_messages_by_default() -> None:
    """RFC 2046 section 5.1.5"""
    part = parse_structure(crlf("Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: in\n\nx\n--b--\n"))
    assert part.children[0].is_message


def test_an_attached_message_is_the_child_of_its_part() -> None:
    octets = crlf("Content-Type: message/rfc822\n\nSubject: in\n\none\ntwo\n")
    part = parse_structure(octets)
    assert part.is_message
    assert not part.is_multipart
    assert part.lines == 4
    assert body(octets, part.children[0]) == b"one\r\ntwo\r\n"


@pytest.mark.parametrize("value", ["???", "text", "image", "/", '"', ""])
def test_a_content_type_that_cannot_be_read_is_text_plain(value: str) -> None:
    """RFC 2045 section 5.2"""
    assert kind(parse_structure(crlf(f"Content-Type: {value}\n\nx"))) == (b"text", b"plain")


def test_text_without_a_charset_is_us_ascii() -> None:
    """RFC 2046 section 4.1.2"""
    part = parse_structure(b"Content-Type: text/html; format=flowed\n\n")
    assert part.content_type.parameters == ((b"format", b"flowed"), (b"charset", b"us-ascii"))


def nested(levels: int) -> bytes:
    octets = b"Content-Type: text/plain\n\nx"
    for level in range(levels):
        octets = b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n%b\n--b%d--\n" % (level, level, octets, level)
    return octets


def depth(part: Part) -> int:
    return 1 + max((depth(child) for child in part.children), default=0)


@pytest.mark.parametrize(("levels", "opened"), [(4, 5), (5, 6), (6, 6)])
def test_multiparts_below_the_depth_limit_are_left_whole(levels: int, opened: int) -> None:
    assert depth(parse_structure(nested(levels), max_depth=5)) == opened


def test_attached_messages_count_as_levels() -> None:
    octets = b"Content-Type: message/rfc822\n\n" * 50 + b"\nx"
    assert depth(parse_structure(octets, max_depth=10)) == 11


@pytest.mark.parametrize(("parts", "opened"), [(9, 9), (10, 10), (11, 10)])
def test_parts_beyond_the_limit_are_left_out(parts: int, opened: int) -> None:
    octets = b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * parts + b"--b--\n"
    assert len(parse_structure(octets, max_parts=11).children) == opened


@given(
    st.lists(
        st.sampled_from(
            [
                b"--b",
                b"--b--",
                b"\r\n",
                b"\n",
                b"--",
                b"Content-Type: ",
                b"multipart/mixed",
                b"; boundary=b",
                b"message/rfc822",
                b"x",
                b"\0",
                b"(",
                b'"',
                b"\\",
            ]
        ),
        max_size=60,
    )
)
def test_nothing_makes_it_fail_and_parts_lie_within_their_parents(pieces: list[bytes]) -> None:
    octets = b"".join(pieces)

    def check(part: Part, start: int, end: int) -> None:
        assert start <= part.header_start <= part.body_start <= part.body_end <= end
        for child in part.children:
            check(child, part.body_start, part.body_end)

    check(parse_structure(octets), 0, len(octets))


@given(st.binary(max_size=300))
def test_random_octets_are_a_message(octets: bytes) -> None:
    assert parse_structure(octets).body_end == len(octets)
