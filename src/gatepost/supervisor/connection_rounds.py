"""Questions for the connections of all workers, those of an earlier server that drains included: sent to each, and what each says
passed on, unread, to the one that asks."""

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
    number: int  # the asker's
    answer: Callable[[ConnectionsPart], None]
    waiting: set[WorkerProcess]
    waits_for_earlier: bool
    deadline: asyncio.TimerHandle
    is_complete: bool = True


class ConnectionRounds:
    """`workers` gives those that live now. `ask_earlier` is set while there is a server before this one that has workers yet."""

    def __init__(self, workers: Callable[[], Iterable[WorkerProcess]]) -> None:
        self._workers = workers
        self._rounds: dict[int, _Round] = {}
        self._numbers = itertools.count(1)
        self.ask_earlier: Callable[[ConnectionsQuestion], None] | None = None

    def ask(self, question: ConnectionsQuestion, answer: Callable[[ConnectionsPart], None]) -> None:
        """Begin a round; `answer` gets the parts. A worker that asks is one of those who are asked."""
        number, ask_earlier = next(self._numbers), self.ask_earlier
        deadline = asyncio.get_running_loop().call_later(_DEADLINE, self._give_up, number)
        waiting = {worker for worker in self._workers() if worker.channel.is_open}
        self._rounds[number] = _Round(question.number, answer, waiting, ask_earlier is not None, deadline)
        for worker in tuple(waiting):
            worker.channel.send(ReportConnections(number=number, ids=question.ids, is_to_end=question.is_to_end))
        if ask_earlier is not None:
            ask_earlier(ConnectionsQuestion(number=number, ids=question.ids, is_to_end=question.is_to_end))
        self._end_if_answered(number)

    def reported(self, worker: WorkerProcess, answer: ConnectionsReported) -> None:
        """A worker has said something; it is dropped where nobody waits for it any more."""
        asked = self._rounds.get(answer.number)
        if asked is None:
            return
        asked.answer(ConnectionsPart(number=asked.number, reports=answer.reports))
        if answer.is_last:
            asked.waiting.discard(worker)
            self._end_if_answered(answer.number)

    def worker_died(self, worker: WorkerProcess) -> None:
        """Its connections are gone, so there is nothing more to say of them."""
        for number, asked in tuple(self._rounds.items()):
            asked.waiting.discard(worker)
            self._end_if_answered(number)

    def earlier_reported(self, part: ConnectionsPart) -> None:
        """The earlier server has said something of its workers."""
        asked = self._rounds.get(part.number)
        if asked is None:
            return
        if part.is_last:
            asked.waits_for_earlier = False
            asked.is_complete = part.is_complete
            self._end_if_answered(part.number)
        else:
            asked.answer(ConnectionsPart(number=asked.number, reports=part.reports))

    def earlier_gone(self) -> None:
        """It has no worker any more, nor have those before it."""
        self.ask_earlier = None
        for number, asked in tuple(self._rounds.items()):
            asked.waits_for_earlier = False
            self._end_if_answered(number)

    def _end_if_answered(self, number: int) -> None:
        asked = self._rounds[number]
        if not asked.waiting and not asked.waits_for_earlier:
            self._end(number, is_complete=asked.is_complete)

    def _give_up(self, number: int) -> None:
        self._end(number, is_complete=False)

    def _end(self, number: int, *, is_complete: bool) -> None:
        asked = self._rounds.pop(number)
        asked.deadline.cancel()
        asked.answer(ConnectionsPart(number=asked.number, is_last=True, is_complete=is_complete))
