"""Strings on the wire, and which of them may name a script (RFC 5804 sections 1.6, 2 and 4). Pure."""

from __future__ import annotations

import unicodedata

_LONGEST_QUOTED = 1024  # octets, RFC 5804 section 4
_LONGEST_NAME = 128  # characters that have to be allowed, RFC 5804 section 1.6
_LINE_SEPARATORS = frozenset("\u2028\u2029")


def encode_string(text: str) -> bytes:
    """A quoted string, or a literal where quoting cannot carry it."""
    octets = text.encode("utf-8", "replace")
    if len(octets) > _LONGEST_QUOTED or any(mark in octets for mark in b"\r\n\0"):
        return encode_literal(octets)
    return b'"' + octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def encode_literal(octets: bytes) -> bytes:
    """A literal from the server."""
    return b"{%d}\r\n%b" % (len(octets), octets)


def script_name(octets: bytes) -> str | None:
    """The name in Net-Unicode normal form (RFC 5198), None where it cannot name a script: empty, longer than 128
    characters, not UTF-8, or with control characters or line separators in it (RFC 5804 section 1.6).

    >>> script_name("cafe\\u0301".encode()) == "caf\\u00e9"
    True
    """
    try:
        name = unicodedata.normalize("NFC", octets.decode("utf-8"))
    except UnicodeDecodeError:
        return None
    if not 1 <= len(name) <= _LONGEST_NAME:
        return None
    if any(unicodedata.category(character) == "Cc" or character in _LINE_SEPARATORS for character in name):
        return None
    return name
