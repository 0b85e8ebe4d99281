"""Who has which address and which login name."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from gatepost.values.ids import Id
from gatepost.values.secret import Secret


@dataclass(frozen=True, slots=True)
class DirectoryAccount:
    """An account as sessions need it. `addresses` are all that it receives and may send as, lower-case;
    `login_name` is `name@domain`."""

    id: Id
    login_name: str
    addresses: frozenset[str]
    role: str  # admin, operator, user
    password_hash: Secret  # argon2id, PHC string
    quota: int | None  # octets


class NoSuchRecipient(Enum):
    """Why an address leads to no account."""

    UNKNOWN = "the domain is ours, the address is not"
    NOT_LOCAL = "the domain is not ours"


class Directory(Protocol):
    """Reads Domain and Account objects; a change of them is seen by the next call."""

    async def recipient(self, address: str) -> DirectoryAccount | NoSuchRecipient:
        """The account that an address delivers to. Local parts compare without case; `name+detail@domain` leads to
        `name@domain` where nothing has the longer name (RFC 5233)."""

    async def login(self, login_name: str) -> DirectoryAccount | None:
        """The account with this login name: `alice@example.org`, or `alice` where only one account has that name."""
