"""Collations (RFC 4790): what text is put in order by. Pure.

Asked by the sort of a query, in memory (`management.methods.sort`) and in the database (`store.sql.dialect`), so that both put the
same text at the same place.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from typing import Final

OCTET: Final = "i;octet"
ASCII_CASEMAP: Final = "i;ascii-casemap"
UNICODE_CASEMAP: Final = "i;unicode-casemap"


def collation_key(collation: str, text: str) -> str:
    """What stands for `text` in a comparison by code points, which is one of the octets of UTF-8. Raises KeyError for a
    collation that is none of `COLLATIONS`."""
    return _KEYS[collation](text)


def _ascii_casemap(text: str) -> str:
    """RFC 4790 section 9.2.1: a-z as A-Z, everything else as it is."""
    return text.upper() if text.isascii() else "".join(each.upper() if each.isascii() else each for each in text)


def _unicode_casemap(text: str) -> str:
    """RFC 5051 section 2: simple title case, and then all decompositions."""
    if text.isascii():
        return text.upper()
    return unicodedata.normalize("NFKD", "".join(map(_simple_title_case, text)))


def _simple_title_case(character: str) -> str:
    """The mapping of UnicodeData.txt, which knows of single characters only: ß has none."""
    title = character.title()
    return title if len(title) == 1 else character


_KEYS: Mapping[str, Callable[[str], str]] = {
    ASCII_CASEMAP: _ascii_casemap,
    OCTET: lambda text: text,
    UNICODE_CASEMAP: _unicode_casemap,
}
COLLATIONS: Final = tuple(_KEYS)
