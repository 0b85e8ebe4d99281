"""A question that is costly to answer, asked once for all who want to know at the same time. For what is told without credentials:
a thousand who ask at once cost what two do. Made by `endpoints`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class SharedQuestion(Generic[Answer]):
    """`ask` runs once at a time. Whoever comes while it runs waits for the next run, so that nobody is told what was so before
    they have asked."""

    def __init__(self, ask: Callable[[], Awaitable[Answer]]) -> None:
        self._ask = ask
        self._running: asyncio.Task[Answer] | None = None
        self._next: asyncio.Task[Answer] | None = None

    async def answer(self) -> Answer:
        """Raises what `ask` raises."""
        if self._next is None:
            self._next = asyncio.create_task(self._ask_behind(self._running))
        return await asyncio.shield(self._next)  # one who leaves takes the answer from nobody else

    async def _ask_behind(self, before: asyncio.Task[Answer] | None) -> Answer:
        if before is not None:
            await asyncio.wait([before])
        self._running, self._next = self._next, None
        return await self._ask()
