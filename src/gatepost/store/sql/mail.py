"""The mail store of the SQL store: each method takes its function to a thread. Called by sessions and delivery."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from gatepost.store.interface import (
    FlagChange,
    Mailbox,
    MailboxChanges,
    MailboxCounts,
    MaildropLock,
    MessageEntry,
    NewMessage,
)
from gatepost.store.maildrop_lock import MaildropLocks
from gatepost.store.sql import mailbox_rows, message_writes
from gatepost.store.sql.content_rows import read_content
from gatepost.store.sql.flags import stored_flags
from gatepost.store.sql.keys import content_key, mailbox_key
from gatepost.store.sql.mailbox_rename import rename_mailbox
from gatepost.store.sql.message_reads import read_changes, read_messages
from gatepost.store.sql.readers import Readers
from gatepost.store.sql.writer import Writer
from gatepost.values.ids import Id


class SqlMailStore:
    """The port MailStore."""

    def __init__(self, readers: Readers, writer: Writer, locks: MaildropLocks) -> None:
        self._readers = readers
        self._writer = writer
        self._locks = locks

    async def mailboxes(self, account_id: Id) -> Sequence[Mailbox]:
        mailboxes = await self._readers.run(lambda connection: mailbox_rows.list_mailboxes(connection, account_id))
        if mailboxes and mailboxes[0].name == mailbox_rows.INBOX:
            return mailboxes
        inbox = await self._writer.run(lambda write: mailbox_rows.ensure_inbox(write, account_id))
        return [inbox, *mailboxes]

    async def mailbox(self, account_id: Id, name: str) -> Mailbox | None:
        found = await self._readers.run(lambda connection: mailbox_rows.find_mailbox(connection, account_id, name))
        if found is None and mailbox_rows.stored_name(name) == mailbox_rows.INBOX:
            return await self._writer.run(lambda write: mailbox_rows.ensure_inbox(write, account_id))
        return found

    async def create_mailbox(self, account_id: Id, name: str, special_use: str | None = None) -> Mailbox:
        return await self._writer.run(lambda write: mailbox_rows.create_mailbox(write, account_id, name, special_use))

    async def delete_mailbox(self, mailbox_id: Id) -> None:
        key = mailbox_key(mailbox_id)
        await self._writer.run(lambda write: mailbox_rows.delete_mailbox(write, key))

    async def rename_mailbox(self, mailbox_id: Id, new_name: str) -> None:
        key = mailbox_key(mailbox_id)
        await self._writer.run(lambda write: rename_mailbox(write, key, new_name))

    async def subscribe(self, account_id: Id, name: str, is_subscribed: bool) -> None:
        await self._writer.run(lambda write: mailbox_rows.subscribe(write, account_id, name, is_subscribed))

    async def counts(self, mailbox_id: Id) -> MailboxCounts:
        key = mailbox_key(mailbox_id)
        return await self._readers.run(lambda connection: mailbox_rows.count_messages(connection, key))

    async def messages(self, mailbox_id: Id) -> tuple[Mailbox, Sequence[MessageEntry]]:
        key = mailbox_key(mailbox_id)
        return await self._readers.run(lambda connection: read_messages(connection, key))

    async def changes(self, mailbox_id: Id, since_modseq: int) -> MailboxChanges:
        key = mailbox_key(mailbox_id)
        return await self._readers.run(lambda connection: read_changes(connection, key, since_modseq))

    async def append(self, messages: Sequence[NewMessage]) -> Sequence[int]:
        return await self._writer.run(lambda write: message_writes.append(write, messages))

    async def change_flags(
        self,
        mailbox_id: Id,
        uids: Collection[int],
        change: FlagChange,
        flags: Collection[str],
    ) -> Sequence[MessageEntry]:
        key = mailbox_key(mailbox_id)
        given = stored_flags(frozenset(flags))
        return await self._writer.run(lambda write: message_writes.change_flags(write, key, uids, change, given))

    async def copy(self, mailbox_id: Id, uids: Collection[int], target_id: Id) -> Sequence[tuple[int, int]]:
        key, target_key = mailbox_key(mailbox_id), mailbox_key(target_id)
        return await self._writer.run(lambda write: message_writes.copy(write, key, uids, target_key))

    async def move(self, mailbox_id: Id, uids: Collection[int], target_id: Id) -> Sequence[tuple[int, int]]:
        key, target_key = mailbox_key(mailbox_id), mailbox_key(target_id)
        return await self._writer.run(lambda write: message_writes.move(write, key, uids, target_key))

    async def expunge(self, mailbox_id: Id, uids: Collection[int] | None = None) -> Sequence[int]:
        key = mailbox_key(mailbox_id)
        return await self._writer.run(lambda write: message_writes.expunge(write, key, uids))

    async def remove(self, mailbox_id: Id, uids: Collection[int]) -> Sequence[int]:
        key = mailbox_key(mailbox_id)
        return await self._writer.run(lambda write: message_writes.remove(write, key, uids))

    async def content(self, content_id: Id) -> bytes:
        key = content_key(content_id)
        return await self._readers.run(lambda connection: read_content(connection, key))

    def maildrop_lock(self, account_id: Id) -> MaildropLock:
        return self._locks.lock(account_id)

    async def delete_account(self, account_id: Id) -> None:
        await self._writer.run(lambda write: mailbox_rows.delete_account(write, account_id))
