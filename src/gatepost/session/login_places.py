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

from gatepost.session.login_pace import LoginPace, source_key
from gatepost.values.ip_mask import IpAddress


class NoPlace(Exception):
    """Too many attempts from the address are under way, and none has ended in time."""


class LoginPlaces:
    """The places of one worker; `pace` knows how many there are."""

    def __init__(self, pace: LoginPace, clock: Callable[[], float]) -> None:
        self._pace = pace
        self._clock = clock
        self._of_sources = _Lines()
        self._of_names = _Lines()

    @asynccontextmanager
    async def taken(self, source: IpAddress, login_name: str) -> AsyncIterator[bool]:
        """A place for an attempt, as long as it is looked at; gives whether it had to wait. Raises NoPlace.

        For its name it waits no longer than a failure of that name delays a login: nobody can keep its owner out."""
        has_waited = await self._wait(source, login_name)
        self._pace.begin(source, login_name)
        try:
            yield has_waited
        finally:
            self._pace.end(source, login_name)
            self._of_sources.tell(source_key(source))
            self._of_names.tell(login_name)

    async def _wait(self, source: IpAddress, login_name: str) -> bool:
        begun = asyncio.get_running_loop().time()
        has_waited = is_name_overdue = False
        while True:
            if not self._source_has_room(source):
                until = begun + self._pace.settings.longest_queue
                if not await self._of_sources.wait(source_key(source), lambda: self._source_has_room(source), until):
                    raise NoPlace
            elif not is_name_overdue and not self._name_has_room(login_name):
                until = begun + self._pace.settings.longest_delay
                is_name_overdue = not await self._of_names.wait(
                    login_name, lambda: self._name_has_room(login_name), until
                )
            else:
                return has_waited
            has_waited = True

    def _source_has_room(self, source: IpAddress) -> bool:
        return self._pace.source_has_room(source, self._clock())

    def _name_has_room(self, login_name: str) -> bool:
        return self._pace.name_has_room(login_name, self._clock())


class _Lines:
    """Who waits for what. The first of a line goes when it may; those behind it are not asked before."""

    def __init__(self) -> None:
        self._lines: dict[str, deque[asyncio.Event]] = {}

    async def wait(self, key: str, may_go: Callable[[], bool], until: float) -> bool:
        """Whether it may go; False when it is `until` (the loop's time). Nothing else runs before the caller goes on."""
        line, me = self._lines.setdefault(key, deque()), asyncio.Event()
        line.append(me)
        try:
            async with asyncio.timeout_at(until):
                while line[0] is not me or not may_go():
                    me.clear()
                    await me.wait()
        except TimeoutError:
            return False
        else:
            return True
        finally:
            line.remove(me)
            if not line:
                del self._lines[key]
            self.tell(key)

    def tell(self, key: str) -> None:
        """Something has changed for those who wait there."""
        if key in self._lines:
            self._lines[key][0].set()
