"""A worker for each test, in whose event loop nothing has gone wrong unseen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.worker.worker_world import WorkerWorld


@pytest.fixture
async def world() -> AsyncIterator[WorkerWorld]:
    complaints: list[dict[str, Any]] = []
    made = WorkerWorld()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    yield made
    await made.end()
    assert complaints == []
