"""Accepting: in batches, past the errors of single connections, and without spinning when descriptors run out."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.python_process import python_environment
from tests.transport.loopback import some_turns, until

from gatepost.transport.accept_loop import AcceptLoop


class Faulty(socket.socket):
    """A listening socket whose next accepts fail as the test says."""

    def __init__(self) -> None:
        super().__init__()
        self.failures: list[int] = []
        self.attempts = 0

    def _accept(self) -> tuple[int, Any]:
        self.attempts += 1
        if self.failures:
            raise OSError(self.failures.pop(0), "as the test says")
        return super()._accept()  # type: ignore[misc, no-any-return]  # see AcceptLoop


class World:
    def __init__(self) -> None:
        self.listening = Faulty()
        self.listening.bind(("127.0.0.1", 0))
        self.listening.listen()
        self.listening.setblocking(False)
        self.address = self.listening.getsockname()
        self.clients: list[socket.socket] = []
        self.accepted: list[socket.socket] = []
        self.pauses: list[OSError] = []
        self.resumed = 0

    def loop(self, batch: int = 64, last_descriptor: int = sys.maxsize) -> AcceptLoop:
        return AcceptLoop(
            self.listening,
            self.take,
            self.pauses.append,
            self.note_resumed,
            batch=batch,
            last_descriptor=last_descriptor,
        )

    def note_resumed(self) -> None:
        self.resumed += 1

    def take(self, descriptor: int, _address: tuple[object, ...]) -> None:
        self.accepted.append(socket.socket(fileno=descriptor))

    def connect(self, count: int) -> None:
        self.clients += [socket.create_connection(self.address) for _ in range(count)]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    for sock in (made.listening, *made.clients, *made.accepted):
        sock.close()


async def test_every_connection_is_handed_over_and_does_not_block(world: World) -> None:
    loop = world.loop()
    world.connect(10)
    await until(lambda: len(world.accepted) == 10)
    assert not any(os.get_blocking(sock.fileno()) for sock in world.accepted)
    loop.close()


async def test_no_more_than_a_batch_is_accepted_in_one_turn(world: World) -> None:
    world.connect(10)
    loop = world.loop(batch=3)
    sizes: list[int] = []

    def take(descriptor: int, address: tuple[object, ...]) -> None:
        world.take(descriptor, address)
        asyncio.get_running_loop().call_soon(lambda: sizes.append(len(world.accepted)))

    loop.hand_to(take, batch=3)
    await until(lambda: len(world.accepted) == 10)
    assert sizes[0] == 3
    loop.close()


async def test_everything_that_waits_can_be_accepted_at_once(world: World) -> None:
    world.connect(10)
    loop = world.loop(batch=3)
    loop.accept_queued()
    assert len(world.accepted) == 10
    loop.close()


async def test_another_may_take_over_what_comes(world: World) -> None:
    loop = world.loop()
    others: list[socket.socket] = []
    loop.hand_to(lambda descriptor, _address: others.append(socket.socket(fileno=descriptor)), batch=64)
    world.connect(1)
    await until(lambda: others)
    assert world.accepted == []
    others[0].close()
    loop.close()


async def test_closing_in_the_middle_of_a_batch_ends_it(world: World) -> None:
    world.connect(5)
    loop = world.loop()

    def take_and_close(descriptor: int, address: tuple[object, ...]) -> None:
        world.take(descriptor, address)
        loop.close()

    loop.hand_to(take_and_close, batch=64)
    await until(lambda: world.accepted)
    await some_turns()
    assert len(world.accepted) == 1
    loop.close()
    loop.accept_queued()


@pytest.mark.parametrize("number", [errno.ECONNABORTED, errno.EPROTO, errno.EHOSTUNREACH, errno.EPERM])
async def test_the_error_of_one_connection_does_not_keep_the_next_from_being_accepted(
    world: World, number: int
) -> None:
    world.listening.failures = [number, number]
    loop = world.loop()
    world.connect(1)
    await until(lambda: world.accepted)
    assert world.pauses == []
    loop.close()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
async def test_a_shortage_pauses_accepting_and_is_told_once_a_pause(world: World, number: int) -> None:
    world.listening.failures = [number, number]
    loop = world.loop()
    world.connect(1)
    await until(lambda: world.accepted)
    assert [error.errno for error in world.pauses] == [number, number]
    assert world.resumed == 2
    loop.close()
    assert world.resumed == 2


async def test_the_last_descriptors_are_not_given_to_clients_and_clients_wait_until_there_are_others(
    world: World,
) -> None:
    world.connect(8)
    with ExitStack() as probes:
        last = [probes.enter_context(socket.socket()) for _ in range(4)][-1].fileno()
    loop = world.loop(last_descriptor=last)
    await until(lambda: world.pauses)
    taken = len(world.accepted)
    assert max(sock.fileno() for sock in world.accepted) == last
    assert taken < 8
    await asyncio.sleep(0.25)  # two attempts to go on
    assert (len(world.accepted), len(world.pauses), world.resumed) == (taken, 1, 0)
    for sock in world.accepted:
        sock.close()
    await until(lambda: len(world.accepted) == 8)
    loop.close()
    assert world.resumed == len(world.pauses)


async def test_nothing_is_accepted_during_a_pause(world: World) -> None:
    world.listening.failures = [errno.EMFILE]
    loop = world.loop()
    world.connect(1)
    await until(lambda: world.pauses)
    loop.accept_queued()
    await some_turns()
    assert world.listening.attempts == 1
    loop.close()


async def test_a_loop_may_be_closed_during_a_pause(world: World) -> None:
    world.listening.failures = [errno.EMFILE]
    loop = world.loop()
    world.connect(1)
    await until(lambda: world.pauses)
    loop.close()
    assert world.listening.fileno() == -1
    assert world.resumed == 1
    await asyncio.sleep(0.15)  # the pause would be over
    assert world.listening.attempts == 1


async def test_a_callee_that_fails_does_not_stop_the_loop(world: World) -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    loop = world.loop()

    def fail(descriptor: int, _address: tuple[object, ...]) -> None:
        os.close(descriptor)
        loop.hand_to(world.take, batch=64)
        raise ZeroDivisionError

    loop.hand_to(fail, batch=64)
    world.connect(2)
    await until(lambda: world.accepted)
    assert len(complaints) == 1
    loop.close()


def test_a_process_without_descriptors_neither_spins_nor_resets_who_waits() -> None:
    program = Path(__file__).parent / "descriptor_shortage.py"
    finished = subprocess.run(
        [sys.executable, str(program), "200"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=python_environment(),
    )
    assert finished.returncode == 0, finished.stderr
    outcome = json.loads(finished.stdout)
    assert outcome["served_meanwhile"] == 0
    assert outcome["answered"] == 200
    assert outcome["attempts"] == outcome["pauses"] <= 8  # one attempt in a tenth of a second
