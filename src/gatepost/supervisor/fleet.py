"""All workers: started, given what they need to run a plan, asked to confirm it, replaced when they die, retired when there
are more than the plan wants."""

from __future__ import annotations

import asyncio
import itertools
import signal
import time
from collections.abc import Callable, Collection, Sequence

import msgspec

from gatepost.control.messages import (
    ApplyPlan,
    Drain,
    FromWorker,
    GrantedSocket,
    NeighbourCame,
    NeighbourLeft,
    PlanApplied,
    Reconcile,
    ReleaseSockets,
    Retire,
    SocketsReleased,
    TlsFailure,
    TlsTried,
    TryTls,
)
from gatepost.plan.plan import Plan
from gatepost.supervisor.counter_slots import CounterSlots
from gatepost.supervisor.retirement import PlacedSocket
from gatepost.supervisor.round import Round
from gatepost.supervisor.seats import Seat, Seats
from gatepost.supervisor.socket_table import SocketTable
from gatepost.supervisor.worker_process import WorkerProcess, WorkerStarter
from gatepost.telemetry import events
from gatepost.telemetry.events import Event
from gatepost.transport.counter_page import CounterPage

_ANSWER_DEADLINE = 30.0  # seconds; a worker that is later is replaced: it might serve under a plan that is gone
_LONG_LIFE = 5.0  # seconds; a worker that dies earlier is restarted with a growing delay
_LONGEST_DELAY = 5.0
_TLS_AGAIN = 5.0  # seconds until a worker that could not build its TLS tries again
_LATER = 0.2  # seconds until it is tried again to start a worker that may not be started now


class Fleet:
    """The workers of the node. A worker is told by its index which listening sockets are its own, and has a seat to count in."""

    def __init__(
        self,
        starter: WorkerStarter,
        worker_count: int,
        page: CounterPage,
        slots: CounterSlots,
        table: SocketTable,
        on_request: Callable[[WorkerProcess, FromWorker], None],
        on_end: Callable[[WorkerProcess], None],
    ) -> None:
        self._starter = starter
        self._default_worker_count = worker_count
        self._wanted = worker_count  # how many the plan asks for
        self._accepting = 0  # workers with a lower index have listening sockets
        self._page = page
        self._slots = slots
        self._table = table
        self._on_request = on_request
        self._on_end = on_end
        self._workers: dict[int, WorkerProcess] = {}
        self._surplus: set[WorkerProcess] = set()  # more than the plan asks for: they stay until their connections end
        self._seat_of: dict[int, Seat] = {}
        self.seats = Seats(page, self._earlier_worker_gone)
        self.tell_earlier_servers: Callable[[msgspec.Struct, Sequence[int]], None] = lambda _message, _descriptors: None
        self._rounds: dict[int, Round] = {}
        self._numbers = itertools.count(1)
        self._plan: Plan | None = None
        self.is_stopping = False  # no worker is started any more
        self._has_to_reconcile = False
        self._reconciling: WorkerProcess | None = None  # who was asked last
        self.may_start_workers = True
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
    def tls_failures(self) -> tuple[TlsFailure, ...]:
        """Listeners whose TLS a worker could not build, each once."""
        return tuple({failure.listener_id: failure for each in self.living for failure in each.tls_failures}.values())

    @property
    def living(self) -> tuple[WorkerProcess, ...]:
        """All workers, those included that only stay for their connections."""
        return (*self._workers.values(), *self._surplus)

    @property
    def serving(self) -> tuple[WorkerProcess, ...]:
        """Those that the plan asks for and that run it."""
        return tuple(worker for worker in self._workers.values() if worker.is_ready and worker.channel.is_open)

    @property
    def deaths_before_ready(self) -> int:
        """How many workers in a row have died young."""
        return self._early_deaths

    def start(self, plan: Plan, *, has_sockets: bool = True) -> None:
        """Start all workers with their first plan. Without sockets they accept nothing until `apply`."""
        self._plan = plan
        self._wanted = plan.worker_count(self._default_worker_count)
        self._accepting = self._wanted if has_sockets else 0
        self._start_missing()

    def _start_missing(self) -> None:
        for index in range(self._wanted):
            self._start_worker(index)

    def _start_worker(self, index: int) -> None:
        if self.is_stopping or index >= self._wanted or index in self._workers:
            return
        if not self.may_start_workers:
            asyncio.get_running_loop().call_later(_LATER, self._start_worker, index)
            return
        try:
            worker = self._new_worker(index)
        except OSError as error:  # no memory, no process, no descriptor, no row: there may be later
            events.error(Event.WORKER_DIED, worker=index + 1, reason=f"cannot be started: {error}")
            self._early_deaths += 1
            asyncio.get_running_loop().call_later(_LONGEST_DELAY, self._start_worker, index)
            return
        self._workers[index] = worker
        self._born[index] = time.monotonic()
        self._introduce(worker)
        self._send_plan(worker, next(self._numbers))

    def _new_worker(self, index: int) -> WorkerProcess:
        if index not in self._seat_of:
            self._seat_of[index] = self.seats.take()
            self._tell_all_of(self._seat_of[index])
        return WorkerProcess(index, self._starter, self._page, self._seat_of[index], self._received, self._ended)

    def _send_plan(self, worker: WorkerProcess, number: int) -> None:
        assert self._plan is not None  # noqa: S101 - start() sets it
        granted: list[GrantedSocket] = []
        descriptors: list[int] = []
        for address, listener_id, kept in self._sockets_of(worker):
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

    def _sockets_of(self, worker: WorkerProcess) -> list[PlacedSocket]:
        is_accepting = worker.index < self._accepting and self._workers.get(worker.index) is worker
        return self._table.for_worker(worker.index) if is_accepting else []

    # --- how many ---------------------------------------------------------------------------------------------------

    async def grow(self, plan: Plan) -> list[str]:
        """Start the workers that `plan` asks for beyond those that run; they accept nothing until `apply`. Returns when they
        are ready, with what went wrong."""
        wanted = plan.worker_count(self._default_worker_count)
        if wanted <= self._wanted:
            return []
        self._wanted = wanted
        self.is_ready.clear()
        self._start_missing()
        try:
            await asyncio.wait_for(self.is_ready.wait(), _ANSWER_DEADLINE)
        except TimeoutError:
            return [f"only {self.running} of {wanted} workers have started within {_ANSWER_DEADLINE:g} s"]
        return []

    def _shrink(self, wanted: int) -> None:
        self._wanted = wanted
        for index in [index for index in self._seat_of if index >= wanted]:
            seat = self._seat_of.pop(index)
            worker = self._workers.pop(index, None)
            if worker is None:
                self._vacate(seat)
            else:
                self._surplus.add(worker)

    def retire_surplus(self) -> None:
        """Workers that the plan asks for no more stay until their connections end, or until the drain timeout."""
        for worker in self._surplus:
            if not worker.is_retired:
                worker.is_retired = True
                worker.channel.send(Retire(timeout=None if self._plan is None else self._plan.drain_timeout))

    async def hand_over(self) -> None:
        """Another server has taken over: release all sockets, start no worker any more, and let those that run end as their
        connections do."""
        self.is_stopping = True
        self.seats.hand_over()
        self._accepting = 0
        await self.release_ungranted()
        self._surplus.update(self._workers.values())
        self._workers.clear()
        self.retire_surplus()
        self._note_if_empty()

    # --- notices ----------------------------------------------------------------------------------------------------

    def _introduce(self, worker: WorkerProcess) -> None:
        for row, sending in self.seats.ways():
            if row != worker.seat.row:
                worker.channel.send(NeighbourCame(row=row), [sending.fileno()])

    def _tell_all_of(self, seat: Seat) -> None:
        self.neighbour_came(seat.row, seat.sending.fileno())

    def neighbour_came(self, row: int, sending: int) -> None:
        """Tell all workers, and those of earlier generations, of one that they do not know; `sending` stays the caller's."""
        self._tell_neighbours(NeighbourCame(row=row), [sending])

    def neighbour_left(self, row: int) -> None:
        """Nobody has the row any more."""
        self._tell_neighbours(NeighbourLeft(row=row), [])

    def _tell_neighbours(self, message: msgspec.Struct, descriptors: Sequence[int]) -> None:
        for worker in self.living:
            worker.channel.send(message, descriptors)
        self.tell_earlier_servers(message, descriptors)

    def _earlier_worker_gone(self, row: int) -> None:
        self.neighbour_left(row)
        self._note_if_empty()

    def _vacate(self, seat: Seat) -> None:
        self.seats.give_back(seat)
        self.neighbour_left(seat.row)

    # --- rounds -----------------------------------------------------------------------------------------------------

    async def apply(self, plan: Plan) -> list[str]:
        """Have every worker run `plan`; returns when all have confirmed it. The errors of workers that cannot."""
        self._plan = plan
        self._shrink(plan.worker_count(self._default_worker_count))
        self._accepting = self._wanted
        return (await self._round(self._send_plan)).errors

    async def try_tls(self, plan: Plan) -> tuple[TlsFailure, ...]:
        """Have every worker build the TLS contexts of `plan`; each listener that one of them cannot, once."""
        tried = await self._round(lambda worker, number: worker.channel.send(TryTls(number=number, plan=plan)))
        return tuple({failure.listener_id: failure for failure in tried.tls_failures}.values())

    async def release_ungranted(self) -> None:
        """Have every worker close the sockets that it has no more business with: those that are given up, and one that was
        shared and is another worker's now."""
        ungranted = {worker: self._ungranted(worker) for worker in self.living}
        if not any(ungranted.values()):
            return

        def send(worker: WorkerProcess, number: int) -> None:
            released = ungranted.get(worker, frozenset())
            worker.sockets -= released
            worker.channel.send(ReleaseSockets(number=number, sockets=tuple(released)))

        await self._round(send)

    def _ungranted(self, worker: WorkerProcess) -> frozenset[int]:
        granted = {kept.number for _, _, kept in self._sockets_of(worker)}
        return frozenset(worker.sockets - granted)

    async def _round(self, send: Callable[[WorkerProcess, int], None]) -> Round:
        number = next(self._numbers)
        asked = Round({worker for worker in self.living if worker.channel.is_open and not worker.is_retired})
        if not asked.waiting:
            return asked
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
        return asked

    def _received(self, worker: WorkerProcess, message: FromWorker) -> None:
        match message:
            case PlanApplied():
                self._plan_applied(worker, message)
            case TlsTried(number=number, failures=failures):
                if number in self._rounds:
                    self._rounds[number].tls_failures += failures
                    self._rounds[number].answered(worker)
            case SocketsReleased(number=number):
                if number in self._rounds:
                    self._rounds[number].answered(worker)
            case _:
                self._on_request(worker, message)

    def _plan_applied(self, worker: WorkerProcess, message: PlanApplied) -> None:
        number, error, failures = message.number, message.error, message.tls_failures
        if error is not None and not failures and not worker.is_ready:  # it serves nothing, nor would it ever
            events.error(Event.PLAN_NOT_APPLIED, worker=worker.index + 1, reason=error)
            worker.kill()
            return
        self._is_now_ready(worker)
        failed_before, worker.tls_failures = worker.tls_failures, failures
        if failures and not failed_before:
            asyncio.get_running_loop().call_later(_TLS_AGAIN, self._apply_again, worker)
        if number in self._rounds:
            self._rounds[number].answered(worker, error)
        elif error is not None and (not failures or failures != failed_before):
            events.error(Event.PLAN_NOT_APPLIED, worker=worker.index + 1, reason=error)

    def _apply_again(self, worker: WorkerProcess) -> None:
        if worker.tls_failures and worker in self.living and not self.is_stopping and not worker.is_retired:
            self._send_plan(worker, next(self._numbers))
            asyncio.get_running_loop().call_later(_TLS_AGAIN, self._apply_again, worker)

    def _is_now_ready(self, worker: WorkerProcess) -> None:
        if not worker.is_ready:
            worker.is_ready = True
            self._early_deaths = 0
            events.info(Event.WORKER_STARTED, worker=worker.index + 1, pid=worker.pid)
            if self.running >= self._wanted:
                self.is_ready.set()
            if self._has_to_reconcile:
                self.reconcile()

    # --- death ------------------------------------------------------------------------------------------------------

    def _ended(self, worker: WorkerProcess, status: int | None) -> None:
        is_surplus = worker in self._surplus
        self._surplus.discard(worker)
        if not is_surplus:
            self._workers.pop(worker.index, None)
        self.seats.clear(worker.seat)
        for asked in tuple(self._rounds.values()):
            asked.answered(worker)
        if is_surplus or self.is_stopping:
            self._has_left(worker, status)
            return
        events.error(Event.WORKER_DIED, worker=worker.index + 1, pid=worker.pid, status=status)
        lived = time.monotonic() - self._born[worker.index]
        self._early_deaths = self._early_deaths + 1 if lived < _LONG_LIFE else 0
        delay = 0.0 if self._early_deaths <= 1 else min(0.1 * 2**self._early_deaths, _LONGEST_DELAY)
        asyncio.get_running_loop().call_later(delay, self._start_worker, worker.index)
        self._on_end(worker)
        if self._reconciling is worker:
            self.reconcile()  # it may not have come to it

    def _has_left(self, worker: WorkerProcess, status: int | None) -> None:
        """One that has no successor."""
        if status != 0 and not self.is_stopping:
            events.error(Event.WORKER_DIED, worker=worker.index + 1, pid=worker.pid, status=status)
        if not self.is_stopping:
            events.info(Event.WORKER_RETIRED, worker=worker.index + 1, pid=worker.pid)
            self._vacate(worker.seat)
        self._on_end(worker)
        self._note_if_empty()

    def _note_if_empty(self) -> None:
        if self.is_stopping and not self.living and not self.seats.earlier:
            self.is_empty.set()

    def reconcile(self, besides: WorkerProcess | None = None) -> None:
        """Have one worker compare what runs with what is stored: now, or when there is one. `besides`: a worker that hangs, to
        be asked only where there is no other."""
        worker = next((worker for worker in self.serving if worker is not besides), besides if self.serving else None)
        self._has_to_reconcile = worker is None
        self._reconciling = worker
        if worker is not None:
            worker.channel.send(Reconcile())

    def drain(self, timeout: float) -> None:
        """Have all workers take leave of their clients and end, those of earlier generations too; none is started any more."""
        self.is_stopping = True
        for worker in self.living:
            worker.channel.send(Drain(timeout=timeout))
        self.seats.signal_earlier(signal.SIGTERM)
        self._note_if_empty()

    def kill(self) -> None:
        """End all workers now."""
        self.kill_own()
        self.seats.signal_earlier(signal.SIGKILL)

    def kill_own(self) -> None:
        """End those that this server has started: it does not take over, so those of earlier ones are not its own."""
        self.is_stopping = True
        for worker in self.living:
            worker.kill()

    def close(self) -> None:
        """No worker is left."""
        self.seats.close()

    def answer(self, worker: WorkerProcess, message: msgspec.Struct) -> None:
        """Answer a worker's request, if it still lives."""
        worker.channel.send(message)
