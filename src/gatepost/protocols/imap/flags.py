"""Flags of messages (RFC 3501 section 2.3.2): system flags have one spelling, keywords keep theirs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import lru_cache

from gatepost.protocols.imap.errors import BadSyntax

SYSTEM_FLAGS = ("\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft")

MOST_FLAGS = 100  # of a message: every command that looks at it pays for them, and every combination is remembered

_BY_FOLDED_NAME = {flag.lower(): flag for flag in SYSTEM_FLAGS}
_KEYWORD = re.compile(r"[^\x00-\x20\x7f-\uffff(){%*\"\\\]]{1,255}\Z")


def parse_flag(octets: bytes) -> str:
    """A flag that a client wants to set. Raises BadSyntax for what no client may set, \\Recent among it."""
    text = octets.decode("latin-1")
    flag = _BY_FOLDED_NAME.get(text.lower())
    if flag is not None:
        return flag
    if _KEYWORD.match(text) is None:
        raise BadSyntax("Invalid flag")
    return text


def format_flags(flags: Iterable[str], *more: str) -> bytes:
    """A parenthesised list: system flags in their usual order, then keywords by name, then `more`."""
    return _formatted(frozenset(flags), more)


@lru_cache(maxsize=1024)  # thousands of messages have a few combinations
def _formatted(present: frozenset[str], more: tuple[str, ...]) -> bytes:
    ordered = [flag for flag in SYSTEM_FLAGS if flag in present]
    ordered += sorted(present.difference(SYSTEM_FLAGS))
    return f"({' '.join((*ordered, *more))})".encode("ascii", "replace")


def keywords_of(flags: Collection[str]) -> frozenset[str]:
    """The flags that are not system flags."""
    return frozenset(flags).difference(SYSTEM_FLAGS)
