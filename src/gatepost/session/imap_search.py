"""Which messages match a SEARCH (RFC 3501 section 6.4.4). A message is read only when nothing else settles it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from email.utils import parsedate

from gatepost.protocols.imap.search_keys import (
    All,
    BodyHas,
    Either,
    HasFlag,
    HeaderHas,
    InSet,
    InternalDateIs,
    IsRecent,
    Not,
    Relation,
    SearchKey,
    SentDateIs,
    SizeIs,
)
from gatepost.protocols.message.decoded_text import decoded_header, decoded_texts
from gatepost.protocols.message.header import fields, first_values
from gatepost.protocols.message.sections import ParsedMessage
from gatepost.session.imap_selected import View
from gatepost.session.recent_messages import RecentMessages
from gatepost.store.interface import Gone, MessageEntry

_TURN = 200  # messages between two turns of the loop
_LARGE = 256 * 1024  # octets that take too long to search while others wait


async def search(view: View, key: SearchKey, recent: RecentMessages) -> list[tuple[int, MessageEntry]]:
    """Number and entry of the messages that match, in order."""
    sets = {
        found: frozenset(entry.uid for _, entry in view.chosen(found.messages, by_uid=found.by_uid))
        for found in _sets(key)
    }
    matching: list[tuple[int, MessageEntry]] = []
    for position, (number, entry) in enumerate(view.all_messages()):
        if position % _TURN == _TURN - 1:
            await asyncio.sleep(0)
        matches = _matches(key, entry, sets, None)
        if matches is None:
            matches = await _content_of_message_matches(key, entry, sets, recent)
        if matches:
            matching.append((number, entry))
    return matching


async def _content_of_message_matches(
    key: SearchKey, entry: MessageEntry, sets: Mapping[InSet, frozenset[int]], recent: RecentMessages
) -> bool:
    """A message that is gone meanwhile matches nothing."""
    try:
        content = await recent.read(entry.content_id)
    except Gone:
        return False
    if entry.size > _LARGE:
        return bool(await asyncio.to_thread(_matches, key, entry, sets, content))
    return bool(_matches(key, entry, sets, content))


def _sets(key: SearchKey) -> Iterator[InSet]:
    match key:
        case InSet():
            yield key
        case All(keys):
            for inner in keys:
                yield from _sets(inner)
        case Either(left, right):
            yield from _sets(left)
            yield from _sets(right)
        case Not(inner):
            yield from _sets(inner)
        case _:
            return


def _matches(
    key: SearchKey, entry: MessageEntry, sets: Mapping[InSet, frozenset[int]], content: ParsedMessage | None
) -> bool | None:
    """None: that cannot be said without the content."""
    match key:
        case All(keys):
            return _all(_matches(inner, entry, sets, content) for inner in keys)
        case Either(left, right):
            sides = (_negated(_matches(side, entry, sets, content)) for side in (left, right))
            return _negated(_all(sides))
        case Not(inner):
            return _negated(_matches(inner, entry, sets, content))
        case HasFlag(flag):
            return flag in entry.flags or flag.lower() in map(str.lower, entry.flags)
        case IsRecent():
            return False
        case InSet():
            return entry.uid in sets[key]
        case SizeIs(is_larger, octets):
            return entry.size > octets if is_larger else entry.size < octets
        case InternalDateIs(relation, day):
            return _is_in_relation(entry.internal_date.date(), relation, day)
        case SentDateIs() | HeaderHas() | BodyHas():
            return None if content is None else _content_matches(key, content)


def _all(outcomes: Iterable[bool | None]) -> bool | None:
    is_known = True
    for outcome in outcomes:
        if outcome is None:
            is_known = False
        elif not outcome:
            return False
    return True if is_known else None


def _negated(outcome: bool | None) -> bool | None:
    return None if outcome is None else not outcome


def _content_matches(key: SentDateIs | HeaderHas | BodyHas, content: ParsedMessage) -> bool:
    match key:
        case SentDateIs(relation, day):
            sent = _sent_date(content)
            return sent is not None and _is_in_relation(sent, relation, day)
        case HeaderHas(name, text):
            wanted = text.casefold()
            values = (field.value for field in fields(content.header) if field.name == name)
            return any(wanted in decoded_header(value).casefold() for value in values)
        case BodyHas(text, or_header):
            wanted = text.casefold()
            return any(wanted in text.casefold() for text in _texts(content, with_header=or_header))


def _texts(content: ParsedMessage, *, with_header: bool) -> Iterator[str]:
    if with_header:
        for field in fields(content.header):
            name = field.name + b": " if field.name else b""
            yield decoded_header(name + field.value)
    yield from decoded_texts(content.octets, content.root)


def _sent_date(content: ParsedMessage) -> date | None:
    value = first_values(content.header, frozenset((b"date",))).get(b"date")
    if not value:
        return None
    try:
        parsed = parsedate(value.decode("latin-1"))
        return date(*parsed[:3]) if parsed else None
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _is_in_relation(day: date, relation: Relation, other: date) -> bool:
    match relation:
        case Relation.BEFORE:
            return day < other
        case Relation.ON:
            return day == other
        case Relation.SINCE:
            return day >= other
