"""A worker that is given sockets which are being given up, because the worker that had them has died."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.open_descriptors import open_descriptors
from tests.supervisor.plans import TLS, listener, plan
from tests.transport.loopback import until
from tests.worker.worker_world import CERTIFICATES, WorkerWorld, rest_of

from gatepost.control.messages import Drain, EmptySockets, GrantedSocket
from gatepost.plan.plan import ListenerPlan, Plan
from gatepost.transport.counter_page import Cell


async def give_up(world: WorkerWorld, gone: ListenerPlan, *, settings: dict[str, Any] | None = None) -> None:
    """The node has run it, this worker has not; then it goes, and this worker is to empty its sockets."""
    before = plan(gone, **(settings or {}))
    world.slots.follow(before)
    await world.apply()
    stand_in(world, before, *gone.addresses)


def stand_in(world: WorkerWorld, before: Plan, *addresses: str) -> None:
    """Have the worker empty the sockets of the only listener of the plan before."""
    sockets = [world.listening[address] for address in addresses]
    granted = [
        GrantedSocket(number=number, address=address, listener_id=before.listeners[0].id, is_attached=True)
        for address, (number, _) in zip(addresses, sockets, strict=True)
    ]
    slots = world.slots.by_listener_that_counts
    message = EmptySockets(plan=before, sockets=tuple(granted), counter_slots=slots)
    world.channel.send(message, [sock.fileno() for _, sock in sockets])


async def test_who_waits_is_served_as_the_listener_was_though_the_worker_never_had_it(world: WorkerWorld) -> None:
    address = world.listen()
    waiting = world.connect(address)
    await give_up(world, listener("a", address))
    assert await asyncio.to_thread(waiting.recv, 100) == b"hello\n"
    (draining,) = world.slots.draining()
    assert world.page.total(draining.counter_slot, Cell.CONNECTIONS) == 1
    await world.release(address)
    waiting.sendall(b"quit\n")
    assert await rest_of(waiting)
    await until(lambda: not world.slots.draining())


async def test_tls_is_that_of_the_plan_before(world: WorkerWorld) -> None:
    address = world.listen()
    waiting = world.connect(address)
    gone = listener("a", address, tls=TLS, is_tls_implicit=True)
    await give_up(world, gone, settings={"certificates": CERTIFICATES})
    await until(world.slots.draining)
    (draining,) = world.slots.draining()
    waiting.sendall(b"not a handshake\r\n")
    await until(lambda: world.page.total(draining.counter_slot, Cell.ENDED_TLS_FAILED) == 1)
    assert world.sessions.connections == []


async def test_several_addresses_of_a_listener_are_one_listener(world: WorkerWorld) -> None:
    addresses = [world.listen(), world.listen()]
    waiting = [world.connect(address) for address in addresses]
    await give_up(world, listener("a", *addresses))
    for client in waiting:
        assert await asyncio.to_thread(client.recv, 100) == b"hello\n"
    (draining,) = world.slots.draining()
    assert world.page.total(draining.counter_slot, Cell.CONNECTIONS) == 2


async def test_where_the_listener_is_there_yet_it_serves_as_it_does_now(world: WorkerWorld) -> None:
    stays, goes = world.listen(), world.listen()
    waiting = world.connect(goes)
    before = plan(listener("a", stays, goes, max_connections=1))
    await world.apply(listener("a", stays, max_connections=0))
    stand_in(world, before, goes)
    assert await rest_of(waiting) == b"too many connections\n"


async def test_who_came_in_when_new_ones_were_kept_out_already_is_heard(world: WorkerWorld) -> None:
    address = world.listen()
    client = await world.connect_late(address)
    await give_up(world, listener("a", address))
    assert await asyncio.to_thread(client.recv, 100) == b"hello\n"
    client.sendall(b"quit\n")
    assert await rest_of(client)


async def test_its_connections_end_at_the_drain_timeout(world: WorkerWorld) -> None:
    address = world.listen()
    waiting = world.connect(address)
    before = plan(listener("a", address))
    world.slots.follow(before)
    await world.apply(drain_timeout=0.1)
    stand_in(world, before, address)
    assert await rest_of(waiting) == b"hello\nshutting down\n"


async def test_a_worker_that_drains_takes_none(world: WorkerWorld) -> None:
    address = world.listen()
    waiting = world.connect(address)
    await world.apply()
    before = open_descriptors()
    world.channel.send(Drain(timeout=15))
    stand_in(world, plan(listener("a", address)), address)
    await until(world.worker.is_finished.is_set)
    assert open_descriptors() <= before
    waiting.settimeout(0.1)
    with pytest.raises(TimeoutError):
        waiting.recv(100)
