"""Sockets that are given up are emptied before they are closed, whoever dies; with real sockets, and workers that accept when the
test lets them."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Sequence
from typing import cast

import msgspec
import pytest
from tests.sockets.socket_plans import free_port
from tests.supervisor.plans import listener, plan
from tests.transport.loopback import until

from gatepost.control.messages import EmptySockets
from gatepost.supervisor import emptying as emptying_module
from gatepost.supervisor.counter_slots import CounterSlots
from gatepost.supervisor.emptying import Emptying
from gatepost.supervisor.fleet import Fleet
from gatepost.supervisor.socket_table import SocketTable
from gatepost.supervisor.worker_process import WorkerProcess
from gatepost.transport.counter_page import CounterPage

CLIENTS = 6


class StandIn:
    """A worker that accepts what waits in the sockets that it is given, unless it hangs. It is its own channel."""

    def __init__(self) -> None:
        self.sockets: set[int] = set()
        self.told: list[EmptySockets] = []
        self.hangs = False
        self.accepted: list[socket.socket] = []
        self.is_open = True
        self.channel = self

    def send(self, message: msgspec.Struct, descriptors: Sequence[int]) -> None:
        assert isinstance(message, EmptySockets)
        self.told.append(message)
        for descriptor in descriptors:
            self.accept(socket.socket(fileno=os.dup(descriptor)))

    def accept(self, listening: socket.socket) -> None:
        with listening:
            while not self.hangs:
                try:
                    self.accepted.append(listening.accept()[0])
                except BlockingIOError:
                    return


class NotingFleet:
    """`living` have sockets, `serving` may be given more. Nobody has any that were released."""

    def __init__(self) -> None:
        self.living: tuple[WorkerProcess, ...] = ()
        self.serving: tuple[WorkerProcess, ...] = ()
        self.is_stopping = False
        self.releases = 0

    async def release_ungranted(self) -> None:
        self.releases += 1
        for worker in self.living:
            worker.sockets.clear()


class World:
    """A listener that goes, with clients in its only socket."""

    def __init__(self) -> None:
        self.page = CounterPage.create(2)
        self.table = SocketTable(2, {})
        self.slots = CounterSlots(self.page)
        self.fleet = NotingFleet()
        port = free_port()
        self.before = plan(listener("gone", f"127.0.0.1:{port}", reuse_port=False), listener("stays"))
        self.slots.follow(self.before)
        self.table.activate(self.table.prepare(self.before))
        self.clients = [socket.create_connection(("127.0.0.1", port), timeout=15) for _ in range(CLIENTS)]
        self.retirement = self.table.activate(self.table.prepare(plan(listener("stays"))))
        self.slots.follow(plan(listener("stays")))
        self.workers: list[StandIn] = []

    def worker(self, *, is_serving: bool = True) -> StandIn:
        made = StandIn()
        self.workers.append(made)
        self.fleet.living += (cast(WorkerProcess, made),)
        if is_serving:
            self.fleet.serving += (cast(WorkerProcess, made),)
        return made

    def dies(self, worker: StandIn) -> None:
        self.fleet.living = tuple(each for each in self.fleet.living if each is not cast(WorkerProcess, worker))
        self.fleet.serving = tuple(each for each in self.fleet.serving if each is not cast(WorkerProcess, worker))

    def begin(self) -> asyncio.Task[None]:
        emptying = Emptying(self.retirement, self.before, cast(Fleet, self.fleet), self.slots)
        return asyncio.create_task(emptying.run())

    @property
    def is_closed(self) -> bool:
        return self.retirement.sockets[0].kept.sock.fileno() == -1


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    for sock in (*made.clients, *(sock for worker in made.workers for sock in worker.accepted)):
        sock.close()
    made.table.close()
    os.close(made.page.descriptor)


async def test_who_waits_and_has_no_worker_is_given_to_one_that_serves(world: World) -> None:
    worker = world.worker()
    await asyncio.wait_for(world.begin(), 15)
    assert len(worker.accepted) == CLIENTS
    (message,) = worker.told
    assert [each.name for each in message.plan.listeners] == ["gone"]
    assert message.counter_slots.keys() == {"gone", "stays"}
    assert world.is_closed


async def test_it_waits_for_a_worker_where_there_is_none(world: World) -> None:
    emptying = world.begin()
    await asyncio.sleep(0.1)
    assert not world.is_closed
    worker = world.worker()
    await asyncio.wait_for(emptying, 15)
    assert len(worker.accepted) == CLIENTS


async def test_a_worker_that_has_the_socket_is_not_told_and_nobody_else_is_while_it_lives(world: World) -> None:
    owner, other = world.worker(), world.worker()
    owner.sockets.add(world.retirement.sockets[0].kept.number)
    emptying = world.begin()
    await asyncio.sleep(0.1)
    assert (owner.told, other.told) == ([], [])
    world.dies(owner)
    await asyncio.wait_for(emptying, 15)
    assert len(other.accepted) == CLIENTS


async def test_a_worker_that_does_not_hear_us_any_more_does_not_count(world: World) -> None:
    owner, other = world.worker(is_serving=False), world.worker()
    owner.sockets.add(world.retirement.sockets[0].kept.number)
    owner.is_open = False
    await asyncio.wait_for(world.begin(), 15)
    assert len(other.accepted) == CLIENTS


async def test_what_a_worker_leaves_in_it_is_given_to_another_before_it_is_closed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emptying_module, "_LONGEST_WAIT", 0.1)
    first = world.worker()
    first.hangs = True
    emptying = world.begin()
    await until(lambda: world.fleet.releases == 1)
    world.dies(first)
    second = world.worker()
    await asyncio.wait_for(emptying, 15)
    assert len(second.accepted) == CLIENTS
    assert world.is_closed


async def test_a_worker_that_lives_and_does_not_accept_is_not_asked_again_and_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emptying_module, "_LONGEST_WAIT", 0.1)
    workers = [world.worker() for _ in range(3)]
    workers[0].hangs = workers[1].hangs = True
    await asyncio.wait_for(world.begin(), 15)
    assert len(workers[2].accepted) == CLIENTS
    assert world.fleet.releases <= 3
    assert world.is_closed


async def test_it_does_not_wait_for_ever(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emptying_module, "_LONGEST_WAIT", 0.05)
    monkeypatch.setattr(emptying_module, "_LONGEST_WAIT_FOR_A_WORKER", 0.1)
    await asyncio.wait_for(world.begin(), 15)
    assert world.is_closed


async def test_it_waits_for_no_worker_when_the_server_stops(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emptying_module, "_LONGEST_WAIT", 0.1)
    world.fleet.is_stopping = True
    await asyncio.wait_for(world.begin(), 15)
    assert world.fleet.releases == 1
    assert world.is_closed


async def test_what_nobody_waits_in_is_given_to_nobody(world: World) -> None:
    worker = world.worker()
    with world.retirement.sockets[0].kept.sock.dup() as listening:
        worker.accept(listening)
    await asyncio.wait_for(world.begin(), 15)
    assert worker.told == []
    assert world.is_closed
