"""Sections of a message as BODY[...] names them."""

from __future__ import annotations

import pytest

from gatepost.protocols.message.sections import ParsedMessage, Section, SectionText

# The example of RFC 3501 section 6.4.5, with octets to tell the parts by.
EXAMPLE = (
    (
        "Subject: outer\nContent-Type: multipart/mixed; boundary=o\n\n"
        "--o\nContent-Type: text/plain\n\none\n"
        "--o\nContent-Type: application/octet-stream\n\ntwo\n"
        "--o\nContent-Type: message/rfc822\n\nSubject: third\nContent-Type: multipart/mixed; boundary=t\n\n"
        "--t\nContent-Type: text/plain\n\nthree.one\n--t\n\nthree.two\n--t--\n"
        "--o\nContent-Type: multipart/mixed; boundary=f\n\n"
        "--f\nContent-Type: image/gif\n\nfour.one\n"
        "--f\nContent-Type: message/rfc822\n\nSubject: four-two\n\nfour.two.one\n--f--\n"
        "--o--\n"
    )
    .replace("\n", "\r\n")
    .encode()
)


@pytest.mark.parametrize(
    ("part", "octets"),
    [
        ((1,), b"one"),
        ((2,), b"two"),
        ((3, 1), b"three.one"),
        ((3, 2), b"three.two"),
        ((4, 1), b"four.one"),
        ((4, 2), b"Subject: four-two\r\n\r\nfour.two.one"),
        ((4, 2, 1), b"four.two.one"),
        ((5,), None),
        ((1, 1), None),
        ((3, 3), None),
        ((4, 2, 2), None),
    ],
)
def test_numbers_name_body_parts(part: tuple[int, ...], octets: bytes | None) -> None:
    """RFC 3501 section 6.4.5"""
    assert ParsedMessage(EXAMPLE).section(Section(part)) == octets


def test_header_and_text_of_an_attached_message() -> None:
    """RFC 3501 section 6.4.5"""
    message = ParsedMessage(EXAMPLE)
    assert message.section(Section((4, 2), SectionText.HEADER)) == b"Subject: four-two\r\n\r\n"
    assert message.section(Section((4, 2), SectionText.TEXT)) == b"four.two.one"
    assert message.section(Section((4, 2), SectionText.FIELDS, (b"subject",))) == b"Subject: four-two\r\n\r\n"


@pytest.mark.parametrize("text", [SectionText.HEADER, SectionText.TEXT, SectionText.FIELDS])
def test_other_parts_have_no_header_and_no_text(text: SectionText) -> None:
    assert ParsedMessage(EXAMPLE).section(Section((1,), text, (b"x",))) is None


def test_mime_is_the_header_of_the_part() -> None:
    message = ParsedMessage(EXAMPLE)
    assert message.section(Section((2,), SectionText.MIME)) == b"Content-Type: application/octet-stream\r\n\r\n"
    assert message.section(Section((3, 2), SectionText.MIME)) == b"\r\n"


def test_header_and_body_make_up_the_message() -> None:
    message = ParsedMessage(EXAMPLE)
    header, text = message.section(Section((), SectionText.HEADER)), message.section(Section((), SectionText.TEXT))
    assert header is not None
    assert text is not None
    assert header + text == message.section(Section()) == EXAMPLE


def test_a_message_that_is_no_multipart_has_one_part() -> None:
    """RFC 3501 section 6.4.5: every message has at least one part number"""
    message = ParsedMessage(b"Subject: x\r\n\r\nbody")
    assert message.section(Section((1,))) == b"body"
    assert message.section(Section((1,), SectionText.MIME)) == b"Subject: x\r\n\r\n"
    assert message.section(Section((2,))) is None


HEADER = b"From: a\r\nSUBJECT: b\r\n folded\r\nX: c\r\nfrom: d\r\n\r\n"


def test_chosen_fields_keep_their_octets_and_the_empty_line() -> None:
    """RFC 3501 section 6.4.5"""
    message = ParsedMessage(HEADER + b"body")
    assert message.section(Section((), SectionText.FIELDS, (b"FROM",))) == b"From: a\r\nfrom: d\r\n\r\n"
    assert message.section(Section((), SectionText.FIELDS_NOT, (b"from", b"x"))) == b"SUBJECT: b\r\n folded\r\n\r\n"
    assert message.section(Section((), SectionText.FIELDS, (b"none",))) == b"\r\n"


def test_a_message_without_an_empty_line_gets_none() -> None:
    """RFC 3501 section 6.4.5: except for a message that has no body and no blank line"""
    assert ParsedMessage(b"From: a\r\n").section(Section((), SectionText.FIELDS, (b"from",))) == b"From: a\r\n"
