"""Asks all workers for their connections, on behalf of the management API of this one. See management.open_connections."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Collection, Sequence

import msgspec

from gatepost.control.connection_report import ConnectionReport
from gatepost.control.messages import ConnectionsPart, ConnectionsQuestion
from gatepost.management.applying import ApplyError

_DEADLINE = 15.0  # seconds; the supervisor gives up on a worker after ten


class ConnectionQuestions:
    """One for each worker. `send` is the channel to the supervisor."""

    def __init__(self, send: Callable[[msgspec.Struct], None]) -> None:
        self._send = send
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Queue[ConnectionsPart]] = {}
        self._decoder = msgspec.msgpack.Decoder(list[ConnectionReport])

    def answered(self, part: ConnectionsPart) -> None:
        """A part of an answer has come; one that nobody waits for any more is dropped."""
        waiting = self._waiting.get(part.number)
        if waiting is not None:
            waiting.put_nowait(part)

    async def reports(
        self, ids: Collection[str] | None = None, *, is_to_end: bool = False
    ) -> AsyncIterator[Sequence[ConnectionReport]]:
        """See management.open_connections.OpenConnections."""
        number = next(self._numbers)
        parts: asyncio.Queue[ConnectionsPart] = asyncio.Queue()
        self._waiting[number] = parts
        try:
            wanted = None if ids is None else tuple(ids)
            self._send(ConnectionsQuestion(number=number, ids=wanted, is_to_end=is_to_end))
            while not (part := await _next(parts)).is_last:
                yield self._decoder.decode(part.reports)
            if not part.is_complete:
                raise ApplyError("a worker did not say which connections it has")
        finally:
            del self._waiting[number]


async def _next(parts: asyncio.Queue[ConnectionsPart]) -> ConnectionsPart:
    try:
        return await asyncio.wait_for(parts.get(), _DEADLINE)
    except TimeoutError:
        raise ApplyError(f"no answer within {_DEADLINE:g} s") from None
