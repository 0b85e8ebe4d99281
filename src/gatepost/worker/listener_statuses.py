"""The status of every listener: what the supervisor and the kernel say, joined with the counter page. Called by the applier."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar

from gatepost.control.messages import DrainingListener, SocketStatus, StatusAnswer
from gatepost.management.applying import AcceptQueue, AddressStatus, ListenerCounts, ListenerStatus, NodeStatus
from gatepost.plan.plan import ListenerPlan
from gatepost.registry.listener_status import ListenerState
from gatepost.transport.counter_page import SERVER_SLOT, Cell, CounterPage
from gatepost.transport.reasons import (
    CELL_OF_ENDING,
    CELL_OF_PROXY_FAILURE,
    CELL_OF_TLS_FAILURE,
    CELL_OF_TLS_VERSION,
    HANDSHAKE_BUCKETS,
    REFUSALS,
)
from gatepost.values.ids import Id


class _OfListener(Protocol):
    @property
    def listener_id(self) -> Id: ...


T = TypeVar("T", bound=_OfListener)


class _Told:
    """What the supervisor has answered, by listener: of both there may be thousands."""

    def __init__(self, answer: StatusAnswer) -> None:
        self.answer = answer
        self.sockets = _by_listener(answer.sockets)
        self.failures = _by_listener(answer.failures)
        self.tls_failures = _by_listener(answer.tls_failures)


def _by_listener(found: Iterable[T]) -> Mapping[Id, list[T]]:
    listeners: defaultdict[Id, list[T]] = defaultdict(list)
    for each in found:
        listeners[each.listener_id].append(each)
    return listeners


def node_status(answer: StatusAnswer, page: CounterPage) -> NodeStatus:
    """Listeners of the plan come first, then those that are gone from it and still have connections."""
    told = _Told(answer)
    running = [_status_of(listener, told, page) for listener in answer.plan.listeners]
    return NodeStatus(
        listeners=running + [_draining(listener, answer, page) for listener in answer.draining],
        workers_running=answer.workers_running,
        connections=page.total(SERVER_SLOT, Cell.CONNECTIONS),
        running_plan=answer.plan,
    )


def _status_of(listener: ListenerPlan, told: _Told, page: CounterPage) -> ListenerStatus:
    answer = told.answer
    slot = answer.counter_slots.get(listener.id)
    counts = ListenerCounts() if slot is None else counts_of(page, slot)
    paused = page.workers_with(SERVER_SLOT, Cell.PAUSED_LOOPS)
    bound = [_bound(status, paused) for status in told.sockets[listener.id]]
    failed = [
        AddressStatus(address=failure.address, errno_name=failure.errno_name, reason=failure.text)
        for failure in told.failures[listener.id]
    ]
    without_tls = [failure.text for failure in told.tls_failures[listener.id]]
    reasons = [f"{address.address}: {address.errno_name} ({address.reason})" for address in failed]
    reasons += [f"a worker has no TLS for it, and tries again: {text}" for text in without_tls]
    state = ListenerState.FAILED if reasons else _state(bound, counts, paused)
    if bound and paused:
        reasons.append(f"{paused} of {answer.workers_running} workers accept nothing now: out of descriptors or memory")
    return ListenerStatus(
        listener_id=listener.id,
        name=listener.name,
        state=state.value,
        reason="; ".join(reasons) or None,
        addresses=[*bound, *failed],
        counts=counts,
        running_revision=answer.plan.revision,
    )


def _state(bound: list[AddressStatus], counts: ListenerCounts, paused: int) -> ListenerState:
    if not bound:  # the server is ending
        return ListenerState.DRAINING if counts.connections else ListenerState.STOPPED
    if all(address.workers_accepting for address in bound):
        return ListenerState.ACTIVE
    return ListenerState.PAUSED if paused else ListenerState.STARTING


def _bound(status: SocketStatus, paused: int) -> AddressStatus:
    return AddressStatus(
        address=status.address,
        workers_accepting=max(0, status.workers_accepting - paused),
        accept_queues=[AcceptQueue(queue.length, queue.limit, queue.drops) for queue in status.accept_queues],
        socket_options=status.socket_options,
        note=status.note,
    )


def _draining(listener: DrainingListener, answer: StatusAnswer, page: CounterPage) -> ListenerStatus:
    return ListenerStatus(
        listener_id=listener.listener_id,
        name=listener.name,
        state=ListenerState.DRAINING.value,
        reason=None,
        addresses=(),
        counts=counts_of(page, listener.counter_slot),
        running_revision=answer.plan.revision,
    )


def counts_of(page: CounterPage, slot: int) -> ListenerCounts:
    """The numbers of one slot, as they are at this moment."""

    def named(cells: Mapping[str, Cell]) -> dict[str, int]:
        return {name: page.total(slot, cell) for name, cell in cells.items()}

    proxy_rejected = named({failure.value: cell for failure, cell in CELL_OF_PROXY_FAILURE.items()})
    return ListenerCounts(
        connections=page.total(slot, Cell.CONNECTIONS),
        connections_peak=page.peak(slot),
        accepted=page.total(slot, Cell.ACCEPTED),
        refused=named({name: cell for cell, name in REFUSALS.items()}) | {"proxyHeader": sum(proxy_rejected.values())},
        proxy_rejected=proxy_rejected,
        ended=named({ending.value: cell for ending, cell in CELL_OF_ENDING.items()}),
        tls_handshakes=named(CELL_OF_TLS_VERSION),
        tls_failures=named({failure.value: cell for failure, cell in CELL_OF_TLS_FAILURE.items()}),
        handshakes_within=[(bound, page.total(slot, cell)) for bound, cell in HANDSHAKE_BUCKETS],
        handshake_seconds=page.total(slot, Cell.TLS_MICROSECONDS) / 1_000_000,
        bytes_received=page.total(slot, Cell.BYTES_RECEIVED),
        bytes_sent=page.total(slot, Cell.BYTES_SENT),
        accept_pauses=page.total(slot, Cell.ACCEPT_PAUSES),
    )
