"""Reverse-paths and forward-paths (RFC 5321 section 4.1.2) and the parameters behind them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.protocols.smtp.parameters import (
    MailParameters,
    ParameterRefused,
    RecipientParameters,
    parse_mail_parameters,
    parse_recipient_parameters,
)
from gatepost.protocols.smtp.paths import Path, is_address_literal, is_domain, parse_forward_path, parse_reverse_path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("<alice@example.org>", Path("alice", "example.org")),
        ("<a.b+c!#$%&'*/=?^_`{|}~-@example.org>", Path("a.b+c!#$%&'*/=?^_`{|}~-", "example.org")),
        ('<"a b"@example.org>', Path("a b", "example.org")),
        ('<"a\\"b\\\\c"@example.org>', Path('a"b\\c', "example.org")),
        ('<"a@b"@example.org>', Path("a@b", "example.org")),
        ('<""@example.org>', Path("", "example.org")),
        ("<@one.example,@two.example:alice@example.org>", Path("alice", "example.org")),
        ("<alice@[192.0.2.1]>", Path("alice", "[192.0.2.1]")),
        ("<alice@[IPv6:2001:db8::1]>", Path("alice", "[IPv6:2001:db8::1]")),
        ("<alice@localhost>", Path("alice", "localhost")),
        ("<Alice@Example.ORG>", Path("Alice", "Example.ORG")),
        ("<jürgen@bücher.example>", Path("jürgen", "bücher.example")),
        ("<" + "x" * 255 + "@example.org>", Path("x" * 255, "example.org")),
    ],
)
def test_a_path(text: str, path: Path) -> None:
    assert parse_reverse_path(text + " SIZE=1") == (path, " SIZE=1")
    assert parse_forward_path(text) == (path, "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "alice@example.org",
        "<alice>",
        "<alice@>",
        "<@example.org>",
        "<alice@example.org",
        "<a..b@example.org>",
        "<.a@example.org>",
        "<a.@example.org>",
        "<a b@example.org>",
        '<"a@example.org>',
        '<"a"b@example.org>',
        '<"a\x00"@example.org>',
        "<a@b@c.example>",
        "<alice@-x.example>",
        "<alice@x-.example>",
        "<alice@example..org>",
        "<alice@example.org.>",
        "<alice@[192.0.2.256]>",
        "<alice@[IPv6:2001:db8::g]>",
        "<alice@[]>",
        "<alice@" + "x" * 64 + ".example>",
        "<alice@" + "x." * 128 + "example>",
        "<" + "x" * 256 + "@example.org>",
    ],
)
def test_what_is_no_path(text: str) -> None:
    with pytest.raises(ValueError):
        parse_reverse_path(text)
    with pytest.raises(ValueError):
        parse_forward_path(text)


def test_the_null_reverse_path_is_no_forward_path_rfc5321_section_4_5_5() -> None:
    assert parse_reverse_path("<> SIZE=1") == (None, " SIZE=1")
    with pytest.raises(ValueError, match="path"):
        parse_forward_path("<>")


def test_postmaster_needs_no_domain_as_forward_path_only_rfc5321_section_4_1_1_3() -> None:
    assert parse_forward_path("<Postmaster>") == (Path("postmaster", ""), "")
    with pytest.raises(ValueError, match="path"):
        parse_reverse_path("<postmaster>")


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30))
def test_a_path_written_is_read_back(local_part: str) -> None:
    path = Path(local_part, "example.org")
    assert parse_reverse_path(f"<{path}>") == (path, "")


@given(st.text(max_size=60))
def test_any_text_raises_nothing_but_value_error(text: str) -> None:
    for parse in (parse_reverse_path, parse_forward_path):
        try:
            parse(text)
        except ValueError:
            pass


def test_address_literals_rfc5321_section_4_1_3() -> None:
    assert is_address_literal("[127.0.0.1]")
    assert is_address_literal("[IPv6:::1]")
    assert is_address_literal("[x400:abc]")
    for text in ("127.0.0.1", "[127.0.0]", "[IPv6:127.0.0.1]", "[::1]", "[IPv6:fe80::1%eth0]"):
        assert not is_address_literal(text)


def test_domains() -> None:
    for text in ("a", "example.org", "xn--bcher-kva.example", "_spf.example", "1.example"):
        assert is_domain(text)
    for text in ("", ".", "a..b", "a b", "-a", "a-", "a\n"):
        assert not is_domain(text)


# --- parameters -----------------------------------------------------------------------------------------------------


def test_mail_parameters() -> None:
    text = " SIZE=42 body=8BITMIME SMTPUTF8 RET=full ENVID=a+2Bb AUTH=e+3Dmc2@example.com"
    assert parse_mail_parameters(text) == MailParameters(42, True, True, "FULL", "a+2Bb", "e+3Dmc2@example.com")
    assert parse_mail_parameters("") == MailParameters()


def test_recipient_parameters_rfc3461_section_4() -> None:
    assert parse_recipient_parameters(" NOTIFY=success,failure ORCPT=rfc822;a+2Bb@c.example") == RecipientParameters(
        frozenset({"SUCCESS", "FAILURE"}), "rfc822;a+2Bb@c.example"
    )
    assert parse_recipient_parameters("NOTIFY=NEVER") == RecipientParameters(frozenset())


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("SIZE", 501),
        ("SIZE=", 501),
        ("SIZE=1a", 501),
        ("SIZE=" + "1" * 21, 501),
        ("BODY=9BIT", 501),
        ("SMTPUTF8=yes", 501),
        ("RET=ALL", 501),
        ("ENVID=" + "x" * 101, 501),
        ("ENVID=a+b", 501),
        ("AUTH=a=b", 501),
        ("BODY=7BIT BODY=7BIT", 501),
        ("=x", 501),
        ("X-BOGUS=1", 555),
        ("NOTIFY=NEVER", 555),
    ],
)
def test_mail_parameters_that_are_refused(text: str, code: int) -> None:
    with pytest.raises(ParameterRefused) as caught:
        parse_mail_parameters(text)
    assert caught.value.reply.code == code


@given(st.text(max_size=60))
def test_any_parameters_raise_nothing_but_refusals(text: str) -> None:
    for parse in (parse_mail_parameters, parse_recipient_parameters):
        try:
            parse(text)
        except ParameterRefused as refused:
            assert refused.reply.encode().endswith(b"\r\n")
