"""The life of the server: bind, start workers, say ready, follow changes, drain, end."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from gatepost.control.messages import TlsFailure
from gatepost.plan.plan import Plan
from gatepost.supervisor.changes import PlanCannotRun
from gatepost.supervisor.control_socket import DONE, FAILED, ControlSocket
from gatepost.supervisor.early_signals import FOLLOWED
from gatepost.supervisor.fork_server import ForkServer
from gatepost.supervisor.legacy import Legacy
from gatepost.supervisor.node import Node
from gatepost.supervisor.predecessor import Predecessor, PredecessorGone
from gatepost.supervisor.readiness import notify_service_manager, table_of_listeners
from gatepost.supervisor.upgrade import Upgrade, UpgradeFailed
from gatepost.telemetry import events
from gatepost.telemetry.events import Event
from gatepost.transport.counter_page import CounterPage
from gatepost.values.socket_address import SocketAddress

_KILL_AFTER = 2.0  # seconds beyond the drain timeout
_TOO_MANY_EARLY_DEATHS = 5
_RUN_TIME_FAILURE = 1
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Openings:
    """What a supervisor has open before it opens anything: the socket for `gatepost upgrade` and sockets that the service
    manager passed; in the place of another server, the way to that one and what it leaves. `early_signals` has come already."""

    upgrade_command: Sequence[str]
    control: socket.socket | None
    passed: Mapping[SocketAddress, socket.socket] = field(default_factory=dict)
    predecessor: socket.socket | None = None
    legacy: Legacy | None = None
    early_signals: Collection[int] = ()


class Supervisor:
    """One node."""

    def __init__(
        self,
        plan: Plan,
        fork_server: ForkServer,
        worker_count: int,
        openings: Openings,
        announce: Callable[[str], None],
    ) -> None:
        legacy = openings.legacy
        page = CounterPage.create(plan.worker_count(worker_count)) if legacy is None else legacy.page(worker_count)
        self._announce = announce
        self._openings = openings
        passed = openings.passed if legacy is None else legacy.passed
        self._node = node = Node(plan, fork_server, worker_count, page, passed)
        self._slots, self._table, self._changes, self._fleet = node.slots, node.table, node.changes, node.fleet
        self._upgrade = Upgrade(openings.upgrade_command, node)
        if legacy is not None:
            self._take_possession(legacy)
        self._tasks: set[asyncio.Task[str]] = set()
        self._stop = asyncio.Event()
        self._stop_now = asyncio.Event()
        self._predecessor: Predecessor | None = None

    def _take_possession(self, legacy: Legacy) -> None:
        self._table.take_over(legacy.addresses)
        for row, sending in legacy.notices.items():
            self._fleet.seats.inherit(row, sending)
        if legacy.has_our_layout:
            self._slots.take_over(legacy.counters.slots)

    async def run(self) -> int:
        """Serve until told to stop, or until another server has taken over and the last connection is gone; the exit code."""
        self._follow_signals()
        connection = self._openings.predecessor
        if connection is not None:
            self._predecessor = Predecessor(connection, self._node.connections)
        try:
            is_ready = await (self._start() if self._predecessor is None else self._take_over(self._predecessor))
        except PredecessorGone as error:
            sys.stderr.write(f"gatepost: {error}\n")
            self._fleet.kill_own()
            return _RUN_TIME_FAILURE
        if not is_ready:
            return 0 if self._stop.is_set() else _RUN_TIME_FAILURE
        self._announce(f"{table_of_listeners(self._changes.running_plan, self._table.failures)}\nready")
        notify_service_manager("READY=1")
        events.info(Event.SERVER_READY, workers=self._fleet.running)
        await self._serve()
        _ignore_signals()
        return 0

    async def _start(self) -> bool:
        plan = self._changes.running_plan
        self._table.activate(self._table.prepare(plan))
        self._log_failures()
        if plan.listeners and not self._table.addresses:
            self._announce(table_of_listeners(plan, self._table.failures))
            sys.stderr.write("gatepost: no listener could be bound; see the reasons above\n")
            return False
        self._slots.follow(plan)
        self._fleet.start(plan)
        return await self._until_ready()

    async def _take_over(self, predecessor: Predecessor) -> bool:
        """The workers are ready before they accept; both servers accept before the other one stops. What these workers cannot
        run, the other server's can."""
        plan = self._changes.running_plan
        prepared = self._table.prepare(plan)
        self._slots.follow(plan)
        self._fleet.start(plan, has_sockets=False)
        if not await self._until_ready():
            predecessor.refuse("the workers of the new server die as they start; the reason is in the log")
            return False
        if self._fleet.tls_failures:
            return self._refuse(predecessor, _words_of(self._fleet.tls_failures, plan))
        ours = [(seat.row, seat.sending) for seat in self._fleet.seats.taken]
        self._fleet.seats.watch(await predecessor.take_over(ours))
        self._fleet.tell_earlier_servers = predecessor.send
        if self._openings.legacy is not None and self._openings.legacy.tells_connections:
            predecessor.answers_for_connections()
        try:
            await self._changes.take_over(prepared, predecessor.accepts)
        except PlanCannotRun as error:
            return self._refuse(predecessor, str(error))
        self._log_failures()
        return True

    def _refuse(self, predecessor: Predecessor, reason: str) -> bool:
        predecessor.refuse(f"the workers of the new server cannot run the configuration: {reason}")
        self._fleet.kill_own()
        return False

    def _log_failures(self) -> None:
        for failure in self._table.failures:
            reason = f"{failure.text}. {failure.advice}".strip()
            events.error(Event.LISTENER_FAILED, address=failure.address, errno=failure.errno_name, reason=reason)

    async def _serve(self) -> None:
        self._upgrade.may_begin()
        self._upgrade.control = self._openings.control
        control = (
            None if self._openings.control is None else ControlSocket(self._openings.control, self._told_to_upgrade)
        )
        retry = asyncio.create_task(self._changes.retry_failed())
        await _first_of(self._stop, self._upgrade.is_done)
        retry.cancel()
        if self._stop.is_set():
            self._upgrade.end()
        if control is not None:
            await control.finish()
        if self._upgrade.is_done.is_set():
            await _first_of(self._stop, self._fleet.is_empty)
            if self._predecessor is not None:  # the way to workers that are older yet leads through here
                await _first_of(self._stop, self._predecessor.is_gone)
        if self._fleet.is_empty.is_set():
            events.info(Event.SERVER_STOPPED)
        else:
            await self._drain()

    def _follow_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(events.loop_error)
        for number in _STOP_SIGNALS:
            loop.add_signal_handler(number, self._told_to_stop)
        followed = {signal.SIGHUP: self._fleet.reconcile, signal.SIGUSR2: self._signalled_to_upgrade}
        for number, follow in followed.items():
            loop.add_signal_handler(number, follow)
            if number in self._openings.early_signals:
                follow()

    def _signalled_to_upgrade(self) -> None:
        task = asyncio.get_running_loop().create_task(self._told_to_upgrade())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _told_to_upgrade(self) -> str:
        try:
            return f"{DONE} {await self._upgrade.run()}"
        except UpgradeFailed as error:
            return f"{FAILED} {error}"

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
        if not self._upgrade.is_done.is_set():
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


def _words_of(failures: Collection[TlsFailure], plan: Plan) -> str:
    names = {listener.id: listener.name for listener in plan.listeners}
    return "; ".join(f"{names[failure.listener_id]}: {failure.text}" for failure in failures)


async def _first_of(*happenings: asyncio.Event) -> None:
    waiting = [asyncio.ensure_future(happening.wait()) for happening in happenings]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for each in waiting:
        each.cancel()


def _ignore_signals() -> None:
    """Everything has ended in order: one that comes now must not turn that into a death by signal."""
    loop = asyncio.get_running_loop()
    for number in (*_STOP_SIGNALS, *FOLLOWED):
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_IGN)
