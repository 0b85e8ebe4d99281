"""HTTP on our transport: uvicorn's HTTP/1.1 protocol class in front of an ASGI application, with the deadlines it lacks."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import h11
from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

_MAX_HEAD = 65536  # octets of request line and header
_HEAD_DEADLINE = 20.0  # seconds from the first moment a request may come to the end of its header
_BODY_IDLE_DEADLINE = 60.0  # seconds without a single octet of a body that was announced
_KEEP_ALIVE = 75  # seconds between requests

_REFUSAL_BODY = b"Too many connections, try again later.\n"
REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: %d\r\nRetry-After: 5\r\nConnection: close\r\n\r\n%s" % (len(_REFUSAL_BODY), _REFUSAL_BODY)
)


class HttpServer:
    """What all HTTP connections of a worker share."""

    def __init__(self, application: ASGIApp) -> None:
        self.config = Config(
            cast(Any, application),  # two libraries, two spellings of the same ASGI types
            http="h11",
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            proxy_headers=False,
            server_header=False,
            h11_max_incomplete_event_size=_MAX_HEAD,
            timeout_keep_alive=_KEEP_ALIVE,
        )
        self.config.load()
        self.state = ServerState()

    def session(self, listener_id: str) -> HttpSession:
        """The protocol of one connection. The application finds `listener_id` in `scope["state"]`."""
        return HttpSession(self.config, self.state, {"listener_id": listener_id})


class HttpSession(H11Protocol):
    """One connection. A client that dawdles over a header or a body is cut off (RFC 9110 section 15.5.9)."""

    _deadline: asyncio.TimerHandle | None = None
    _is_leaving = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._set_deadline(_HEAD_DEADLINE)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and see what is still to come."""
        super().data_received(data)
        self._watch_progress()

    def on_response_complete(self) -> None:
        """The response is sent; leave now where the server is going down."""
        super().on_response_complete()
        if self._is_leaving:
            self.transport.close()
        else:
            self._watch_progress()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline."""
        self._set_deadline(None)
        super().connection_lost(exc)

    def shut_down(self) -> None:
        """The server is going down: finish the request under way, take no other."""
        self._is_leaving = True
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
        else:
            self.cycle.keep_alive = False

    def _watch_progress(self) -> None:
        state = self.conn.their_state
        if state is h11.IDLE and self.timeout_keep_alive_task is None:
            if self._deadline is None:
                self._set_deadline(_HEAD_DEADLINE)
        elif state is h11.SEND_BODY and self.transport.is_reading():
            self._set_deadline(_BODY_IDLE_DEADLINE)
        else:
            self._set_deadline(None)

    def _set_deadline(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.loop.call_later(seconds, self._dawdled)

    def _dawdled(self) -> None:
        self._deadline = None
        transport: Any = self.transport
        if transport.is_closing():
            return
        if self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete:
            transport.abort()
        else:
            transport.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            transport.close()
