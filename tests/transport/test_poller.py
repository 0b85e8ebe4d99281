"""Waiting for descriptors: what is reported, to whom, and that nothing spins."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.transport.loopback import some_turns, until

from gatepost.transport.poller import READABLE, WRITABLE, Poller

_MORE_THAN_ONE_POLL_REPORTS = 400


class Owner:
    def __init__(self) -> None:
        self.seen: list[int] = []

    def ready(self, events: int, /) -> None:
        self.seen.append(events)

    def abandon(self) -> None:
        raise AssertionError("nothing has failed")


class World:
    def __init__(self) -> None:
        self.poller = Poller(asyncio.get_running_loop())
        self.ours, self.theirs = socket.socketpair()
        self.descriptor = self.ours.fileno()
        self.owner = Owner()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    made.poller.close()
    made.ours.close()
    made.theirs.close()


async def test_what_is_there_is_reported_until_it_is_dealt_with(world: World) -> None:
    world.poller.watch(world.descriptor, world.owner, READABLE)
    await some_turns()
    assert world.owner.seen == []
    world.theirs.send(b"x")
    await until(lambda: len(world.owner.seen) > 2)
    assert set(world.owner.seen) == {READABLE}
    world.ours.recv(1)
    await some_turns()
    count = len(world.owner.seen)
    await some_turns()
    assert len(world.owner.seen) == count


async def test_what_is_reported_can_be_changed(world: World) -> None:
    world.poller.watch(world.descriptor, world.owner, READABLE)
    world.poller.change(world.descriptor, READABLE | WRITABLE)
    await until(lambda: world.owner.seen)
    assert set(world.owner.seen) == {WRITABLE}
    world.poller.change(world.descriptor, 0)
    world.owner.seen.clear()
    await some_turns()
    assert world.owner.seen == []
    world.poller.watch(world.descriptor, world.owner, WRITABLE)
    await until(lambda: world.owner.seen)


async def test_an_error_is_for_reading_and_for_writing(world: World) -> None:
    world.poller.watch(world.descriptor, world.owner, READABLE)
    world.theirs.close()
    await until(lambda: world.owner.seen)
    assert world.owner.seen[0] == READABLE | WRITABLE


async def test_a_closed_descriptor_leaves_no_trace(world: World) -> None:
    world.poller.watch(world.descriptor, world.owner, READABLE)
    world.poller.forget(world.descriptor)
    world.ours.close()
    successor, peer = socket.socketpair()
    assert successor.fileno() == world.descriptor
    another = Owner()
    world.poller.watch(successor.fileno(), another, READABLE)
    peer.send(b"x")
    await until(lambda: another.seen)
    assert world.owner.seen == []
    successor.close()
    peer.close()


async def test_a_callback_that_fails_is_reported_and_harms_nobody_else(world: World) -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))

    class Failing(Owner):
        def ready(self, _events: int, /) -> None:
            raise ZeroDivisionError

        def abandon(self) -> None:
            world.poller.forget(world.descriptor)
            world.ours.close()

    another, peer = socket.socketpair()
    world.poller.watch(world.descriptor, Failing(), READABLE)
    world.poller.watch(another.fileno(), world.owner, READABLE)
    world.theirs.send(b"x")
    peer.send(b"x")
    await until(lambda: complaints and len(world.owner.seen) > 10)
    assert len(complaints) == 1  # although nobody has taken what was reported
    another.close()
    peer.close()


async def test_everybody_who_is_ready_is_dealt_with_before_anything_else_gets_its_turn() -> None:
    poller, order, loop = Poller(asyncio.get_running_loop()), list[str](), asyncio.get_running_loop()

    class One(Owner):
        def __init__(self, sock: socket.socket) -> None:
            super().__init__()
            self._sock = sock

        def ready(self, events: int, /) -> None:
            if not order:
                loop.call_soon(order.append, "something else")
            order.append("connection")
            self._sock.recv(1)

    pairs = [socket.socketpair() for _ in range(_MORE_THAN_ONE_POLL_REPORTS)]
    for ours, theirs in pairs:
        theirs.send(b"x")
        poller.watch(ours.fileno(), One(ours), READABLE)
    await until(lambda: "something else" in order)
    assert order.index("something else") == len(pairs)
    poller.close()
    for ours, theirs in pairs:
        ours.close()
        theirs.close()


async def test_long_steps_take_turns_with_everybody_else(world: World) -> None:
    order: list[str] = []

    class Quick(Owner):
        def ready(self, _events: int, /) -> None:
            world.ours.recv(1)
            order.append("quick")

    world.poller.watch(world.descriptor, Quick(), READABLE)
    taken_now = [world.poller.take_long_step(world.owner, lambda: order.append("long")) for _ in range(20)]
    assert taken_now == [True] * 4 + [False] * 16
    world.theirs.send(b"x")
    await until(lambda: order.count("long") == 20)
    assert order.index("quick") <= 8
    assert world.poller.take_long_step(world.owner, lambda: order.append("long"))


async def test_a_long_step_that_fails_is_reported_and_does_not_keep_the_next_from_being_taken(world: World) -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    taken: list[int] = []
    abandoned: list[int] = []

    class Numbered(Owner):
        def __init__(self, number: int) -> None:
            super().__init__()
            self._number = number

        def step(self) -> None:
            taken.append(10 // (self._number - 7))

        def abandon(self) -> None:
            abandoned.append(self._number)

    for owner in map(Numbered, range(10)):
        world.poller.take_long_step(owner, owner.step)
    await until(lambda: len(taken) == 9)
    assert len(complaints) == 1
    assert abandoned == [7]
