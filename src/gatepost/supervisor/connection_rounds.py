"""Questions for the connections of all workers: sent to each, and what each says passed on, unread, to the one that asks."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gatepost.control.messages import ConnectionsPart, ConnectionsQuestion, ConnectionsReported, ReportConnections
from gatepost.supervisor.worker_process import WorkerProcess

_DEADLINE = 10.0  # seconds; a worker that says nothing for so long is hung


@dataclass(slots=True)
class _Round:
    asker: WorkerProcess
    number: int  # the asker's
    waiting: set[WorkerProcess]
    deadline: asyncio.TimerHandle


class ConnectionRounds:
    """`workers` gives those that live now."""

    def __init__(self, workers: Callable[[], Iterable[WorkerProcess]]) -> None:
        self._workers = workers
        self._rounds: dict[int, _Round] = {}
        self._numbers = itertools.count(1)

    def ask(self, asker: WorkerProcess, question: ConnectionsQuestion) -> None:
        """Begin a round; the asker is one of those who are asked."""
        number = next(self._numbers)
        deadline = asyncio.get_running_loop().call_later(_DEADLINE, self._give_up, number)
        waiting = {worker for worker in self._workers() if worker.channel.is_open}
        self._rounds[number] = _Round(asker, question.number, waiting, deadline)
        for worker in tuple(waiting):
            worker.channel.send(ReportConnections(number=number, ids=question.ids, is_to_end=question.is_to_end))
        self._end_if_answered(number)

    def reported(self, worker: WorkerProcess, answer: ConnectionsReported) -> None:
        """A worker has said something; it is dropped where nobody waits for it any more."""
        asked = self._rounds.get(answer.number)
        if asked is None:
            return
        asked.asker.channel.send(ConnectionsPart(number=asked.number, reports=answer.reports))
        if answer.is_last:
            asked.waiting.discard(worker)
            self._end_if_answered(answer.number)

    def worker_died(self, worker: WorkerProcess) -> None:
        """Its connections are gone, so there is nothing more to say of them."""
        for number, asked in tuple(self._rounds.items()):
            asked.waiting.discard(worker)
            self._end_if_answered(number)

    def _end_if_answered(self, number: int) -> None:
        if not self._rounds[number].waiting:
            self._end(number, is_complete=True)

    def _give_up(self, number: int) -> None:
        self._end(number, is_complete=False)

    def _end(self, number: int, *, is_complete: bool) -> None:
        asked = self._rounds.pop(number)
        asked.deadline.cancel()
        asked.asker.channel.send(ConnectionsPart(number=asked.number, is_last=True, is_complete=is_complete))
