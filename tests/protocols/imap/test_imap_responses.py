"""How values are written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.protocols.imap import message_response, wire
from gatepost.protocols.imap.date_time import format_date_time, parse_date_time
from gatepost.protocols.imap.flags import format_flags
from gatepost.protocols.message.envelope import envelope_of
from gatepost.protocols.message.structure import parse_structure


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (b"", b'""'),
        (b"a b", b'"a b"'),
        (b'a"\\', b'"a\\"\\\\"'),
        (b"a\r\nb", b"{4}\r\na\r\nb"),
        (b"\xfc", b"{1}\r\n\xfc"),
        (b"x" * 1024, b'"' + b"x" * 1024 + b'"'),
        (b"x" * 1025, b"{1025}\r\n" + b"x" * 1025),
    ],
)
def test_strings_are_quoted_where_they_can_be(value: bytes, written: bytes) -> None:
    """RFC 3501 section 4.3"""
    assert wire.string(value) == written


@pytest.mark.parametrize(
    ("value", "written"), [(b"abc", b"abc"), (b"", b'""'), (b"a b", b'"a b"'), (b"nil", b'"nil"'), (b"a]", b'"a]"')]
)
def test_atoms_are_written_bare(value: bytes, written: bytes) -> None:
    assert wire.astring(value) == written


def test_flags_have_a_fixed_order() -> None:
    assert format_flags({"b", "\\Seen", "a", "\\Answered"}, "\\*") == b"(\\Answered \\Seen a b \\*)"


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        (datetime(1996, 7, 17, 2, 44, 25, tzinfo=timezone(timedelta(hours=-7))), b'"17-Jul-1996 02:44:25 -0700"'),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), b'"02-Jan-2026 03:04:05 +0000"'),
    ],
)
def test_internal_dates(moment: datetime, written: bytes) -> None:
    """RFC 3501 section 9, date-time"""
    assert format_date_time(moment) == written


@given(st.datetimes(datetime(1000, 1, 3), datetime(9999, 12, 29)), st.integers(-14 * 60, 14 * 60))
def test_dates_come_back(moment: datetime, minutes: int) -> None:
    moment = moment.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes)))
    assert parse_date_time(format_date_time(moment)[1:-1]) == moment


def envelope(header: str) -> bytes:
    return message_response.envelope(envelope_of(header.replace("\n", "\r\n").encode()))


def test_an_envelope() -> None:
    """RFC 3501 section 7.4.2"""
    assert envelope('Date: d\nSubject: s "q"\nFrom: A <a@b>\nTo: g: x@y;\nMessage-ID: <m>\n\n') == (
        b'("d" "s \\"q\\"" (("A" NIL "a" "b")) (("A" NIL "a" "b")) (("A" NIL "a" "b"))'
        b' ((NIL NIL "g" NIL)(NIL NIL "x" "y")(NIL NIL NIL NIL)) NIL NIL NIL "<m>")'
    )


def test_an_envelope_with_eight_bit_text_uses_literals() -> None:
    assert envelope("Subject: ü\n\n") == b"(NIL {2}\r\n\xc3\xbc NIL NIL NIL NIL NIL NIL NIL NIL)"


def structure(text: str, *, is_extended: bool) -> bytes:
    octets = text.replace("\n", "\r\n").encode()
    return message_response.body(octets, parse_structure(octets), is_extended=is_extended)


MULTIPART = (
    "Content-Type: multipart/mixed; boundary=b\nContent-Language: en, de\n\n--b\n\nhi\n--b\n"
    "Content-Type: image/PNG; name=x\nContent-Transfer-Encoding: base64\nContent-ID: <i>\nContent-Description: d\n"
    "Content-MD5: m\nContent-Disposition: attachment; filename=y\nContent-Location: l\n\nAAAA\n--b--\n"
)


def test_body_without_extension_data() -> None:
    """RFC 3501 section 7.4.2"""
    assert structure(MULTIPART, is_extended=False) == (
        b'(("text" "plain" ("charset" "us-ascii") NIL NIL "7BIT" 2 0)'
        b'("image" "PNG" ("name" "x") "<i>" "d" "base64" 4) "mixed")'
    )


def test_bodystructure_has_extension_data() -> None:
    """RFC 3501 section 7.4.2"""
    assert structure(MULTIPART, is_extended=True) == (
        b'(("text" "plain" ("charset" "us-ascii") NIL NIL "7BIT" 2 0 NIL NIL NIL NIL)'
        b'("image" "PNG" ("name" "x") "<i>" "d" "base64" 4 "m" ("attachment" ("filename" "y")) NIL "l")'
        b' "mixed" ("boundary" "b") NIL ("en" "de") NIL)'
    )


def test_an_attached_message_has_its_envelope_body_and_lines() -> None:
    """RFC 3501 section 7.4.2"""
    assert structure("Content-Type: message/rfc822\n\nSubject: in\n\nx\n", is_extended=False) == (
        b'("message" "rfc822" NIL NIL NIL "7BIT" 18 (NIL "in" NIL NIL NIL NIL NIL NIL NIL NIL)'
        b' ("text" "plain" ("charset" "us-ascii") NIL NIL "7BIT" 3 1) 3)'
    )
