"""Values of the MIME header fields: a word and parameters (RFC 2045 section 5.1, RFC 2183).

Read by the structure parser. Lenient where mail is: comments anywhere, values with spaces but without quotes, stray
semicolons. Extended parameters (RFC 2231) are left as they stand, which is what IMAP shows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_VALUE_LIMIT = 64 * 1024  # octets of a field that are looked at: time stays bounded for hostile mail
_TYPE = re.compile(rb"([^\s;/()<>@,\\\"\[\]?=]+)(?:\s*/\s*([^\s;/()<>@,\\\"\[\]?=]+))?")
_SEPARATORS = re.compile(rb"[\s;]*")
_PARAMETER_NAME = re.compile(rb"([^\s;=()\"]+)\s*=\s*")
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)("|\\?\Z)', re.DOTALL)
_PLAIN = re.compile(rb"[^;\"(]*")
_REST = re.compile(rb"[^;]*;?")
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_COMMENT_PART = re.compile(rb"[^()\\\"]+|\\.?|[()\"]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class MimeValue:
    """`first` and `second` are the type and subtype as written; of a disposition there is no `second` (empty)."""

    first: bytes
    second: bytes = b""
    parameters: tuple[tuple[bytes, bytes], ...] = ()

    def parameter(self, name: bytes) -> bytes | None:
        """The value of the first parameter with this lower-case name."""
        for key, value in self.parameters:
            if key.lower() == name:
                return value
        return None


def parse_mime_value(value: bytes) -> MimeValue | None:
    """None when not even the first word can be made out."""
    text = without_comments(value[:_VALUE_LIMIT]).strip()
    found = _TYPE.match(text)
    if found is None:
        return None
    return MimeValue(found.group(1), found.group(2) or b"", tuple(_parameters(text, found.end())))


def without_comments(value: bytes) -> bytes:
    """The value with every comment (RFC 5322 section 3.2.2) outside of a quoted string replaced by a space."""
    if b"(" not in value:
        return value
    kept: list[bytes] = []
    depth, is_quoted = 0, False
    for found in _COMMENT_PART.finditer(value):
        piece = found.group()
        if piece == b'"' and not depth:
            is_quoted = not is_quoted
        elif piece == b"(" and not is_quoted:
            depth += 1
            continue
        elif piece == b")" and depth:
            depth -= 1
            piece = b" "
        if not depth:
            kept.append(piece)
    return b"".join(kept)


def unquoted(text: bytes) -> bytes:
    """The inside of a quoted string with its quoted pairs resolved."""
    return _ESCAPE.sub(rb"\1", text) if b"\\" in text else text


def _parameters(text: bytes, position: int) -> list[tuple[bytes, bytes]]:
    found_parameters: list[tuple[bytes, bytes]] = []
    while (position := _behind(_SEPARATORS, text, position)) < len(text):
        name = _PARAMETER_NAME.match(text, position)
        if name is None:
            position = _behind(_REST, text, position)  # at least one octet: it is no separator
            continue
        quoted = _QUOTED.match(text, name.end())
        if quoted:
            found_parameters.append((name.group(1), unquoted(quoted.group(1))))
            position = quoted.end()
        else:
            plain = _PLAIN.match(text, name.end())
            value = plain.group() if plain else b""
            found_parameters.append((name.group(1), value.strip()))
            position = name.end() + len(value)
        position = _behind(_REST, text, position)
    return found_parameters


def _behind(pattern: re.Pattern[bytes], text: bytes, position: int) -> int:
    found = pattern.match(text, position)
    return found.end() if found else position
