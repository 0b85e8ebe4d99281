"""One conversation: drives any engine over the transport, has its events answered, watches its deadlines.

Made by the worker for each connection that passed the stages before it. The transport calls it as it would call an
asyncio.Protocol; the reactions see it as their `Link`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from gatepost.protocols.engine import Close, Engine, Refusal, StartTls
from gatepost.session.link import Ended, Peer
from gatepost.session.reactions import Opening, ProtocolParts, Reactions
from gatepost.telemetry import events
from gatepost.telemetry.events import Event
from gatepost.transport.connection_info import ConnectionInfo
from gatepost.transport.descriptor_transport import DescriptorTransport
from gatepost.transport.ending import Ending
from gatepost.values.ids import Id

_PACE = 64 * 1024  # octets of a command or message without an end that have to come within the engine's idle time


def peer_of(info: ConnectionInfo) -> Peer:
    """The addresses of a connection as sessions see them."""
    (source, source_port), (destination, destination_port) = info.source_address, info.destination_address
    return Peer(source, source_port, destination, destination_port)


class Host(Protocol):
    """Who the conversation takes place for."""

    def parts(self) -> ProtocolParts:
        """Engine and reactions of this conversation. Asked for once, when they are needed: not for a client that leaves
        or stays without having said anything."""

    def upgrade(self, transport: DescriptorTransport, done: Callable[[], None], failed: Callable[[], None], /) -> None:
        """Start the TLS handshake on the transport; call one of the two when it has ended. Why it failed is logged there."""

    def left_behind(self, task: asyncio.Task[None], /) -> None:
        """The connection is closed; what the task does for it goes on."""


class Conversation:
    """The way between one engine and one transport."""

    __slots__ = (
        "_born",
        "_drained",
        "_engine",
        "_has_eof",
        "_host",
        "_is_leaving",
        "_is_over",
        "_is_upgrading",
        "_last_progress",
        "_loop",
        "_make_reactions",
        "_opening",
        "_reactions",
        "_sent_at_last_look",
        "_task",
        "_timer",
        "_transport",
        "_unanswered",
        "account_id",
        "login_name",
        "protocol_name",
    )

    def __init__(self, protocol_name: str, opening: Opening, host: Host) -> None:
        self.protocol_name = protocol_name
        self._opening = opening
        self._host = host
        self._engine: Engine | None = None
        self._reactions: Reactions | None = None
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._drained: asyncio.Future[None] | None = None
        self._has_eof = self._is_leaving = self._is_over = self._is_upgrading = False
        self._sent_at_last_look = 0
        self._unanswered = 0  # octets that came since we said something
        self.account_id: Id | None = None
        self.login_name: str | None = None

    # --- called by the transport ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport, /) -> None:
        """Greet."""
        assert isinstance(transport, DescriptorTransport)  # noqa: S101 - a wiring error, not input
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._born = self._last_progress = self._loop.time()
        opening = self._opening
        first_look = min(opening.idle_timeout, opening.login_deadline or opening.idle_timeout)
        self._timer = self._loop.call_later(first_look, self._check_idle)
        transport.write(opening.greeting)

    @property
    def _engine_made(self) -> Engine:
        """The engine, which has greeted already."""
        if self._engine is None:
            parts = self._host.parts()
            self._make_reactions = parts.make_reactions
            self._engine = parts.engine
            self._engine.start()
            self._engine.data_to_send()
        return self._engine

    def data_received(self, data: bytes, /) -> None:
        """Feed the engine and do what it asks for."""
        self._unanswered += len(data)
        try:
            self._engine_made.receive_data(data)
        except Exception as error:  # a fault of ours; the client gets the protocol's words
            self._failed(error)
            return
        self._pump()
        self._regulate()
        self._note_progress()

    def _note_progress(self) -> None:
        """Single octets do not keep a connection open: a client has to come to the end of a command, which is always
        answered, or to send what is long at some pace (RFC 5321 section 4.5.3.2 has a time for each block of a message)."""
        if self._task is not None or self._unanswered == 0 or self._unanswered >= _PACE:
            self._unanswered = 0
            self._last_progress = self._loop.time()

    def _regulate(self) -> None:
        if self._is_upgrading:
            return  # what comes now is not for the engine
        if not self._engine_made.wants_input:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def eof_received(self) -> bool:
        """The client sends no more: answer what is complete, then close."""
        self._has_eof = True
        if self._engine is None:
            return False  # it has said nothing
        self._engine.receive_eof()
        self._pump()
        return self._task is not None

    def connection_lost(self, exc: Exception | None, /) -> None:  # noqa: ARG002 - asyncio's signature
        """The connection is closed. A reaction under way (a delivery) is not cut off; what it says is dropped."""
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None  # it knows this conversation: no cycle is left for the collector to find
        self.resume_writing()
        if self._task is None:
            self._end_reactions()
        else:
            self._host.left_behind(self._task)

    def pause_writing(self) -> None:
        """The client does not keep up: `drained()` waits from now on."""
        if self._drained is None:
            self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        """The client has caught up."""
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    # --- the way through the engine ---------------------------------------------------------------------------------

    def _pump(self) -> None:
        if self._task is not None or self._is_over or self._is_upgrading or self._transport.is_closing():
            return
        try:
            event = self._next_event_for_reactions()
        except Exception as error:
            self._failed(error)
            return
        if event is not None:
            self._task = self._loop.create_task(self._react(event))

    def _next_event_for_reactions(self) -> object | None:
        """Deal with everything that needs no waiting; the first event that does, or None."""
        engine = self._engine_made
        while (event := engine.next_event()) is not None:
            if isinstance(event, Close):
                self._leave()
                return None
            if isinstance(event, StartTls):
                self._start_tls()
                return None
            reactions = self._reactions_made()
            if not reactions.may_react_at_once(event):
                self.send_queued()
                return event
            reactions.react_at_once(event)
        self.send_queued()
        return None

    async def _react(self, first_event: object) -> None:
        reactions = self._reactions_made()
        event: object | None = first_event
        try:
            while event is not None:
                await reactions.react(event)
                if self._is_over or self._transport.is_closing():
                    break
                if self._is_leaving:
                    self._say_and_leave(Refusal.SHUTTING_DOWN)
                    break
                event = self._next_event_for_reactions()
        except Ended:
            pass
        except Exception as error:  # whatever it is, the client gets the protocol's words
            self._failed(error, event)
        finally:
            self._task = None
        if self._is_over:
            self._end_reactions()
        elif self._has_eof:
            self._leave()
        else:
            self._regulate()

    def _reactions_made(self) -> Reactions:
        if self._reactions is None:
            self._reactions = self._make_reactions(self)
        return self._reactions

    def _end_reactions(self) -> None:
        reactions, self._reactions = self._reactions, None
        if reactions is not None:
            self._task = self._loop.create_task(self._give_back(reactions))
            self._host.left_behind(self._task)

    async def _give_back(self, reactions: Reactions) -> None:
        try:
            await reactions.ended()
        except Exception as error:
            self._log(error, None)

    def _start_tls(self) -> None:
        """What the client has not taken yet must not be sent inside TLS; what it sends from now on is its handshake."""
        self._is_upgrading = True
        self._transport.pause_reading()
        self.send_queued()
        self._transport.when_sent(self._begin_handshake)

    def _begin_handshake(self) -> None:
        self._host.upgrade(self._transport, self._tls_established, self._transport.abort)

    def _tls_established(self) -> None:
        self._is_upgrading = False
        self._last_progress = self._loop.time()
        self._engine_made.tls_established()
        self._transport.resume_reading()
        self._pump()

    # --- leaving ----------------------------------------------------------------------------------------------------

    def shut_down(self) -> None:
        """The server is going down: take leave as soon as the command under way is answered."""
        self._is_leaving = True
        self._transport.note_ending(Ending.SHUT_DOWN)
        if self._task is None and not self._is_over:
            self._say_and_leave(Refusal.SHUTTING_DOWN)

    def _say_and_leave(self, refusal: Refusal) -> None:
        if self._is_over or self._transport.is_closing():
            return
        if self._is_upgrading:
            self._transport.abort()  # words in clear would be a broken handshake to the client
            return
        self._engine_made.refuse(refusal)
        self._leave()

    def _failed(self, error: Exception, event: object = None) -> None:
        """A fault of the server, not of the client."""
        self._log(error, event)
        self._transport.note_ending(Ending.FAULT)
        try:
            self._say_and_leave(Refusal.INTERNAL_ERROR)
        except Exception as another:
            self._log(another, event)
            self._transport.abort()

    def _log(self, error: Exception, event: object) -> None:
        seen = None if event is None else type(event).__name__
        events.error(Event.CONVERSATION_FAILED, failure=error, protocol=self.protocol_name, seen=seen)

    def _leave(self) -> None:
        self.send_queued()
        self._transport.close()

    def _check_idle(self) -> None:
        if self._is_over:
            return
        sent = self._transport.bytes_sent
        is_stuck = self._transport.get_write_buffer_size() > 0 and sent == self._sent_at_last_look
        self._sent_at_last_look = sent
        now = self._loop.time()
        if self._task is not None and not is_stuck:
            self._last_progress = now  # we are the ones who are being waited for
        idle_timeout = self._opening.idle_timeout if self._engine is None else self._engine.idle_timeout
        remaining, ending = self._last_progress + idle_timeout - now, Ending.IDLE
        login_deadline = self._opening.login_deadline
        if self.account_id is None and login_deadline is not None:
            until_login = self._born + login_deadline - now
            if until_login < remaining:
                remaining, ending = until_login, Ending.LOGIN_DEADLINE
        if remaining > 0:
            self._timer = self._loop.call_later(remaining, self._check_idle)
        elif is_stuck:
            self._transport.note_ending(Ending.STALLED)
            self._transport.abort()  # it does not even take what was said before
        else:
            self._transport.note_ending(ending)
            self._say_and_leave(Refusal.IDLE_TIMEOUT)

    # --- Link: what reactions see -----------------------------------------------------------------------------------

    @property
    def peer(self) -> Peer:
        """Who is on the other side."""
        return peer_of(self._transport.info)

    @property
    def state_name(self) -> str:
        """The engine's word for where the conversation is."""
        return self._opening.state_name if self._engine is None else self._engine.state_name

    @property
    def is_tls(self) -> bool:
        """Whether TLS protects what is read and written now."""
        return self._transport.tls is not None

    @property
    def tls_description(self) -> str | None:
        """Version and cipher suite."""
        tls = self._transport.tls
        return f"{tls.version} {tls.cipher_suite}" if tls is not None else None

    def send_queued(self) -> None:
        """Send what the engine has queued."""
        data = self._engine_made.data_to_send()
        if data:
            self._unanswered = 0
            self._transport.write(data)

    async def drained(self) -> None:
        """Wait until the client has taken enough."""
        if self._drained is not None:
            await self._drained
        if self._is_over:
            raise Ended

    def wake(self) -> None:
        """Ask the engine for its next event, in the next turn of the loop."""
        self._loop.call_soon(self._pump)

    def authenticated(self, account_id: Id, login_name: str) -> None:
        """Remember who the client is."""
        self.account_id, self.login_name = account_id, login_name
        source = self._transport.info.source_address
        events.info(Event.LOGIN, protocol=self.protocol_name, login=login_name, source=f"{source[0]}")
