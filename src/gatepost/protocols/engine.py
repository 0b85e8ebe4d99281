"""What every server-side protocol engine offers to the conversation that drives it.

An engine is a state machine over octets. The conversation feeds it what the client sent, takes events one at a time,
answers each event with a method of that engine, and sends what the engine has queued. An engine never does I/O, never
reads a clock, and never raises for anything a client can send: bad input is answered in the protocol.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StartTls:
    """Everything queued has to be sent, then the descriptor is upgraded, then `tls_established()` is called.

    An engine emits it only when no octet is buffered behind the command (pipelined clear text is refused: RFC 3207
    section 6, RFC 2595 section 3.1).
    """


@dataclass(frozen=True, slots=True)
class Close:
    """Everything queued has to be sent, then the connection is closed."""


@dataclass(frozen=True, slots=True)
class Breather:
    """Many commands were answered in one go. Others have their turn and the client takes its answers, then `go_on()`.

    Emitted by engines that answer commands by themselves without a limit to their number.
    """


COMMANDS_IN_ONE_GO = 100


class Refusal(Enum):
    """Why a client is turned away, at the door or in the middle of a session."""

    TOO_MANY_CONNECTIONS = "too many connections"
    SHUTTING_DOWN = "shutting down"
    IDLE_TIMEOUT = "idle timeout"
    INTERNAL_ERROR = "internal error"


class Engine(Protocol):
    """One conversation's state machine, server side."""

    def start(self) -> None:
        """Queue the greeting."""

    def receive_data(self, data: bytes) -> None:
        """Take octets as they came. Never answers by itself: call `next_event()` after it."""

    def receive_eof(self) -> None:
        """The client sends nothing more. What is complete is still served; what is cut off is dropped."""

    def next_event(self) -> object | None:
        """The next thing that the conversation has to do, or None.

        None means that more input is needed, or that the event handed out last is not answered yet. While an event is
        unanswered, further input stays buffered and is looked at after the answer (pipelining keeps its order).
        """

    def data_to_send(self) -> bytes:
        """Everything queued since the last call."""

    def tls_established(self) -> None:
        """The upgrade that `StartTls` asked for is done. Knowledge from before it is discarded (RFC 3207 section 4.2)."""

    def refuse(self, refusal: Refusal) -> None:
        """Queue the protocol's farewell for `refusal`; the conversation closes after it. Valid in every state, also
        instead of `start()`."""

    @property
    def state_name(self) -> str:
        """Where the conversation is, in the words of the protocol's RFC, for people who look at the list of connections."""

    @property
    def wants_input(self) -> bool:
        """False while so much unread input is buffered that reading should pause (memory stays bounded)."""

    @property
    def idle_timeout(self) -> float:
        """Seconds that the present state may last without input from the client."""
