"""Flags as they stand in a row: system flags as bits, all others as words. Pure.

Flags compare without case (RFC 9051 section 2.3.2 and the note to its section 9); a keyword keeps the spelling in which a
message first got it. Messages of a mailbox share few combinations, so that the conversions are remembered.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from gatepost.store.interface import FlagChange

StoredFlags = tuple[int, str]
"""Bits of the system flags, and the keywords in order with a space between."""

SEEN: Final = 1
DELETED: Final = 8

_SYSTEM_FLAGS: Final = {"\\Seen": SEEN, "\\Answered": 2, "\\Flagged": 4, "\\Deleted": DELETED, "\\Draft": 16}
_BITS: Final = {name.lower(): bit for name, bit in _SYSTEM_FLAGS.items()}


@lru_cache(maxsize=4096)
def stored_flags(flags: frozenset[str]) -> StoredFlags:
    """How these flags are stored."""
    bits = 0
    keywords: dict[str, str] = {}
    for flag in sorted(flags):
        bit = _BITS.get(flag.lower())
        if bit is None:
            keywords.setdefault(flag.lower(), flag)
        else:
            bits |= bit
    return bits, _words(keywords.values())


@lru_cache(maxsize=4096)
def flags_of(bits: int, keywords: str) -> frozenset[str]:
    """The flags that are stored so."""
    return frozenset((*(name for name, bit in _SYSTEM_FLAGS.items() if bits & bit), *keywords.split()))


@lru_cache(maxsize=4096)
def changed_flags(stored: StoredFlags, change: FlagChange, given: StoredFlags) -> StoredFlags:
    """What `stored` becomes. Equal to `stored` when nothing changes."""
    bits, given_bits = stored[0], given[0]
    words = {word.lower(): word for word in stored[1].split()}
    given_words = {word.lower(): word for word in given[1].split()}
    match change:
        case FlagChange.ADD:
            return bits | given_bits, _words((given_words | words).values())
        case FlagChange.REMOVE:
            return bits & ~given_bits, _words(word for key, word in words.items() if key not in given_words)
        case FlagChange.REPLACE:
            return given_bits, _words(words.get(key, word) for key, word in given_words.items())


def _words(words: Iterable[str]) -> str:
    return " ".join(sorted(words))
