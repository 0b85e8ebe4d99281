"""The IMAP commands about messages: APPEND, FETCH, STORE, SEARCH, COPY, MOVE, EXPUNGE (RFC 3501 sections 6.3.11, 6.4).

Called by `ImapReactions`, which shows the news of others and ends the command. FETCH sends message by message, and a large
one piece by piece, so that a client that does not keep up holds no message in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial

from gatepost.protocols.imap import commands, responses
from gatepost.protocols.imap.engine import ImapEngine
from gatepost.protocols.imap.errors import CommandRefused
from gatepost.protocols.imap.fetch_items import FetchAttribute, FetchItem, FetchSection
from gatepost.protocols.imap.fetch_response import (
    LargeSection,
    Piece,
    fetch_response,
    needs_content,
    octets_taken_apart,
)
from gatepost.protocols.imap.flags import MOST_FLAGS
from gatepost.protocols.imap.sequence_set import format_sequence_set
from gatepost.session.imap_search import search
from gatepost.session.imap_selected import SelectedMailbox
from gatepost.session.link import Link, make_way
from gatepost.session.recent_messages import PIECE, RecentMessages
from gatepost.store.interface import FlagChange, Gone, Mailbox, MailStore, MessageEntry, NewMessage, StoreError

_BATCH = 100  # messages that are marked as seen in one transaction, and between two turns of the loop
_LONG = 32 * 1024  # octets that are taken apart while others wait
_SEEN = "\\Seen"

Numbered = Sequence[tuple[int, MessageEntry]]


class BrokenOff(Exception):
    """A message is gone whose first half has been sent."""


class MessageCommands:
    """The messages of the selected mailbox. Methods give the response code of the tagged OK, or nothing."""

    def __init__(
        self, engine: ImapEngine[MessageEntry], link: Link, mail_store: MailStore, recent: RecentMessages
    ) -> None:
        self._engine = engine
        self._link = link
        self._mail_store = mail_store
        self._recent = recent

    async def append(self, command: commands.Append, target: Mailbox) -> bytes:
        """APPEND; the code is APPENDUID (RFC 4315 section 3)."""
        if not command.message:
            raise CommandRefused("CANNOT", "Message is empty")
        message = NewMessage(target.id, command.message, command.flags, command.internal_date)
        (uid,) = await self._mail_store.append([message])
        return b"APPENDUID %d %d" % (target.uid_validity, uid)

    async def fetch(self, command: commands.Fetch, selected: SelectedMailbox) -> None:
        """FETCH and UID FETCH. Raises BrokenOff."""
        chosen = selected.chosen(command.messages, by_uid=command.by_uid)
        reads = needs_content(command.items)
        marks = not selected.view.is_read_only and any(
            isinstance(item, FetchSection) and not item.is_peek for item in command.items
        )
        is_complete = True
        for start in range(0, len(chosen), _BATCH):
            batch = chosen[start : start + _BATCH]
            marked = await self._mark_seen(batch, selected) if marks else frozenset[int]()
            for number, entry in batch:
                items = _with_flags(command.items) if entry.uid in marked else command.items
                is_complete &= await self._fetch_one(number, selected.view.message(entry.uid), items, reads=reads)
            self._link.send_queued()
            await make_way(self._link)
        if not is_complete and not command.by_uid:
            raise CommandRefused("EXPUNGEISSUED", "Some of the messages are gone")

    async def _fetch_one(self, number: int, entry: MessageEntry, items: Sequence[FetchItem], *, reads: bool) -> bool:
        """Whether the message is there."""
        try:
            pieces = await self._pieces(number, entry, items) if reads else fetch_response(number, entry, items, None)
        except Gone:
            return False
        for piece in pieces[:-1]:
            if isinstance(piece, LargeSection):
                await self._send_section(entry, piece)
            else:
                self._engine.untagged_in_pieces(piece)
        self._engine.untagged_in_pieces(_last(pieces), is_last=True)
        if reads:
            self._link.send_queued()
            await make_way(self._link)
        return True

    async def _pieces(self, number: int, entry: MessageEntry, items: Sequence[FetchItem]) -> Sequence[Piece]:
        """The response; nobody holds the content while the client is waited for."""
        content = await self._recent.read(entry.content_id)
        make = partial(fetch_response, number, entry, items, content)
        if octets_taken_apart(items, content) <= _LONG:
            return make()
        return await self._recent.beside_the_loop(make)

    async def _send_section(self, entry: MessageEntry, large: LargeSection) -> None:
        for start in range(large.first, large.end, PIECE):
            try:
                content = await self._recent.read(entry.content_id)
            except StoreError as error:
                raise BrokenOff from error
            make = partial(large.octets, content, start, min(start + PIECE, large.end))
            self._engine.untagged_in_pieces(await self._recent.beside_the_loop(make) if large.section.part else make())
            del content, make
            self._link.send_queued()
            await make_way(self._link)

    async def _mark_seen(self, batch: Numbered, selected: SelectedMailbox) -> frozenset[int]:
        unseen = [entry.uid for _, entry in batch if _SEEN not in entry.flags]
        if not unseen:
            return frozenset()
        changed = await self._mail_store.change_flags(selected.mailbox_id, unseen, FlagChange.ADD, {_SEEN})
        selected.view.set_here(changed)
        return frozenset(entry.uid for entry in changed)

    async def store(self, command: commands.Store, selected: SelectedMailbox) -> None:
        """STORE and UID STORE."""
        selected.must_be_writable()
        chosen = selected.chosen(command.messages, by_uid=command.by_uid)
        numbers = {entry.uid: number for number, entry in chosen}
        if not numbers:
            return
        if command.change == FlagChange.ADD.value:
            _must_have_room_for_flags((entry for _, entry in chosen), command.flags)
        changed = await self._mail_store.change_flags(
            selected.mailbox_id, list(numbers), FlagChange(command.change), command.flags
        )
        selected.view.set_here(changed)
        selected.show_news(may_expunge=False, with_uid=command.by_uid)
        if not command.is_silent:
            for count, entry in enumerate(changed, 1):
                self._engine.untagged(responses.fetch_flags(numbers[entry.uid], entry, with_uid=command.by_uid))
                if count % _BATCH == 0:
                    await asyncio.sleep(0)
        if len(changed) < len(numbers) and not command.by_uid:
            raise CommandRefused("EXPUNGEISSUED", "Some of the messages are gone")

    async def search(self, command: commands.Search, selected: SelectedMailbox) -> None:
        """SEARCH and UID SEARCH."""
        found = await search(selected.view, command.key, self._recent)
        self._engine.untagged(responses.search(entry.uid if command.by_uid else number for number, entry in found))

    async def copy(self, command: commands.Copy, selected: SelectedMailbox, target: Mailbox) -> bytes:
        """COPY and MOVE; the code is COPYUID, which MOVE tells before its EXPUNGEs (RFC 6851 section 4.3)."""
        uids = [entry.uid for _, entry in selected.chosen(command.messages, by_uid=command.by_uid)]
        if not uids:
            return b""
        if not command.removes_originals:
            return _copy_code(target, await self._mail_store.copy(selected.mailbox_id, uids, target.id))
        selected.must_be_writable()
        if target.id == selected.mailbox_id:
            raise CommandRefused("CANNOT", "The messages are in that mailbox already")
        code = _copy_code(target, await self._mail_store.move(selected.mailbox_id, uids, target.id))
        if code:
            self._engine.untagged(b"OK [%b] Moved" % code)
        return b""

    async def expunge(self, command: commands.Expunge, selected: SelectedMailbox) -> None:
        """EXPUNGE and UID EXPUNGE."""
        selected.must_be_writable()
        uids = None
        if command.messages is not None:
            uids = [entry.uid for _, entry in selected.chosen(command.messages, by_uid=True)]
        if uids != []:
            await self._mail_store.expunge(selected.mailbox_id, uids)


def _last(pieces: Sequence[Piece]) -> bytes:
    last = pieces[-1]
    assert isinstance(last, bytes)  # noqa: S101 - the parenthesis
    return last


def _with_flags(items: tuple[FetchItem, ...]) -> tuple[FetchItem, ...]:
    """Flags that reading has changed are part of the response (RFC 3501 section 6.4.5)."""
    return items if FetchAttribute.FLAGS in items else (*items, FetchAttribute.FLAGS)


def _must_have_room_for_flags(entries: Iterable[MessageEntry], flags: frozenset[str]) -> None:
    for entry in entries:
        if len(entry.flags) + len(flags) > MOST_FLAGS and len(entry.flags | flags) > MOST_FLAGS:
            raise CommandRefused("LIMIT", "Too many flags for one message")


def _copy_code(target: Mailbox, pairs: Sequence[tuple[int, int]]) -> bytes:
    """RFC 4315 section 3; nothing when nothing was copied."""
    if not pairs:
        return b""
    sources = format_sequence_set(source for source, _ in pairs)
    return b"COPYUID %d %b %b" % (target.uid_validity, sources, format_sequence_set(uid for _, uid in pairs))
