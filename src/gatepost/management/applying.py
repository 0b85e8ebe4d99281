"""The port through which a /set reaches the running server. The worker implements it; tests may fake it.

async with applier.change() as change:              # one change at a time on this node, over all workers
    failures = await change.prepare(new_plan)        # real binds, real TLS contexts; again after dropping what failed
    ... commit to the store ...
    await change.activate(revision)                  # returns when every worker runs it
# leaving without activate releases everything that was prepared: nothing has changed
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from gatepost.plan.plan import Plan
from gatepost.values.ids import Id


@dataclass(frozen=True, slots=True)
class ApplyFailure:
    """Why a prepared plan cannot run. `property_name` is the wire name (`bind`, `useTls`) on the listener `object_id`."""

    object_id: Id
    property_name: str
    description: str
    value: str | None = None  # the socket address that could not be bound
    errno_name: str | None = None  # EADDRINUSE


class ApplyError(Exception):
    """The change could not be carried through for a reason that is not the change's (a worker died, a time-out)."""


class Change(Protocol):
    """One change of the running server."""

    @property
    def running_plan(self) -> Plan:
        """What all workers run now."""

    async def prepare(self, plan: Plan) -> Sequence[ApplyFailure]:
        """Bind and build everything that `plan` needs beyond what runs. May be called again with another plan."""

    async def activate(self, revision: int) -> None:
        """Run the plan prepared last. Call it after the commit. Returns when every worker has acknowledged."""


@dataclass(frozen=True, slots=True)
class AcceptQueue:
    """Of one listening socket: connections that wait, that may wait, that the kernel dropped since the socket was made."""

    length: int
    limit: int
    drops: int


@dataclass(frozen=True, slots=True)
class AddressStatus:
    """One address of a listener. Socket options: name → (configured or None, what the kernel has)."""

    address: str
    workers_accepting: int = 0
    accept_queues: Sequence[AcceptQueue] = ()  # a client is put into one of them; it does not matter which
    socket_options: Mapping[str, tuple[int | None, int]] = field(default_factory=dict)
    note: str | None = None  # "no IPv6 on this host: bound 0.0.0.0"
    errno_name: str | None = None  # why it is not bound, and in words
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ListenerCounts:
    """What has happened at a listener since it was made, and what is open now; sums over all workers."""

    connections: int = 0
    connections_peak: int = 0
    accepted: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)  # by reason
    proxy_rejected: Mapping[str, int] = field(default_factory=dict)  # by reason; their sum is in `refused` too
    ended: Mapping[str, int] = field(default_factory=dict)  # connections that were admitted, by how they ended
    tls_handshakes: Mapping[str, int] = field(default_factory=dict)  # completed, by version
    tls_failures: Mapping[str, int] = field(default_factory=dict)  # by reason
    handshakes_within: Sequence[tuple[float, int]] = ()  # seconds, and how many took longer than the line before says
    handshake_seconds: float = 0.0  # all of them together
    bytes_received: int = 0  # of the protocol, without TLS's own
    bytes_sent: int = 0
    accept_pauses: int = 0


@dataclass(frozen=True, slots=True)
class ListenerStatus:
    """What one listener of this node does now. `state`: starting, active, paused, draining, failed, stopped."""

    listener_id: Id
    name: str
    state: str
    reason: str | None  # why it failed: address, errno and text; or which workers accept nothing now
    addresses: Sequence[AddressStatus]
    counts: ListenerCounts
    running_revision: int


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """What the node as a whole does now."""

    listeners: Sequence[ListenerStatus]
    workers_running: int
    connections: int  # of all listeners together, those of removed ones included
    running_plan: Plan


class Applier(Protocol):
    """The running server, as the API sees it."""

    def change(self) -> AbstractAsyncContextManager[Change]:
        """Raises ApplyError when the turn does not come within a minute."""

    async def statuses(self) -> Sequence[ListenerStatus]:
        """All listeners of this node, by name."""

    async def node_status(self) -> NodeStatus:
        """The same, with what is not a listener's alone."""
