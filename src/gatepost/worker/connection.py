"""One accepted connection on its way: PROXY header, TLS, conversation. Kept by its listener until it is closed."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from typing import TYPE_CHECKING, Protocol

from gatepost.plan.plan import ProtocolName
from gatepost.protocols.engine import Refusal
from gatepost.protocols.proxy_header.header import ProxyFailure, ProxyHeader
from gatepost.session.http_session import REFUSAL
from gatepost.session.reactions import ProtocolParts
from gatepost.telemetry import events
from gatepost.telemetry.events import Event
from gatepost.transport.connection_info import ConnectionInfo
from gatepost.transport.descriptor_transport import DescriptorTransport, StreamProtocol
from gatepost.transport.ending import Ending
from gatepost.transport.poller import Poller
from gatepost.transport.reasons import CELL_OF_PROXY_FAILURE, CELL_OF_TLS_FAILURE
from gatepost.transport.stages import ProxyHeaderStage, TlsHandshakeStage
from gatepost.transport.tls_failure import TlsFailure
from gatepost.values.ids import Id
from gatepost.worker.closing_report import count_handshake

if TYPE_CHECKING:
    from collections.abc import Callable

    from gatepost.worker.listener import Listener, ListenerPolicy

_CUT_OFF_AFTER = 10.0  # seconds, of a client that an operator has told to go
_serials = itertools.count(1)


def id_prefix() -> str:
    """What the ids of this process's connections begin with. Not to be kept: workers are forked."""
    return f"w{os.getpid()}-"


class Session(StreamProtocol, Protocol):
    """A conversation, or an HTTP session."""

    account_id: Id | None  # who the client is, once that is known for the whole connection
    login_name: str | None

    @property
    def state_name(self) -> str:
        """Where the protocol is, in its own word."""

    def shut_down(self) -> None:
        """Take leave of the client as soon as the command under way is answered."""


class Connection:
    """Counted by its listener from accept on, until its descriptor is closed."""

    __slots__ = (
        "accepted_at",
        "address",
        "address_entry",
        "is_refused",
        "is_told",
        "listener",
        "policy",
        "serial",
        "session",
        "surplus",
        "transport",
    )

    def __init__(
        self,
        listener: Listener,
        policy: ListenerPolicy,
        poller: Poller,
        descriptor: int,
        info: ConnectionInfo,
        address: str,
        is_refused: bool,
    ) -> None:
        self.accepted_at = time.monotonic()
        self.serial = next(_serials)  # tells it from all others of this process
        self.listener = listener
        self.policy = policy
        self.address = address  # the listening address
        self.address_entry: int | None = None  # where the source address is counted, if it is
        self.is_refused = is_refused
        self.is_told = is_refused  # and there was room to tell it so
        self.session: Session | None = None
        self.surplus = b""  # what came in clear behind the PROXY header: the session's first octets
        self.transport = DescriptorTransport(poller, descriptor, info, self._closed)

    @property
    def id(self) -> str:
        """Of this connection alone, over all workers; process and number in it."""
        return f"{id_prefix()}{self.serial}"

    def start(self) -> None:
        """The first stage."""
        policy = self.policy
        if policy.expects_proxy_header(self.transport.info):
            ProxyHeaderStage(
                self.transport,
                policy.proxy_header_timeout,
                self._proxy_header_read,
                self._proxy_header_failed,
                is_tls_next=policy.plan.is_tls_implicit,
            )
        else:
            self._admit_address()

    def _admit_address(self) -> None:
        if not self.is_refused:
            if self._is_under_address_cap():
                self.listener.counter.accepted()
            else:
                self.is_told = self.listener.refuse_late(self)
                if not self.is_told:
                    self.transport.abort()
                    return
        self._begin_tls()

    def _is_under_address_cap(self) -> bool:
        # The cap of now: it may have been changed while the PROXY header was on its way.
        cap = self.listener.policy.max_connections_per_address
        if cap is None:
            return True
        self.address_entry = self.listener.counter.enter_address(self.transport.info.source_octets, cap)
        return self.address_entry is not None

    def _proxy_header_read(self, header: ProxyHeader, surplus: bytes) -> None:
        info = self.transport.info
        info.proxy_header = header
        blocks = self.policy.blocks.table
        if blocks is not None and not self.is_refused:
            source = info.relayed_octets
            if source is not None and blocks.refuses(source):
                self.listener.refuse_blocked(self)
                return
        self.surplus = surplus
        self._admit_address()

    def _proxy_header_failed(self, failure: ProxyFailure, words: str) -> None:
        events.warning(
            Event.PROXY_HEADER_REJECTED,
            listener=self.policy.plan.name,
            peer=str(self.transport.info.peer_address[0]),
            failure=failure.value,
            reason=f"{words} (this peer is trusted to send a PROXY header, so it must)",
        )
        if not self.is_refused:  # counted already, under the cap that did it
            self.listener.counter.count(CELL_OF_PROXY_FAILURE[failure])
        self.transport.note_ending(Ending.PROXY_REJECTED)
        self.transport.abort()

    def _begin_tls(self) -> None:
        if self.policy.plan.is_tls_implicit:
            self.upgrade(self.transport, self._open, self.transport.abort)
        else:
            self._open()

    def parts(self) -> ProtocolParts:
        """Engine and reactions; see Host."""
        return self.listener.sessions.parts(self)

    def left_behind(self, task: asyncio.Task[None]) -> None:
        """See Host."""
        self.listener.sessions.left_behind(task)

    def upgrade(self, transport: DescriptorTransport, done: Callable[[], None], failed: Callable[[], None]) -> None:
        """A TLS handshake under the policy that the connection came in with; it is counted, and a failure logged."""

        begun = time.monotonic()

        def handshake_done() -> None:
            if transport.tls is not None:
                count_handshake(self.listener.counter, transport.tls, time.monotonic() - begun)
            done()

        def handshake_failed(failure: TlsFailure, reason: str) -> None:
            self.listener.counter.count(CELL_OF_TLS_FAILURE[failure])
            transport.note_ending(Ending.TLS_FAILED)
            source = str(transport.info.source_address[0])
            name = self.policy.plan.name
            events.debug(Event.TLS_FAILED, listener=name, source=source, failure=failure.value, reason=reason)
            failed()

        tls = self.policy.tls
        if tls is None:
            handshake_failed(TlsFailure.UNUSABLE, "this listener has no usable TLS policy")
            return
        TlsHandshakeStage(transport, tls.context, self.policy.plan.tls_timeout, handshake_done, handshake_failed)

    def _open(self) -> None:
        try:
            info = self.transport.info
            if not info.has_local_address:
                info.note_local_address(self.transport.sock)
            if self.is_refused:
                self._tell_refused()
                return
            self.session = self.listener.sessions.session(self)
            surplus, self.surplus = self.surplus, b""
            self.transport.begin(self.session, surplus)
        except Exception as error:  # it must not stay open, and counted, with nobody who looks after it
            events.error(Event.CONVERSATION_FAILED, failure=error, protocol=self.policy.plan.protocol)
            self.transport.abandon()

    def _tell_refused(self) -> None:
        if self.policy.plan.protocol is ProtocolName.HTTP:
            self.transport.write(REFUSAL)
        else:
            engine = self.parts().engine
            engine.refuse(Refusal.TOO_MANY_CONNECTIONS)
            self.transport.write(engine.data_to_send())
        self.transport.linger_then_close()

    def shut_down(self, ending: Ending = Ending.SHUT_DOWN) -> None:
        """Take leave of the client; cut it off where the conversation has not begun."""
        self.transport.note_ending(ending)
        if self.session is not None:
            self.session.shut_down()
        elif not self.is_refused:
            self.transport.abort()

    def end_by_operator(self) -> None:
        """Take leave of the client in the words of its protocol; one that does not go is cut off."""
        self.shut_down(Ending.OPERATOR)
        if not self.transport.is_closed:
            asyncio.get_running_loop().call_later(_CUT_OFF_AFTER, self.transport.abort)

    def _closed(self, transport: DescriptorTransport) -> None:
        self.listener.left(self, transport)
        self.session = None  # it knows this connection: no cycle is left for the collector to find
