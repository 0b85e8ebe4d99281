"""A message that goes to all workers and that each has to answer. Made and waited for by `fleet`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from gatepost.control.messages import TlsFailure
from gatepost.supervisor.worker_process import WorkerProcess


@dataclass(slots=True)
class Round:
    """Who has not answered yet, and what those who have could not do."""

    waiting: set[WorkerProcess]
    is_answered: asyncio.Event = field(default_factory=asyncio.Event)
    errors: list[str] = field(default_factory=list)
    tls_failures: list[TlsFailure] = field(default_factory=list)

    def answered(self, worker: WorkerProcess, error: str | None = None) -> None:
        """The worker has answered, or will never."""
        self.waiting.discard(worker)
        if error is not None:
            self.errors.append(f"worker {worker.index + 1}: {error}")
        if not self.waiting:
            self.is_answered.set()
