"""Signals that ask a running server for something and come while it is still starting: they must not end it, and are not lost."""

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
