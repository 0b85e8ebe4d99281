"""The history of the configuration: what the store keeps of every change of an object, and how it is searched.

A row is written by the commit that it tells of, in the same transaction (`interface.ObjectWrite.record`), and never
changed. The oldest rows go when newer ones come in (`Retention`). Nothing secret may be in a record: whoever makes one
(`management/recording.py`) leaves secrets out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from gatepost.registry.change import ChangeCause
from gatepost.values.collation import UNICODE_CASEMAP
from gatepost.values.ids import Id

Json = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who changes something, when (UTC) and from where. Names are those of that moment; what does not apply is None."""

    at: datetime
    cause: ChangeCause
    account_id: Id | None = None
    account: str | None = None  # login name
    api_key: str | None = None  # name of the key that the account was used with
    listener_id: Id | None = None
    listener: str | None = None
    source_address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRecord:
    """What the history says of one change of one object.

    Created: `before` is None. Destroyed: `after` is None. Updated: both hold the properties that differ, and only those.
    `redacted`: properties with a secret that was there or has changed; they stand neither in `before` nor in `after`.
    """

    author: Author
    object_name: str | None
    before: Json | None
    after: Json | None
    redacted: Sequence[str] = ()
    revert_of: Id | None = None

    @property
    def kind(self) -> str:
        """created, updated or destroyed."""
        if self.before is None:
            return "created"
        return "destroyed" if self.after is None else "updated"


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One row. Changes of one commit share the `revision`."""

    id: Id
    revision: int
    object_type: str
    object_id: Id
    record: ChangeRecord


@dataclass(frozen=True, slots=True)
class Retention:
    """Which rows a commit leaves behind: the newest `most` of those that are not older than `since`. Where many are to go,
    some go with each commit, so that none takes long."""

    since: datetime | None
    most: int


@dataclass(frozen=True, slots=True)
class Span:
    """The numbers of the oldest and the newest row that there are, both 0 where there are none. Rows are numbered in the
    order of commits; a number is never used twice."""

    oldest: int = 0
    newest: int = 0


class HistoryField(Enum):
    """What can be searched and sorted by."""

    AT = "at"
    REVISION = "revision"
    KIND = "kind"
    CAUSE = "cause"
    OBJECT_TYPE = "objectType"
    OBJECT_ID = "objectId"
    OBJECT_NAME = "objectName"
    ACCOUNT_ID = "accountId"
    ACCOUNT = "account"
    API_KEY = "apiKey"
    LISTENER_ID = "listenerId"
    LISTENER = "listener"
    SOURCE_ADDRESS = "sourceAddress"
    REVERT_OF = "revertOf"
    TEXT = "text"  # all names and ids, the source address, and `before` and `after` as JSON


class Relation(Enum):
    """How a field is compared. Text is compared without the case of ASCII letters by CONTAINS only."""

    IS = "is"
    CONTAINS = "contains"
    AT_LEAST = "at least"
    BELOW = "below"


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison; `value` is a datetime for AT, a number for REVISION, else text. IS None: the field is unset."""

    field: HistoryField
    relation: Relation
    value: str | int | datetime | None


@dataclass(frozen=True, slots=True)
class Combination:
    """AND, OR, NOT (RFC 8620 section 5.5): all, any, none of the parts. AND of nothing is everything."""

    operator: str
    parts: Sequence[HistoryFilter]


HistoryFilter = Condition | Combination
EVERYTHING = Combination("AND", ())


@dataclass(frozen=True, slots=True)
class Order:
    """One key to sort by."""

    field: HistoryField
    is_ascending: bool
    collation: str = UNICODE_CASEMAP  # of text (RFC 4790)


class HistoryStore(Protocol):
    """Reading the history. Methods raise Busy and Broken."""

    async def span(self) -> Span:
        """Changes with every commit that has records, and only with those."""

    async def entries(self, ids: Collection[str]) -> Sequence[HistoryEntry]:
        """The rows of these ids, oldest first; ids that do not exist (any more) are left out."""

    async def find(
        self, wanted: HistoryFilter = EVERYTHING, orders: Sequence[Order] = (), *, span: Span | None = None
    ) -> Sequence[Id]:
        """The ids of all rows that match, in that order; what is equal in it, the newest first. `span`: none that came
        after it was asked for."""


_LETTER = "h"
_MOST_DIGITS = 18  # fits 64 bits


def entry_id(number: int) -> Id:
    """The id of the row of this number."""
    return Id(f"{_LETTER}{number}")


def entry_number(text: str) -> int | None:
    """The number in an id; None for what cannot be the id of a row."""
    digits = text[1:]
    is_ours = text[:1] == _LETTER and digits.isascii() and digits.isdecimal() and len(digits) <= _MOST_DIGITS
    return int(digits) if is_ours and not digits.startswith("0") else None
