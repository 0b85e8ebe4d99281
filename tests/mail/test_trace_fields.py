"""Return-Path, Delivered-To and Received (RFC 5321 section 4.4), and what is read of them."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.mail.trace_fields import (
    Arrival,
    count_received,
    delivered_to_field,
    earlier_recipients,
    received_field,
    return_path_field,
    split_header,
    without_return_path,
)
from gatepost.protocols.smtp.paths import Path

TIME = datetime(2026, 11, 23, 4, 5, 6, tzinfo=UTC)
ALICE = Path("alice", "example.org")


def test_received_over_tls_rfc5321_section_4_4() -> None:
    arrival = Arrival("client.example", ip_address("192.0.2.1"), "TLSv1.3 TLS_AES_256_GCM_SHA384", "ESMTPSA")
    assert received_field(arrival, "mx.example.org", "i1", ALICE, TIME) == (
        b"Received: from client.example ([192.0.2.1])\r\n"
        b"\t(TLSv1.3 TLS_AES_256_GCM_SHA384)\r\n"
        b"\tby mx.example.org with ESMTPSA id i1\r\n"
        b"\tfor <alice@example.org>;\r\n"
        b"\tMon, 23 Nov 2026 04:05:06 +0000\r\n"
    )


def test_received_in_clear_over_ipv6_without_recipient() -> None:
    arrival = Arrival("[IPv6:2001:db8::1]", ip_address("2001:db8::1"), None, "LMTP")
    assert received_field(arrival, "mx.example.org", "i1", None, TIME) == (
        b"Received: from [IPv6:2001:db8::1] ([IPv6:2001:db8::1])\r\n"
        b"\tby mx.example.org with LMTP id i1;\r\n"
        b"\tMon, 23 Nov 2026 04:05:06 +0000\r\n"
    )


@pytest.mark.parametrize("name", ["a)b", "a(b", 'a"b', "x@y", "bücher.example", "a;b", "[1.2.3]", ""])
def test_a_client_cannot_write_into_received_by_its_name(name: str) -> None:
    arrival = Arrival(name, ip_address("192.0.2.1"), None, "SMTP")
    field = received_field(arrival, "mx.example.org", "i1", None, TIME)
    assert field.startswith(b"Received: from unknown ([192.0.2.1])\r\n")


def test_return_path() -> None:
    assert return_path_field(Path("a b", "example.net")) == b'Return-Path: <"a b"@example.net>\r\n'
    assert return_path_field(None) == b"Return-Path: <>\r\n"


def test_delivered_to() -> None:
    assert delivered_to_field(Path("jürgen", "example.org")) == "Delivered-To: jürgen@example.org\r\n".encode()


@pytest.mark.parametrize(
    ("content", "header", "rest"),
    [
        (b"A: b\r\nC: d\r\n\r\nbody\r\n", b"A: b\r\nC: d\r\n", b"\r\nbody\r\n"),
        (b"A: b\r\n\r\n", b"A: b\r\n", b"\r\n"),
        (b"A: b\r\n", b"A: b\r\n", b""),
        (b"\r\nbody\r\n", b"", b"\r\nbody\r\n"),
        (b"just words\r\n", b"", b"\r\njust words\r\n"),
        (b" folded: x\r\n", b"", b"\r\n folded: x\r\n"),
        (b"", b"", b""),
    ],
)
def test_where_the_header_ends(content: bytes, header: bytes, rest: bytes) -> None:
    assert split_header(content) == (header, rest)


@given(st.lists(st.sampled_from([b"A: b", b"\r\n", b" x", b"words", b":"]), max_size=12).map(b"".join))
def test_splitting_loses_nothing(content: bytes) -> None:
    header, rest = split_header(content)
    assert header + rest in (content, b"\r\n" + content)


def test_every_return_path_that_was_there_goes() -> None:
    header = b"Return-Path: <a@b>\r\nSubject: x\r\nRETURN-PATH :\r\n <c@d>\r\n\t(x)\r\nX-Return-Path: y\r\n"
    assert without_return_path(header) == b"Subject: x\r\nX-Return-Path: y\r\n"


def test_hops_are_counted_however_the_field_is_written() -> None:
    assert count_received(b"Received: a\r\n b\r\nRECEIVED : c\r\nX-Received: d\r\nSubject: Received: e\r\n") == 2
    assert count_received(b"") == 0


def test_earlier_recipients_are_read_without_case_and_folding() -> None:
    header = b"Delivered-To: Alice@Example.org\r\nX: y\r\nDELIVERED-TO:\r\n bob@example.org \r\n"
    assert earlier_recipients(header) == {"alice@example.org", "bob@example.org"}


@given(st.binary(max_size=100))
def test_any_header_can_be_looked_at(header: bytes) -> None:
    count_received(header)
    earlier_recipients(header)
    without_return_path(header)
    split_header(header)


def test_a_header_without_an_end_ends_behind_some_length() -> None:
    """Its loop fields are looked for while others wait: that may not take the time that millions of lines take."""
    content = b"Received: x\r\n" + b"a: b\r\n" * 1_000_000
    header, rest = split_header(content)
    assert header + rest == content
    assert len(header) <= 256 * 1024
    assert header.endswith(b"\r\n")
    header, rest = split_header(b"a: " + b"b" * 1_000_000)
    assert (header + rest, len(header)) == (b"a: " + b"b" * 1_000_000, 0)
