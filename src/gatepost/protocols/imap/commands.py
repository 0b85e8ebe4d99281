"""The commands of a client, complete when built. Those that need the store are handed to the reactions as events."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from gatepost.protocols.imap.fetch_items import FetchItem
from gatepost.protocols.imap.search_keys import SearchKey
from gatepost.protocols.imap.sequence_set import SequenceSet
from gatepost.protocols.sasl import Credentials
from gatepost.values.secret import Secret

# --- answered by the engine -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Capability:
    """RFC 3501 section 6.1.1."""


@dataclass(frozen=True, slots=True)
class Logout:
    """RFC 3501 section 6.1.3."""


@dataclass(frozen=True, slots=True)
class Identify:
    """ID (RFC 2971); what the client says of itself is not kept."""


@dataclass(frozen=True, slots=True)
class BeginTls:
    """STARTTLS (RFC 3501 section 6.2.1)."""


@dataclass(frozen=True, slots=True)
class Authenticate:
    """RFC 3501 section 6.2.2; the initial response is still in base64 (RFC 4959)."""

    mechanism: str
    initial_response: bytes | None


@dataclass(frozen=True, slots=True)
class Login:
    """RFC 3501 section 6.2.3."""

    login_name: str
    password: Secret


@dataclass(frozen=True, slots=True)
class Enable:
    """RFC 5161."""

    capabilities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Namespace:
    """RFC 2342."""


@dataclass(frozen=True, slots=True)
class Idle:
    """RFC 2177."""


# --- events for the reactions ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LogIn:
    """A client says who it is, by LOGIN or AUTHENTICATE."""

    credentials: Credentials


@dataclass(frozen=True, slots=True)
class MailboxNews:
    """While the client idles, the selected mailbox may have changed."""


@dataclass(frozen=True, slots=True)
class Noop:
    """NOOP or CHECK with a mailbox selected: show what has changed (RFC 3501 sections 6.1.2, 6.4.1)."""


@dataclass(frozen=True, slots=True)
class Select:
    """SELECT, or EXAMINE when `is_read_only` (RFC 3501 sections 6.3.1, 6.3.2)."""

    mailbox: str
    is_read_only: bool


@dataclass(frozen=True, slots=True)
class Create:
    """RFC 3501 section 6.3.3; a special use as RFC 6154 section 3 has it."""

    mailbox: str
    special_use: str | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """RFC 3501 section 6.3.4."""

    mailbox: str


@dataclass(frozen=True, slots=True)
class Rename:
    """RFC 3501 section 6.3.5."""

    mailbox: str
    new_name: str


@dataclass(frozen=True, slots=True)
class Subscribe:
    """SUBSCRIBE and UNSUBSCRIBE (RFC 3501 sections 6.3.6, 6.3.7)."""

    mailbox: str
    is_subscribed: bool


@dataclass(frozen=True, slots=True)
class List:
    """LIST, or LSUB when `only_subscribed` (RFC 3501 sections 6.3.8, 6.3.9)."""

    reference: str
    pattern: str
    only_subscribed: bool


@dataclass(frozen=True, slots=True)
class Status:
    """RFC 3501 section 6.3.10; item names in upper case, each once."""

    mailbox: str
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Append:
    """RFC 3501 section 6.3.11."""

    mailbox: str
    flags: frozenset[str]
    internal_date: datetime | None
    message: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class CloseMailbox:
    """CLOSE (RFC 3501 section 6.4.2)."""


@dataclass(frozen=True, slots=True)
class Unselect:
    """RFC 3691."""


@dataclass(frozen=True, slots=True)
class Expunge:
    """EXPUNGE (RFC 3501 section 6.4.3), or UID EXPUNGE of `messages` (RFC 4315 section 2.1)."""

    messages: SequenceSet | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """RFC 3501 section 6.4.4."""

    key: SearchKey
    by_uid: bool


@dataclass(frozen=True, slots=True)
class Fetch:
    """RFC 3501 section 6.4.5."""

    messages: SequenceSet
    items: tuple[FetchItem, ...]
    by_uid: bool


@dataclass(frozen=True, slots=True)
class Store:
    """RFC 3501 section 6.4.6; `change` is `+FLAGS`, `-FLAGS` or `FLAGS`."""

    messages: SequenceSet
    change: str
    is_silent: bool
    flags: frozenset[str]
    by_uid: bool


@dataclass(frozen=True, slots=True)
class Copy:
    """COPY, or MOVE when `removes_originals` (RFC 3501 section 6.4.7, RFC 6851)."""

    messages: SequenceSet
    mailbox: str
    by_uid: bool
    removes_originals: bool


Command = (
    Capability
    | Logout
    | Identify
    | BeginTls
    | Authenticate
    | Login
    | Enable
    | Namespace
    | Idle
    | Unselect
    | Noop
    | Select
    | Create
    | Delete
    | Rename
    | Subscribe
    | List
    | Status
    | Append
    | CloseMailbox
    | Expunge
    | Search
    | Fetch
    | Store
    | Copy
)
