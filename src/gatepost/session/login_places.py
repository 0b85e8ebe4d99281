"""Attempts to log in that are looked at right now: as long as nobody knows how they end, they count like failures, so that a
burst of wrong passwords is looked at no faster than the same passwords one after the other.

Called by `authentication` alone. Who finds no place waits in a line until an attempt before it has ended, and then often need not
be looked at: a client with many connections has shown by then that its password is right. Reasons: ADR 0028.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from gatepost.session.login_pace import Attempt, Full, LoginPace, source_key
from gatepost.session.login_waits import LoginWaits
from gatepost.values.ip_mask import IpAddress

# The attempt that makes room may end at another worker, so the first of a line looks again and again; seconds.
_FIRST_PAUSE = 0.01
_LONGEST_PAUSE = 0.32


class NoPlace(Exception):
    """Too many attempts from the address are under way, and none has ended in time."""


class LoginPlaces:
    """Who waits at one worker for a place; `pace` knows how many there are at all of them together."""

    def __init__(self, pace: LoginPace, waits: LoginWaits, clock: Callable[[], float]) -> None:
        self._pace = pace
        self._clock = clock
        self._of_sources = _Lines(waits)
        self._of_names = _Lines(waits)

    @asynccontextmanager
    async def taken(self, source: IpAddress, login_name: str) -> AsyncIterator[bool]:
        """A place for an attempt, as long as it is looked at; gives whether it had to wait. Raises NoPlace, WaitEnded.

        For its name it waits no longer than a failure of that name delays a login: nobody can keep its owner out."""
        attempt, has_waited = await self._begun(source, login_name)
        try:
            yield has_waited
        finally:
            self._pace.end(attempt)

    async def _begun(self, source: IpAddress, login_name: str) -> tuple[Attempt, bool]:
        begun = asyncio.get_running_loop().time()
        is_name_overdue = False

        def begin() -> Attempt | Full:
            return self._pace.begin(source, login_name, self._clock(), is_name_overdue=is_name_overdue)

        outcome, has_waited = begin(), False
        while not isinstance(outcome, Attempt):
            has_waited = True
            settings = self._pace.settings
            if outcome is Full.SOURCE:
                outcome = await self._of_sources.wait(
                    source_key(source), begin, outcome, begun + settings.longest_queue
                )
                if outcome is Full.SOURCE:
                    raise NoPlace
            else:
                outcome = await self._of_names.wait(login_name, begin, outcome, begun + settings.longest_delay)
                if outcome is Full.NAME:
                    is_name_overdue = True
                    outcome = begin()
        return outcome, has_waited


class _Lines:
    """Who waits for what. The first of a line looks whether it may go; those behind it wait for it to have left."""

    def __init__(self, waits: LoginWaits) -> None:
        self._waits = waits
        self._lines: dict[str, deque[asyncio.Event]] = {}

    async def wait(self, key: str, begin: Callable[[], Attempt | Full], lacking: Full, until: float) -> Attempt | Full:
        """What `begin` gives as soon as that is not `lacking`; `lacking` when it is `until` (the loop's time). Nothing else runs
        between an Attempt that has begun and the caller."""
        line, me = self._lines.setdefault(key, deque()), asyncio.Event()
        line.append(me)
        try:
            async with asyncio.timeout_at(until):
                if line[0] is not me:
                    await me.wait()
                pause = _FIRST_PAUSE
                self._waits.raise_if_ended()
                while (outcome := begin()) is lacking:
                    await asyncio.sleep(pause)
                    self._waits.raise_if_ended()
                    pause = min(2 * pause, _LONGEST_PAUSE)
        except TimeoutError:
            return lacking
        else:
            return outcome
        finally:
            line.remove(me)
            if not line:
                del self._lines[key]
            elif not line[0].is_set():
                line[0].set()
