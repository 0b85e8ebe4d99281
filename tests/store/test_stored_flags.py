"""Flags as bits and words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gatepost.store.interface import FlagChange
from gatepost.store.sql.flags import changed_flags, flags_of, stored_flags

SYSTEM_FLAGS = ["\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft"]
KEYWORDS = ["$Forwarded", "Work", "$MDNSent", "\\Other"]
FLAGS = st.frozensets(st.sampled_from(SYSTEM_FLAGS + KEYWORDS))


@given(FLAGS)
def test_what_is_stored_is_what_was_given(flags: frozenset[str]) -> None:
    assert flags_of(*stored_flags(flags)) == flags


@given(FLAGS, FLAGS)
def test_changes_are_those_of_sets(before: frozenset[str], given_flags: frozenset[str]) -> None:
    stored, words = stored_flags(before), stored_flags(given_flags)
    assert flags_of(*changed_flags(stored, FlagChange.ADD, words)) == before | given_flags
    assert flags_of(*changed_flags(stored, FlagChange.REMOVE, words)) == before - given_flags
    assert flags_of(*changed_flags(stored, FlagChange.REPLACE, words)) == given_flags


@given(FLAGS, st.sampled_from(FlagChange))
def test_flags_in_other_letters_are_the_same_flags(flags: frozenset[str], change: FlagChange) -> None:
    upper = stored_flags(frozenset(flag.upper() for flag in flags))
    stored = stored_flags(flags)
    expected = stored_flags(frozenset()) if change is FlagChange.REMOVE else stored
    assert changed_flags(stored, change, upper) == expected


def test_a_flag_given_twice_in_different_letters_is_one() -> None:
    assert len(flags_of(*stored_flags(frozenset({"$Work", "$work", "\\SEEN", "\\Seen"})))) == 2
