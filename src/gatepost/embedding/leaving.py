"""Leaving the block of an embedded server, also for who is cancelled on the way out: everything is given back. Called by the two
servers of this room."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


async def to_the_end(work: Callable[[], Coroutine[Any, Any, None]], hurry: Callable[[], None] = lambda: None) -> None:
    """Wait for the work. Who is cancelled meanwhile, and were it again and again (anyio), has it hurried, and is cancelled when
    it is done."""
    task = asyncio.ensure_future(work())
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if cancelled is None:
                hurry()
            cancelled = error
    if cancelled is not None:
        raise cancelled
    task.result()
