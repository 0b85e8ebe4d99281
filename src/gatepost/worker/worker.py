"""The worker: follows plans, keeps the listeners' connections, drains. Speaks with the supervisor, and with nobody else."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from collections.abc import Callable
from functools import partial

import msgspec

from gatepost.control.channel import Channel
from gatepost.control.messages import (
    ApplyPlan,
    ChangeEnded,
    ChangeGranted,
    ChangePrepared,
    ConnectionsPart,
    Drain,
    EmptySockets,
    FromSupervisor,
    GrantedSocket,
    NeighbourCame,
    NeighbourLeft,
    PlanApplied,
    Reconcile,
    ReleaseSockets,
    ReportConnections,
    Retire,
    SocketsReleased,
    StatusAnswer,
    TlsFailure,
    TlsTried,
    TryTls,
)
from gatepost.control.notices import Neighbours
from gatepost.management.request_turns import RequestTurns
from gatepost.plan.plan import DRAIN_TIMEOUT_AT_EXIT, Plan, ProtocolName
from gatepost.session.login_pace import LoginPace
from gatepost.session.login_waits import LoginWaits
from gatepost.telemetry import events
from gatepost.telemetry.access_log import AccessLog, NoAccessLog
from gatepost.telemetry.events import Event
from gatepost.transport.accept_loop import AcceptLoop
from gatepost.transport.admission import RefusalBudget
from gatepost.transport.counter_page import SERVER_SLOT, Cell, ConnectionCounter, CounterPage
from gatepost.transport.poller import Poller
from gatepost.values.ids import Id
from gatepost.worker.applier import ChannelApplier
from gatepost.worker.block_watch import BlockWatch
from gatepost.worker.byte_meter import ByteMeter
from gatepost.worker.connection_questions import ConnectionQuestions
from gatepost.worker.connection_reports import ConnectionReports
from gatepost.worker.listener import Listener, ListenerPolicy, Sessions
from gatepost.worker.plan_tls import PlanTls

_SHARED_BATCH = 4  # connections accepted in a row from a socket that all workers share
_OWN_BATCH = 64
_LEAST_RESERVED, _MOST_RESERVED = 64, 1024  # descriptors that clients do not get


class Worker:
    """One worker process. `sessions` is set by whoever joins the parts, before the first message is read."""

    def __init__(self, control: socket.socket, page: CounterPage, row: int) -> None:
        self._page = page
        self._row = row
        self._listeners: dict[Id, Listener] = {}
        self._leaving: set[Listener] = set()  # removed from the plan, connections still open or waiting in a queue
        self._loops: dict[int, AcceptLoop] = {}
        self._paused: set[int] = set()  # loops that are out of resources
        self._accepting: dict[int, Listener] = {}  # who gets the connections of each loop
        self._budget = RefusalBudget()
        self.blocks = BlockWatch(self._end_blocked)
        self._poller = Poller(asyncio.get_running_loop())
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._last_descriptor = limit - _reserved(limit)
        self._tls = PlanTls()
        self.is_retiring = False
        self._is_draining = False
        self._end: asyncio.TimerHandle | None = None
        self.neighbours = Neighbours()
        self.is_finished = asyncio.Event()
        self.sessions: Sessions
        self.reconcile: Callable[[], None] = lambda: None
        self.plan: Plan | None = None
        self.access_log: AccessLog = NoAccessLog()
        self.byte_meter = ByteMeter(self._all_listeners)
        self._control = control
        self._channel: Channel[FromSupervisor]
        self.applier = ChannelApplier(self._send, page)
        self.connections = ConnectionQuestions(self._send)
        self.request_turns = RequestTurns(page.by_key, row)
        self.password_pace = LoginPace(page, row, "passwords")
        self.api_key_pace = LoginPace(page, row, "API keys")
        self.login_waits = LoginWaits()
        self._reports = ConnectionReports(self._all_listeners, self._send)

    def begin(self) -> None:
        """Read what the supervisor says. `sessions` has to be set."""
        self._channel = Channel(
            self._control,
            FromSupervisor,  # type: ignore[arg-type]  # a union of types is decoded
            self._received,
            self._supervisor_gone,
        )
        self.byte_meter.start()

    def _send(self, message: msgspec.Struct) -> None:
        self._channel.send(message)

    def _received(self, message: FromSupervisor, descriptors: list[int]) -> None:
        match message:
            case ApplyPlan():
                self._channel.send(self._apply(message, descriptors))
            case TryTls(number=number, plan=plan):
                self._channel.send(TlsTried(number=number, failures=self._tls.try_to_build(plan)))
            case EmptySockets():
                self._empty(message, descriptors)
            case ReleaseSockets(number=number, sockets=sockets):
                self._release(sockets)
                self._channel.send(SocketsReleased(number=number))
            case ChangeGranted() | ChangePrepared() | ChangeEnded() | StatusAnswer():
                self.applier.answered(message)
            case ReportConnections():
                self._reports.answer(message)
            case ConnectionsPart():
                self.connections.answered(message)
            case Reconcile():
                self.reconcile()
            case NeighbourCame(row=row):
                self.neighbours.came(row, descriptors[0])
            case NeighbourLeft(row=row):
                self.neighbours.left(row)
            case Retire(timeout=timeout):
                self._retire(timeout)
            case Drain(timeout=timeout):
                self.drain(timeout)

    # --- plans ------------------------------------------------------------------------------------------------------

    def _apply(self, message: ApplyPlan, descriptors: list[int]) -> PlanApplied:
        if self._is_draining:  # nothing comes here any more
            _close_all(descriptors)
            return PlanApplied(number=message.number)
        try:
            self._follow(message, descriptors)
        except Exception as error:
            events.error(Event.PLAN_NOT_APPLIED, failure=error, revision=message.plan.revision, reason=str(error))
            return PlanApplied(number=message.number, error=str(error))
        policies = [listener.policy for listener in self._listeners.values()]
        without_tls = [(policy.plan, policy.tls_error) for policy in policies if policy.tls_error]
        return PlanApplied(
            number=message.number,
            error="; ".join(f"{plan.name}: {error}" for plan, error in without_tls) or None,
            tls_failures=tuple(TlsFailure(listener_id=plan.id, text=error) for plan, error in without_tls),
        )

    def _follow(self, message: ApplyPlan, descriptors: list[int]) -> None:
        before, plan = self.plan, message.plan
        self._empty_what_goes(message)
        self.plan = plan
        self._follow_listeners(plan, message.counter_slots)
        self.blocks.follow(plan)
        self._follow_sockets(message, descriptors)
        if before is not None and before.max_connections_per_address is None and plan.max_connections_per_address:
            for listener in self._all_listeners():
                listener.count_addresses()
        if before is not None and plan.drain_timeout is not None:
            self._end_what_was_removed_later(before, plan)

    def _empty_what_goes(self, message: ApplyPlan) -> None:
        """Before anything that may fail: the supervisor keeps new connections out of these in any case. Who waits came before the
        change."""
        wanted = {granted.number for granted in message.sockets}
        for number, loop in self._loops.items():
            if number not in wanted:
                loop.empty()

    def _follow_listeners(self, plan: Plan, slots: dict[Id, int]) -> None:
        contexts = self._tls.run(plan)
        kept: dict[Id, Listener] = {}
        for listener_plan in plan.listeners:
            policy = ListenerPolicy(plan, listener_plan, contexts, self.blocks)
            listener = self._listeners.pop(listener_plan.id, None)
            if listener is None:
                listener = self._new_listener(policy, slots)
            else:
                listener.policy = policy
            kept[listener_plan.id] = listener
        self._leaving.update(self._listeners.values())
        self._listeners = kept
        self._listener_is_empty()

    def _new_listener(self, policy: ListenerPolicy, slots: dict[Id, int]) -> Listener:
        counter = ConnectionCounter(self._page, slots[policy.plan.id], self._row)
        return Listener(
            policy, counter, self._budget, self._poller, self.sessions, self._listener_is_empty, self.access_log
        )

    def _follow_sockets(self, message: ApplyPlan, descriptors: list[int]) -> None:
        for granted in message.sockets:
            listener = self._listeners[granted.listener_id]
            if granted.is_attached:
                self._accept_from(descriptors.pop(0), granted, listener)
            else:
                self._loops[granted.number].hand_to(listener.accepted_at(granted.address), batch=_batch(listener))
                self._accepting[granted.number] = listener

    def _accept_from(self, descriptor: int, granted: GrantedSocket, listener: Listener) -> AcceptLoop:
        loop = self._loops[granted.number] = AcceptLoop(
            socket.socket(fileno=descriptor),
            listener.accepted_at(granted.address),
            partial(self._out_of_resources, granted.number),
            partial(self._has_resources_again, granted.number),
            batch=_batch(listener),
            last_descriptor=self._last_descriptor,
        )
        self._accepting[granted.number] = listener
        return loop

    def _empty(self, message: EmptySockets, descriptors: list[int]) -> None:
        if self._is_draining:
            _close_all(descriptors)
            return
        for granted in message.sockets:
            listener = self._listener_that_gives_up(granted.listener_id, message)
            self._accept_from(descriptors.pop(0), granted, listener).empty()
            if self.plan is not None and self.plan.drain_timeout is not None:
                self._end_later(self.plan.drain_timeout, listener, frozenset((granted.address,)))

    def _listener_that_gives_up(self, listener_id: Id, message: EmptySockets) -> Listener:
        listener = self._listeners.get(listener_id)
        if listener is not None:
            return listener
        (plan,) = (each for each in message.plan.listeners if each.id == listener_id)
        leaving = next((each for each in self._leaving if each.policy.plan == plan), None)
        if leaving is not None:
            return leaving
        policy = ListenerPolicy(message.plan, plan, self._tls.of_another(message.plan), self.blocks)
        made = self._new_listener(policy, message.counter_slots)
        self._leaving.add(made)
        return made

    def _out_of_resources(self, number: int, error: OSError) -> None:
        listener = self._accepting[number]
        listener.counter.count(Cell.ACCEPT_PAUSES)
        events.warning(Event.ACCEPT_PAUSED, listener=listener.policy.plan.name, reason=str(error))
        self._paused.add(number)
        self._tell_of_pauses()

    def _has_resources_again(self, number: int) -> None:
        self._paused.discard(number)
        self._tell_of_pauses()

    def _tell_of_pauses(self) -> None:
        """What one loop is short of, all are: they differ only in whether a client has come meanwhile."""
        self._page.note(SERVER_SLOT, self._row, Cell.PAUSED_LOOPS, len(self._paused))

    def _release(self, numbers: tuple[int, ...]) -> None:
        for number in numbers:
            loop = self._loops.pop(number, None)
            if loop is not None:
                loop.accept_queued()
                loop.close()
                del self._accepting[number]

    def _end_blocked(self) -> None:
        table = self.blocks.table
        if table is not None and table.ends_any:
            for listener in self._all_listeners():
                listener.end_blocked(table)

    def _end_what_was_removed_later(self, before: Plan, plan: Plan) -> None:
        """Connections of addresses that are gone live on until the drain timeout, where there is one."""
        kept = {(listener.id, address) for listener in plan.listeners for address in listener.addresses}
        for old in before.listeners:
            gone = frozenset(address for address in old.addresses if (old.id, address) not in kept)
            listener = self._listeners.get(old.id) or next(
                (leaving for leaving in self._leaving if leaving.policy.plan.id == old.id), None
            )
            if gone and listener is not None and plan.drain_timeout is not None:
                self._end_later(plan.drain_timeout, listener, gone)

    def _end_later(self, seconds: float, listener: Listener, gone: frozenset[str]) -> None:
        asyncio.get_running_loop().call_later(seconds, self._end_what_was_removed, listener, gone)

    def _end_what_was_removed(self, listener: Listener, gone: frozenset[str]) -> None:
        is_there = listener in self._listeners.values()
        came_back = frozenset(listener.policy.plan.addresses) if is_there else frozenset()
        listener.shut_down(gone - came_back)

    # --- the end ----------------------------------------------------------------------------------------------------

    def _retire(self, timeout: float | None) -> None:
        """Let the open sessions end by themselves, but no request of the API come here any more: it could change nothing."""
        self.is_retiring = True
        self._release(tuple(self._loops))
        for listener in self._all_listeners():
            if listener.policy.plan.protocol is ProtocolName.HTTP:
                listener.shut_down()
        if timeout is not None:
            asyncio.get_running_loop().call_later(timeout, self.drain, DRAIN_TIMEOUT_AT_EXIT)
        self._listener_is_empty()

    def drain(self, timeout: float) -> None:
        """Accept no more, take leave of every client, finish when the last is gone or `timeout` seconds have passed."""
        if self._is_draining:
            return
        self._is_draining = True
        self._release(tuple(self._loops))
        for listener in self._all_listeners():
            listener.shut_down()
        self.login_waits.end()
        self._end = asyncio.get_running_loop().call_later(timeout, self.cut_off)
        self._listener_is_empty()

    def close(self) -> None:
        """Give everything back, when it has finished: for a worker whose process goes on."""
        if self._end is not None:
            self._end.cancel()
        self.byte_meter.stop()
        self.access_log.flush()
        self._channel.close()
        self.neighbours.close()
        self._poller.close()

    def cut_off(self) -> None:
        """Finish now, whoever is connected."""
        self._release(tuple(self._loops))
        for listener in self._all_listeners():
            listener.abort()
        self.is_finished.set()

    def _all_listeners(self) -> list[Listener]:
        return [*self._listeners.values(), *self._leaving]

    def _listener_is_empty(self) -> None:
        accepting = set(self._accepting.values())
        self._leaving = {listener for listener in self._leaving if listener.connections or listener in accepting}
        is_ending = self._is_draining or self.is_retiring
        if is_ending and not any(listener.connections for listener in self._all_listeners()):
            self.is_finished.set()

    def _supervisor_gone(self) -> None:
        """Without a supervisor there is nobody who keeps the sockets: end as if told to. Who retires needs none."""
        self.applier.supervisor_gone()
        if self.is_retiring:
            return
        events.error(Event.SERVER_STOPPING, reason="the supervisor is gone")
        self.drain(DRAIN_TIMEOUT_AT_EXIT if self.plan is None else self.plan.drain_timeout_at_exit)


def _reserved(limit: int) -> int:
    """Of all descriptors, those for the listening sockets of a change, the store, locks."""
    return max(min(_LEAST_RESERVED, limit // 4), min(_MOST_RESERVED, limit // 16))


def _batch(listener: Listener) -> int:
    return _OWN_BATCH if listener.policy.plan.socket.reuse_port else _SHARED_BATCH


def _close_all(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
