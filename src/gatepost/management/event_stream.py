"""GET /jmap/eventsource/ (RFC 8620 section 7.3): an answer that goes on, with an event whenever objects have changed.

A stream looks at the store when a commit is told of, and once in a while in any case; it asks each time again who the client is
and what that account may see, so that it ends with the credentials that it was opened with.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gatepost.management.access import Caller
from gatepost.management.credentials import Credentials
from gatepost.management.event_stream_limits import EventStreamLimits
from gatepost.management.jmap.event_source import (
    KEEP_ALIVE,
    EventSourceRequest,
    States,
    UnfitEventSourceError,
    parse_event_source_request,
    ping_event,
    state_event,
)
from gatepost.management.methods.history import state_of
from gatepost.management.problem_response import HttpProblem
from gatepost.management.state_watch import StateWatch
from gatepost.registry.catalogue import OBJECT_TYPES
from gatepost.registry.change import CHANGE
from gatepost.registry.declaration import ObjectType
from gatepost.registry.permissions import Scope as Reach
from gatepost.registry.permissions import Verb
from gatepost.store.interface import ConfigurationStore, StoreError
from gatepost.values.ids import Id

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx in front of us passes every event on at once
]


class EventStreams:
    """All event streams of a worker."""

    def __init__(
        self, store: ConfigurationStore, credentials: Credentials, watch: StateWatch, limits: EventStreamLimits
    ) -> None:
        self.store = store
        self.credentials = credentials
        self.watch = watch
        self.limits = limits
        self._open: Counter[Id] = Counter()

    async def answer(self, request: Request) -> Response:
        """The stream. Raises HttpProblem: 400 for a query that makes no sense, 401, 403, 429 and 503 when there are too many
        of them."""
        caller = (await self.credentials.identify(request)).caller
        try:
            wanted = parse_event_source_request(
                request.query_params, request.headers.get("last-event-id"), self.limits.ping
            )
        except UnfitEventSourceError as error:
            raise HttpProblem(400, str(error)) from None
        if request.method == "HEAD":  # RFC 9110 section 9.3.2: the header alone, and no events to wait for
            return Response(headers={name.decode(): value.decode() for name, value in _HEADERS})
        states = await self.states(caller, wanted)
        self._take_place(caller.account_id)
        return _EventStream(self, request, wanted, caller.account_id, states if wanted.seen is None else wanted.seen)

    async def states(self, caller: Caller, wanted: EventSourceRequest) -> States:
        """The state of every type that the stream is about and the caller may see."""

        def is_told(object_type: ObjectType[Any]) -> bool:
            return wanted.is_about(object_type.wire_name) and caller.scope(object_type.name, Verb.GET) is not Reach.NONE

        states = {each.wire_name: await self.store.state(each.name) for each in OBJECT_TYPES.values() if is_told(each)}
        if is_told(CHANGE):
            states[CHANGE.wire_name] = state_of(await self.store.history.span())
        return states

    def _take_place(self, account_id: Id) -> None:
        if self._open[account_id] >= self.limits.most_streams_of_account:
            words = f"the account has {self._open[account_id]} event streams open: close one first"
            raise HttpProblem(429, words, (("retry-after", "60"),))
        if self._open.total() >= self.limits.most_streams:
            raise HttpProblem(503, "too many event streams are open: try again later", (("retry-after", "60"),))
        self._open[account_id] += 1

    def give_place_back(self, account_id: Id) -> None:
        """A stream has ended."""
        self._open[account_id] -= 1
        if not self._open[account_id]:
            del self._open[account_id]


class _EventStream(Response):
    """One stream. `seen`: the states that the client knows."""

    def __init__(
        self, streams: EventStreams, request: Request, wanted: EventSourceRequest, account_id: Id, seen: States
    ) -> None:
        super().__init__()
        self._streams = streams
        self._request = request
        self._wanted = wanted
        self._account_id = account_id
        self._seen = dict(seen)
        self._news = asyncio.Event()
        self._is_over = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the client leaves, the server takes its leave, or the credentials are no longer good."""
        unwatch = self._streams.watch.watch(self._news.set)
        leaving = scope.get("state", {}).get("on_leaving", [])
        leaving.append(self._end)
        client = asyncio.create_task(self._until_client_leaves(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            await send({"type": "http.response.body", "body": KEEP_ALIVE, "more_body": True})
            await self._send_events(send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            client.cancel()
            leaving.remove(self._end)
            unwatch()
            self._streams.give_place_back(self._account_id)

    async def _send_events(self, send: Send) -> None:
        loop = asyncio.get_running_loop()
        interval = self._wanted.ping_interval
        next_ping = loop.time() + interval
        while not self._is_over:
            octets = await self._state_event()
            is_event = is_state = octets is not None
            if octets is None and not self._is_over:
                silence = self._streams.limits.longest_silence
                if await self._is_news(min(silence, next_ping - loop.time()) if interval else silence):
                    continue
                is_event = bool(interval) and loop.time() >= next_ping
                octets = ping_event(interval) if is_event else KEEP_ALIVE
            if octets is not None:
                await send({"type": "http.response.body", "body": octets, "more_body": True})
            if is_event:
                next_ping = loop.time() + interval
            if is_state and self._wanted.is_closed_after_state:
                return

    async def _is_news(self, seconds: float) -> bool:
        """Whether something happens within that time."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return False
        return True

    async def _state_event(self) -> bytes | None:
        """What the client does not know yet."""
        self._news.clear()
        try:
            caller = (await self._streams.credentials.identify(self._request)).caller
            states = await self._streams.states(caller, self._wanted)
        except (HttpProblem, StoreError):
            self._is_over = True  # the client comes again, and is told why it cannot be served
            return None
        changed = {name: state for name, state in states.items() if self._seen.get(name) != state}
        if not changed:
            return None
        self._seen = dict(states)
        return state_event(self._account_id, changed, states)

    async def _until_client_leaves(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._end()

    def _end(self) -> None:
        self._is_over = True
        self._news.set()
