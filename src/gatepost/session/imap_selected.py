"""The selected mailbox of one session: its view, the watch over it, and how news get from the store to the client."""

from __future__ import annotations

from collections.abc import Callable

from gatepost.protocols.imap import responses
from gatepost.protocols.imap.engine import ImapEngine
from gatepost.protocols.imap.errors import CommandRefused
from gatepost.protocols.imap.mailbox_view import MailboxView
from gatepost.protocols.imap.sequence_set import SequenceSet
from gatepost.session.mailbox_watch import MailboxWatch
from gatepost.store.interface import Mailbox, MailStore, MessageEntry
from gatepost.values.ids import Id

View = MailboxView[MessageEntry]


class SelectedMailbox:
    """Made by SELECT, ended by `leave()`."""

    def __init__(
        self,
        engine: ImapEngine[MessageEntry],
        mail_store: MailStore,
        mailbox_id: Id,
        view: View,
        unwatch: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._mail_store = mail_store
        self._unwatch = unwatch
        self.mailbox_id = mailbox_id
        self.view = view

    @classmethod
    async def open(
        cls,
        engine: ImapEngine[MessageEntry],
        mail_store: MailStore,
        watch: MailboxWatch,
        mailbox_id: Id,
        changed: Callable[[], None],
        *,
        is_read_only: bool,
    ) -> tuple[SelectedMailbox, Mailbox]:
        """The watch begins before the mailbox is read, so that no change falls in between. Raises Gone."""
        unwatch = watch.watch(mailbox_id, changed)
        try:
            mailbox, entries = await mail_store.messages(mailbox_id)
        except BaseException:
            unwatch()
            raise
        view = View(entries, mailbox.uid_validity, mailbox.highest_modseq, is_read_only=is_read_only)
        engine.view = view
        return cls(engine, mail_store, mailbox_id, view, unwatch), mailbox

    def leave(self) -> None:
        """No mailbox is selected any more."""
        self._unwatch()
        self._engine.view = None

    async def take_in_changes(self) -> None:
        """Ask the store what has happened since the last time. Raises Gone."""
        changes = await self._mail_store.changes(self.mailbox_id, self.view.highest_modseq)
        self.view.take_in(changes.changed, changes.vanished, changes.highest_modseq)

    def show_news(self, *, may_expunge: bool, with_uid: bool = False) -> None:
        """Tell the client what has been taken in."""
        found = self.view.take_news(may_expunge=may_expunge)
        self._engine.untagged(*responses.news(found, with_uid=with_uid))

    def chosen(self, messages: SequenceSet, *, by_uid: bool) -> list[tuple[int, MessageEntry]]:
        """Number and entry of the messages in the set. Raises CommandRefused for numbers that nothing has."""
        if not by_uid and messages.is_beyond(len(self.view)):
            raise CommandRefused("", "No message has that number")
        return self.view.chosen(messages, by_uid=by_uid)

    def size_of(self, messages: SequenceSet, *, by_uid: bool) -> int:
        """Octets of the messages in the set together. Raises CommandRefused for numbers that nothing has."""
        return sum(entry.size for _, entry in self.chosen(messages, by_uid=by_uid))

    def must_be_writable(self) -> None:
        """Raises CommandRefused after EXAMINE."""
        if self.view.is_read_only:
            raise CommandRefused("READ-ONLY", "Mailbox is selected read-only")
