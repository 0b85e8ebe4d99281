"""The envelope and its addresses (RFC 3501 section 7.4.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.hang_deadline import hang_deadline

from gatepost.protocols.message.addresses import Address, parse_addresses
from gatepost.protocols.message.envelope import envelope_of
from gatepost.protocols.message.header import fields, first_values

END = Address(None, None, None, None)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"", []),
        (b" , ,", []),
        (b"a@b", [Address(None, None, b"a", b"b")]),
        (b"Joe Doe <j@d>", [Address(b"Joe Doe", None, b"j", b"d")]),
        (b'"Doe, \\"J\\"" <j@d>', [Address(b'Doe, "J"', None, b"j", b"d")]),
        (b"John Q. Public <j@d>", [Address(b"John Q. Public", None, b"j", b"d")]),
        (b"a@b (Comment (nested) name)", [Address(b"Comment (nested) name", None, b"a", b"b")]),
        (b"a@b, (next) c@d", [Address(None, None, b"a", b"b"), Address(None, None, b"c", b"d")]),
        (b"<@x,@y:a@b>", [Address(None, b"@x,@y", b"a", b"b")]),
        (b'"lo cal"@[1.2.3.4]', [Address(None, None, b"lo cal", b"[1.2.3.4]")]),
        (b"a . b @ c . d", [Address(None, None, b"a.b", b"c.d")]),
        (b"=?utf-8?q?J=C3=BC?= <j@d>", [Address(b"=?utf-8?q?J=C3=BC?=", None, b"j", b"d")]),
        (
            b"G: a@b, N <c@d>;, e@f",
            [
                Address(None, None, b"G", None),
                Address(None, None, b"a", b"b"),
                Address(b"N", None, b"c", b"d"),
                END,
                Address(None, None, b"e", b"f"),
            ],
        ),
        (b"undisclosed-recipients:;", [Address(None, None, b"undisclosed-recipients", None), END]),
        (b"Open: a@b", [Address(None, None, b"Open", None), Address(None, None, b"a", b"b"), END]),
        (b"G: <a@b>;", [Address(None, None, b"G", None), Address(None, None, b"a", b"b"), END]),
        # what is wrong, and on the wire all the same
        (b"root", [Address(None, None, b"root", b"")]),
        (b"<>", [Address(None, None, b"", b"")]),
        (b"a@", [Address(None, None, b"a", b"")]),
        (b"@b", [Address(None, None, b"", b"b")]),
        (b"a@b; c@d", [Address(None, None, b"a", b"b"), Address(None, None, b"c", b"d")]),
        (b"N <a@b", [Address(b"N", None, b"a", b"b")]),
        (b"a@b>", [Address(None, None, b"a", b"b")]),
        (b"a@b c@d", [Address(None, None, b"a", b"b")]),
        (b'"open <a@b>', [Address(None, None, b"open <a@b>", b"")]),
        (b"(open a@b", []),
    ],
)
def test_address_lists(value: bytes, expected: list[Address]) -> None:
    assert list(parse_addresses(value)) == expected


@given(st.text(alphabet='a@<>()",;:.\\[] ', max_size=40))
def test_any_value_gives_addresses_and_groups_that_are_ended(value: str) -> None:
    open_groups = 0
    for address in parse_addresses(value.encode()):
        if address.host is None:
            open_groups += -1 if address.mailbox is None else 1
        assert open_groups in (0, 1)
    assert open_groups == 0


def test_a_long_hostile_field_is_cut_off() -> None:
    assert parse_addresses(b"(" * 1_000_000) == ()


def test_sender_and_reply_to_default_to_from() -> None:
    """RFC 3501 section 7.4.2: absent, or present but empty"""
    envelope = envelope_of(b"From: a@b\r\nReply-To:\r\n\r\n")
    assert envelope.sender == envelope.reply_to == envelope.from_ != ()


def test_absent_fields_are_none_and_empty_ones_are_empty() -> None:
    """RFC 3501 section 7.4.2"""
    envelope = envelope_of(b"Subject:\r\nMessage-ID: \r\nTo:\r\n\r\n")
    assert (envelope.subject, envelope.message_id) == (b"", b"")
    assert (envelope.date, envelope.in_reply_to) == (None, None)
    assert (envelope.to, envelope.cc) == ((), ())


def test_values_are_unfolded() -> None:
    """RFC 5322 section 2.2.3: the line end goes, the white space stays"""
    assert envelope_of(b"Subject: one\r\n two\r\n\tthree\r\n\r\n").subject == b"one two\tthree"


def test_names_compare_without_case_and_may_have_space_before_the_colon() -> None:
    """RFC 5322 section 4.5"""
    assert envelope_of(b"SUBJECT : x\r\n\r\n").subject == b"x"


def test_a_line_that_is_no_field_is_passed_over() -> None:
    assert envelope_of(b"junk\r\n folded: junk\r\nSubject: x\r\n\r\nSubject: body").subject == b"x"


LINES = st.lists(
    st.sampled_from(
        [
            b"From: a",
            b"FROM : b",
            b"to:\tc",
            b" folded",
            b"\tTo: folded",
            b"no field",
            b"",
            b"To",
            b"X-To: d",
            b"\rcc: e",
            b":",
        ]
    )
)


@given(LINES, st.sampled_from([b"\n", b"\r\n"]))
def test_the_first_field_of_a_name_is_found_as_if_all_were_looked_at(lines: list[bytes], end: bytes) -> None:
    header, names = end.join(lines), frozenset((b"from", b"to", b"cc"))
    expected: dict[bytes, bytes] = {}
    for field in fields(header):
        if field.name in names:
            expected.setdefault(field.name, field.value)
    assert first_values(header, names) == expected


@pytest.mark.parametrize("filling", [b"a(),", b"(", b'"', b"@a:", b"<a(b)>,", b"["])
def test_an_address_list_costs_what_its_length_costs(filling: bytes) -> None:
    """Every comment was looked at for every address: a minute and more for an envelope, while nobody else was served."""
    with hang_deadline(8):
        parse_addresses(filling * (64 * 1024 // len(filling)))


def test_a_field_has_about_a_thousand_addresses_at_most() -> None:
    """Two octets are an address, of which an envelope has forty: a message could make an answer of gigabytes."""
    assert len(parse_addresses(b"a," * 1000)) == len(parse_addresses(b"a," * 30_000)) == 1000
    assert len(parse_addresses(b"a:;" * 20_000)) <= 1001


def test_the_first_comment_behind_an_address_is_its_name() -> None:
    first, second, third = parse_addresses(b"a@b (one) (two), (no) c@d, (no) e (three) @f (four)")
    assert (first.name, second.name, third.name) == (b"one", None, b"three")
