"""Mailbox names: modified UTF-7 on the wire (RFC 3501 section 5.1.3), Unicode inside; and LIST patterns (section 6.3.8).

The hierarchy delimiter is `/`. INBOX has one spelling inside, at the top level only.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable

DELIMITER = "/"

_SHIFTED = re.compile(rb"&([A-Za-z0-9+,]*)-")
_SPECIAL = re.compile(r"[^\x20-\x7e]+|&")
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f%*\ud800-\udfff\u2028\u2029]")
_LONGEST_NAME = 1000  # octets of UTF-8
_LONGEST_LEVEL = 255
_LONGEST_PATTERN = 2000  # characters
_MAX_WILDCARDS = 20


class UnfitName(ValueError):
    """No mailbox can have this name; the text says why."""


def decode_mailbox_name(octets: bytes) -> str:
    """From the wire. Names that are not ASCII are taken as UTF-8, which some clients send. Raises UnfitName.

    Each name has one spelling (RFC 3501 section 5.1.3): any other would become a name that the client does not know.
    """
    try:
        if not octets.isascii():
            return octets.decode("utf-8")
        if b"&" not in octets:
            return octets.decode("ascii")
        pieces = _SHIFTED.split(octets)
        if any(b"&" in plain for plain in pieces[::2]):
            raise UnfitName("name is not modified UTF-7")
        decoded = [
            piece.decode("ascii") if position % 2 == 0 else _decode_shifted(piece)
            for position, piece in enumerate(pieces)
        ]
        name = "".join(decoded)
        if encode_mailbox_name(name) != octets:
            raise UnfitName("name is not modified UTF-7")
        return name
    except ValueError:
        raise UnfitName("name is not modified UTF-7") from None


def encode_mailbox_name(name: str) -> bytes:
    """To the wire, in modified UTF-7."""
    return _SPECIAL.sub(_encode_shifted, name).encode("ascii")


def normal_name(name: str) -> str:
    """The name with INBOX, alone or as the first level, in capitals (RFC 3501 section 5.1)."""
    first, delimiter, rest = name.partition(DELIMITER)
    return "INBOX" + delimiter + rest if first.upper() == "INBOX" else name


def check_new_name(name: str) -> None:
    """Raises UnfitName for a name that no new mailbox may have."""
    if not name or _UNFIT.search(name):
        raise UnfitName("name is empty or has characters that it may not have")
    levels = name.split(DELIMITER)
    if not all(levels):
        raise UnfitName("name has an empty level")
    if len(name.encode()) > _LONGEST_NAME or any(len(level.encode()) > _LONGEST_LEVEL for level in levels):
        raise UnfitName("name is too long")


def compile_pattern(pattern: str) -> Callable[[str], bool]:
    """A function that says whether a name matches a LIST pattern: `*` takes anything, `%` anything within a level.

    Raises UnfitName for one with more wildcards than any client has use for: each costs time proportional to the name.
    """
    if len(pattern) > _LONGEST_PATTERN or pattern.count("*") + pattern.count("%") > _MAX_WILDCARDS:
        raise UnfitName("pattern is too long")
    steps = normal_name(pattern)
    matches_inbox = _match(steps.upper(), "INBOX")

    def matches(name: str) -> bool:
        return matches_inbox if name == "INBOX" else steps == "*" or _match(steps, name)

    return matches


def _match(pattern: str, name: str) -> bool:
    """Which lengths of the name the pattern can have eaten so far, one pattern character after the other: bit n stands for
    length n. A set of numbers would cost a hundred times as much where both repeat one letter."""
    places: dict[str, int] = {}  # a character of the name to the lengths in front of it
    for at, character in enumerate(name):
        places[character] = places.get(character, 0) | 1 << at
    every_length = (1 << len(name) + 1) - 1
    reached = 1
    for step in pattern:
        if step == "*":
            reached = every_length & -(reached & -reached)
        elif step == "%":
            reached = _within_level(reached, every_length >> 1 & ~places.get(DELIMITER, 0))
        else:
            reached = (reached & places.get(step, 0)) << 1
        if not reached:
            return False
    return bool(reached >> len(name))


def _within_level(reached: int, may_be_eaten: int) -> int:
    """Adding 1 at a reached length carries through all that may be eaten from there on: what the sum changes is reached too.

    A second reached length in the same run takes no part in the carry, and is reached already."""
    runs = (reached & may_be_eaten) + may_be_eaten
    return reached | (runs ^ may_be_eaten)


def _decode_shifted(piece: bytes) -> str:
    if not piece:
        return "&"
    octets = binascii.a2b_base64(piece.replace(b",", b"/") + b"=" * (-len(piece) % 4))
    text = octets.decode("utf-16-be")
    if not text:
        raise UnfitName("name is not modified UTF-7")
    return text


def _encode_shifted(found: re.Match[str]) -> str:
    if found.group() == "&":
        return "&-"
    octets = found.group().encode("utf-16-be", "surrogatepass")
    return "&" + binascii.b2a_base64(octets, newline=False).rstrip(b"=\n").replace(b"/", b",").decode() + "-"
