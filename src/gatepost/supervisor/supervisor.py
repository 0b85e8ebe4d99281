"""The life of the server: bind, start workers, say ready, follow changes, drain, end."""

from __future__ import annotations

import asyncio
import resource
import signal
import socket
import sys
from collections.abc import Callable, Mapping

from gatepost.control.messages import (
    AbandonChange,
    ActivateChange,
    BeginChange,
    ConnectionsQuestion,
    ConnectionsReported,
    FromWorker,
    PrepareChange,
    StatusAnswer,
    StatusQuestion,
)
from gatepost.plan.plan import Plan
from gatepost.supervisor.changes import Changes
from gatepost.supervisor.connection_rounds import ConnectionRounds
from gatepost.supervisor.counter_slots import CounterSlots
from gatepost.supervisor.fleet import Fleet
from gatepost.supervisor.readiness import notify_service_manager, table_of_listeners
from gatepost.supervisor.socket_table import SocketTable
from gatepost.supervisor.worker_process import WorkerCommand, WorkerProcess
from gatepost.telemetry import events
from gatepost.telemetry.events import Event
from gatepost.transport.counter_page import CounterPage
from gatepost.values.socket_address import SocketAddress

_KILL_AFTER = 2.0  # seconds beyond the drain timeout
_TOO_MANY_EARLY_DEATHS = 5
_RUN_TIME_FAILURE = 1


class Supervisor:
    """One node."""

    def __init__(
        self,
        plan: Plan,
        command: WorkerCommand,
        worker_count: int,
        inherited: Mapping[SocketAddress, socket.socket],
        announce: Callable[[str], None],
    ) -> None:
        page = CounterPage.create(worker_count)
        self._announce = announce
        self._slots = CounterSlots(page)
        self._table = SocketTable(worker_count, inherited)
        self._changes = Changes(plan, self._table, self._slots)
        self._fleet = Fleet(command, worker_count, page, self._slots, self._table, self._request, self._worker_died)
        self._connections = ConnectionRounds(lambda: self._fleet.living)
        self._changes.attach(self._fleet)
        self._stop = asyncio.Event()
        self._stop_now = asyncio.Event()

    async def run(self) -> int:
        """Serve until told to stop; the exit code."""
        plan = self._changes.running_plan
        _allow_many_descriptors()
        self._table.activate(self._table.prepare(plan))
        if plan.listeners and not self._table.addresses:
            self._announce(table_of_listeners(plan, self._table.failures))
            sys.stderr.write("gatepost: no listener could be bound; see the reasons above\n")
            return _RUN_TIME_FAILURE
        for failure in self._table.failures:
            events.error(Event.LISTENER_FAILED, address=failure.address, errno=failure.errno_name, reason=failure.text)
        self._slots.follow(plan)
        self._follow_signals()
        self._fleet.start(plan)
        if not await self._until_ready():
            return 0 if self._stop.is_set() else _RUN_TIME_FAILURE
        self._announce(f"{table_of_listeners(plan, self._table.failures)}\nready")
        notify_service_manager("READY=1")
        events.info(Event.SERVER_READY, workers=self._fleet.running)
        retry = asyncio.create_task(self._changes.retry_failed())
        await self._stop.wait()
        retry.cancel()
        await self._drain()
        return 0

    def _follow_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(events.loop_error)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_stop)
        loop.add_signal_handler(signal.SIGHUP, self._fleet.reconcile)

    def _told_to_stop(self) -> None:
        if self._stop.is_set():
            self._stop_now.set()
        self._stop.set()

    async def _until_ready(self) -> bool:
        ready = asyncio.create_task(self._fleet.is_ready.wait())
        stop = asyncio.create_task(self._stop.wait())
        while not ready.done() and not stop.done():
            await asyncio.wait({ready, stop}, timeout=0.2, return_when=asyncio.FIRST_COMPLETED)
            if self._fleet.deaths_before_ready >= _TOO_MANY_EARLY_DEATHS:
                sys.stderr.write("gatepost: workers die as they start; the reason is in the log above\n")
                self._fleet.kill()
                break
        is_ready = ready.done()
        ready.cancel()
        stop.cancel()
        if self._stop.is_set() and not is_ready:
            self._fleet.kill()
        return is_ready

    async def _drain(self) -> None:
        events.info(Event.SERVER_STOPPING)
        notify_service_manager("STOPPING=1")
        timeout = self._changes.running_plan.drain_timeout_at_exit
        self._fleet.drain(timeout)
        self._table.close()
        empty = asyncio.create_task(self._fleet.is_empty.wait())
        now = asyncio.create_task(self._stop_now.wait())
        await asyncio.wait({empty, now}, timeout=timeout + _KILL_AFTER, return_when=asyncio.FIRST_COMPLETED)
        if not empty.done():
            self._fleet.kill()
            await asyncio.wait({empty}, timeout=_KILL_AFTER)
        now.cancel()
        self._fleet.close()
        events.info(Event.SERVER_STOPPED)

    def _worker_died(self, worker: WorkerProcess) -> None:
        self._connections.worker_died(worker)
        self._changes.worker_died(worker)

    def _request(self, worker: WorkerProcess, message: FromWorker) -> None:
        match message:
            case BeginChange(number=number):
                self._changes.begin(worker, number)
            case PrepareChange(number=number, plan=plan, is_stored=is_stored):
                self._changes.prepare(worker, number, plan, is_stored=is_stored)
            case ActivateChange(number=number, revision=revision):
                self._changes.activate(worker, number, revision)
            case AbandonChange():
                self._changes.abandon(worker)
            case ConnectionsQuestion():
                self._connections.ask(worker, message)
            case ConnectionsReported():
                self._connections.reported(worker, message)
            case StatusQuestion(number=number):
                self._fleet.answer(worker, self._status(number))

    def _status(self, number: int) -> StatusAnswer:
        return StatusAnswer(
            number=number,
            plan=self._changes.running_plan,
            sockets=self._table.status(self._fleet.accepting),
            failures=self._table.failures,
            counter_slots=self._slots.by_listener,
            draining=self._slots.draining(),
            workers_running=self._fleet.running,
        )


def _allow_many_descriptors() -> None:
    """Every connection takes one, here and in the workers, which inherit the limit: take what the system lets us have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
