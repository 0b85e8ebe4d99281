"""Waiting for the descriptors of connections: one epoll set per worker, which the event loop watches as one descriptor.

An event loop's add_reader and remove_reader make and destroy a handle for each connection and cost several system calls
(measured: docs/adr/0018). Here a connection costs one epoll_ctl(2): what is not watched any more is taken out of the set
only when it reports something, and a descriptor that is closed leaves the set by itself.
"""

from __future__ import annotations

import asyncio
import select
from collections import deque
from collections.abc import Callable
from typing import Protocol

READABLE = select.EPOLLIN
WRITABLE = select.EPOLLOUT
_EXPECTED = frozenset({READABLE, WRITABLE, READABLE | WRITABLE})
_EVENTS_PER_POLL = 256
_POLLS_PER_TURN = 16  # then timers and everything else on the loop get their turn
_LONG_STEPS_PER_TURN = 4


class Watched(Protocol):
    """The owner of a descriptor that is watched."""

    def ready(self, events: int, /) -> None:
        """The kernel reports these events; READABLE and WRITABLE are set where reading and writing give a result, if only
        an error or the end. May be called once more with events of a descriptor's former owner: a call too many."""

    def abandon(self) -> None:
        """A callback has failed, which has been told: close the descriptor. What it reports would be reported for ever."""


class Poller:
    """Level-triggered: what was reported and not dealt with is reported again."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._epoll = select.epoll()
        self._watched: dict[int, Watched] = {}
        self._long_steps: deque[tuple[Watched, Callable[[], None]]] = deque()  # that have to wait
        self._long_steps_left = _LONG_STEPS_PER_TURN
        loop.add_reader(self._epoll.fileno(), self._turn)

    def watch(self, descriptor: int, watched: Watched, events: int) -> None:
        """Report these events from now on. The descriptor was not watched before, or was closed since."""
        self._watched[descriptor] = watched
        self._epoll.register(descriptor, events)

    def change(self, descriptor: int, events: int) -> None:
        """Report these events instead; none: nothing any more, until `watch`."""
        if events:
            self._epoll.modify(descriptor, events)
        else:
            del self._watched[descriptor]
            self._epoll.unregister(descriptor)

    def forget(self, descriptor: int) -> None:
        """The descriptor is about to be closed; it may be one that could not be watched."""
        self._watched.pop(descriptor, None)

    def take_long_step(self, owner: Watched, step: Callable[[], None]) -> bool:
        """Call what takes as long as serving many others does (the public-key part of a TLS handshake): now, or behind
        everybody who is ready, when some such steps were taken in this turn. Whether it was called now."""
        if self._long_steps_left == _LONG_STEPS_PER_TURN:
            self._loop.call_soon(self._next_long_steps)
        if self._long_steps_left:
            self._long_steps_left -= 1
            step()
            return True
        self._long_steps.append((owner, step))
        return False

    def _next_long_steps(self) -> None:
        waiting = self._long_steps
        self._long_steps_left = _LONG_STEPS_PER_TURN - min(_LONG_STEPS_PER_TURN, len(waiting))
        if waiting:
            self._loop.call_soon(self._next_long_steps)
        for _ in range(min(_LONG_STEPS_PER_TURN, len(waiting))):
            owner, step = waiting.popleft()
            try:
                step()
            except Exception as error:
                self._give_up(owner, error)

    def close(self) -> None:
        """Nothing is reported any more."""
        if not self._epoll.closed:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
            self._watched.clear()

    def _turn(self) -> None:
        """Everybody who is ready is dealt with before new connections are accepted: a flood of them would else keep those
        who are there already waiting, the longer the more have come."""
        for _ in range(_POLLS_PER_TURN):
            reported = self._epoll.poll(0, _EVENTS_PER_POLL)
            for descriptor, events in reported:
                self._report(descriptor, events)
            if len(reported) < _EVENTS_PER_POLL or self._epoll.closed:
                return

    def _report(self, descriptor: int, events: int) -> None:
        owner = self._watched.get(descriptor)
        if owner is None:
            return
        try:
            # EPOLLHUP or EPOLLERR: reading and writing both find out what has happened.
            owner.ready(events if events in _EXPECTED else READABLE | WRITABLE)
        except Exception as error:  # the others must not suffer
            self._give_up(owner, error)

    def _give_up(self, owner: Watched, error: Exception) -> None:
        context = {"message": "a connection's callback failed", "exception": error}
        self._loop.call_exception_handler(context)
        owner.abandon()
