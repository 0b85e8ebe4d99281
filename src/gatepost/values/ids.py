"""Identifiers of stored objects (RFC 8620 section 1.2: 1-255 characters of A-Z a-z 0-9 - _)."""

from __future__ import annotations

import re
from typing import NewType

Id = NewType("Id", str)

_ID = re.compile(r"[A-Za-z0-9_-]{1,255}\Z")
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # no digit first, no dash, nothing that reads like another


def is_id(text: str) -> bool:
    """Whether `text` has the form of an Id (RFC 8620 section 1.2)."""
    return _ID.match(text) is not None


def id_from_random(random_octets: bytes) -> Id:
    """An Id made of the given random octets: 5 bits a character, behind a letter, so that it never begins with a digit.

    Ten octets (80 bits) are enough for any number of objects that one store will hold.
    """
    number = int.from_bytes(random_octets, "big")
    characters = ["i"]
    for _ in range((len(random_octets) * 8) // 5):
        characters.append(_ALPHABET[number & 31])
        number >>= 5
    return Id("".join(characters))
