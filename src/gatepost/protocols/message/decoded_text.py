"""What a person reads in a header or a text part: encoded words, transfer encodings and charsets undone (RFC 2045, 2047).

For searching only: what cannot be decoded is replaced, never an error.
"""

from __future__ import annotations

import binascii
import encodings
import pkgutil
import quopri
import re
from collections.abc import Iterator
from encodings import normalize_encoding
from encodings.aliases import aliases
from functools import cache

from gatepost.protocols.message.structure import Part

_ENCODED_WORD = re.compile(rb"=\?([^?\s]+)\?([bqBQ])\?([^?\s]*)\?=")
_BETWEEN_WORDS = re.compile(rb"(=\?[^?\s]+\?[bqBQ]\?[^?\s]*\?=)\s+(?==\?[^?\s]+\?[bqBQ]\?[^?\s]*\?=)")
_NOT_CHARSETS = frozenset(
    alias
    for name in (
        "idna",
        "punycode",
        "unicode_escape",
        "raw_unicode_escape",
        "undefined",
        "ascii",
        "aliases",
        "mbcs",
        "oem",
    )
    for alias in (name, *(each for each, of in aliases.items() if of == name))
)
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")


def decoded_header(value: bytes) -> str:
    """An unfolded field body with its encoded words decoded (RFC 2047 section 6.2: the space between two is dropped)."""
    if b"=?" not in value:
        return _decoded(value, "utf-8")
    text: list[str] = []
    position = 0
    value = _BETWEEN_WORDS.sub(rb"\1", value)
    for word in _ENCODED_WORD.finditer(value):
        text.append(_decoded(value[position : word.start()], "utf-8"))
        text.append(_encoded_word(*word.groups()))
        position = word.end()
    text.append(_decoded(value[position:], "utf-8"))
    return "".join(text)


def decoded_texts(octets: bytes, part: Part) -> Iterator[str]:
    """The text of every text part below and including `part`; headers of attached messages are included."""
    if part.is_message:
        attached = part.children[0]
        yield decoded_header(octets[attached.header_start : attached.body_start])
    for child in part.children:
        yield from decoded_texts(octets, child)
    if not part.children and part.content_type.first.lower() == b"text":
        body = without_transfer_encoding(octets[part.body_start : part.body_end], part)
        charset = part.content_type.parameter(b"charset") or b"us-ascii"
        yield _decoded(body, charset.split(b"*", 1)[0].decode("ascii", "replace"))


def without_transfer_encoding(body: bytes, part: Part) -> bytes:
    """The body of a part with base64 or quoted-printable undone, as far as it can be (RFC 2045 section 6)."""
    match (part.transfer_encoding or b"").lower():
        case b"base64":
            return _base64(body)
        case b"quoted-printable":
            return quopri.decodestring(body)
        case _:
            return body


def _encoded_word(charset: bytes, encoding: bytes, text: bytes) -> str:
    octets = _base64(text) if encoding in b"bB" else quopri.decodestring(text, header=True)
    return _decoded(octets, charset.split(b"*", 1)[0].decode("ascii", "replace"))


def _base64(text: bytes) -> bytes:
    """Everything up to the first padding; what is no base64 in between is skipped, as RFC 2045 section 6.8 asks."""
    clean = _NOT_BASE64.sub(b"", text.split(b"=", 1)[0])
    if len(clean) % 4 == 1:
        clean = clean[:-1]
    return binascii.a2b_base64(clean + b"=" * (-len(clean) % 4))


def _decoded(octets: bytes, charset: str) -> str:
    name = normalize_encoding(charset).lower()
    try:
        return octets.decode(name if name in _charsets() else "utf-8", "replace")
    except (LookupError, ValueError):
        return octets.decode("utf-8", "replace")


@cache
def _charsets() -> frozenset[str]:
    """The normalised names that Python may be asked for. It looks on the disk for a name that it does not know, and remembers
    it for good, so that mail with many made-up names would cost a lot of time and memory."""
    modules = {module.name for module in pkgutil.iter_modules(encodings.__path__)}
    return frozenset(modules | aliases.keys()) - _NOT_CHARSETS
