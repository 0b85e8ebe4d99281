"""A `LoginPace` with a counter page of its own, for tests that need no second worker."""

from __future__ import annotations

import weakref

from gatepost.session.login_pace import LoginPace, PaceSettings
from gatepost.transport.counter_page import CounterPage


def own_login_pace(settings: PaceSettings | None = None) -> LoginPace:
    """The page is given back with it."""
    page = CounterPage.create(1)
    pace = LoginPace(page, 0, "passwords", settings)
    weakref.finalize(pace, page.close)
    return pace
