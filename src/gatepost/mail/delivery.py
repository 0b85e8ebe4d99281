"""Puts a message into the INBOX of each of its recipients.

Called by the SMTP and LMTP reactions with a whole message. Adds the trace fields, cuts loops, and returns when the store
has the message safely. What cannot be delivered is told recipient by recipient; only the store's errors are raised.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Protocol

from gatepost.mail.directory import Directory, DirectoryAccount
from gatepost.mail.trace_fields import (
    Arrival,
    count_received,
    delivered_to_field,
    earlier_recipients,
    received_field,
    return_path_field,
    split_header,
    without_return_path,
)
from gatepost.protocols.smtp.paths import Path
from gatepost.store.interface import Broken, Gone, MailStore, NewMessage
from gatepost.store.new_id import new_id
from gatepost.values.ids import Id

_MOST_HOPS = 100  # RFC 5321 section 6.3
_MOST_LOOKS = 4  # at who has the addresses of one message

# Delivered-To makes each copy different. Beyond this many octets of one message's copies, all recipients share one content
# without it: a big message to a thousand recipients must not take a thousand times its size.
_OCTETS_OF_PERSONAL_COPIES = 16 * 1024 * 1024


class Outcome(Enum):
    """What became of a message for one recipient."""

    DELIVERED = "it is in the mailbox, safely"
    NO_SUCH_RECIPIENT = "no account has this address (any more)"
    LOOP = "it was here before"
    NO_ROOM = "the account has no room for it now"
    HELD_BACK = "another recipient cannot have it, and only one answer can be given for all"


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """A message with its envelope. `reverse_path` is None for a bounce."""

    content: bytes
    reverse_path: Path | None
    recipients: Sequence[Path]
    arrival: Arrival


@dataclass(frozen=True, slots=True)
class Delivery:
    """`id` stands in the Received field and in the answer to the client. `outcomes` are in the order of the recipients."""

    id: Id
    outcomes: tuple[Outcome, ...]


class Quota(Protocol):
    """Knows how much an account may still hold."""

    async def has_room(self, account: DirectoryAccount, octets: int) -> bool:
        """Whether a message of this size fits into the account now."""


class Unlimited:
    """Room for everything."""

    async def has_room(self, account: DirectoryAccount, octets: int) -> bool:
        """Always."""
        del account, octets  # nothing is counted
        return True


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Deliverer:
    """Delivers for all sessions of a worker; has no state of its own."""

    def __init__(
        self,
        store: MailStore,
        directory: Directory,
        hostname: str,
        *,
        quota: Quota | None = None,
        clock: Callable[[], datetime] = _utc_now,
        new_id: Callable[[], Id] = new_id,
    ) -> None:
        self._store = store
        self._directory = directory
        self._hostname = hostname
        self._quota = quota or Unlimited()
        self._clock = clock
        self._new_id = new_id

    async def has_room(self, account: DirectoryAccount, octets: int) -> bool:
        """Whether a message of this size would be taken for the account now."""
        return await self._quota.has_room(account, octets)

    async def deliver(self, message: IncomingMessage, *, separately: bool) -> Delivery:
        """Add the message to each recipient's INBOX, all of them in one transaction.

        `separately=False`: either all get it or none does, because the client hears one answer for all. Raises
        StoreError: then nobody has it.
        """
        for _ in range(_MOST_LOOKS - 1):
            try:
                return await self._deliver(message, separately=separately)
            except Gone:  # accounts that were there have been destroyed meanwhile
                continue
        return await self._deliver(message, separately=separately)

    async def _deliver(self, message: IncomingMessage, *, separately: bool) -> Delivery:
        """The same. Raises Gone too: an account that was found has been destroyed since, and nobody has the message."""
        delivery_id = self._new_id()
        header, rest = split_header(message.content)
        found = await self._find_all(message, header)
        if not separately and any(isinstance(each, Outcome) for each in found):
            found = [each if isinstance(each, Outcome) else Outcome.HELD_BACK for each in found]
        accounts = {
            path: each for path, each in zip(message.recipients, found, strict=True) if not isinstance(each, Outcome)
        }
        if accounts:
            trace = _Trace(message, self._hostname, delivery_id, self._clock())
            await self._append(trace, accounts, without_return_path(header) + rest)
        outcomes = (each if isinstance(each, Outcome) else Outcome.DELIVERED for each in found)
        return Delivery(delivery_id, tuple(outcomes))

    async def _find_all(self, message: IncomingMessage, header: bytes) -> list[DirectoryAccount | Outcome]:
        """For each recipient the account, or why it does not get the message."""
        if count_received(header) >= _MOST_HOPS:
            return [Outcome.LOOP] * len(message.recipients)
        delivered_before = earlier_recipients(header)
        found: list[DirectoryAccount | Outcome] = []
        for recipient in message.recipients:
            account = await self._directory.recipient(recipient.address)
            if not isinstance(account, DirectoryAccount):
                found.append(Outcome.NO_SUCH_RECIPIENT)
            elif str(recipient).lower() in delivered_before:
                found.append(Outcome.LOOP)
            elif not await self._quota.has_room(account, len(message.content)):
                found.append(Outcome.NO_ROOM)
            else:
                found.append(account)
        return found

    async def _append(self, trace: _Trace, accounts: dict[Path, DirectoryAccount], content: bytes) -> None:
        """An address that was given twice gets the message once: `accounts` has it once."""
        inboxes = [await self._inbox_of(account) for account in accounts.values()]
        if len(accounts) == 1 or len(content) * len(accounts) <= _OCTETS_OF_PERSONAL_COPIES:
            contents = [trace.fields(recipient) + content for recipient in accounts]
        else:
            contents = [trace.fields(None) + content] * len(accounts)
        await self._store.append([NewMessage(*pair) for pair in zip(inboxes, contents, strict=True)])

    async def _inbox_of(self, account: DirectoryAccount) -> Id:
        inbox = await self._store.mailbox(account.id, "INBOX")
        if inbox is None:
            raise Broken(f"account {account.id} has no INBOX")
        return inbox.id


@dataclass(frozen=True, slots=True)
class _Trace:
    """Writes the fields of one delivery."""

    message: IncomingMessage
    hostname: str
    delivery_id: Id
    time: datetime

    def fields(self, recipient: Path | None) -> bytes:
        """What stands in front of the copy for `recipient`; None: a content that several recipients share."""
        delivered_to = delivered_to_field(recipient) if recipient is not None else b""
        received = received_field(self.message.arrival, self.hostname, self.delivery_id, recipient, self.time)
        return return_path_field(self.message.reverse_path) + delivered_to + received
