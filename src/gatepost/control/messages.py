"""Every message between supervisor and workers, in one file. MessagePack on the channel.

A change runs like this (W: the worker that has the request, S: the supervisor):

    W BeginChange → S ChangeGranted           one change at a time; granted in order of asking
                  → S ChangeEnded             never granted any more: a newer server has taken over
    W PrepareChange → S TryTls to all workers → each TlsTried                  (only where TLS policies or certificates change)
                     → S ChangePrepared       as often as needed; sockets are bound, nothing accepts yet
    W ActivateChange → S ApplyPlan to all workers → each PlanApplied
                       S EmptySockets to some worker       (only where one died that had sockets that are given up)
                       S ReleaseSockets to all workers → each SocketsReleased     (only where sockets are given up)
                     → S ChangeEnded to W
    or W AbandonChange                        everything prepared is released; also when W dies

Every question has a number that its answer repeats: an answer that comes too late is not taken for another one.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from gatepost.plan.plan import Plan
from gatepost.values.ids import Id


class _Message(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    pass


# --- worker → supervisor --------------------------------------------------------------------------------------------


class BeginChange(_Message, frozen=True, kw_only=True):
    """Asks for the turn to change what the node runs."""

    number: int


class PrepareChange(_Message, frozen=True, kw_only=True):
    """Bind what this plan needs beyond what runs. `is_stored`: it is stored already, so it has to run as far as it can;
    addresses that cannot be bound are reported as failed and tried again, as at the start of the server."""

    number: int
    plan: Plan
    is_stored: bool = False


class ActivateChange(_Message, frozen=True, kw_only=True):
    """The plan prepared last is committed to the store as `revision`: run it."""

    number: int
    revision: int


class AbandonChange(_Message, frozen=True, kw_only=True):
    """Release the turn and everything prepared."""


class TlsFailure(msgspec.Struct, frozen=True, kw_only=True):
    """A listener whose TLS policy cannot be built, and why."""

    listener_id: Id
    text: str


class TlsTried(_Message, frozen=True, kw_only=True):
    """Answer to TryTls."""

    number: int
    failures: tuple[TlsFailure, ...] = ()


class PlanApplied(_Message, frozen=True, kw_only=True):
    """Answer to ApplyPlan. `error`: the worker could not run it (it goes on with what it had), or not all of it: handshakes
    with the listeners of `tls_failures` fail there, nobody gets in in clear."""

    number: int
    error: str | None = None
    tls_failures: tuple[TlsFailure, ...] = ()


class SocketsReleased(_Message, frozen=True, kw_only=True):
    """Answer to ReleaseSockets."""

    number: int


class StatusQuestion(_Message, frozen=True, kw_only=True):
    """Asks for the state of all listeners as the supervisor sees them."""

    number: int


class ConnectionsQuestion(_Message, frozen=True, kw_only=True):
    """Asks all workers for their connections: all, or those with these ids. `is_to_end`: and take leave of them."""

    number: int
    ids: tuple[str, ...] | None = None
    is_to_end: bool = False


class ConnectionsReported(_Message, frozen=True, kw_only=True):
    """A part of the answer to ReportConnections: a MessagePack array of ConnectionReport, which the supervisor passes on
    unread, because it holds what clients have said."""

    number: int
    reports: bytes
    is_last: bool


FromWorker: TypeAlias = (
    BeginChange
    | PrepareChange
    | ActivateChange
    | AbandonChange
    | TlsTried
    | PlanApplied
    | SocketsReleased
    | StatusQuestion
    | ConnectionsQuestion
    | ConnectionsReported
)


# --- supervisor → worker --------------------------------------------------------------------------------------------


class GrantedSocket(msgspec.Struct, frozen=True, kw_only=True):
    """One listening socket that the worker accepts from. `is_attached`: its descriptor comes with this message, in the
    order of the list; otherwise the worker has it already."""

    number: int
    address: str
    listener_id: Id
    is_attached: bool


class ApplyPlan(_Message, frozen=True, kw_only=True):
    """Run this plan. Sockets that are not listed any more stay open and are accepted empty until ReleaseSockets."""

    number: int
    plan: Plan
    sockets: tuple[GrantedSocket, ...]
    counter_slots: dict[Id, int]


class TryTls(_Message, frozen=True, kw_only=True):
    """Build every TLS context that this plan would need, for real. What runs is not touched."""

    number: int
    plan: Plan


class EmptySockets(_Message, frozen=True, kw_only=True):
    """Clients wait in these sockets, all attached, which are given up and whose worker has died: accept them until
    ReleaseSockets. `plan` is the one before, with the listeners of these sockets alone; for those that the running plan has not."""

    plan: Plan
    sockets: tuple[GrantedSocket, ...]
    counter_slots: dict[Id, int]


class ReleaseSockets(_Message, frozen=True, kw_only=True):
    """Close these sockets: nothing can be waiting in them any more."""

    number: int
    sockets: tuple[int, ...]


class ChangeGranted(_Message, frozen=True, kw_only=True):
    """Answer to BeginChange: the turn is yours."""

    number: int
    running_plan: Plan


class BindFailure(msgspec.Struct, frozen=True, kw_only=True):
    """An address that could not be bound."""

    listener_id: Id
    address: str
    errno_name: str
    text: str

    @property
    def advice(self) -> str:
        """What an operator can do about it; empty where that depends."""
        match self.errno_name:
            case "EADDRINUSE":
                return "Another process listens there: stop it, or take another port."
            case "EADDRNOTAVAIL":
                return "This machine does not have that address: add it to an interface first, or bind [::]."
            case "EACCES" | "EPERM":
                return "The server may not bind this port: start it as root with --run-as, or take a port above 1023."
            case "ENODEV":
                return "This machine has no network interface of that name: `ip link` lists those that it has."
            case "EMFILE" | "ENFILE":
                return "No descriptor is left: raise the server's limit (LimitNOFILE= of the unit, ulimit -n), or fs.file-max."
            case _:
                return ""


class ChangePrepared(_Message, frozen=True, kw_only=True):
    """Answer to PrepareChange. With failures of either kind, nothing of this plan is held."""

    number: int
    failures: tuple[BindFailure, ...] = ()
    tls_failures: tuple[TlsFailure, ...] = ()


class ChangeEnded(_Message, frozen=True, kw_only=True):
    """Answer to ActivateChange. `errors`: workers that could not follow, in words. To BeginChange: why there will be no turn."""

    number: int
    errors: tuple[str, ...] = ()


class QueueStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The accept queue of one socket. `drops`: connections that the kernel threw away because it was full, or for want of
    memory, since the socket was made."""

    length: int
    limit: int
    drops: int


class SocketStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One address as the kernel has it. A client is put into one of the queues, and dropped when that one is full, whatever
    room the others have."""

    listener_id: Id
    address: str
    workers_accepting: int
    accept_queues: tuple[QueueStatus, ...]
    socket_options: dict[str, tuple[int | None, int]]
    note: str | None = None


class DrainingListener(msgspec.Struct, frozen=True, kw_only=True):
    """A listener that is not in the plan any more, and has connections."""

    listener_id: Id
    name: str
    counter_slot: int


class StatusAnswer(_Message, frozen=True, kw_only=True):
    """Answer to StatusQuestion."""

    number: int
    plan: Plan
    sockets: tuple[SocketStatus, ...]
    failures: tuple[BindFailure, ...]
    counter_slots: dict[Id, int]
    draining: tuple[DrainingListener, ...] = ()
    workers_running: int
    tls_failures: tuple[TlsFailure, ...] = ()


class ReportConnections(_Message, frozen=True, kw_only=True):
    """See ConnectionsQuestion."""

    number: int
    ids: tuple[str, ...] | None
    is_to_end: bool


class ConnectionsPart(_Message, frozen=True, kw_only=True):
    """A part of the answer to ConnectionsQuestion, from one of the workers; the last one is empty. `is_complete`: no worker
    has failed to answer."""

    number: int
    reports: bytes = b""
    is_last: bool = False
    is_complete: bool = True


class Reconcile(_Message, frozen=True, kw_only=True):
    """What runs may differ from what is stored (a worker died between commit and activation, files changed): read the
    store, and make a change when it differs."""


class NeighbourCame(_Message, frozen=True, kw_only=True):
    """Another worker counts in `row`: the way to it for notices comes with this message. One that had the row is gone."""

    row: int


class NeighbourLeft(_Message, frozen=True, kw_only=True):
    """Nobody counts in `row` any more."""

    row: int


class Retire(_Message, frozen=True, kw_only=True):
    """This worker is not needed any more; it has released its sockets. Open sessions go on, but HTTP connections end behind
    the request under way. End when the last connection is gone, drain after `timeout` seconds; None: sessions have for ever.
    """

    timeout: float | None


class Drain(_Message, frozen=True, kw_only=True):
    """Stop accepting, take leave of every client, end when the last connection is gone. `timeout` in seconds."""

    timeout: float


FromSupervisor: TypeAlias = (
    ApplyPlan
    | TryTls
    | EmptySockets
    | ReleaseSockets
    | ChangeGranted
    | ChangePrepared
    | ChangeEnded
    | StatusAnswer
    | ReportConnections
    | ConnectionsPart
    | Reconcile
    | NeighbourCame
    | NeighbourLeft
    | Retire
    | Drain
)
