"""A mail store in memory with the guarantees of `store.interface.MailStore`, for tests of sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from gatepost.store.interface import (
    FlagChange,
    Gone,
    Mailbox,
    MailboxChanges,
    MailboxCounts,
    MaildropLock,
    MessageEntry,
    NewMessage,
    StoreError,
    Taken,
)
from gatepost.values.ids import Id

WHEN = datetime(2026, 3, 1, 12, 30, 0, tzinfo=UTC)


@dataclass
class _Box:
    mailbox: Mailbox
    entries: dict[int, MessageEntry] = field(default_factory=dict)
    vanished: dict[int, int] = field(default_factory=dict)  # uid -> modseq


class MemoryMailStore:
    """`changed` is called with the mailboxes of each change; `failure`, once set, is raised by every method."""

    def __init__(self, changed: Callable[[Collection[Id]], None] = lambda _: None) -> None:
        self.changed = changed
        self.failure: StoreError | None = None
        self.contents: dict[Id, bytes] = {}
        self.contents_read = 0
        self._boxes: dict[Id, _Box] = {}
        self._next = 1

    # --- mailboxes --------------------------------------------------------------------------------------------------

    async def mailboxes(self, account_id: Id) -> Sequence[Mailbox]:
        self._check()
        self._inbox(account_id)
        mine = [box.mailbox for box in self._boxes.values() if box.mailbox.account_id == account_id]
        return sorted(mine, key=lambda mailbox: (mailbox.name != "INBOX", mailbox.name))

    async def mailbox(self, account_id: Id, name: str) -> Mailbox | None:
        wanted = "INBOX" if name.upper() == "INBOX" else name
        return next((found for found in await self.mailboxes(account_id) if found.name == wanted), None)

    async def create_mailbox(self, account_id: Id, name: str, special_use: str | None = None) -> Mailbox:
        existing = await self.mailbox(account_id, name)
        if existing is not None:
            raise Taken("exists", existing.id)
        levels = name.split("/")
        for depth in range(1, len(levels)):
            if await self.mailbox(account_id, "/".join(levels[:depth])) is None:
                self._create(account_id, "/".join(levels[:depth]), None)
        return self._create(account_id, name, special_use)

    async def delete_mailbox(self, mailbox_id: Id) -> None:
        self._box(mailbox_id)
        del self._boxes[mailbox_id]
        self.changed([mailbox_id])

    async def rename_mailbox(self, mailbox_id: Id, new_name: str) -> None:
        box = self._box(mailbox_id)
        old = box.mailbox
        existing = await self.mailbox(old.account_id, new_name)
        if existing is not None:
            raise Taken("exists", existing.id)
        if old.name == "INBOX":
            target = self._create(old.account_id, new_name, None)
            await self.move(mailbox_id, list(box.entries), target.id)
            return
        for other in self._boxes.values():
            name = other.mailbox.name
            if other.mailbox.account_id == old.account_id and (name == old.name or name.startswith(old.name + "/")):
                other.mailbox = replace(other.mailbox, name=new_name + name[len(old.name) :])

    async def subscribe(self, account_id: Id, name: str, is_subscribed: bool) -> None:
        found = await self.mailbox(account_id, name)
        if found is not None:
            self._boxes[found.id].mailbox = replace(found, is_subscribed=is_subscribed)
        elif is_subscribed:
            raise Gone

    async def counts(self, mailbox_id: Id) -> MailboxCounts:
        entries = self._box(mailbox_id).entries.values()
        return MailboxCounts(
            messages=len(entries),
            unseen=sum("\\Seen" not in entry.flags for entry in entries),
            deleted=sum("\\Deleted" in entry.flags for entry in entries),
            size=sum(entry.size for entry in entries),
        )

    # --- messages ---------------------------------------------------------------------------------------------------

    async def messages(self, mailbox_id: Id) -> tuple[Mailbox, Sequence[MessageEntry]]:
        box = self._box(mailbox_id)
        return box.mailbox, [box.entries[uid] for uid in sorted(box.entries)]

    async def changes(self, mailbox_id: Id, since_modseq: int) -> MailboxChanges:
        box = self._box(mailbox_id)
        return MailboxChanges(
            box.mailbox.highest_modseq,
            [box.entries[uid] for uid in sorted(box.entries) if box.entries[uid].modseq > since_modseq],
            sorted(uid for uid, modseq in box.vanished.items() if modseq > since_modseq),
        )

    async def append(self, messages: Sequence[NewMessage]) -> Sequence[int]:
        for message in messages:
            self._box(message.mailbox_id)
        uids = [self._add(message) for message in messages]
        self.changed({message.mailbox_id for message in messages})
        return uids

    async def change_flags(
        self,
        mailbox_id: Id,
        uids: Collection[int],
        change: FlagChange,
        flags: Collection[str],
    ) -> Sequence[MessageEntry]:
        box = self._box(mailbox_id)
        modseq = self._raise_modseq(box)
        changed = []
        for uid in sorted(set(uids) & set(box.entries)):
            entry = box.entries[uid]
            match change:
                case FlagChange.ADD:
                    after = entry.flags | set(flags)
                case FlagChange.REMOVE:
                    after = entry.flags - set(flags)
                case FlagChange.REPLACE:
                    after = frozenset(flags)
            box.entries[uid] = replace(entry, flags=after, modseq=modseq)
            changed.append(box.entries[uid])
        self.changed([mailbox_id])
        return changed

    async def copy(self, mailbox_id: Id, uids: Collection[int], target_id: Id) -> Sequence[tuple[int, int]]:
        source, _ = self._box(mailbox_id), self._box(target_id)
        pairs = []
        for uid in sorted(set(uids) & set(source.entries)):
            entry = source.entries[uid]
            content = self.contents[entry.content_id]
            pairs.append((uid, self._add(NewMessage(target_id, content, entry.flags, entry.internal_date))))
        self.changed([target_id])
        return pairs

    async def move(self, mailbox_id: Id, uids: Collection[int], target_id: Id) -> Sequence[tuple[int, int]]:
        pairs = await self.copy(mailbox_id, uids, target_id)
        await self.remove(mailbox_id, [uid for uid, _ in pairs])
        return pairs

    async def expunge(self, mailbox_id: Id, uids: Collection[int] | None = None) -> Sequence[int]:
        entries = self._box(mailbox_id).entries
        chosen = entries if uids is None else set(uids) & set(entries)
        return await self.remove(mailbox_id, [uid for uid in chosen if "\\Deleted" in entries[uid].flags])

    async def remove(self, mailbox_id: Id, uids: Collection[int]) -> Sequence[int]:
        box = self._box(mailbox_id)
        modseq = self._raise_modseq(box)
        gone = sorted(set(uids) & set(box.entries))
        for uid in gone:
            del box.entries[uid]
            box.vanished[uid] = modseq
        self.changed([mailbox_id])
        return gone

    async def content(self, content_id: Id) -> bytes:
        self._check()
        await asyncio.sleep(0)
        self.contents_read += 1
        try:
            return self.contents[content_id]
        except KeyError:
            raise Gone from None

    def maildrop_lock(self, account_id: Id) -> MaildropLock:
        raise NotImplementedError

    async def delete_account(self, account_id: Id) -> None:
        raise NotImplementedError

    # --- inside -----------------------------------------------------------------------------------------------------

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure

    def _box(self, mailbox_id: Id) -> _Box:
        self._check()
        try:
            return self._boxes[mailbox_id]
        except KeyError:
            raise Gone from None

    def _inbox(self, account_id: Id) -> None:
        if not any(box.mailbox.account_id == account_id for box in self._boxes.values()):
            self._create(account_id, "INBOX", None)

    def _create(self, account_id: Id, name: str, special_use: str | None) -> Mailbox:
        self._next += 1
        mailbox_id = Id(f"m{self._next}")
        mailbox = Mailbox(mailbox_id, account_id, name, 1000 + self._next, 1, 1, False, special_use)
        self._boxes[mailbox_id] = _Box(mailbox)
        return mailbox

    def _raise_modseq(self, box: _Box) -> int:
        box.mailbox = replace(box.mailbox, highest_modseq=box.mailbox.highest_modseq + 1)
        return box.mailbox.highest_modseq

    def _add(self, message: NewMessage) -> int:
        box = self._box(message.mailbox_id)
        modseq = self._raise_modseq(box)
        uid = box.mailbox.uid_next
        box.mailbox = replace(box.mailbox, uid_next=uid + 1)
        content_id = Id(f"c{message.mailbox_id}-{uid}")
        self.contents[content_id] = message.content
        when = message.internal_date or WHEN
        box.entries[uid] = MessageEntry(uid, modseq, message.flags, when, len(message.content), content_id)
        return uid
