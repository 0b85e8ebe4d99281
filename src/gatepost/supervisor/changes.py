"""Changes of what the node runs: one at a time, prepared for real, then carried through in all workers, or not at all."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Coroutine
from dataclasses import dataclass

from msgspec import structs

from gatepost.control.messages import BindFailure, ChangeEnded, ChangeGranted, ChangePrepared
from gatepost.plan.difference import needs_other_tls
from gatepost.plan.plan import Plan
from gatepost.supervisor.counter_slots import CounterSlots
from gatepost.supervisor.emptying import Emptying
from gatepost.supervisor.fleet import Fleet
from gatepost.supervisor.retirement import Retirement
from gatepost.supervisor.socket_table import PreparedPlan, SocketTable
from gatepost.supervisor.worker_process import WorkerProcess
from gatepost.telemetry import events
from gatepost.telemetry.events import Event
from gatepost.values.ids import Id

_HANDED_OVER = "the server has been upgraded meanwhile: ask again"
_TURN_DEADLINE = 60.0  # seconds that a worker may hold the turn before it activates
_RETRY_INTERVAL = 5.0  # seconds between attempts to bind addresses that failed
_TURN_IS_OVER = BindFailure(listener_id=Id(""), address="", errno_name="", text="the turn is over")


class PlanCannotRun(Exception):
    """The workers of this server cannot run what those of the other one do; the words say why."""


@dataclass(slots=True)
class _Turn:
    """Who may change what runs. `worker=None`: the supervisor itself."""

    worker: WorkerProcess | None
    prepared: PreparedPlan | None = None
    is_activating: bool = False
    deadline: asyncio.TimerHandle | None = None


class Changes:
    """The turn, and the two phases."""

    def __init__(self, plan: Plan, table: SocketTable, slots: CounterSlots) -> None:
        self.running_plan = plan
        self._table = table
        self._slots = slots
        self._fleet: Fleet | None = None
        self._turn: _Turn | None = None
        self._waiting: deque[tuple[WorkerProcess, int] | asyncio.Future[None]] = deque()
        self._is_handed_over = False
        self._tasks: set[asyncio.Task[None]] = set()

    def attach(self, fleet: Fleet) -> None:
        """The workers that plans are applied in."""
        self._fleet = fleet

    @property
    def _workers(self) -> Fleet:
        assert self._fleet is not None, "attach() comes first"  # noqa: S101 - a wiring error, not input
        return self._fleet

    # --- the turn ---------------------------------------------------------------------------------------------------

    def begin(self, worker: WorkerProcess, number: int) -> None:
        """The worker asks for the turn."""
        if self._is_handed_over:
            self._workers.answer(worker, ChangeEnded(number=number, errors=(_HANDED_OVER,)))
            return
        self._waiting.append((worker, number))
        self._grant()

    def _grant(self) -> None:
        if self._turn is None and self._waiting:
            waiting = self._waiting.popleft()
            if isinstance(waiting, asyncio.Future):
                self._turn = _Turn(None, is_activating=True)
                waiting.set_result(None)
                return
            worker, number = waiting
            deadline = asyncio.get_running_loop().call_later(_TURN_DEADLINE, self._turn_is_too_long, worker)
            self._turn = _Turn(worker, deadline=deadline)
            self._workers.answer(worker, ChangeGranted(number=number, running_plan=self.running_plan))

    def _turn_is_too_long(self, worker: WorkerProcess) -> None:
        events.warning(Event.CHANGE_ABANDONED, worker=worker.index + 1, reason=f"not activated in {_TURN_DEADLINE:g} s")
        self._give_up_turn_of(worker)

    def _has_turn(self, worker: WorkerProcess) -> bool:
        return self._turn is not None and self._turn.worker is worker and not self._turn.is_activating

    def _end_turn(self) -> None:
        self._cancel_deadline()
        self._turn = None
        self._grant()

    def _cancel_deadline(self) -> None:
        if self._turn is not None and self._turn.deadline is not None:
            self._turn.deadline.cancel()

    def abandon(self, worker: WorkerProcess) -> None:
        """The worker gives the turn back, or gives up waiting for it."""
        self._waiting = deque(
            waiting for waiting in self._waiting if isinstance(waiting, asyncio.Future) or waiting[0] is not worker
        )
        if self._has_turn(worker):
            self._release_prepared()
            self._end_turn()

    def worker_died(self, worker: WorkerProcess) -> None:
        """Its turn is over."""
        self._give_up_turn_of(worker)

    def _give_up_turn_of(self, worker: WorkerProcess) -> None:
        """If it had prepared a change, it may have committed it to the store: somebody has to look."""
        may_be_committed = self._has_turn(worker) and self._turn is not None and self._turn.prepared is not None
        self.abandon(worker)
        if may_be_committed:
            self._workers.reconcile(besides=worker)

    async def take_turn(self) -> None:
        """The turn for the supervisor itself, so that nothing changes until `give_turn_back`."""
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        self._grant()
        await waiting

    def give_turn_back(self) -> None:
        """Others may change what runs again."""
        self._end_turn()

    def hand_over(self) -> None:
        """Another server has taken over: nothing is changed here any more, whoever waits for that is told."""
        self._is_handed_over = True
        waiting, self._waiting = self._waiting, deque()
        for each in waiting:
            if not isinstance(each, asyncio.Future):
                self.begin(*each)

    # --- the two phases ---------------------------------------------------------------------------------------------

    def prepare(self, worker: WorkerProcess, number: int, plan: Plan, *, is_stored: bool = False) -> None:
        """Bind what the plan needs, and have all workers build the TLS contexts that it needs; what was prepared before is
        released first. See PrepareChange."""
        turn = self._turn
        if turn is None or not self._has_turn(worker):
            self._workers.answer(worker, ChangePrepared(number=number, failures=(_TURN_IS_OVER,)))
            return
        self._release_prepared()
        failures = self._prepare(turn, plan, is_stored=is_stored)
        if failures or not needs_other_tls(self.running_plan, plan):
            self._workers.answer(worker, ChangePrepared(number=number, failures=failures))
        else:
            self._run(self._try_tls(turn, worker, number, plan))

    async def _try_tls(self, turn: _Turn, worker: WorkerProcess, number: int, plan: Plan) -> None:
        failures = await self._workers.try_tls(plan)
        if self._turn is not turn:
            self._workers.answer(worker, ChangePrepared(number=number, failures=(_TURN_IS_OVER,)))
            return
        if failures:
            self._release_prepared()
        self._workers.answer(worker, ChangePrepared(number=number, tls_failures=failures))

    def _prepare(self, turn: _Turn, plan: Plan, *, is_stored: bool) -> tuple[BindFailure, ...]:
        if not self._slots.room_for(plan):
            return (_too_many_listeners(plan),)
        prepared = self._table.prepare(plan)
        failed_before = {(failure.listener_id, failure.address) for failure in self._table.failures}
        failures = tuple(
            failure for failure in prepared.failures if (failure.listener_id, failure.address) not in failed_before
        )
        if failures and not is_stored:
            self._table.release(prepared)
            return failures
        turn.prepared = prepared
        return ()

    def _release_prepared(self) -> None:
        if self._turn is not None and self._turn.prepared is not None:
            self._table.release(self._turn.prepared)
            self._turn.prepared = None

    def activate(self, worker: WorkerProcess, number: int, revision: int) -> None:
        """Run what was prepared; the worker is answered when all workers do."""
        if not self._has_turn(worker) or self._turn is None or self._turn.prepared is None:
            lost = "the turn was lost; what is stored is applied next"
            self._workers.answer(worker, ChangeEnded(number=number, errors=(lost,)))
            self._workers.reconcile()
            return
        self._cancel_deadline()
        self._turn.is_activating = True
        self._run(self._activate(worker, number, structs.replace(self._turn.prepared.plan, revision=revision)))

    async def _activate(self, worker: WorkerProcess, number: int, plan: Plan) -> None:
        errors: list[str] = []
        try:
            if self._turn is not None and self._turn.prepared is not None:
                errors = await self._carry_through(self._turn.prepared, plan)
        except Exception as error:  # whoever waits must not be told that it worked
            events.error(Event.PLAN_NOT_APPLIED, failure=error, revision=plan.revision, reason=str(error))
            errors.append(f"the change was not carried through everywhere: {error}")
        finally:
            self._workers.answer(worker, ChangeEnded(number=number, errors=tuple(errors)))
            self._end_turn()

    async def _carry_through(self, prepared: PreparedPlan, plan: Plan) -> list[str]:
        errors = await self._workers.grow(plan)  # before there are sockets that only they accept from
        retirement = self._table.activate(prepared)
        self._slots.follow(plan)
        before, self.running_plan = self.running_plan, plan
        try:
            errors += await self._workers.apply(plan)
        finally:  # the table has forgotten these sockets
            await self._retire(retirement, before)
        events.info(Event.PLAN_APPLIED, revision=plan.revision, listeners=len(plan.listeners), errors=errors)
        return errors

    async def _retire(self, retirement: Retirement, came_under: Plan) -> None:
        await Emptying(retirement, came_under, self._workers, self._slots).run()
        self._workers.retire_surplus()

    async def give_up(self, cookies: Collection[int]) -> None:
        """The server that takes over has no use for the sockets of these cookies."""
        retirement = self._table.give_up(cookies)
        if retirement.sockets:
            await self._workers.apply(self.running_plan)
            await self._retire(retirement, self.running_plan)

    async def take_over(self, prepared: PreparedPlan, accepting: Callable[[Collection[int]], Awaitable[None]]) -> None:
        """Bring the first plan into force on sockets that another server still accepts from. `accepting` gets the cookies of
        those that the plan does not need, for the other server to give up, and returns when it has, and accepts no more. Raises
        PlanCannotRun."""
        retirement = self._table.activate(prepared)
        errors = await self._workers.apply(self.running_plan)
        if errors:
            raise PlanCannotRun("; ".join(errors))
        await accepting(retirement.cookies)
        retirement.close()

    # --- addresses that could not be bound when the server started --------------------------------------------------

    async def retry_failed(self) -> None:
        """Try again now and then to bind what could not be bound; never ends."""
        while True:
            await asyncio.sleep(_RETRY_INTERVAL)
            if self._table.failures and self._turn is None:
                self._turn = _Turn(None, is_activating=True)
                await self._retry_once()

    async def _retry_once(self) -> None:
        try:
            prepared = self._table.prepare(self.running_plan)
            if prepared.opened:
                events.info(Event.LISTENER_OPENED, addresses=prepared.opened_addresses)
                await self._carry_through(prepared, self.running_plan)
            else:
                self._table.release(prepared)
        except Exception as error:  # the next attempt may do better
            events.error(Event.PLAN_NOT_APPLIED, failure=error, reason=str(error))
        finally:
            self._end_turn()

    def _run(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _too_many_listeners(plan: Plan) -> BindFailure:
    return BindFailure(
        listener_id=plan.listeners[-1].id,
        address=plan.listeners[-1].addresses[0],
        errno_name="ENOSPC",
        text="more listeners than this server counts for",
    )
