"""A request that was read without h11, and its response, written without h11 where that is one piece of known length.

Made by `http_session` for a plain request; in place of uvicorn's cycle, whose ASGI side it keeps. A response of any other kind (a
stream, one without a length, one that closes the connection) is h11's: it is given the request after all, and goes on from there.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, RequestResponseCycle

_FIELD_NAME = re.compile(rb"[-!#$%&'*+.^_`|~0-9a-z]+")
_BY_H11 = frozenset({b"connection", b"transfer-encoding"})
_HAS_NO_BODY = frozenset({204, 304})

Headers = list[tuple[bytes, bytes]]


class PlainCycle(RequestResponseCycle):
    """One request and its response. `give_to_h11` is called at most once, before anything was written: h11 has read the request
    when it returns."""

    def __init__(
        self, body: bytes, give_to_h11: Callable[[], None], loop: asyncio.AbstractEventLoop, **of_uvicorn: Any
    ) -> None:
        super().__init__(message_event=asyncio.Event(), **of_uvicorn)
        self.body += body
        self.more_body = False
        self.message_event.set()
        self._give_to_h11 = give_to_h11
        self._loop = loop
        self._is_with_h11 = False
        self._flushing: asyncio.Task[None] | None = None  # nobody else keeps it
        self._start: Any = None  # the message that starts the response, until the body is there too

    async def send(self, message: Any) -> None:
        """ASGI's send. A start that tells a length waits for a body that comes in the same step, so that both are one write."""
        if self._is_with_h11 or self.response_complete:
            await super().send(message)
        elif self._start is None and message["type"] == "http.response.start" and _tells_length(message):
            self._start = message
            self.response_started = True
            self._loop.call_soon(self._stop_waiting)
        elif self._start is None or (head := self._whole_head(message)) is None:
            await self._send_by_h11(message)
        else:
            await self._send_whole(head + message["body"])

    def _whole_head(self, message: Any) -> bytes | None:
        """What goes in front of this body; None where that body is not all there is to the response, or not as announced."""
        if message["type"] != "http.response.body" or "body" not in message or message.get("more_body"):
            return None
        return _head(self._start["status"], [*self.default_headers, *self._start["headers"]], len(message["body"]))

    async def _send_whole(self, octets: bytes) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        self.transport.write(octets)
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()

    def _stop_waiting(self) -> None:
        if not (self._is_with_h11 or self.response_complete):
            self._flushing = self._loop.create_task(self._flush())

    async def _flush(self) -> None:
        # Where writing is paused nothing could go out, and this must not wait while the application goes on.
        if not (self._is_with_h11 or self.response_complete or self.disconnected or self.flow.write_paused):
            await self._begin_by_h11()

    async def _begin_by_h11(self) -> None:
        self._is_with_h11 = True
        self._give_to_h11()
        if self._start is not None:
            self.response_started = False
            await super().send(self._start)

    async def _send_by_h11(self, message: Any) -> None:
        await self._begin_by_h11()
        await super().send(message)


def _tells_length(start: Any) -> bool:
    headers = start.get("headers", ())
    # ASGI allows anything that can be gone through once; this goes through it twice.
    return isinstance(headers, list | tuple) and any(name == b"content-length" for name, _ in headers)


def _head(status: int, headers: Headers, size: int) -> bytes | None:
    """Status line and header; None where h11 would have something to add, or to refuse."""
    if not _are_plain(tuple([name for name, _ in headers])) or dict(headers)[b"content-length"] != b"%d" % size:
        return None
    if status in _HAS_NO_BODY or status < 200:
        return None
    lines = [
        b"HTTP/1.1 %d %b" % (status, STATUS_PHRASES.get(status, b"")),
        *[name + b": " + value for name, value in headers],
    ]
    head = b"\r\n".join(lines)
    # A line end inside a value would begin a field, or a body, of somebody else's making.
    if not head.count(b"\r") == head.count(b"\n") == len(headers) or b"\0" in head:
        return None
    return head + b"\r\n\r\n"


@lru_cache(maxsize=256)  # an application has a few dozen combinations
def _are_plain(names: tuple[bytes, ...]) -> bool:
    is_ours = names.count(b"content-length") == 1 and _BY_H11.isdisjoint(names)
    return is_ours and all(_FIELD_NAME.fullmatch(name) for name in names)
