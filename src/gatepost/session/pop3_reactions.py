"""What a POP3 session does in the world: logs in, locks the maildrop, reads messages, removes them at QUIT.

Implements `session.reactions.Reactions` for `protocols.pop3.engine.Pop3Engine`. The maildrop is the account's INBOX.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from gatepost.mail.directory import DirectoryAccount
from gatepost.protocols.engine import Breather
from gatepost.protocols.pop3.dot_stuffing import top
from gatepost.protocols.pop3.engine import Pop3Engine
from gatepost.protocols.pop3.events import LoginAttempt, LoginRefusal, MaildropMessage, Retrieve, Update
from gatepost.protocols.pop3.settings import Pop3Settings
from gatepost.protocols.sasl import Credentials
from gatepost.session.authentication import authenticate_credentials
from gatepost.session.link import Link, make_way
from gatepost.session.reactions import AuthenticationFailed, Authenticator
from gatepost.session.recent_messages import PIECE, RecentMessages
from gatepost.store.interface import (
    Broken,
    Busy,
    FlagChange,
    Gone,
    Mailbox,
    MaildropLock,
    MailStore,
    MessageEntry,
    StoreError,
)

_SEEN = "\\Seen"


class _MaildropInUse(Exception):
    """Another session holds the lock; a store that is busy otherwise is a different thing to say to a client."""


class Pop3Reactions:
    """One session's reactions."""

    def __init__(
        self,
        engine: Pop3Engine,
        link: Link,
        authenticator: Authenticator,
        mail_store: MailStore,
        settings: Pop3Settings,
        recent_messages: RecentMessages,
    ) -> None:
        self._engine = engine
        self._link = link
        self._authenticator = authenticator
        self._mail_store = mail_store
        self._settings = settings
        self._recent = recent_messages
        self._lock: MaildropLock | None = None
        self._mailbox: Mailbox | None = None
        self._entries: Sequence[MessageEntry] = ()
        self._retrieved: set[int] = set()  # message numbers

    async def react(self, event: object) -> None:
        """Answer one event of the engine."""
        await self._link.drained()
        match event:
            case Breather():
                await make_way(self._link)
                self._engine.go_on()
            case LoginAttempt(credentials):
                await self._log_in(credentials)
            case Retrieve():
                await self._retrieve(event)
            case Update(deleted):
                await self._update(deleted)
            case _:
                raise TypeError(f"no POP3 event: {type(event).__name__}")

    def may_react_at_once(self, event: object) -> bool:
        """Never."""
        del event  # every question is one to the store
        return False

    def react_at_once(self, event: object) -> None:
        """Not called."""
        raise TypeError(f"{type(event).__name__} needs the store")

    async def ended(self) -> None:
        """Give the maildrop back; without QUIT nothing is removed (RFC 1939 section 6)."""
        await self._unlock()

    async def _log_in(self, credentials: Credentials) -> None:
        try:
            account = await authenticate_credentials(self._authenticator, credentials, self._link.peer)
            await self._open_maildrop(account)
        except AuthenticationFailed as failure:
            refusal = LoginRefusal.TEMPORARY if failure.is_temporary else LoginRefusal.WRONG_CREDENTIALS
            self._engine.login_refused(refusal)
        except _MaildropInUse:
            self._engine.login_refused(LoginRefusal.MAILDROP_IN_USE)
        except StoreError:
            await self._unlock()
            self._engine.login_refused(LoginRefusal.TEMPORARY)
        else:
            self._link.authenticated(account.id, account.login_name)
            self._engine.login_accepted(self._maildrop_messages())

    async def _open_maildrop(self, account: DirectoryAccount) -> None:
        lock = self._mail_store.maildrop_lock(account.id)
        try:
            await lock.__aenter__()
        except Busy as error:
            raise _MaildropInUse from error
        self._lock = lock
        inbox = await self._mail_store.mailbox(account.id, "INBOX")
        if inbox is None:
            raise Broken("the account has no INBOX")
        self._mailbox, self._entries = await self._mail_store.messages(inbox.id)

    def _maildrop_messages(self) -> list[MaildropMessage]:
        """Sizes are those of the stored octets: the CRs that a bare LF will get are not worth reading every message."""
        validity = self._mailbox.uid_validity if self._mailbox else 0
        return [MaildropMessage(entry.size, f"{validity}.{entry.uid}") for entry in self._entries]

    async def _retrieve(self, wanted: Retrieve) -> None:
        entry = self._entries[wanted.message_number - 1]
        try:
            octets = (await self._recent.read(entry.content_id)).octets
        except StoreError as error:
            self._engine.message_refused(is_temporary=not isinstance(error, Gone))
            return
        if wanted.lines is None:
            self._retrieved.add(wanted.message_number)
        else:
            octets = top(octets, wanted.lines)
        end = len(octets)
        del octets  # nobody holds it while the client is waited for
        await self._send(entry, end)

    async def _send(self, entry: MessageEntry, end: int) -> None:
        """The message up to the octet `end`, piece by piece; each is read anew where nobody has it any more."""
        self._engine.message_started(entry.size)
        for start in range(0, end, PIECE):
            if start:
                self._link.send_queued()
                await make_way(self._link)
            try:
                message = await self._recent.read(entry.content_id)
            except StoreError:
                self._engine.message_broken_off()
                return
            self._engine.message_part(message.octets[start : min(start + PIECE, end)])
            del message
        self._engine.message_finished()

    async def _update(self, deleted: Sequence[int]) -> None:
        is_complete = await self._remove(deleted)
        await self._mark_seen(deleted)
        await self._unlock()  # before the answer: the client may come back at once
        self._engine.update_finished(is_complete=is_complete)

    async def _remove(self, deleted: Sequence[int]) -> bool:
        """Whether everything is removed. What another session has removed meanwhile is removed too."""
        if not deleted or self._mailbox is None:
            return True
        try:
            await self._mail_store.remove(self._mailbox.id, self._uids(deleted))
        except StoreError:
            return False
        return True

    async def _mark_seen(self, deleted: Sequence[int]) -> None:
        """Whoever looks at the mailbox by IMAP as well sees what was fetched and kept as read."""
        if not self._settings.marks_as_seen:
            return
        kept = self._retrieved.difference(deleted)
        unseen = [number for number in kept if not _is_seen(self._entries[number - 1])]
        if unseen and self._mailbox is not None:
            with suppress(StoreError):  # a mark for convenience: no reason to tell the client that QUIT has failed
                await self._mail_store.change_flags(self._mailbox.id, self._uids(unseen), FlagChange.ADD, (_SEEN,))

    def _uids(self, message_numbers: Sequence[int]) -> list[int]:
        return [self._entries[number - 1].uid for number in message_numbers]

    async def _unlock(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            await lock.__aexit__(None, None, None)


def _is_seen(entry: MessageEntry) -> bool:
    return any(flag.casefold() == _SEEN.casefold() for flag in entry.flags)
