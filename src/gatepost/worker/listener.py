"""One listener in this worker: what its next connection will get, and the connections that it has."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import ip_address
from typing import Protocol

from gatepost.plan.plan import ListenerPlan, Plan
from gatepost.session.reactions import Opening, ProtocolParts
from gatepost.telemetry import events
from gatepost.telemetry.access_log import AccessLog
from gatepost.telemetry.events import Event
from gatepost.transport.accept_loop import Accepted
from gatepost.transport.admission import RefusalBudget
from gatepost.transport.blocked_networks import BlockTable
from gatepost.transport.connection_info import ConnectionInfo, Endpoint
from gatepost.transport.counter_page import NO_CAP, Cell, ConnectionCounter
from gatepost.transport.descriptor_transport import DescriptorTransport
from gatepost.transport.ending import Ending
from gatepost.transport.poller import Poller
from gatepost.transport.reasons import CELL_OF_ENDING, REFUSALS
from gatepost.transport.tls_contexts import PolicyContexts, TlsContexts, UnusableTls
from gatepost.values.ip_mask import IpMask
from gatepost.values.socket_address import SocketAddress
from gatepost.worker.block_watch import BlockWatch
from gatepost.worker.closing_report import closed_connection
from gatepost.worker.connection import Connection, Session

_REFUSALS_LOGGED_EVERY = 1.0  # seconds; one line for all of that time, so that a flood does not fill the log
_ANSWERS_KEPT = 256  # addresses of peers


class Sessions(Protocol):
    """Makes the conversation of a connection; knows all protocols."""

    def session(self, connection: Connection, /) -> Session:
        """The conversation, HTTP or other."""

    def parts(self, connection: Connection, /) -> ProtocolParts:
        """Engine and reactions of any protocol but HTTP."""

    def left_behind(self, task: asyncio.Task[None], /) -> None:
        """The task goes on for a connection that is closed."""


class ListenerPolicy:
    """Everything that a connection gets when it comes in; it keeps it to its end, whatever changes meanwhile."""

    __slots__ = (
        "_is_proxy",
        "blocks",
        "hostname",
        "max_connections_per_address",
        "max_message_size",
        "openings",
        "plan",
        "proxy_header_timeout",
        "tls",
        "tls_error",
    )

    def __init__(self, server: Plan, plan: ListenerPlan, contexts: TlsContexts, blocks: BlockWatch) -> None:
        self.plan = plan
        self.blocks = blocks  # the one part that changes with time, for those who are about to come in
        self.hostname = server.hostname
        self.max_message_size = server.max_message_size
        self.max_connections_per_address = server.max_connections_per_address
        self.proxy_header_timeout = server.proxy_header_timeout
        self._is_proxy = _membership(plan.proxy_networks) if plan.proxy_networks else None
        self.openings: dict[bool, Opening] = {}  # by whether one may log in in clear; kept by the sessions
        self.tls: PolicyContexts | None = None
        self.tls_error: str | None = None
        if plan.tls is not None:
            try:
                self.tls = contexts.of(plan.tls, plan.protocol)
            except UnusableTls as error:
                self.tls_error = str(error)

    @property
    def offers_tls(self) -> bool:
        """Whether a session in clear may be upgraded."""
        return self.plan.tls is not None and not self.plan.is_tls_implicit

    def expects_proxy_header(self, info: ConnectionInfo) -> bool:
        """Whether the peer must send a PROXY header first."""
        return self._is_proxy is not None and self._is_proxy(info.peer_host)

    def awaits_proxy_header(self, info: ConnectionInfo) -> bool:
        """Whether it must, and has not yet: nobody knows who the client is."""
        return info.proxy_header is None and self.expects_proxy_header(info)

    def may_log_in_in_clear(self, info: ConnectionInfo) -> bool:
        """Credentials in clear: only from this machine itself, and only where TLS is not offered at all."""
        return self.plan.tls is None and info.is_source_loopback


def _membership(networks: Iterable[str]) -> Callable[[str], bool]:
    """Whether an address, in the kernel's words, lies in one of these. Proxies are few and come again with every client, so the
    answers are kept."""
    masks = tuple(IpMask.parse(network) for network in networks)

    @lru_cache(_ANSWERS_KEPT)
    def is_within(host: str) -> bool:
        address = ip_address(host.partition("%")[0])
        return any(mask.contains(address) for mask in masks)

    return is_within


def _only_endpoint(address: SocketAddress) -> Endpoint | None:
    """Where connections to this listening address arrive, if there is only one such place."""
    return None if address.ip.is_unspecified else (address.ip, address.port)


class Listener:
    """A listener of the plan. Its policy is replaced by a change; its connections live on."""

    def __init__(
        self,
        policy: ListenerPolicy,
        counter: ConnectionCounter,
        budget: RefusalBudget,
        poller: Poller,
        sessions: Sessions,
        on_empty: Callable[[], None],
        access_log: AccessLog,
    ) -> None:
        self.policy = policy
        self.counter = counter
        self.sessions = sessions
        self.connections: set[Connection] = set()
        self._budget = budget
        self._poller = poller
        self._refusals_to_log: dict[Cell, int] = {}
        self._on_empty = on_empty
        self._access_log = access_log
        self._received_by_closed = self._sent_by_closed = 0  # octets
        self._received_counted = self._sent_counted = 0

    def accepted_at(self, address: str) -> Accepted:
        """What the accept loop of one address calls."""
        local = _only_endpoint(SocketAddress.parse(address))

        def accepted(descriptor: int, sockaddr: tuple[object, ...]) -> None:
            self._accepted(descriptor, ConnectionInfo(sockaddr, local), address)

        return accepted

    def _accepted(self, descriptor: int, info: ConnectionInfo, address: str) -> None:
        policy = self.policy
        blocks = policy.blocks.table
        if blocks is not None and blocks.refuses(info.peer_octets) and not policy.expects_proxy_header(info):
            self.counter.count(Cell.REFUSED_BLOCKED_NETWORK)
            self._note_refusal(Cell.REFUSED_BLOCKED_NETWORK)
            os.close(descriptor)
            return
        refused_by = self.counter.admit()
        is_refused = refused_by is not None
        if refused_by is not None:
            self._note_refusal(refused_by)
        if is_refused and not self._budget.take(is_tls=policy.plan.is_tls_implicit):
            os.close(descriptor)
            return
        connection = Connection(self, policy, self._poller, descriptor, info, address, is_refused)
        self.connections.add(connection)
        try:
            connection.start()
        except Exception as error:  # no memory, say: it must not stay open, and counted, with nobody who looks after it
            events.error(Event.CONVERSATION_FAILED, failure=error, protocol=policy.plan.protocol)
            connection.transport.abandon()

    def refuse_late(self, connection: Connection) -> bool:
        """A connection that was admitted is refused after all; whether it may be told so."""
        self.counter.leave()
        self.counter.count(Cell.REFUSED_ADDRESS_CAP)
        self._note_refusal(Cell.REFUSED_ADDRESS_CAP)
        connection.is_refused = True
        return self._budget.take(is_tls=connection.policy.plan.is_tls_implicit)

    def refuse_blocked(self, connection: Connection) -> None:
        """A connection turns out to come from a blocked network, behind a proxy. Nothing is said to it."""
        self.counter.leave()
        self.counter.count(Cell.REFUSED_BLOCKED_NETWORK)
        self._note_refusal(Cell.REFUSED_BLOCKED_NETWORK)
        connection.is_refused = True
        connection.transport.abort()

    def end_blocked(self, table: BlockTable) -> None:
        """Have the clients of blocked networks take their leave, where the block asks for that. A proxy's own address does not
        count; a connection whose header has yet to come is looked at when it has."""
        for connection in tuple(self.connections):
            info = connection.transport.info
            is_relayed = connection.policy.expects_proxy_header(info)
            octets = info.relayed_octets if is_relayed else info.peer_octets
            if octets is not None and not connection.is_refused and table.ends(octets):
                connection.end_by_operator()

    def _note_refusal(self, cap: Cell) -> None:
        if not self._refusals_to_log:
            asyncio.get_running_loop().call_later(_REFUSALS_LOGGED_EVERY, self._log_refusals)
        self._refusals_to_log[cap] = self._refusals_to_log.get(cap, 0) + 1

    def _log_refusals(self) -> None:
        refusals, self._refusals_to_log = self._refusals_to_log, {}
        for cap, count in refusals.items():
            events.warning(Event.CONNECTION_REFUSED, listener=self.policy.plan.name, cap=REFUSALS[cap], count=count)

    def count_addresses(self) -> None:
        """A cap per address is set from now on: those who are here already count too."""
        for connection in self.connections:
            info = connection.transport.info
            is_known = not connection.policy.awaits_proxy_header(info)
            if is_known and connection.address_entry is None and not connection.is_refused:
                connection.address_entry = self.counter.enter_address(info.source_octets, NO_CAP)

    def count_bytes(self) -> None:
        """Bring the octets in the counter page up to date, those of open connections included."""
        received, sent = self._received_by_closed, self._sent_by_closed
        for connection in self.connections:
            received += connection.transport.bytes_received
            sent += connection.transport.bytes_sent
        if received != self._received_counted or sent != self._sent_counted:
            self.counter.count(Cell.BYTES_RECEIVED, received - self._received_counted)
            self.counter.count(Cell.BYTES_SENT, sent - self._sent_counted)
            self._received_counted, self._sent_counted = received, sent

    def left(self, connection: Connection, transport: DescriptorTransport) -> None:
        """A connection is closed."""
        self.connections.discard(connection)
        self._received_by_closed += transport.bytes_received
        self._sent_by_closed += transport.bytes_sent
        if not connection.is_refused:
            self.counter.leave()
            self.counter.count(CELL_OF_ENDING[transport.ending or Ending.COMPLETED])
            if self._access_log.is_on:
                self._access_log.closed(closed_connection(connection))
        elif connection.is_told:
            self._budget.give_back(is_tls=connection.policy.plan.is_tls_implicit)
        if connection.address_entry is not None:
            self.counter.leave_address(connection.address_entry)
        if not self.connections:
            self._on_empty()

    def shut_down(self, addresses: frozenset[str] | None = None) -> None:
        """Take leave of all clients, or of those who came in at these addresses."""
        for connection in tuple(self.connections):
            if addresses is None or connection.address in addresses:
                connection.shut_down()

    def abort(self) -> None:
        """Cut off whoever is still there."""
        for connection in tuple(self.connections):
            connection.transport.note_ending(Ending.SHUT_DOWN)
            connection.transport.abort()
