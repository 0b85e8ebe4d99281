"""Work on the event loop that may be long, in pieces: other clients of the worker have their turn between them. Used by the methods
that look at each of many objects."""

from __future__ import annotations

import asyncio

_TURN = 1000  # pieces of work of some microseconds each, as comparing two texts: some milliseconds together


class Turns:
    """Counts the work of one method call, and lets others go first when it was enough."""

    def __init__(self) -> None:
        self._left = _TURN

    async def spend(self, work: int) -> None:
        """So much was done since the last time."""
        self._left -= work
        if self._left <= 0:
            self._left = _TURN
            await asyncio.sleep(0)
