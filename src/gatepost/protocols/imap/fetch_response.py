"""The FETCH response of one message (RFC 3501 section 7.4.2).

It comes in pieces. A large section is only named in them, so that whoever sends it need not have it in memory as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gatepost.protocols.imap import message_response
from gatepost.protocols.imap.date_time import format_date_time
from gatepost.protocols.imap.fetch_items import NEED_CONTENT, FetchAttribute, FetchItem, FetchSection
from gatepost.protocols.imap.flags import format_flags
from gatepost.protocols.imap.mailbox_view import ViewedMessage
from gatepost.protocols.imap.wire import literal, literal_start, nstring
from gatepost.protocols.message.envelope import envelope_of
from gatepost.protocols.message.sections import ParsedMessage, Section

_LARGE = 256 * 1024  # octets


class FetchedMessage(ViewedMessage, Protocol):
    """What FETCH can tell without the content."""

    @property
    def internal_date(self) -> datetime: ...

    @property
    def size(self) -> int: ...


@dataclass(frozen=True, slots=True)
class LargeSection:
    """The octets from `first` up to `end` of a section stand here."""

    section: Section
    first: int
    end: int

    def octets(self, content: ParsedMessage, first: int, end: int) -> bytes:
        """Some of them."""
        return (content.section(self.section) or b"")[first:end]


Piece = bytes | LargeSection


def needs_content(items: Iterable[FetchItem]) -> bool:
    """Whether the message has to be read for any of these."""
    return any(isinstance(item, FetchSection) or item in NEED_CONTENT for item in items)


def octets_taken_apart(items: Iterable[FetchItem], content: ParsedMessage) -> int:
    """How many octets are gone through for these, some perhaps many times. Sending octets as they are does not count."""
    return sum(_octets_taken_apart(item, content) for item in items)


def _octets_taken_apart(item: FetchItem, content: ParsedMessage) -> int:
    match item:
        case FetchSection(section=Section(part=())) | FetchAttribute.ENVELOPE:
            return content.body_start
        case FetchSection() | FetchAttribute.BODY | FetchAttribute.BODYSTRUCTURE:
            return len(content.octets)
        case _:
            return 0


def fetch_response(
    number: int, message: FetchedMessage, items: Iterable[FetchItem], content: ParsedMessage | None
) -> list[Piece]:
    """`n FETCH (...)`. `content` may be None when `needs_content(items)` is False."""
    pieces: list[Piece] = [b"%d FETCH (" % number]
    for item in items:
        if isinstance(item, FetchSection):
            pieces += [item.label, b" ", *_section(item, _there(content)), b" "]
        else:
            pieces += [item.value.encode(), b" ", _attribute(item, message, content), b" "]
    pieces[-1] = b")"
    return pieces


def _attribute(item: FetchAttribute, message: FetchedMessage, content: ParsedMessage | None) -> bytes:
    match item:
        case FetchAttribute.UID:
            return b"%d" % message.uid
        case FetchAttribute.FLAGS:
            return format_flags(message.flags)
        case FetchAttribute.INTERNALDATE:
            return format_date_time(message.internal_date)
        case FetchAttribute.RFC822_SIZE:
            return b"%d" % message.size
        case FetchAttribute.ENVELOPE:
            return message_response.envelope(envelope_of(_there(content).header))
        case FetchAttribute.BODY | FetchAttribute.BODYSTRUCTURE:
            parsed = _there(content)
            return message_response.body(parsed.octets, parsed.root, is_extended=item is FetchAttribute.BODYSTRUCTURE)


def _section(item: FetchSection, content: ParsedMessage) -> tuple[Piece, ...]:
    octets = content.section(item.section)
    if octets is None:
        return (b"NIL",)
    first, end = 0, len(octets)
    if item.partial is not None:
        first = min(item.partial[0], end)
        end = min(first + item.partial[1], end)
    if first == end:
        return (nstring(b""),)
    if end - first > _LARGE:
        return literal_start(end - first), LargeSection(item.section, first, end)
    return (literal(octets[first:end]),)


def _there(content: ParsedMessage | None) -> ParsedMessage:
    if content is None:
        raise ValueError("an item needs the content of the message")
    return content
