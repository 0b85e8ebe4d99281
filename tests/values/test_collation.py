"""Collations (RFC 4790, RFC 5051): what is equal, and what comes first."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.values.collation import COLLATIONS, collation_key


def are_equal(collation: str, left: str, right: str) -> bool:
    return collation_key(collation, left) == collation_key(collation, right)


def test_octets_are_compared_as_they_are() -> None:
    assert sorted(["b", "B", "a", "é"], key=lambda each: collation_key("i;octet", each)) == ["B", "a", "b", "é"]


def test_ascii_casemap_knows_the_case_of_ascii_letters_alone_rfc4790_section_9_2() -> None:
    assert are_equal("i;ascii-casemap", "Mail.Example", "mAIL.eXAMPLE")
    assert are_equal("i;ascii-casemap", "Größe", "gRößE")
    assert not are_equal("i;ascii-casemap", "é", "É")


@pytest.mark.parametrize(
    ("left", "right"),
    [("größe", "GRÖßE"), ("e\u0301", "É"), ("ǆ", "ǅ"), ("\u2126", "ω"), ("\uff41", "A"), ("ﾊﾞ", "バ")],
)
def test_unicode_casemap_is_title_case_and_all_decompositions_rfc5051_section_2(left: str, right: str) -> None:
    assert are_equal("i;unicode-casemap", left, right)


@pytest.mark.parametrize(("left", "right"), [("ß", "ss"), ("e", "é"), ("ﬁn", "FIN"), ("a", "b")])
def test_unicode_casemap_takes_nothing_else_for_equal(left: str, right: str) -> None:
    assert not are_equal("i;unicode-casemap", left, right)


@given(st.text())
def test_composed_or_not_is_the_same(text: str) -> None:
    assert are_equal("i;unicode-casemap", unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text))


@given(st.sampled_from(COLLATIONS), st.text(st.characters(codec="ascii")))
def test_a_shortcut_for_ascii_is_no_other_order(collation: str, text: str) -> None:
    assert collation_key(collation, text) == collation_key(collation, text + "é")[: len(text)]


def test_a_collation_that_there_is_not_has_no_keys() -> None:
    with pytest.raises(KeyError):
        collation_key("i;klingon", "x")
