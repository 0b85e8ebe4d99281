"""The ports of the store and what they guarantee. Every implementation passes the same contract tests.

All methods are coroutines and never block the event loop. What a writing method has returned from is durable: it
survives a crash of the process and of the machine. Writers of several processes are serialised by the database.

Errors: `Busy` (try again later), `Gone` (the thing named does not exist any more), `Taken` (the name exists already),
`Broken` (the store itself fails; the text says how).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from types import TracebackType
from typing import Protocol

from gatepost.store.history import ChangeRecord, HistoryStore, Json, Retention
from gatepost.values.ids import Id

NEVER_CHANGED = "0"  # the state of a type that never had an object


class StoreError(Exception):
    """Base of all errors of the store."""


class Busy(StoreError):
    """Somebody else holds what is needed; trying again later may succeed."""


class Gone(StoreError):
    """What was named does not exist (any more)."""


class Taken(StoreError):
    """The name exists already. `existing_id` is the object that has it."""

    def __init__(self, message: str, existing_id: Id) -> None:
        super().__init__(message)
        self.existing_id = existing_id


class Moved(StoreError):
    """Somebody else has committed meanwhile: what was to be written was decided on what is no longer so."""


class Broken(StoreError):
    """The store fails: disk full, file damaged, database gone."""


class WrongLocation(Broken):
    """There can be no store at the location that was given; the text says what to give instead."""


# --- configuration objects ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One configuration object. `value` has the wire names and JSON-compatible values of its registry type."""

    object_type: str
    id: Id
    value: Json


@dataclass(frozen=True, slots=True)
class ObjectWrite:
    """One change of one object. `value=None` destroys it. `unique_key`: no two objects of a type share it (already
    case-folded by the caller); None where the type has none. `record`: what the history says of it; None where it has
    nothing to say (what is no configuration object)."""

    object_type: str
    id: Id
    value: Json | None
    unique_key: str | None = None
    record: ChangeRecord | None = None


@dataclass(frozen=True, slots=True)
class ObjectChanges:
    """What happened to the objects of one type between two states (RFC 8620 section 5.2). `remade`: those of the updated that
    were destroyed and created again, so that not even what never changes is as it was, nor their place in the order of creation."""

    old_state: str
    new_state: str
    has_more: bool
    created: Sequence[Id]
    updated: Sequence[Id]
    destroyed: Sequence[Id]
    remade: Sequence[Id] = ()


@dataclass(frozen=True, slots=True)
class TypeSnapshot:
    """All objects of a type in order of creation, and the state of the type, at one moment."""

    state: str
    objects: Sequence[StoredObject]


@dataclass(frozen=True, slots=True)
class ConfigurationSnapshot:
    """The objects of several types at one moment, and the number of the newest commit then."""

    revision: int
    types: Mapping[str, TypeSnapshot]


class ConfigurationStore(Protocol):
    """Configuration objects of every registry type, with a gapless log of changes and the history of who made them. What it gives
    is shared: nobody changes it. A read sees every commit that was answered before it began, whichever process made it."""

    @property
    def history(self) -> HistoryStore:
        """Who has changed what."""

    async def revision(self) -> int:
        """The number of the newest commit over all types; 0 for an empty store."""

    async def read_objects(self, object_type: str, ids: Collection[Id] | None = None) -> Sequence[StoredObject]:
        """The objects of a type in order of creation; `ids` selects, unknown ones are left out."""

    async def find_object(self, object_type: str, unique_key: str) -> StoredObject | None:
        """The one object of the type that has this unique key."""

    async def state(self, object_type: str) -> str:
        """Changes exactly when an object of the type changes; NEVER_CHANGED where there never was one."""

    async def snapshot(self, object_type: str) -> TypeSnapshot:
        """Objects and state together. Cheap while nothing changes; an object that has not changed is the same one as before."""

    async def snapshots(self, object_types: Collection[str]) -> ConfigurationSnapshot:
        """The same of several types, all at the same moment."""

    async def changes(self, object_type: str, since_state: str, max_changes: int | None = None) -> ObjectChanges | None:
        """None when they cannot be calculated from `since_state` (unknown, or too old). Where there is more than
        `max_changes`, the new state is one between states: it is good for the next call of this method, and for nothing else."""

    async def commit(
        self, writes: Sequence[ObjectWrite], *, if_revision: int | None = None, retention: Retention | None = None
    ) -> int:
        """All writes in one transaction, with the records of those that change something; the new revision. `retention`:
        how much history is left behind; None removes nothing. Raises Taken for a unique key in use, Moved where the
        newest revision is not `if_revision` any more; then nothing is written."""


# --- mail -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mailbox of an account. `name` is the full name with `/` between levels, in Unicode; INBOX is always `INBOX`."""

    id: Id
    account_id: Id
    name: str
    uid_validity: int
    uid_next: int
    highest_modseq: int
    is_subscribed: bool
    special_use: str | None = None  # RFC 6154 attribute: \\Sent, \\Trash, ...


@dataclass(frozen=True, slots=True)
class MessageEntry:
    """A message in a mailbox, without its content. `flags` keeps their spelling (`\\Seen`, `$Forwarded`)."""

    uid: int
    modseq: int
    flags: frozenset[str]
    internal_date: datetime
    size: int  # octets
    content_id: Id


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to be added to a mailbox. `internal_date=None`: the time of the commit."""

    mailbox_id: Id
    content: bytes
    flags: frozenset[str] = field(default_factory=frozenset)
    internal_date: datetime | None = None


@dataclass(frozen=True, slots=True)
class MailboxChanges:
    """What happened in a mailbox after a modification sequence number (RFC 7162)."""

    highest_modseq: int
    changed: Sequence[MessageEntry]  # new ones and ones with new flags, by uid
    vanished: Sequence[int]  # uids


class FlagChange(Enum):
    """How STORE treats the flags that it is given (RFC 9051 section 6.4.6)."""

    ADD = "+FLAGS"
    REMOVE = "-FLAGS"
    REPLACE = "FLAGS"


@dataclass(frozen=True, slots=True)
class MailboxCounts:
    """STATUS of a mailbox (RFC 9051 section 6.3.11)."""

    messages: int
    unseen: int
    deleted: int
    size: int  # octets


class MaildropLock(Protocol):
    """Exclusive access to a maildrop, held from entering to leaving; given up by the kernel when the process dies."""

    async def __aenter__(self) -> None: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class MailStore(Protocol):
    """Mailboxes and messages of all accounts.

    Content is stored once, however many mailboxes hold it. Every account has INBOX from its first use on. Each change
    of a mailbox raises its highest_modseq. `uid`s rise strictly within a uid_validity.

    Mailboxes are made for accounts that are among the configuration objects at that moment, in the same transaction: what would
    make one for another account raises Gone.
    """

    async def mailboxes(self, account_id: Id) -> Sequence[Mailbox]:
        """All mailboxes of the account, INBOX first, then by name. Raises Gone."""

    async def mailbox(self, account_id: Id, name: str) -> Mailbox | None:
        """One mailbox by its full name; INBOX in any case of letters. Raises Gone."""

    async def create_mailbox(self, account_id: Id, name: str, special_use: str | None = None) -> Mailbox:
        """Missing parents are made too (RFC 9051 section 6.3.4). Raises Gone, Taken."""

    async def delete_mailbox(self, mailbox_id: Id) -> None:
        """Messages in it go with it; mailboxes below it stay. Raises Gone."""

    async def rename_mailbox(self, mailbox_id: Id, new_name: str) -> None:
        """Mailboxes below it move along; missing parents of the new name are made. Raises Gone, Taken.

        Renaming INBOX moves its messages to a new mailbox and leaves it empty (RFC 9051 section 6.3.6)."""

    async def subscribe(self, account_id: Id, name: str, is_subscribed: bool) -> None:
        """Remember the subscription of a name. Raises Gone when subscribing to a mailbox that does not exist."""

    async def counts(self, mailbox_id: Id) -> MailboxCounts:
        """Raises Gone."""

    async def messages(self, mailbox_id: Id) -> tuple[Mailbox, Sequence[MessageEntry]]:
        """The mailbox and all its messages by uid, in one consistent snapshot. Raises Gone."""

    async def changes(self, mailbox_id: Id, since_modseq: int) -> MailboxChanges:
        """What changed after `since_modseq`, cheap when nothing did. Raises Gone."""

    async def append(self, messages: Sequence[NewMessage]) -> Sequence[int]:
        """Add messages to their mailboxes in one transaction; the uid of each, in order. Raises Gone: none is added."""

    async def change_flags(
        self,
        mailbox_id: Id,
        uids: Collection[int],
        change: FlagChange,
        flags: Collection[str],
    ) -> Sequence[MessageEntry]:
        """The entries as they are afterwards; uids that do not exist are left out. System flags compare without case."""

    async def copy(self, mailbox_id: Id, uids: Collection[int], target_id: Id) -> Sequence[tuple[int, int]]:
        """Pairs (old uid, new uid), by old uid; flags and internal date are kept. Raises Gone."""

    async def move(self, mailbox_id: Id, uids: Collection[int], target_id: Id) -> Sequence[tuple[int, int]]:
        """Like copy, and the originals vanish in the same transaction (RFC 6851)."""

    async def expunge(self, mailbox_id: Id, uids: Collection[int] | None = None) -> Sequence[int]:
        """Remove the messages that have \\Deleted (of `uids`, when given); their uids."""

    async def remove(self, mailbox_id: Id, uids: Collection[int]) -> Sequence[int]:
        """Remove messages whatever their flags (POP3 at QUIT); the uids that were there."""

    async def content(self, content_id: Id) -> bytes:
        """The message as it was added. Raises Gone."""

    def maildrop_lock(self, account_id: Id) -> MaildropLock:
        """Entering it raises Busy when another session holds it (RFC 1939 section 4)."""

    async def delete_account(self, account_id: Id) -> None:
        """Remove all mail and scripts of an account. Called when it is no configuration object any more: nothing comes after."""


# --- Sieve scripts --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ScriptEntry:
    """A stored script without its text."""

    name: str
    is_active: bool
    size: int  # octets


class ScriptStore(Protocol):
    """Sieve scripts per account (RFC 5804). At most one of an account is active."""

    async def scripts(self, account_id: Id) -> Sequence[ScriptEntry]:
        """All scripts by name."""

    async def script(self, account_id: Id, name: str) -> bytes | None:
        """The text of a script, as it was put."""

    async def put_script(self, account_id: Id, name: str, text: bytes) -> None:
        """Create or replace. A script that is active stays active. Raises Gone: there is no such account."""

    async def activate_script(self, account_id: Id, name: str | None) -> None:
        """Make it the one active script; None deactivates. Raises Gone."""

    async def rename_script(self, account_id: Id, old_name: str, new_name: str) -> None:
        """Raises Gone, Taken (existing_id is empty)."""

    async def delete_script(self, account_id: Id, name: str) -> None:
        """Raises Gone, Busy when it is active."""
