"""HTTP on our transport: uvicorn's HTTP/1.1 protocol class in front of an ASGI application, with the strictness and the
deadlines that it lacks."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from email.utils import formatdate
from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

import h11
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from gatepost.session.http_framing import MAX_HEAD, RequestConnection
from gatepost.session.plain_cycle import PlainCycle
from gatepost.session.plain_request import PlainHead, PlainRequest, plain_request
from gatepost.telemetry import events
from gatepost.telemetry.events import Event
from gatepost.transport.ending import Ending
from gatepost.values.ids import Id

if TYPE_CHECKING:
    from gatepost.transport.descriptor_transport import DescriptorTransport

_HEAD_DEADLINE = 20.0  # seconds from the first moment a request may come to the end of its header
_BODY_DEADLINE = 60.0  # seconds within which _BODY_PACE octets of a body that was announced have to come, or its end
_BODY_PACE = 4096
_MOST_DISCARDED = 1024 * 1024  # octets of a body that nobody reads any more, before the connection is closed
_WRITE_DEADLINE = 60.0  # seconds without a single octet of a response being taken
_KEEP_ALIVE = 75  # seconds between requests

_REFUSAL_BODY = b"Too many connections, try again later.\n"
REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: %d\r\nRetry-After: 5\r\nConnection: close\r\n\r\n%s" % (len(_REFUSAL_BODY), _REFUSAL_BODY)
)


class _FailuresAsEvents(logging.Handler):
    """Takes what uvicorn says: faults of the application become events. Requests that make no sense and clients that
    leave are no faults."""

    def emit(self, record: logging.LogRecord) -> None:
        failure = record.exc_info[1] if record.exc_info else None
        if not isinstance(failure, ClientDisconnect):
            events.error(
                Event.CONVERSATION_FAILED, failure=failure, protocol="http", reason=record.getMessage().strip()
            )


_LOG = logging.Logger("http", logging.ERROR)  # of our own: what other users of uvicorn set up does not touch it
_LOG.addHandler(_FailuresAsEvents())


class _DatedState(ServerState):
    """What uvicorn's connections share. Every response has a Date (RFC 9110 section 6.6.1), made once a second."""

    def __init__(self) -> None:
        super().__init__()
        self._second = 0

    @property
    def date(self) -> bytes:
        """The field, with its line end."""
        self.tell_the_time()
        name, value = self.default_headers[0]
        return b"%b: %b\r\n" % (name, value)

    def tell_the_time(self) -> None:
        """Called before a request is looked at, which takes the headers of its response along."""
        second = int(time.time())
        if second != self._second:
            self._second = second
            self.default_headers = [(b"date", formatdate(second, usegmt=True).encode())]


class HttpServer:
    """What all HTTP connections of a worker share."""

    def __init__(self, application: ASGIApp, app_state: Mapping[str, object] | None = None) -> None:
        """`app_state`: what the application finds in `scope["state"]` of each request, besides what `session` puts there."""
        self._app_state = app_state or {}
        self.config = Config(
            cast(Any, application),  # two libraries, two spellings of the same ASGI types
            http="h11",
            ws="none",
            lifespan="off",
            access_log=True,  # off would take the handlers of uvicorn's logger away from everybody in this process
            log_config=None,
            proxy_headers=False,
            server_header=False,
            h11_max_incomplete_event_size=MAX_HEAD,
            timeout_keep_alive=_KEEP_ALIVE,
        )
        self.config.load()
        self.state = _DatedState()

    def session(self, listener_id: str) -> HttpSession:
        """The protocol of one connection. The application finds in `scope["state"]` `listener_id`; `proxy_address`, of who sent a
        PROXY header, or None; `tls_version` (`TLSv1.3`), or None; and `on_leaving`: a list to which it adds what is to be called
        when the server takes leave of the client, for an answer that has no end of its own."""
        return HttpSession(self.config, self.state, {**self._app_state, "listener_id": listener_id, "on_leaving": []})


class _Awaited(Enum):
    """What a client has a deadline for."""

    HEAD = "request line and header"
    BODY = "the body"


class HttpSession(H11Protocol):
    """One connection. A client that dawdles over a header, a body or a response is cut off (RFC 9110 section 15.5.9)."""

    transport: DescriptorTransport
    conn: RequestConnection
    server_state: _DatedState
    account_id: Id | None = None  # each request says for itself who makes it
    login_name: str | None = None

    def __init__(self, config: Config, server_state: _DatedState, app_state: dict[str, Any]) -> None:
        super().__init__(config, server_state, app_state)
        self.conn = RequestConnection()
        self.logger = _LOG
        self.access_log = False  # the worker writes one, of connections
        self._awaited: _Awaited | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._write_deadline: asyncio.TimerHandle | None = None
        self._received_before = self._sent_before = 0  # octets, when the deadline was set
        self._is_leaving = False
        self._plain: bytes | None = None  # the request under way, where h11 knows nothing of it
        self._plain_head: PlainHead | None = None  # of that request, or the one before
        self._early = b""  # what came behind it

    # --- called by the transport ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        for name in ("proxy_address", "tls_version"):
            self.app_state[name] = transport.get_extra_info(name)
        self._await(_Awaited.HEAD)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and see what is still to come."""
        if self._plain is not None:
            self._early += data
            self.flow.pause_reading()
            return
        is_idle = self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]
        if is_idle:
            data = data.lstrip(b"\r\n")  # RFC 9112 section 2.2: empty lines before a request are passed over
        if not data:
            return  # to the parser it would be the end of the connection
        self.server_state.tell_the_time()
        if is_idle and (request := plain_request(data, self._plain_head)) is not None:
            self._begin_plain(request, data)
        else:
            super().data_received(data)
        self._watch_progress()

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """Whether the client still gets an answer: it may have said all that it wants to say."""
        if self.cycle is None or self.cycle.response_started or self.conn.their_state is h11.SEND_BODY:
            return False
        self.cycle.keep_alive = False
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadlines."""
        self._await(None)
        self._end_write_deadline()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client does not keep up: it has a deadline from now on."""
        super().pause_writing()
        self._begin_write_deadline()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._end_write_deadline()
        super().resume_writing()

    # --- called by uvicorn's part -----------------------------------------------------------------------------------

    def on_response_complete(self) -> None:
        """The response is sent; leave now where the server is going down."""
        self._received_before = self.transport.bytes_received
        super().on_response_complete()
        if self._is_leaving:
            self.transport.close()
        else:
            self._watch_progress()
        if self._plain is not None:
            self._end_plain()

    def send_400_response(self, msg: str) -> None:
        """What the client has sent makes no sense: nothing behind it can be understood either."""
        del msg
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._say_and_close(self.conn.refusal_status)
        else:
            self.transport.abort()  # inside a response nothing else can be said
        if self.cycle is not None:
            self.cycle.disconnected = True  # whatever the application still says is dropped
            self.cycle.message_event.set()

    def timeout_keep_alive_handler(self) -> None:
        """No further request has come."""
        self.transport.note_ending(Ending.IDLE)
        super().timeout_keep_alive_handler()

    @property
    def state_name(self) -> str:
        """What the connection waits for."""
        if self.cycle is not None and not self.cycle.response_complete:
            return "request"
        return "idle"

    # --- requests that are read without h11 (see `plain_request`) ------------------------------------------------------

    def _begin_plain(self, request: PlainRequest, octets: bytes) -> None:
        self._unset_keepalive_if_required()
        self._plain, self._plain_head = octets, request.head
        self.headers = request.headers
        self.scope = self._scope_of(request)
        self.cycle = PlainCycle(
            request.body,
            self._give_to_h11,
            self.loop,
            scope=self.scope,
            conn=self.conn,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            on_response=self.on_response_complete,
        )
        task = self.loop.create_task(self.cycle.run_asgi(self.app))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def _scope_of(self, request: PlainRequest) -> Any:
        """The same that uvicorn makes of a request."""
        path, _, query = request.head.target.partition(b"?")
        return {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": "1.1",
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "method": request.head.method,
            "root_path": self.root_path,
            "path": self.root_path + unquote(path.decode("ascii")),
            "raw_path": self.root_path.encode("ascii") + path,
            "query_string": query,
            "headers": request.headers,
            "state": self.app_state.copy(),
        }

    def _give_to_h11(self) -> None:
        """The response is not a plain one: h11 gets the request after all, and then what came behind it."""
        octets, self._plain = self._plain, None
        early, self._early = self._early, b""
        if octets is None or self.conn.our_state is not h11.IDLE:
            return  # the connection is lost
        self.conn.receive_data(octets)
        while not isinstance(self.conn.next_event(), h11.EndOfMessage):
            pass  # the application has it
        if early:
            self.conn.receive_data(early)

    def _end_plain(self) -> None:
        self._plain = None
        early, self._early = self._early, b""
        if early and not self.transport.is_closing():
            self.data_received(early)

    # --- leaving ----------------------------------------------------------------------------------------------------

    def shut_down(self) -> None:
        """The server is going down: finish the request under way, take no other."""
        self._is_leaving = True
        self.transport.note_ending(Ending.SHUT_DOWN)
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
        else:
            self.cycle.keep_alive = False
            # RFC 9112 section 9.6
            self.cycle.default_headers = [*self.cycle.default_headers, (b"connection", b"close")]
            for leave in tuple(self.app_state["on_leaving"]):
                leave()

    def _say_and_close(self, status: int) -> None:
        phrase = HTTPStatus(status).phrase.encode()
        head = b"HTTP/1.1 %d %b\r\n%bContent-Length: 0\r\nConnection: close\r\n\r\n"
        self.transport.write(head % (status, phrase, self.server_state.date))
        self.transport.close()

    # --- deadlines --------------------------------------------------------------------------------------------------

    def _watch_progress(self) -> None:
        """See what has to come next, and whether it comes fast enough."""
        if self.transport.is_closing():
            return
        state = self.conn.their_state
        if state is h11.IDLE and self._plain is None and self.timeout_keep_alive_task is None:
            if self._awaited is not _Awaited.HEAD:
                self._await(_Awaited.HEAD)
        elif state is not h11.SEND_BODY:
            self._await(None)
        elif self.cycle.response_complete and self._octets_since > _MOST_DISCARDED:
            self.transport.close()
        elif self._awaited is not _Awaited.BODY or self._is_body_on_pace:
            self._await(_Awaited.BODY)

    @property
    def _octets_since(self) -> int:
        """Of a body: since its deadline was set; since the response is complete, once it is."""
        return self.transport.bytes_received - self._received_before

    @property
    def _is_body_on_pace(self) -> bool:
        return not self.cycle.response_complete and self._octets_since >= _BODY_PACE

    def _await(self, awaited: _Awaited | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._awaited, self._deadline = awaited, None
        if awaited is not None:
            seconds = _HEAD_DEADLINE if awaited is _Awaited.HEAD else _BODY_DEADLINE
            self._deadline = self.loop.call_later(seconds, self._dawdled)
        if awaited is _Awaited.BODY and not self.cycle.response_complete:
            self._received_before = self.transport.bytes_received

    def _dawdled(self) -> None:
        if self.transport.is_closing():
            return
        if self._awaited is _Awaited.BODY and not self.transport.is_reading():
            self._await(_Awaited.BODY)  # the application dawdles, not the client
            return
        self.transport.note_ending(Ending.IDLE)
        if self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete:
            self.transport.abort()
        elif self._awaited is _Awaited.BODY and self.cycle.response_complete:
            self.transport.close()  # it has its answer
        else:
            self._say_and_close(HTTPStatus.REQUEST_TIMEOUT)

    def _begin_write_deadline(self) -> None:
        self._sent_before = self.transport.bytes_sent
        self._write_deadline = self.loop.call_later(_WRITE_DEADLINE, self._look_at_writing)

    def _end_write_deadline(self) -> None:
        if self._write_deadline is not None:
            self._write_deadline.cancel()
            self._write_deadline = None

    def _look_at_writing(self) -> None:
        if self.transport.bytes_sent == self._sent_before:
            self.transport.note_ending(Ending.STALLED)
            self.transport.abort()
        else:
            self._begin_write_deadline()
