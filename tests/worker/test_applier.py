"""Changes as the management API asks for them: answers in time, too late, out of turn, or never."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest
from tests.supervisor.plans import TLS, listener, plan
from tests.transport.certificates import certificate
from tests.transport.loopback import some_turns, until

from gatepost.control.messages import (
    AbandonChange,
    ActivateChange,
    BeginChange,
    BindFailure,
    ChangeEnded,
    ChangeGranted,
    ChangePrepared,
    DrainingListener,
    PrepareChange,
    QueueStatus,
    SocketStatus,
    StatusAnswer,
    StatusQuestion,
    TlsFailure,
)
from gatepost.management.applying import ApplyError
from gatepost.transport.counter_page import SERVER_SLOT, Cell, ConnectionCounter, CounterPage
from gatepost.values.ids import Id
from gatepost.worker import applier as applier_module
from gatepost.worker.applier import ChannelApplier

CERTIFICATES = (certificate("ecdsa", "mail.example.org", is_fallback=True),)


class Supervisor:
    """Answers as a supervisor does, or as the test says."""

    def __init__(self) -> None:
        self.page = CounterPage.create(1)
        self.asked: list[msgspec.Struct] = []
        self.applier = ChannelApplier(self._sent, self.page)
        self.answers: dict[type[Any], Callable[[Any], Any]] = {
            BeginChange: lambda asked: ChangeGranted(number=asked.number, running_plan=plan()),
            PrepareChange: lambda asked: ChangePrepared(number=asked.number),
            ActivateChange: lambda asked: ChangeEnded(number=asked.number),
        }

    def _sent(self, message: msgspec.Struct) -> None:
        self.asked.append(message)
        make_answer = self.answers.get(type(message))
        answer = None if make_answer is None else make_answer(message)
        if answer is not None:
            asyncio.get_running_loop().call_soon(self.applier.answered, answer)

    @property
    def kinds(self) -> list[str]:
        return [type(message).__name__ for message in self.asked]


@pytest.fixture
async def supervisor() -> AsyncIterator[Supervisor]:
    made = Supervisor()
    yield made
    os.close(made.page.descriptor)


async def test_a_change_goes_through_its_steps(supervisor: Supervisor) -> None:
    async with supervisor.applier.change() as change:
        assert change.running_plan == plan()
        assert await change.prepare(plan(listener("a", "127.0.0.1:25"))) == []
        await change.activate(7)
    assert supervisor.kinds == ["BeginChange", "PrepareChange", "ActivateChange"]


async def test_a_change_that_is_not_activated_is_abandoned(supervisor: Supervisor) -> None:
    async with supervisor.applier.change() as change:
        await change.prepare(plan())
    with pytest.raises(ZeroDivisionError):
        async with supervisor.applier.change():
            raise ZeroDivisionError
    assert supervisor.kinds.count("AbandonChange") == 2


async def test_a_change_whose_request_is_cancelled_is_abandoned(supervisor: Supervisor) -> None:
    supervisor.answers[BeginChange] = lambda _asked: None

    async def ask() -> None:
        async with supervisor.applier.change():
            pass

    asking = asyncio.create_task(ask())
    await until(lambda: supervisor.asked)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert supervisor.kinds == ["BeginChange", "AbandonChange"]


async def test_changes_of_one_worker_take_turns(supervisor: Supervisor) -> None:
    may_end = asyncio.Event()

    async def first() -> None:
        async with supervisor.applier.change():
            await may_end.wait()

    async def second() -> None:
        async with supervisor.applier.change():
            pass

    running = asyncio.gather(first(), second())
    await until(lambda: supervisor.asked)
    await some_turns()
    assert supervisor.kinds == ["BeginChange"]
    may_end.set()
    await running
    assert supervisor.kinds == ["BeginChange", "AbandonChange", "BeginChange", "AbandonChange"]


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("EADDRINUSE", "Another process"),
        ("EADDRNOTAVAIL", "add it to an interface"),
        ("EACCES", "1023"),
        ("ENODEV", "no network interface of that name"),
        ("EMFILE", "LimitNOFILE="),
        ("EIO", ""),
    ],
)
async def test_an_address_that_cannot_be_bound_is_told_with_the_errno_and_advice(
    supervisor: Supervisor, name: str, advice: str
) -> None:
    failure = BindFailure(listener_id=Id("a"), address="127.0.0.1:25", errno_name=name, text="words")
    supervisor.answers[PrepareChange] = lambda asked: ChangePrepared(number=asked.number, failures=(failure,))
    async with supervisor.applier.change() as change:
        (told,) = await change.prepare(plan())
    assert (told.object_id, told.property_name, told.value, told.errno_name) == ("a", "bind", "127.0.0.1:25", name)
    assert name in told.description
    assert advice in told.description


async def test_tls_that_a_worker_cannot_build_is_told_of_its_listener(supervisor: Supervisor) -> None:
    failure = TlsFailure(listener_id=Id("a"), text="no usable cipher suite is left")
    supervisor.answers[PrepareChange] = lambda asked: ChangePrepared(number=asked.number, tls_failures=(failure,))
    async with supervisor.applier.change() as change:
        (told,) = await change.prepare(plan(listener("a", "127.0.0.1:25", tls=TLS)))
    assert (told.object_id, told.property_name, told.description) == ("a", "useTls", failure.text)


async def test_workers_that_could_not_follow_are_told(supervisor: Supervisor) -> None:
    supervisor.answers[ActivateChange] = lambda asked: ChangeEnded(number=asked.number, errors=("worker 2: no room",))
    with pytest.raises(ApplyError, match="worker 2: no room"):
        async with supervisor.applier.change() as change:
            await change.activate(7)
    assert "AbandonChange" not in supervisor.kinds


async def test_an_answer_that_comes_too_late_is_not_taken_for_another(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applier_module, "_TURN_DEADLINE", 0.05)
    answer = supervisor.answers.pop(BeginChange)
    with pytest.raises(ApplyError, match="no answer"):
        async with supervisor.applier.change():
            pass
    late = answer(supervisor.asked[0])
    assert isinstance(late, ChangeGranted)
    supervisor.applier.answered(late)
    assert supervisor.kinds == ["BeginChange", "AbandonChange"]
    monkeypatch.setattr(applier_module, "_TURN_DEADLINE", 15)

    def grant_with_a_late_one_in_front(asked: BeginChange) -> Any:
        supervisor.applier.answered(late)
        return answer(asked)

    supervisor.answers[BeginChange] = grant_with_a_late_one_in_front
    async with supervisor.applier.change() as change:
        assert await change.prepare(plan()) == []


async def test_an_answer_of_the_wrong_kind_is_an_error(supervisor: Supervisor) -> None:
    supervisor.answers[BeginChange] = lambda asked: ChangeEnded(number=asked.number)
    with pytest.raises(ApplyError, match="out of turn"):
        async with supervisor.applier.change():
            pass


async def test_who_waits_when_the_supervisor_dies_is_told_and_so_is_who_asks_later(supervisor: Supervisor) -> None:
    supervisor.answers[BeginChange] = lambda _asked: None

    async def ask() -> None:
        async with supervisor.applier.change():
            pass

    asking = [asyncio.create_task(ask()), asyncio.create_task(ask())]
    await until(lambda: supervisor.asked)
    supervisor.applier.supervisor_gone()
    for task in asking:
        with pytest.raises(ApplyError, match="gone"):
            await task
    with pytest.raises(ApplyError, match="gone"):
        await supervisor.applier.statuses()
    assert StatusQuestion not in {type(message) for message in supervisor.asked}
    assert AbandonChange in {type(message) for message in supervisor.asked}


async def test_the_status_of_a_listener_joins_supervisor_kernel_and_counters(supervisor: Supervisor) -> None:
    failure = BindFailure(listener_id=Id("b"), address="127.0.0.1:26", errno_name="EADDRINUSE", text="in use")
    supervisor.page.set_cap(4, 1)
    counter = ConnectionCounter(supervisor.page, 4, 0)
    counter.admit()
    counter.accepted()
    counter.admit()
    counter.count(Cell.TLS_1_3)
    counter.count(Cell.PROXY_MISSING, 2)
    counter.count(Cell.ENDED_IDLE, 3)
    counter.count(Cell.BYTES_SENT, 1234)
    counter.count(Cell.TLS_WITHIN_10_MS)
    counter.count(Cell.TLS_MICROSECONDS, 2500)
    gone = ConnectionCounter(supervisor.page, 6, 0)
    gone.admit()
    socket_status = SocketStatus(
        listener_id=Id("a"),
        address="127.0.0.1:25",
        workers_accepting=2,
        accept_queues=(QueueStatus(length=3, limit=64, drops=5), QueueStatus(length=0, limit=64, drops=0)),
        socket_options={},
        note="n",
    )
    supervisor.answers[StatusQuestion] = lambda asked: StatusAnswer(
        number=asked.number,
        plan=plan(listener("a", "127.0.0.1:25"), listener("b", "127.0.0.1:26"), revision=9),
        sockets=(socket_status,),
        failures=(failure,),
        counter_slots={Id("a"): 4, Id("b"): 5},
        draining=(DrainingListener(listener_id=Id("c"), name="c", counter_slot=6),),
        workers_running=2,
    )
    good, bad, leaving = await supervisor.applier.statuses()
    assert (good.state, good.reason, good.running_revision) == ("active", None, 9)
    counts = good.counts
    assert (counts.connections, counts.connections_peak, counts.accepted, counts.bytes_sent) == (1, 1, 1, 1234)
    assert counts.tls_handshakes == {"TLSv1.2": 0, "TLSv1.3": 1}
    assert dict(counts.handshakes_within)[0.01] == 1
    assert counts.handshake_seconds == 0.0025
    assert (counts.refused["maxConnections"], counts.refused["proxyHeader"]) == (1, 2)
    assert (counts.proxy_rejected["missing"], counts.ended["idle"]) == (2, 3)
    (address,) = good.addresses
    assert (address.workers_accepting, address.note) == (2, "n")
    assert [(queue.length, queue.limit, queue.drops) for queue in address.accept_queues] == [(3, 64, 5), (0, 64, 0)]
    assert (bad.state, bad.counts.connections) == ("failed", 0)
    assert "EADDRINUSE" in (bad.reason or "")
    assert [(failed.address, failed.errno_name, failed.reason) for failed in bad.addresses] == [
        ("127.0.0.1:26", "EADDRINUSE", "in use")
    ]
    assert (leaving.listener_id, leaving.name, leaving.state, leaving.counts.connections) == ("c", "c", "draining", 1)


@pytest.mark.parametrize(
    ("is_bound", "workers_accepting", "connections", "state"),
    [(True, 1, 0, "active"), (True, 0, 0, "starting"), (False, 0, 1, "draining"), (False, 0, 0, "stopped")],
)
async def test_the_state_of_a_listener_says_what_it_does(
    supervisor: Supervisor, is_bound: bool, workers_accepting: int, connections: int, state: str
) -> None:
    counter = ConnectionCounter(supervisor.page, 4, 0)
    for _ in range(connections):
        counter.admit()
    bound = SocketStatus(
        listener_id=Id("a"),
        address="127.0.0.1:25",
        workers_accepting=workers_accepting,
        accept_queues=(),
        socket_options={},
    )
    supervisor.answers[StatusQuestion] = lambda asked: StatusAnswer(
        number=asked.number,
        plan=plan(listener("a", "127.0.0.1:25")),
        sockets=(bound,) if is_bound else (),
        failures=(),
        counter_slots={Id("a"): 4},
        workers_running=workers_accepting,
    )
    (status,) = await supervisor.applier.statuses()
    assert status.state == state


@pytest.mark.parametrize(
    ("paused", "state", "workers_accepting", "words"),
    [
        (0, "active", 2, None),
        (1, "active", 1, "1 of 2 workers accept nothing now: out of descriptors or memory"),
        (2, "paused", 0, "2 of 2 workers accept nothing now: out of descriptors or memory"),
    ],
)
async def test_workers_that_are_out_of_resources_do_not_count_as_accepting(
    supervisor: Supervisor, paused: int, state: str, workers_accepting: int, words: str | None
) -> None:
    supervisor.page.use_rows(2)
    for row in range(paused):
        supervisor.page.note(SERVER_SLOT, row, Cell.PAUSED_LOOPS, 3)
    bound = SocketStatus(
        listener_id=Id("a"), address="127.0.0.1:25", workers_accepting=2, accept_queues=(), socket_options={}
    )
    supervisor.answers[StatusQuestion] = lambda asked: StatusAnswer(
        number=asked.number,
        plan=plan(listener("a", "127.0.0.1:25")),
        sockets=(bound,),
        failures=(),
        counter_slots={},
        workers_running=2,
    )
    (status,) = await supervisor.applier.statuses()
    assert (status.state, status.addresses[0].workers_accepting, status.reason) == (state, workers_accepting, words)
    for row in range(paused):
        supervisor.page.clear_row(row)  # the worker died
    (status,) = await supervisor.applier.statuses()
    assert (status.state, status.reason) == ("active", None)


async def test_a_listener_that_a_worker_has_no_tls_for_is_failed_and_says_why(supervisor: Supervisor) -> None:
    supervisor.answers[StatusQuestion] = lambda asked: StatusAnswer(
        number=asked.number,
        plan=plan(listener("a", "127.0.0.1:25"), listener("b", "127.0.0.1:26")),
        sockets=(),
        failures=(),
        counter_slots={},
        workers_running=1,
        tls_failures=(TlsFailure(listener_id=Id("a"), text="no memory"),),
    )
    without, other = await supervisor.applier.statuses()
    assert (without.state, other.state, other.reason) == ("failed", "stopped", None)
    assert "no memory" in (without.reason or "")
