"""Signals that ask a running server for something. They must not end its processes, and are not lost while it is starting.

What they ask for is the supervisor's to decide; the processes that it starts call `leave_signals_to_the_supervisor`.
"""

from __future__ import annotations

import signal
from collections.abc import Collection

FOLLOWED = (signal.SIGHUP, signal.SIGUSR2)


def remember_early_signals() -> Collection[int]:
    """From now on they end nothing; those that come are in the collection, until an event loop follows them itself."""
    came: set[int] = set()
    for number in FOLLOWED:
        signal.signal(number, lambda number, _: came.add(number))
    return came


def leave_signals_to_the_supervisor() -> None:
    """A terminal sends to all processes of the server, so may a service manager."""
    for number in (signal.SIGINT, *FOLLOWED):
        signal.signal(number, signal.SIG_IGN)
