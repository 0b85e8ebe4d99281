"""What a running server and the one that takes its place say to each other. MessagePack on a UNIX stream socket.

An upgrade runs like this (O: the supervisor that runs, N: the one that it has started from the installed code):

    N HandoverWanted → O Handover       with copies of all descriptors; nothing changes at O from here on
    N NextServerReady → O TakeOver      N's workers run the plan and accept nothing yet; the page's rows are N's to clear
    N NextServerAccepts → O SocketsAreYours     both accept for a moment; O gives up what N has no use for; then O's workers
                                        have released all sockets
    N NeighbourCame, NeighbourLeft      for O to tell its workers, which live on until their connections end
    N ConnectionsQuestion → O ConnectionsPart …     which connections these have; O asks the server before it, too

Where N is gone, or says TakeoverFailed, O goes on as if nothing had happened. The versions of the two differ, that is what
it is for: a field that is added needs a default; whatever else changes needs another VERSION, and N names all that it knows.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from gatepost.control.messages import ConnectionsPart, ConnectionsQuestion, NeighbourCame, NeighbourLeft
from gatepost.plan.plan import SocketPlan
from gatepost.values.ids import Id

VERSION = 1
ENVIRONMENT_VARIABLE = "GATEPOST_HANDOVER"  # the descriptor of N's end


class _Message(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    pass


# --- from the server that runs ----------------------------------------------------------------------------------------


class HandedSlot(msgspec.Struct, frozen=True, kw_only=True):
    """A slot of the counter page that is in use. `is_draining`: the listener is gone, connections of it are not."""

    listener_id: Id
    name: str
    slot: int
    is_draining: bool = False


class HandedCounters(msgspec.Struct, frozen=True, kw_only=True):
    """The counter page; see counter_page.LAYOUT. A server that knows another layout counts anew."""

    layout: tuple[int, ...]
    rows: int
    slots: tuple[HandedSlot, ...]


class HandedAddress(msgspec.Struct, frozen=True, kw_only=True):
    """The listening sockets of one listener at one address. `order`: for each socket, its place in the kernel's SO_REUSEPORT
    group, which listeners that share the address have in common. The rest: see AddressSockets."""

    listener_id: Id
    address: str
    socket: SocketPlan
    order: tuple[int, ...]
    is_shared: bool = False
    can_be_joined: bool = False


class Handover(_Message, frozen=True, kw_only=True):
    """Everything that has to be the same in both servers. Its descriptors, in this order: the counter page; for each of `rows`
    the way for notices to the worker that has it; the control socket, if there is one; the sockets that the service manager
    passed; the listening sockets. `tells_connections`: the server answers ConnectionsQuestion."""

    counters: HandedCounters
    rows: tuple[int, ...]
    has_control_socket: bool
    passed_addresses: tuple[str, ...]
    addresses: tuple[HandedAddress, ...]
    tells_connections: bool = False


class TakeOver(_Message, frozen=True, kw_only=True):
    """Accept. The workers that have these rows come with it as pidfds, in this order; no other worker lives."""

    rows: tuple[int, ...]


class SocketsAreYours(_Message, frozen=True, kw_only=True):
    """Nobody else accepts any more."""


FromPredecessor: TypeAlias = Handover | TakeOver | SocketsAreYours | ConnectionsPart


# --- from the server that takes over ----------------------------------------------------------------------------------


class HandoverWanted(_Message, frozen=True, kw_only=True):
    """I understand these versions of this file."""

    versions: tuple[int, ...]


class NextServerReady(_Message, frozen=True, kw_only=True):
    """My workers run the plan; they have these rows, and the ways for notices to them come with this message."""

    rows: tuple[int, ...]


class NextServerAccepts(_Message, frozen=True, kw_only=True):
    """My workers accept from all sockets but `left_over`, by their cookies (SO_COOKIE): those my plan has no use for. Give them
    up, as at a change."""

    left_over: tuple[int, ...] = ()


class TakeoverFailed(_Message, frozen=True, kw_only=True):
    """I cannot, and end."""

    reason: str


FromSuccessor: TypeAlias = (
    HandoverWanted
    | NextServerReady
    | NextServerAccepts
    | TakeoverFailed
    | NeighbourCame
    | NeighbourLeft
    | ConnectionsQuestion
)
