"""The time that slowed logins of a worker wait. All of them end at once when the worker takes leave of its clients, so that nobody
who guesses keeps a server from stopping.

Waited in by `authentication`, `login_places` and, for API keys, `management.api_key_login`; ended by the worker.
"""

from __future__ import annotations

import asyncio


class WaitEnded(Exception):
    """The worker takes leave: the login is not looked at any more."""


class LoginWaits:
    """Made once for each worker."""

    def __init__(self) -> None:
        self._ended = asyncio.Event()

    def end(self) -> None:
        """Nobody waits from now on."""
        self._ended.set()

    def raise_if_ended(self) -> None:
        """Raises WaitEnded."""
        if self._ended.is_set():
            raise WaitEnded

    async def sleep(self, seconds: float) -> None:
        """Returns after so many seconds. Raises WaitEnded."""
        try:
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        except TimeoutError:
            return
        raise WaitEnded
