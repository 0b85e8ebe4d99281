"""Signals that ask a running server for something. They must not end its processes, and are not lost while it is starting.

What they ask for is the supervisor's to decide; the processes that it starts call `leave_signals_to_the_supervisor`. Until they
have come that far, a signal would end them: they are started with the signals held back.
"""

from __future__ import annotations

import signal
from collections.abc import Collection, Iterator
from contextlib import contextmanager

FOLLOWED = (signal.SIGHUP, signal.SIGUSR2)


@contextmanager
def held_back() -> Iterator[None]:
    """What is started meanwhile (fork and exec) has the signals blocked until it says here what becomes of them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, FOLLOWED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def remember_early_signals() -> Collection[int]:
    """From now on they end nothing; those that come are in the collection, until an event loop follows them itself."""
    came: set[int] = set()
    for number in FOLLOWED:
        signal.signal(number, lambda number, _: came.add(number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FOLLOWED)
    return came


def leave_signals_to_the_supervisor() -> None:
    """A terminal sends to all processes of the server, so may a service manager."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ignore_followed_signals()


def ignore_followed_signals() -> None:
    """Those that came while they were held back are gone with it."""
    for number in FOLLOWED:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FOLLOWED)
