"""What the world answers to the events of an engine: one implementation per protocol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from gatepost.mail.directory import DirectoryAccount
from gatepost.protocols.engine import Engine
from gatepost.session.link import Link, Peer
from gatepost.values.secret import Secret


class AuthenticationFailed(Exception):
    """Name or password is wrong, or the client has to wait. `is_temporary`: the same words may be right later.

    Never tells whether the account exists (same text, same time)."""

    def __init__(self, *, is_temporary: bool = False) -> None:
        super().__init__("temporary authentication failure" if is_temporary else "authentication failed")
        self.is_temporary = is_temporary


class Authenticator(Protocol):
    """Checks credentials."""

    async def authenticate(self, login_name: str, password: Secret, peer: Peer) -> DirectoryAccount:
        """The account that logged in. Raises AuthenticationFailed."""


class Reactions(Protocol):
    """Answers the events of one conversation's engine."""

    async def react(self, event: object) -> None:
        """Do what the event asks for and answer it at the engine. Called one event after the other. An exception that
        escapes is logged and ends the conversation with the protocol's words for an internal error."""

    def may_react_at_once(self, event: object) -> bool:
        """Whether `react_at_once` takes this event: no store is needed, so no task has to be made for it."""

    def react_at_once(self, event: object) -> None:
        """Like `react`, without waiting for anything."""

    async def ended(self) -> None:
        """The conversation is over, for whatever reason; give back what is held (locks, watches)."""


@dataclass(frozen=True, slots=True)
class Opening:
    """How a conversation begins; the same for every connection of a policy."""

    greeting: bytes
    idle_timeout: float  # seconds that the client may take to say something
    state_name: str  # the engine's word for where the conversation is then
    login_deadline: float | None = None  # seconds to log in, however much it says; None: it need not


@dataclass(frozen=True, slots=True)
class ProtocolParts:
    """What a session factory gives to the conversation for one connection."""

    engine: Engine
    make_reactions: Callable[[Link], Reactions]
