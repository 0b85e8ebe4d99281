"""The IMAP commands about mailboxes as such: LIST, LSUB, STATUS, CREATE, DELETE, RENAME, SUBSCRIBE (RFC 3501 section 6.3).

Called by `ImapReactions`. Each function queues its untagged responses; what the store or the rules refuse is raised.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

from gatepost.protocols.imap import commands, responses
from gatepost.protocols.imap.engine import ImapEngine
from gatepost.protocols.imap.errors import CommandRefused
from gatepost.protocols.imap.mailbox_name import DELIMITER, UnfitName, check_new_name, compile_pattern
from gatepost.store.interface import Mailbox, MailStore, MessageEntry
from gatepost.values.ids import Id

_TURN = 100  # names between two turns of the loop
_COUNTED = frozenset(("MESSAGES", "UNSEEN", "SIZE"))


class MailboxCommands:
    """The mailboxes of one account, as its client sees them."""

    def __init__(self, engine: ImapEngine[MessageEntry], mail_store: MailStore, account_id: Id) -> None:
        self._engine = engine
        self._mail_store = mail_store
        self._account_id = account_id

    async def find(self, name: str, code: str = "NONEXISTENT") -> Mailbox:
        """Raises CommandRefused with this code: TRYCREATE where the client would only have to create it."""
        mailbox = await self._mail_store.mailbox(self._account_id, name) if name else None
        if mailbox is None:
            raise CommandRefused(code, "No such mailbox")
        return mailbox

    async def list(self, command: commands.List) -> None:
        """LIST and LSUB."""
        word = "LSUB" if command.only_subscribed else "LIST"
        if not command.pattern and not command.only_subscribed:
            self._engine.untagged(responses.hierarchy_root(word))
            return
        try:
            matches = compile_pattern(command.reference + command.pattern)
        except UnfitName:
            raise CommandRefused("LIMIT", "Pattern is too long") from None
        mailboxes = await self._mail_store.mailboxes(self._account_id)
        shown = _subscriptions(mailboxes) if command.only_subscribed else _listing(mailboxes)
        for count, (name, attributes) in enumerate(shown, 1):
            if count % _TURN == 0:
                await asyncio.sleep(0)
            if matches(name):
                self._engine.untagged(responses.listed(word, attributes, name))

    async def status(self, command: commands.Status) -> None:
        """STATUS."""
        mailbox = await self.find(command.mailbox)
        values = {"RECENT": 0, "UIDNEXT": mailbox.uid_next, "UIDVALIDITY": mailbox.uid_validity}
        if not _COUNTED.isdisjoint(command.items):
            counts = await self._mail_store.counts(mailbox.id)
            values |= {"MESSAGES": counts.messages, "UNSEEN": counts.unseen, "SIZE": counts.size}
        self._engine.untagged(responses.status(mailbox.name, [(item, values[item]) for item in command.items]))

    async def create(self, command: commands.Create) -> None:
        """CREATE."""
        _must_be_fit(command.mailbox)
        await self._mail_store.create_mailbox(self._account_id, command.mailbox, command.special_use)

    async def delete(self, command: commands.Delete) -> Id:
        """DELETE; the mailbox that was."""
        if command.mailbox == "INBOX":
            raise CommandRefused("CANNOT", "INBOX stays")
        mailbox = await self.find(command.mailbox)
        await self._mail_store.delete_mailbox(mailbox.id)
        return mailbox.id

    async def rename(self, command: commands.Rename) -> None:
        """RENAME."""
        _must_be_fit(command.new_name)
        mailbox = await self.find(command.mailbox)
        if command.new_name.startswith(mailbox.name + DELIMITER) and mailbox.name != "INBOX":
            raise CommandRefused("CANNOT", "A mailbox cannot be below itself")
        await self._mail_store.rename_mailbox(mailbox.id, command.new_name)

    async def subscribe(self, command: commands.Subscribe) -> None:
        """SUBSCRIBE and UNSUBSCRIBE."""
        await self._mail_store.subscribe(self._account_id, command.mailbox, command.is_subscribed)


def _must_be_fit(name: str) -> None:
    try:
        check_new_name(name)
    except UnfitName as error:
        raise CommandRefused("CANNOT", f"Mailbox {error}") from None


def _parents(names: Iterable[str]) -> set[str]:
    """Every name that has one of the names below it."""
    parents: set[str] = set()
    for name in names:
        parent = name.rpartition(DELIMITER)[0]
        while parent and parent not in parents:
            parents.add(parent)
            parent = parent.rpartition(DELIMITER)[0]
    return parents


def _listing(mailboxes: Iterable[Mailbox]) -> Iterator[tuple[str, list[str]]]:
    """Names with their attributes (RFC 3501 section 7.2.2, RFC 3348, RFC 6154), those that only have others below them
    included."""
    by_name = {mailbox.name: mailbox for mailbox in mailboxes}
    parents = _parents(by_name)
    for name in _in_order(parents.union(by_name)):
        attributes = ["\\HasChildren" if name in parents else "\\HasNoChildren"]
        mailbox = by_name.get(name)
        if mailbox is None:
            attributes.insert(0, "\\Noselect")
        elif mailbox.special_use:
            attributes.append(mailbox.special_use)
        yield name, attributes


def _subscriptions(mailboxes: Iterable[Mailbox]) -> Iterator[tuple[str, list[str]]]:
    """Subscribed names, and with \\Noselect their parents that are not: `%` has to show those (RFC 3501 section 6.3.9)."""
    subscribed = {mailbox.name for mailbox in mailboxes if mailbox.is_subscribed}
    for name in _in_order(_parents(subscribed) | subscribed):
        yield name, [] if name in subscribed else ["\\Noselect"]


def _in_order(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: (name != "INBOX", name))
