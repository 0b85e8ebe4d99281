"""All workers: started, given what they need to run a plan, asked to confirm it, replaced when they die."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import msgspec

from gatepost.control.messages import (
    ApplyPlan,
    Drain,
    FromWorker,
    GrantedSocket,
    PlanApplied,
    Reconcile,
    ReleaseSockets,
    SocketsReleased,
)
from gatepost.plan.plan import Plan
from gatepost.supervisor.counter_slots import CounterSlots
from gatepost.supervisor.socket_table import SocketTable
from gatepost.supervisor.worker_process import NoticeSockets, WorkerCommand, WorkerProcess
from gatepost.telemetry import events
from gatepost.telemetry.events import Event
from gatepost.transport.counter_page import CounterPage

_ANSWER_DEADLINE = 30.0  # seconds; a worker that is later is replaced: it might serve under a plan that is gone
_LONG_LIFE = 5.0  # seconds; a worker that dies earlier is restarted with a growing delay
_LONGEST_DELAY = 5.0


@dataclass(slots=True)
class _Round:
    """A message to all workers that each has to answer."""

    waiting: set[WorkerProcess]
    is_answered: asyncio.Event = field(default_factory=asyncio.Event)
    errors: list[str] = field(default_factory=list)

    def answered(self, worker: WorkerProcess, error: str | None = None) -> None:
        self.waiting.discard(worker)
        if error is not None:
            self.errors.append(f"worker {worker.index + 1}: {error}")
        if not self.waiting:
            self.is_answered.set()


class Fleet:
    """The workers of the node."""

    def __init__(
        self,
        command: WorkerCommand,
        worker_count: int,
        page: CounterPage,
        slots: CounterSlots,
        table: SocketTable,
        on_request: Callable[[WorkerProcess, FromWorker], None],
        on_death: Callable[[WorkerProcess], None],
    ) -> None:
        self._command = command
        self._worker_count = worker_count
        self._page = page
        self._slots = slots
        self._table = table
        self._on_request = on_request
        self._on_death = on_death
        self._workers: dict[int, WorkerProcess] = {}
        self._notices = NoticeSockets(worker_count)
        self._rounds: dict[int, _Round] = {}
        self._numbers = itertools.count(1)
        self._plan: Plan | None = None
        self._is_stopping = False
        self._has_to_reconcile = False
        self._reconciling: WorkerProcess | None = None  # who was asked last
        self._early_deaths = 0
        self._born: dict[int, float] = {}
        self.is_ready = asyncio.Event()
        self.is_empty = asyncio.Event()

    @property
    def running(self) -> int:
        """How many workers run the plan."""
        return sum(worker.is_ready for worker in self._workers.values())

    def accepting(self, sockets: Collection[int]) -> int:
        """How many workers run the plan and accept from one of these listening sockets."""
        return sum(worker.is_ready and not worker.sockets.isdisjoint(sockets) for worker in self._workers.values())

    @property
    def deaths_before_ready(self) -> int:
        """How many workers in a row have died young."""
        return self._early_deaths

    def start(self, plan: Plan) -> None:
        """Start all workers with their first plan."""
        self._plan = plan
        for index in range(self._worker_count):
            self._start_worker(index)

    def _start_worker(self, index: int) -> None:
        if self._is_stopping:
            return
        try:
            worker = self._new_worker(index)
        except OSError as error:  # no memory, no process, no descriptor: there may be later
            events.error(Event.WORKER_DIED, worker=index + 1, reason=f"cannot be started: {error}")
            self._early_deaths += 1
            asyncio.get_running_loop().call_later(_LONGEST_DELAY, self._start_worker, index)
            return
        self._workers[index] = worker
        self._born[index] = time.monotonic()
        self._send_plan(worker, next(self._numbers))

    def _new_worker(self, index: int) -> WorkerProcess:
        return WorkerProcess(
            index,
            self._command,
            self._page,
            self._notices,
            self._received,
            self._ended,
        )

    def _send_plan(self, worker: WorkerProcess, number: int) -> None:
        assert self._plan is not None  # noqa: S101 - start() sets it
        granted: list[GrantedSocket] = []
        descriptors: list[int] = []
        for address, listener_id, kept in self._table.for_worker(worker.index):
            is_new = kept.number not in worker.sockets
            if is_new:
                descriptors.append(kept.sock.fileno())
                worker.sockets.add(kept.number)
            granted.append(
                GrantedSocket(number=kept.number, address=address, listener_id=listener_id, is_attached=is_new)
            )
        message = ApplyPlan(
            number=number, plan=self._plan, sockets=tuple(granted), counter_slots=self._slots.by_listener
        )
        worker.channel.send(message, descriptors)

    # --- rounds -----------------------------------------------------------------------------------------------------

    async def apply(self, plan: Plan) -> list[str]:
        """Have every worker run `plan`; returns when all have confirmed it. The errors of workers that cannot."""
        self._plan = plan
        return await self._round(self._send_plan)

    async def release_ungranted(self) -> None:
        """Have every worker close the sockets that it has no more business with: those that are given up, and one that was
        shared and is another worker's now."""
        ungranted = {worker: self._ungranted(worker) for worker in self._workers.values()}
        if not any(ungranted.values()):
            return

        def send(worker: WorkerProcess, number: int) -> None:
            released = ungranted.get(worker, frozenset())
            worker.sockets -= released
            worker.channel.send(ReleaseSockets(number=number, sockets=tuple(released)))

        await self._round(send)

    def _ungranted(self, worker: WorkerProcess) -> frozenset[int]:
        granted = {kept.number for _, _, kept in self._table.for_worker(worker.index)}
        return frozenset(worker.sockets - granted)

    async def _round(self, send: Callable[[WorkerProcess, int], None]) -> list[str]:
        number = next(self._numbers)
        asked = _Round({worker for worker in self._workers.values() if worker.channel.is_open})
        if not asked.waiting:
            return []
        self._rounds[number] = asked
        for worker in tuple(asked.waiting):
            send(worker, number)
        try:
            await asyncio.wait_for(asked.is_answered.wait(), _ANSWER_DEADLINE)
        except TimeoutError:
            for worker in tuple(asked.waiting):
                events.error(Event.WORKER_LATE, worker=worker.index + 1, pid=worker.pid, seconds=_ANSWER_DEADLINE)
                worker.kill()
        del self._rounds[number]
        return asked.errors

    def _received(self, worker: WorkerProcess, message: FromWorker) -> None:
        match message:
            case PlanApplied(number=number, error=error):
                self._is_now_ready(worker)
                if number in self._rounds:
                    self._rounds[number].answered(worker, error)
                elif error is not None:
                    events.error(Event.PLAN_NOT_APPLIED, worker=worker.index + 1, reason=error)
            case SocketsReleased(number=number):
                if number in self._rounds:
                    self._rounds[number].answered(worker)
            case _:
                self._on_request(worker, message)

    def _is_now_ready(self, worker: WorkerProcess) -> None:
        if not worker.is_ready:
            worker.is_ready = True
            self._early_deaths = 0
            events.info(Event.WORKER_STARTED, worker=worker.index + 1, pid=worker.pid)
            if self.running == self._worker_count:
                self.is_ready.set()
            if self._has_to_reconcile:
                self.reconcile()

    # --- death ------------------------------------------------------------------------------------------------------

    def _ended(self, worker: WorkerProcess, status: int) -> None:
        self._workers.pop(worker.index, None)
        self._page.clear_row(worker.index)
        for asked in tuple(self._rounds.values()):
            asked.answered(worker)
        if self._is_stopping:
            if not self._workers:
                self.is_empty.set()
            return
        events.error(Event.WORKER_DIED, worker=worker.index + 1, pid=worker.pid, status=status)
        lived = time.monotonic() - self._born[worker.index]
        self._early_deaths = self._early_deaths + 1 if lived < _LONG_LIFE else 0
        delay = 0.0 if self._early_deaths <= 1 else min(0.1 * 2**self._early_deaths, _LONGEST_DELAY)
        asyncio.get_running_loop().call_later(delay, self._start_worker, worker.index)
        self._on_death(worker)
        if self._reconciling is worker:
            self.reconcile()  # it may not have come to it

    def reconcile(self) -> None:
        """Have one worker compare what runs with what is stored: now, or when there is one."""
        worker = next((worker for worker in self._workers.values() if worker.is_ready), None)
        self._has_to_reconcile = worker is None
        self._reconciling = worker
        if worker is not None:
            worker.channel.send(Reconcile())

    def drain(self, timeout: float) -> None:
        """Have all workers take leave of their clients and end; no worker is started any more."""
        self._is_stopping = True
        if not self._workers:
            self.is_empty.set()
        for worker in self._workers.values():
            worker.channel.send(Drain(timeout=timeout))

    def kill(self) -> None:
        """End all workers now."""
        self._is_stopping = True
        for worker in self._workers.values():
            worker.kill()

    def close(self) -> None:
        """No worker is left."""
        self._notices.close()

    def answer(self, worker: WorkerProcess, message: msgspec.Struct) -> None:
        """Answer a worker's request, if it still lives."""
        if self._workers.get(worker.index) is worker:
            worker.channel.send(message)
