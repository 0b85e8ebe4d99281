"""The lifespan of an ASGI application (ASGI specification, "Lifespan Protocol"): it is told before the first request may come
and behind the last."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

from starlette.types import ASGIApp

from gatepost.embedding.log import LOGGER


class StartupFailed(RuntimeError):
    """The application says that it cannot start, and why."""


class Lifespan:
    """Of one application. An application that knows no lifespan is left alone."""

    def __init__(self, application: ASGIApp) -> None:
        self.state: dict[str, Any] = {}  # what the application has for its requests
        self._application = application
        self._to_application: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
        self._from_application: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns when the application is ready. Raises StartupFailed."""
        self._task = asyncio.create_task(self._run())
        try:
            answer = await self._answer_to("lifespan.startup")
        except asyncio.CancelledError:
            self._task.cancel()
            await asyncio.wait([self._task])
            raise
        if answer is not None and answer["type"] == "lifespan.startup.failed":
            self._task = None
            raise StartupFailed(
                f"the ASGI application does not start: {answer.get('message') or 'it does not say why'}"
            )

    async def stop(self) -> None:
        """Returns when the application has cleaned up."""
        if self._task is not None and not self._task.done():
            await self._answer_to("lifespan.shutdown")
            await asyncio.wait([self._task])

    async def _answer_to(self, event: str) -> MutableMapping[str, Any] | None:
        """What it says; None where it has ended without a word."""
        assert self._task is not None  # noqa: S101 - start() comes first
        self._to_application.put_nowait({"type": event})
        answer = asyncio.ensure_future(self._from_application.get())
        try:
            await asyncio.wait([answer, self._task], return_when=asyncio.FIRST_COMPLETED)
            return answer.result() if answer.done() else None
        finally:
            answer.cancel()

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self._application(scope, self._to_application.get, self._say)
        except Exception as error:  # it has said `failed` before, or does not know this kind of scope
            LOGGER.debug("the application's lifespan ended: %r", error)

    async def _say(self, message: MutableMapping[str, Any]) -> None:
        self._from_application.put_nowait(message)
