"""Keeps the octets of long conversations in the counter page current: once a second, not with every read and write."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatepost.worker.listener import Listener

_INTERVAL = 1.0  # seconds that the figures may lag behind


class ByteMeter:
    """Has each listener of the worker bring its cells up to date. 10,000 connections take about two milliseconds."""

    def __init__(self, listeners: Callable[[], Iterable[Listener]]) -> None:
        self._listeners = listeners
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """From now on, until `stop`."""
        self._timer = asyncio.get_running_loop().call_later(_INTERVAL, self._turn)

    def stop(self) -> None:
        """Once more, and no more."""
        if self._timer is not None:
            self._timer.cancel()
        self.flush()

    def flush(self) -> None:
        """Now."""
        for listener in self._listeners():
            listener.count_bytes()

    def _turn(self) -> None:
        self.flush()
        self.start()
