"""Mailbox names on the wire, and patterns over them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.hang_deadline import hang_deadline

from gatepost.protocols.imap.mailbox_name import (
    UnfitName,
    check_new_name,
    compile_pattern,
    decode_mailbox_name,
    encode_mailbox_name,
    normal_name,
)


@pytest.mark.parametrize(
    ("name", "octets"),
    [
        ("INBOX", b"INBOX"),
        ("a&b", b"a&-b"),
        ("Entwürfe", b"Entw&APw-rfe"),
        ("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),  # RFC 3501 section 5.1.3
        ("😀", b"&2D3eAA-"),
    ],
)
def test_modified_utf7(name: str, octets: bytes) -> None:
    """RFC 3501 section 5.1.3"""
    assert encode_mailbox_name(name) == octets
    assert decode_mailbox_name(octets) == name


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_every_name_comes_back(name: str) -> None:
    octets = encode_mailbox_name(name)
    assert octets.isascii()
    assert decode_mailbox_name(octets) == name


@given(st.binary(max_size=30))
def test_no_other_error_than_unfit(octets: bytes) -> None:
    try:
        decode_mailbox_name(octets)
    except UnfitName:
        pass


@pytest.mark.parametrize(
    "octets", [b"&", b"a&b", b"&A-", b"&2D0-", b"&AAA", b"\xff", b"&bad-", b"&AGE-", b"&APw-&APw-"]
)
def test_what_is_not_modified_utf7_is_unfit(octets: bytes) -> None:
    with pytest.raises(UnfitName):
        decode_mailbox_name(octets)


def test_names_in_utf8_are_taken() -> None:
    assert decode_mailbox_name("Entwürfe".encode()) == "Entwürfe"


@pytest.mark.parametrize(
    ("name", "normal"), [("inbox", "INBOX"), ("inBox/a", "INBOX/a"), ("inboxes", "inboxes"), ("", "")]
)
def test_inbox_has_one_spelling(name: str, normal: str) -> None:
    """RFC 3501 section 5.1"""
    assert normal_name(name) == normal


@pytest.mark.parametrize("name", ["", "/a", "a//b", "a/", "a*", "a%", "a\tb", "x" * 256, "/".join(["x" * 200] * 6)])
def test_names_that_no_mailbox_may_have(name: str) -> None:
    with pytest.raises(UnfitName):
        check_new_name(name)


@pytest.mark.parametrize("name", ["a", "a b/c", "x" * 255, "Ü&~", "INBOX/x"])
def test_names_that_a_mailbox_may_have(name: str) -> None:
    check_new_name(name)


NAMES = ["INBOX", "INBOX/x", "a", "a/b", "a/b/c", "ab", "b/a"]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*", NAMES),
        ("%", ["INBOX", "a", "ab"]),
        ("%/%", ["INBOX/x", "a/b", "b/a"]),
        ("a", ["a"]),
        ("a*", ["a", "a/b", "a/b/c", "ab"]),
        ("a%", ["a", "ab"]),
        ("a/%", ["a/b"]),
        ("*/a", ["b/a"]),
        ("*b*", ["INBOX", "a/b", "a/b/c", "ab", "b/a"]),  # INBOX has no case
        ("%*%", NAMES),
        ("inbox", ["INBOX"]),
        ("InBox/%", ["INBOX/x"]),
        ("in%", ["INBOX"]),
        ("", []),
        ("A", []),
    ],
)
def test_patterns(pattern: str, names: list[str]) -> None:
    """RFC 3501 section 6.3.8"""
    matches = compile_pattern(pattern)
    assert [name for name in NAMES if matches(name)] == names


@given(st.text("a/*%", max_size=8), st.text("a/", max_size=8))
def test_patterns_agree_with_their_definition(pattern: str, name: str) -> None:
    def slow(pattern: str, name: str) -> bool:
        if not pattern:
            return not name
        if pattern[0] in "*%":
            if slow(pattern[1:], name):
                return True
            return bool(name) and (pattern[0] == "*" or name[0] != "/") and slow(pattern, name[1:])
        return bool(name) and name[0] == pattern[0] and slow(pattern[1:], name[1:])

    assert compile_pattern(pattern)(name) == slow(pattern, name)


@pytest.mark.parametrize(("wildcards", "is_taken"), [(20, True), (21, False)])
def test_the_number_of_wildcards_is_limited(wildcards: int, is_taken: bool) -> None:
    if is_taken:
        assert not compile_pattern("*a" * wildcards)("a" * 19)
    else:
        with pytest.raises(UnfitName):
            compile_pattern("*a" * wildcards)


@pytest.mark.parametrize("pattern", ["*" + "a" * 1900, "%a" * 20 + "a" * 900 + "b", "*%" * 10 + "a" * 999, "*a" * 20])
def test_a_long_pattern_costs_little_for_each_name(pattern: str) -> None:
    """It took a tenth of a second for one name, and an account has thousands."""
    matches = compile_pattern(pattern)
    names = [f"{'a' * 249}{number:06}" + f"/{'a' * 249}" * 3 for number in range(1000)]
    with hang_deadline():
        assert sum(map(matches, names)) in (0, len(names))


def test_one_letter_over_and_over_costs_little() -> None:
    matches = compile_pattern("*" + "a" * 900 + "%b")
    with hang_deadline():
        assert not any(matches("a" * 1000) for _ in range(1000))
