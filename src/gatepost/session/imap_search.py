"""Which messages match a SEARCH (RFC 3501 section 6.4.4). A message is read only when nothing else settles it.

Everything that a key asks of a message costs the same for the thousandth key as for the first: sets are not spelled out, a
header is taken apart and a text decoded once for all keys, and others have their turn whenever some work was done.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from email.utils import parsedate
from functools import lru_cache, partial

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

_TURN = 64 * 1024  # octets that are searched between two turns of the loop, and in one go beside other conversations
_NEVER = date.max
_CONTENT = 4096  # octets that can be searched in the time of taking any content apart, however short
_KEY = 8  # octets that can be searched in the time of asking one key

ContentKey = SentDateIs | HeaderHas | BodyHas
Numbered = tuple[int, MessageEntry]
Outcomes = Mapping[int, bool]
"""What is known of the content of one message, by the `id()` of the key: comparing keys costs what their texts cost."""


class _Ranges:
    """Whether a number is in a set of ranges that are in order and apart."""

    def __init__(self, ranges: Sequence[tuple[int, int]]) -> None:
        self._firsts = [first for first, _ in ranges]
        self._lasts = [last for _, last in ranges]

    def __contains__(self, number: int) -> bool:
        place = bisect_right(self._firsts, number)
        return place > 0 and number <= self._lasts[place - 1]


@dataclass(slots=True)
class _Plan:
    """A search made ready: its key, the sets in it by `id()`, and the keys that need the content."""

    key: SearchKey
    sets: dict[int, _Ranges] = field(default_factory=dict)
    content_keys: list[ContentKey] = field(default_factory=list)
    work: int = 0  # for one message, without its content


class _Turns:
    """Counts work, and lets others have their turn when it was enough."""

    def __init__(self) -> None:
        self._left = _TURN

    async def spend(self, octets: int) -> None:
        self._left -= octets
        if self._left <= 0:
            self._left = _TURN
            await asyncio.sleep(0)


async def search(view: View, key: SearchKey, recent: RecentMessages) -> list[Numbered]:
    """Number and entry of the messages that match, in order."""
    messages = view.all_messages()
    plan = _planned(key, len(messages), messages[-1][1].uid if messages else 0)
    turns = _Turns()
    matching: list[Numbered] = []
    for message in messages:
        await turns.spend(plan.work)
        matches = _matches(plan.key, message, plan.sets, {})
        if matches is None:
            matches = await _content_of_message_matches(plan, message, recent, turns)
        if matches:
            matching.append(message)
    return matching


def _planned(key: SearchKey, messages: int, largest_uid: int) -> _Plan:
    plan = _Plan(key)
    for each in _every_key(key):
        plan.work += _KEY
        match each:
            case InSet(wanted, by_uid):
                plan.sets[id(each)] = _Ranges(wanted.within(largest_uid if by_uid else messages))
            case SentDateIs() | HeaderHas() | BodyHas():
                plan.content_keys.append(each)
    return plan


def _every_key(key: SearchKey) -> Iterator[SearchKey]:
    yield key
    inner: Sequence[SearchKey] = ()
    match key:
        case All(keys):
            inner = keys
        case Either(left, right):
            inner = (left, right)
        case Not(negated):
            inner = (negated,)
    for each in inner:
        yield from _every_key(each)


async def _content_of_message_matches(plan: _Plan, message: Numbered, recent: RecentMessages, turns: _Turns) -> bool:
    """A message that is gone meanwhile matches nothing."""
    _, entry = message
    try:
        content = await recent.read(entry.content_id)
    except Gone:
        return False
    work = entry.size * (1 + len(plan.content_keys) // 8)
    if work > _TURN:
        return await recent.beside_the_loop(partial(_matches_by_content, plan, message, content))
    await turns.spend(_CONTENT + work)
    return _matches_by_content(plan, message, content)


def _matches_by_content(plan: _Plan, message: Numbered, content: ParsedMessage) -> bool:
    """The texts are decoded only where the header does not settle it."""
    outcomes = _outcomes_in_header(plan.content_keys, content)
    matches = _matches(plan.key, message, plan.sets, outcomes)
    if matches is None:
        asked = [key for key in plan.content_keys if isinstance(key, BodyHas) and id(key) not in outcomes]
        outcomes |= _outcomes_in_texts(asked, content)
        matches = _matches(plan.key, message, plan.sets, outcomes)
    return bool(matches)


def _matches(key: SearchKey, message: Numbered, sets: Mapping[int, _Ranges], outcomes: Outcomes) -> bool | None:
    """None: that cannot be said without more of the content."""
    number, entry = message
    match key:
        case All(keys):
            return _all(_matches(inner, message, sets, outcomes) for inner in keys)
        case Either(left, right):
            sides = (_negated(_matches(side, message, sets, outcomes)) for side in (left, right))
            return _negated(_all(sides))
        case Not(inner):
            return _negated(_matches(inner, message, sets, outcomes))
        case HasFlag(flag):
            return flag in entry.flags or flag.lower() in _folded(entry.flags)
        case IsRecent():
            return False
        case InSet(_, by_uid):
            return (entry.uid if by_uid else number) in sets[id(key)]
        case SizeIs(is_larger, octets):
            return entry.size > octets if is_larger else entry.size < octets
        case InternalDateIs(relation, day):
            return _is_in_relation(entry.internal_date.date(), relation, day)
        case SentDateIs() | HeaderHas() | BodyHas():
            return outcomes.get(id(key))


@lru_cache(maxsize=1024)  # thousands of messages have a few combinations
def _folded(flags: frozenset[str]) -> frozenset[str]:
    return frozenset(map(str.lower, flags))


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


def _outcomes_in_header(keys: Iterable[ContentKey], content: ParsedMessage) -> dict[int, bool]:
    """Of TEXT only that it matches: where it does not, the body may."""
    outcomes: dict[int, bool] = {}
    sent: date | None = None
    by_name: dict[bytes, list[tuple[int, str]]] = {}
    anywhere: list[tuple[int, str]] = []
    for key in keys:
        match key:
            case SentDateIs(relation, day):
                sent = _sent_date(content) if sent is None else sent
                outcomes[id(key)] = sent is not _NEVER and _is_in_relation(sent, relation, day)
            case HeaderHas(name, text):
                outcomes[id(key)] = False
                by_name.setdefault(name, []).append((id(key), text.casefold()))
            case BodyHas(text, or_header=True):
                anywhere.append((id(key), text.casefold()))
    if by_name or anywhere:
        _look_at_fields(content.header, by_name, anywhere, outcomes)
    return outcomes


def _look_at_fields(
    header: bytes,
    by_name: Mapping[bytes, Sequence[tuple[int, str]]],
    anywhere: Sequence[tuple[int, str]],
    outcomes: dict[int, bool],
) -> None:
    for each in fields(header):
        wanted = by_name.get(each.name, ())
        if wanted:
            value = decoded_header(each.value).casefold()
            outcomes.update((key, True) for key, text in wanted if text in value)
        if anywhere:
            name = each.name + b": " if each.name else b""
            line = decoded_header(name + each.value).casefold()
            outcomes.update((key, True) for key, text in anywhere if text in line)


def _outcomes_in_texts(keys: Iterable[BodyHas], content: ParsedMessage) -> dict[int, bool]:
    wanted = {id(key): key.text.casefold() for key in keys}
    outcomes = dict.fromkeys(wanted, False)
    for text in decoded_texts(content.octets, content.root):
        if not wanted:
            break
        folded = text.casefold()
        for key in [key for key, looked_for in wanted.items() if looked_for in folded]:
            outcomes[key] = True
            del wanted[key]
    return outcomes


def _sent_date(content: ParsedMessage) -> date:
    """The day of the Date field; `_NEVER` where there is none that says one."""
    value = first_values(content.header, frozenset((b"date",))).get(b"date", b"")
    try:
        parsed = parsedate(value.decode("latin-1"))
        return date(*parsed[:3]) if parsed else _NEVER
    except (ValueError, TypeError, IndexError, OverflowError):
        return _NEVER


def _is_in_relation(day: date, relation: Relation, other: date) -> bool:
    match relation:
        case Relation.BEFORE:
            return day < other
        case Relation.ON:
            return day == other
        case Relation.SINCE:
            return day >= other
