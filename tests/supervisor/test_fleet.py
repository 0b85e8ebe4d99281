"""Workers: started, asked, replaced. With worker processes that do what the test says."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from msgspec import structs
from structlog.testing import capture_logs
from tests.open_descriptors import open_descriptors
from tests.python_process import PACKAGE_PATH
from tests.sockets.socket_plans import free_port
from tests.supervisor.plans import TLS, listener, plan
from tests.transport.loopback import until

from gatepost.control.messages import FromWorker, TlsFailure
from gatepost.plan.plan import ListenerPlan
from gatepost.supervisor import fleet as fleet_module
from gatepost.supervisor.counter_slots import CounterSlots
from gatepost.supervisor.fleet import Fleet
from gatepost.supervisor.fork_server import ForkServer
from gatepost.supervisor.socket_table import SocketTable
from gatepost.supervisor.worker_process import WorkerProcess
from gatepost.transport.counter_page import SERVER_SLOT, Cell, ConnectionCounter, CounterPage
from gatepost.values.ids import Id

PROGRAM = Path(__file__).parent / "scripted_worker.py"
WORKERS = 2


class World:
    """A fleet of scripted workers, with everything around it that a supervisor has."""

    def __init__(self, directory: Path) -> None:
        self.log = directory / "workers.log"
        self.log.touch()
        self.page = CounterPage.create(WORKERS)
        self.slots = CounterSlots(self.page)
        self.table = SocketTable(WORKERS, {})
        self.requests: list[FromWorker] = []
        self.deaths: list[WorkerProcess] = []
        self.settings: dict[str, object] = {"script": "obedient", "log": str(self.log)}
        self.fork_server = ForkServer((sys.executable, str(PROGRAM)), self.settings)
        self.fleet = Fleet(
            self.fork_server, WORKERS, self.page, self.slots, self.table, self._asked, self.deaths.append
        )

    def _asked(self, _worker: WorkerProcess, message: FromWorker) -> None:
        self.requests.append(message)

    def open(self, *listeners: ListenerPlan) -> None:
        wanted = plan(*listeners)
        self.table.activate(self.table.prepare(wanted)).close()
        self.slots.follow(wanted)

    async def start(self, script: str = "obedient", *listeners: ListenerPlan) -> None:
        self.settings["script"] = script
        self.open(*listeners)
        self.fleet.start(plan(*listeners))
        await asyncio.wait_for(self.fleet.is_ready.wait(), 30)

    def notes(self, word: str) -> list[int]:
        """The processes that have noted it, in order."""
        lines = [line.split(" ", 1) for line in self.log.read_text().splitlines()]
        return [int(pid) for pid, noted in lines if noted == word]

    def has_deaths(self, count: int) -> bool:
        return len(self.deaths) == count

    async def end(self) -> None:
        self.fleet.kill()
        self.fleet.drain(0)
        await asyncio.wait_for(self.fleet.is_empty.wait(), 30)
        self.fleet.close()
        self.fork_server.close()
        self.table.close()
        os.close(self.page.descriptor)


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setenv("PYTHONPATH", PACKAGE_PATH)
    made = World(tmp_path)
    yield made
    await made.end()


def address() -> str:
    return f"127.0.0.1:{free_port()}"


async def test_all_workers_are_started_with_the_plan_and_its_sockets(world: World) -> None:
    await world.start("obedient", listener("a", address()), listener("b", address(), reuse_port=False))
    assert world.fleet.running == WORKERS
    assert len(set(world.notes("plan 1 sockets 2 attached 2"))) == WORKERS


async def test_a_new_plan_is_confirmed_by_every_worker_and_only_new_sockets_are_sent(world: World) -> None:
    one, two = address(), address()
    await world.start("obedient", listener("a", one))
    world.open(listener("a", one, two))
    assert await world.fleet.apply(plan(listener("a", one, two), revision=2)) == []
    assert len(set(world.notes("plan 2 sockets 2 attached 1"))) == WORKERS
    await world.fleet.release_ungranted()
    assert world.notes("release 1") == []
    world.open(listener("a", one))
    assert await world.fleet.apply(plan(listener("a", one), revision=3)) == []
    await world.fleet.release_ungranted()
    assert len(set(world.notes("release 1"))) == WORKERS


async def test_a_worker_that_cannot_follow_says_why(world: World) -> None:
    await world.start("refuses")
    assert sorted(await world.fleet.apply(plan(revision=2))) == ["worker 1: no room", "worker 2: no room"]


async def test_each_listener_whose_tls_a_worker_cannot_build_is_told_once(world: World) -> None:
    await world.start("refuses")
    wanted = plan(listener("a", address(), tls=TLS), listener("b", address()))
    assert await world.fleet.try_tls(wanted) == (TlsFailure(listener_id=Id("a"), text="no room"),)
    assert len(set(world.notes("try TLS of 2 listeners"))) == WORKERS


async def test_a_worker_that_dies_is_replaced_and_does_not_count_any_more(world: World) -> None:
    await world.start("obedient", listener("a", address()))
    counter = ConnectionCounter(world.page, 1, 0)
    counter.admit()
    (victim, _) = world.notes("plan 1 sockets 1 attached 1")
    os.kill(victim, signal.SIGKILL)
    await until(lambda: len(world.notes("plan 1 sockets 1 attached 1")) == 3)
    await until(lambda: world.fleet.running == WORKERS)
    assert [worker.pid for worker in world.deaths] == [victim]
    assert world.page.total(SERVER_SLOT, Cell.CONNECTIONS) == (0 if world.deaths[0].index == 0 else 1)


async def test_a_plan_is_not_held_up_by_a_worker_that_dies_over_it(world: World) -> None:
    await world.start("mute")
    applying = asyncio.create_task(world.fleet.apply(plan(revision=2)))
    await until(lambda: len(world.notes("plan 2 sockets 0 attached 0")) == WORKERS)
    world.settings["script"] = "obedient"
    for pid in world.notes("plan 2 sockets 0 attached 0"):
        os.kill(pid, signal.SIGKILL)
    assert await applying == []
    await until(lambda: len(world.notes("plan 2 sockets 0 attached 0")) == 2 * WORKERS)


async def test_a_worker_that_does_not_answer_is_replaced(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_module, "_ANSWER_DEADLINE", 0.3)
    await world.start("mute")
    world.settings["script"] = "obedient"
    with capture_logs() as logs:
        assert await world.fleet.apply(plan(revision=2)) == []
        await until(lambda: len(world.deaths) == WORKERS)
        await until(lambda: world.fleet.running == WORKERS)
    assert [entry["event"] for entry in logs].count("worker.late") == WORKERS
    assert len(set(world.notes("plan 2 sockets 0 attached 0"))) == 2 * WORKERS


async def test_a_worker_that_sends_garbage_is_not_waited_for(world: World) -> None:
    await world.start("garbage")
    applying = asyncio.create_task(world.fleet.apply(plan(revision=2)))
    world.settings["script"] = "obedient"
    assert await asyncio.wait_for(applying, 20) == []
    await until(lambda: len(world.deaths) == WORKERS)
    await until(lambda: world.fleet.running == WORKERS)


async def test_workers_that_die_as_they_start_are_counted_and_tried_again_more_and_more_slowly(world: World) -> None:
    world.settings["script"] = "dies-at-start"
    world.fleet.start(plan())
    await until(lambda: world.fleet.deaths_before_ready >= 4)
    world.settings["script"] = "obedient"
    await asyncio.wait_for(world.fleet.is_ready.wait(), 30)
    assert world.fleet.deaths_before_ready == 0


async def test_a_worker_that_cannot_follow_its_first_plan_is_not_ready_and_is_replaced(world: World) -> None:
    world.settings["script"] = "cannot"
    with capture_logs() as logs:
        world.fleet.start(plan())
        await until(lambda: world.fleet.deaths_before_ready >= 4)
        assert world.fleet.running == 0
        world.settings["script"] = "obedient"
        await asyncio.wait_for(world.fleet.is_ready.wait(), 30)
    assert {entry["reason"] for entry in logs if entry["event"] == "plan.not_applied"} == {"no room"}


async def test_a_worker_that_cannot_be_started_is_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_module, "_LONGEST_DELAY", 0.1)
    failures = 3

    def new_worker(index: int) -> WorkerProcess:
        nonlocal failures
        if failures:
            failures -= 1
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return real(index)

    real = world.fleet._new_worker
    monkeypatch.setattr(world.fleet, "_new_worker", new_worker)
    with capture_logs() as logs:
        await world.start()
    assert [entry["event"] for entry in logs].count("worker.died") == 3


async def test_one_worker_is_asked_to_compare_what_runs_with_what_is_stored(world: World) -> None:
    await world.start()
    world.fleet.reconcile()
    await until(lambda: world.notes("reconcile"))
    assert len(world.notes("reconcile")) == 1


async def test_where_no_worker_lives_the_next_one_is_asked(world: World) -> None:
    await world.start()
    for pid in world.notes("plan 1 sockets 0 attached 0"):
        os.kill(pid, signal.SIGKILL)
    await until(lambda: world.fleet.running == 0)
    world.fleet.reconcile()
    await until(lambda: world.notes("reconcile"))
    await until(lambda: world.fleet.running == WORKERS)
    assert len(world.notes("reconcile")) == 1


async def test_where_the_worker_that_was_asked_dies_another_is_asked(world: World) -> None:
    await world.start()
    world.fleet.reconcile()
    (asked,) = await until(lambda: world.notes("reconcile"))
    os.kill(asked, signal.SIGKILL)
    await until(lambda: len(world.notes("reconcile")) == 2)
    assert len(set(world.notes("reconcile"))) == 2


async def test_drained_workers_are_not_replaced(world: World) -> None:
    await world.start()
    world.fleet.drain(5)
    await asyncio.wait_for(world.fleet.is_empty.wait(), 30)
    assert len(world.notes("drain")) == WORKERS
    assert not world.fleet.living


async def test_workers_that_do_not_end_are_killed(world: World) -> None:
    await world.start("stays")
    world.fleet.drain(5)
    await until(lambda: len(world.notes("drain")) == WORKERS)
    world.fleet.kill()
    world.fleet.kill()
    await asyncio.wait_for(world.fleet.is_empty.wait(), 30)


async def test_what_workers_ask_is_handed_on(world: World) -> None:
    await world.start("dies-when-prepared")
    await world.fleet.apply(plan(revision=2))
    await until(lambda: len(world.requests) == WORKERS)
    assert {type(request).__name__ for request in world.requests} == {"BeginChange"}


async def test_no_descriptor_is_left_behind_by_workers_that_come_and_go(world: World) -> None:
    await world.start("obedient", listener("a", address()))
    before = open_descriptors()
    for wanted in (WORKERS, 2 * WORKERS, 3 * WORKERS):
        for pid in world.notes("plan 1 sockets 1 attached 1")[-WORKERS:]:
            os.kill(pid, signal.SIGKILL)
        await until(partial(world.has_deaths, wanted))
        await until(lambda: world.fleet.running == WORKERS)
    assert open_descriptors() <= before


async def test_more_workers_are_ready_before_they_get_sockets_and_fewer_leave_after_they_gave_them_up(
    world: World,
) -> None:
    address_ = address()
    await world.start("obedient", listener("a", address_))
    more = structs.replace(plan(listener("a", address_), revision=2), workers=4)
    assert await world.fleet.grow(more) == []
    assert world.fleet.running == 4
    assert len(world.notes("plan 1 sockets 0 attached 0")) == 2
    assert await world.fleet.apply(more) == []
    assert len(world.notes("plan 2 sockets 1 attached 1")) == 2
    fewer = structs.replace(more, workers=1, revision=3)
    assert await world.fleet.apply(fewer) == []
    await world.fleet.release_ungranted()
    assert len(world.notes("release 1")) == 3
    assert len(world.fleet.living) == 4
    world.fleet.retire_surplus()
    await until(lambda: len(world.notes("retire")) == 3 and len(world.fleet.living) == 1)
    assert [seat.row for seat in world.fleet.seats.taken] == [0]


async def test_the_end_of_a_worker_is_told_behind_a_hand_over_too(world: World) -> None:
    await world.start("obedient")
    await world.fleet.hand_over()
    await until(lambda: world.has_deaths(WORKERS))  # who waits for their answers waits no more
    assert world.fleet.is_empty.is_set()


async def test_workers_are_told_of_all_others_and_of_those_that_leave(world: World) -> None:
    await world.start()
    await world.fleet.grow(structs.replace(plan(), workers=3))
    await until(lambda: len(world.notes("neighbour 2")) == 2)
    (third,) = set(world.notes("neighbour 0")) & set(world.notes("neighbour 1"))
    await world.fleet.apply(structs.replace(plan(), workers=2))
    world.fleet.retire_surplus()
    await until(lambda: len(world.notes("no neighbour 2")) == 2)
    assert third not in world.notes("no neighbour 2")
