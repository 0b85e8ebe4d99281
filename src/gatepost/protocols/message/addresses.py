"""Address lists of RFC 5322 section 3.4 as ENVELOPE shows them (RFC 3501 section 7.4.2), groups and old routes included.

Read by the envelope. Never fails: what is no address becomes the nearest thing to one, so that a person can still see
who wrote. One pass over the octets; only the first 64 KiB of a field are looked at,
and some more than a thousand addresses come out at most.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from operator import itemgetter

from gatepost.protocols.message.mime_value import unquoted

_FIELD_LIMIT = 64 * 1024
_MOST_ADDRESSES = 1000  # of a field: two octets can be an address, of which the answer to a client has forty
_TOKEN = re.compile(
    rb'(?P<space>\s+)|"(?P<quoted>(?:[^"\\]|\\.)*)(?:"|\\?\Z)|(?P<literal>\[[^\]\r\n]*\]?)'
    rb"|(?P<open>\()|(?P<special>[,;:<>@.)\]])|(?P<atom>[^\s\"\[\](),;:<>@.]+)",
    re.DOTALL,
)
_COMMENT_PART = re.compile(rb"[^()\\]+|\\(?P<pair>.?)|[()]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Address:
    """One address structure. `host` None marks a group: with a `mailbox` its begin (the mailbox is the group's name),
    without one its end."""

    name: bytes | None
    route: bytes | None
    mailbox: bytes | None
    host: bytes | None


@dataclass(frozen=True, slots=True)
class _Token:
    text: bytes
    is_special: bool
    has_space_before: bool


class _AddressParser:
    """Collects words up to the next special that says what they were."""

    def __init__(self, value: bytes) -> None:
        self._tokens, self._comments = _tokens(value)
        self._position = 0
        self._is_in_group = False
        self.addresses: list[Address] = []

    def parse(self) -> list[Address]:
        while self._position < len(self._tokens) and len(self.addresses) < _MOST_ADDRESSES:
            self._one()
        self._end_group()
        return self.addresses

    def _end_group(self) -> None:
        if self._is_in_group:
            self.addresses.append(Address(None, None, None, None))
            self._is_in_group = False

    def _one(self) -> None:
        first = self._position
        words, stop = self._until((b",", b";", b":", b"<"))
        match stop:
            case b"<":
                self._angle_address(_phrase(words))
            case b":":
                self._end_group()
                self.addresses.append(Address(None, None, _phrase(words) or b"", None))
                self._is_in_group = True
            case _:
                if words:
                    self._bare_address(words, first)
                if stop == b";":
                    self._end_group()

    def _until(self, stops: tuple[bytes, ...]) -> tuple[list[_Token], bytes]:
        words: list[_Token] = []
        while self._position < len(self._tokens):
            token = self._tokens[self._position]
            self._position += 1
            if token.is_special and token.text in stops:
                return words, token.text
            words.append(token)
        return words, b""

    def _angle_address(self, name: bytes | None) -> None:
        inside, stop = self._until((b">", b":"))
        route = None
        if stop == b":":
            route = _joined(inside)
            inside, stop = self._until((b">",))
        mailbox, host = _split(inside)
        self.addresses.append(Address(name, route, mailbox, host))
        _, stop = self._until((b",", b";"))
        if stop == b";":
            self._end_group()

    def _bare_address(self, words: list[_Token], first: int) -> None:
        mailbox, host = _split(words)
        at = bisect_right(self._comments, first, key=itemgetter(0))  # the first comment behind the first word
        name = None
        if at < len(self._comments) and self._comments[at][0] <= first + len(words):
            name = self._comments[at][1]
        self.addresses.append(Address(name, None, mailbox, host))


def parse_addresses(value: bytes) -> tuple[Address, ...]:
    """The address structures of an unfolded field body, in order; empty for an empty field."""
    return tuple(_AddressParser(value[:_FIELD_LIMIT]).parse())


def _tokens(value: bytes) -> tuple[list[_Token], list[tuple[int, bytes]]]:
    """The tokens, and the comments with the number of tokens in front of each."""
    tokens: list[_Token] = []
    comments: list[tuple[int, bytes]] = []
    position, has_space = 0, False
    while position < len(value):
        found = _TOKEN.match(value, position)
        if found is None:
            position += 1
            continue
        position = found.end()
        kind = found.lastgroup
        if kind == "space":
            has_space = True
            continue
        if kind == "open":
            text, position = _comment(value, position)
            comments.append((len(tokens), text))
            has_space = True
            continue
        text = found.group(kind) if kind else b""
        tokens.append(_Token(unquoted(text) if kind == "quoted" else text, kind == "special", has_space))
        has_space = False
    return tokens, comments


def _comment(value: bytes, position: int) -> tuple[bytes, int]:
    depth = 1
    text: list[bytes] = []
    for found in _COMMENT_PART.finditer(value, position):
        piece = found.group()
        depth += (piece == b"(") - (piece == b")")
        if not depth:
            return b"".join(text).strip(), found.end()
        text.append(found.group("pair") if piece.startswith(b"\\") else piece)
    return b"".join(text).strip(), len(value)


def _phrase(words: list[_Token]) -> bytes | None:
    if not words:
        return None
    return b"".join(b" " + word.text if word.has_space_before else word.text for word in words).lstrip(b" ")


def _joined(words: list[_Token]) -> bytes:
    return b"".join(word.text for word in words)


def _split(words: list[_Token]) -> tuple[bytes, bytes]:
    """Local part and domain. A missing one is empty, never None: None would say that this is a group."""
    for position, word in enumerate(words):
        if word.is_special and word.text == b"@":
            return _joined(words[:position]), _domain(words[position + 1 :])
    return _phrase(words) or b"", b""


def _domain(words: list[_Token]) -> bytes:
    """The words up to the first that does not belong to the same domain: a comma was forgotten there."""
    domain: list[bytes] = []
    for word in words:
        is_continued = not domain or domain[-1] == b"." or word.text == b"." or not word.has_space_before
        if not is_continued or (word.is_special and word.text != b"."):
            break
        domain.append(word.text)
    return b"".join(domain)
