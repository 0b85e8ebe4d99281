"""How values are written: atoms, quoted strings and literals, chosen by what the value holds (RFC 3501 section 4)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gatepost.protocols.imap.mailbox_name import encode_mailbox_name

_QUOTABLE = re.compile(rb"[\x01-\x09\x0b\x0c\x0e-\x7f]{0,1024}\Z")
_ATOM = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\\]]{1,255}\Z")
_TO_ESCAPE = re.compile(rb'(["\\])')


def string(value: bytes) -> bytes:
    """Quoted where that is possible, else a literal."""
    if _QUOTABLE.match(value):
        return b'"' + _TO_ESCAPE.sub(rb"\\\1", value) + b'"'
    return literal(value)


def literal(value: bytes) -> bytes:
    """A literal, whatever the value is."""
    return literal_start(len(value)) + value


def literal_start(size: int) -> bytes:
    """What stands before the `size` octets of a literal."""
    return b"{%d}\r\n" % size


def nstring(value: bytes | None) -> bytes:
    """NIL for None."""
    return b"NIL" if value is None else string(value)


def astring(value: bytes) -> bytes:
    """An atom where the value is one and is not NIL, else a string."""
    return value if _ATOM.match(value) and value.upper() != b"NIL" else string(value)


def mailbox(name: str) -> bytes:
    """A mailbox name."""
    return astring(encode_mailbox_name(name))


def parenthesised(values: Iterable[bytes]) -> bytes:
    """`(a b c)`."""
    return b"(" + b" ".join(values) + b")"
