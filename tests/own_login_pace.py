"""A `LoginPace` with a counter page of its own, for tests that need no second worker, and waits that take no time."""

from __future__ import annotations

import weakref
from collections.abc import Awaitable, Callable

from gatepost.session.login_pace import LoginPace, PaceSettings
from gatepost.session.login_waits import LoginWaits
from gatepost.transport.counter_page import CounterPage


def own_login_pace(settings: PaceSettings | None = None) -> LoginPace:
    """The page is given back with it."""
    page = CounterPage.create(1)
    pace = LoginPace(page, 0, "passwords", settings)
    weakref.finalize(pace, page.close)
    return pace


class NotedWaits(LoginWaits):
    """Waits that take no time; how long they would have been is in `seconds`."""

    def __init__(self, wait: Callable[[float], Awaitable[None]] | None = None) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self.wait = wait  # what is done instead, if anything

    async def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)
        if self.wait is not None:
            await self.wait(seconds)
