"""Clients of blocked networks at a worker: refused after accept, or behind the PROXY header; ended where the block says so."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

import pytest
from tests.supervisor.plans import listener
from tests.transport.loopback import until
from tests.worker.worker_world import WorkerWorld, rest_of

from gatepost.plan.plan import NetworkPlan
from gatepost.transport.counter_page import Cell
from gatepost.transport.ending import Ending
from gatepost.worker import block_watch

LOOPBACK = (NetworkPlan("127.0.0.0/8"),)
ENDING = (NetworkPlan("127.0.0.0/8", None, ends_connections=True),)
HEADER = b"PROXY TCP4 192.0.2.7 192.0.2.1 4001 25\r\n"


async def is_refused(world: WorkerWorld, address: str, say: bytes = b"") -> bool:
    client = world.connect(address)
    if say:
        await asyncio.to_thread(client.sendall, say)
    try:
        return await asyncio.to_thread(client.recv, 100) == b""
    except ConnectionResetError:
        return True


async def test_a_client_of_a_blocked_network_is_closed_and_counted_and_costs_no_session(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address), blocked_networks=LOOPBACK)
    assert await is_refused(world, address)
    assert world.count("a", Cell.REFUSED_BLOCKED_NETWORK) == 1
    assert (world.count("a"), world.count("a", Cell.ACCEPTED), world.sessions.connections) == (0, 0, [])


async def test_an_allowed_network_wins_and_a_block_that_goes_is_gone(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address), blocked_networks=LOOPBACK, allowed_networks=(NetworkPlan("127.0.0.1"),))
    await world.greeted(address)
    await world.apply(listener("a", address), revision=2, blocked_networks=LOOPBACK)
    assert await is_refused(world, address)
    await world.apply(listener("a", address), revision=3)
    await world.greeted(address)


async def test_a_block_ends_when_its_time_is_over_without_a_change(world: WorkerWorld) -> None:
    address = world.listen()
    soon = (NetworkPlan("127.0.0.0/8", time.time() + 0.5),)
    await world.apply(listener("a", address), blocked_networks=soon)
    assert await is_refused(world, address)
    await until(lambda: world.worker.blocks.table is None)
    await world.greeted(address)


async def test_a_block_that_a_wrong_clock_has_ended_holds_again_when_the_clock_is_set_back(
    world: WorkerWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(block_watch, "time", SimpleNamespace(time=lambda: clock[0]))
    monkeypatch.setattr(block_watch, "_LONGEST_WAIT", 0.01)
    address = world.listen()
    await world.apply(listener("a", address), blocked_networks=(NetworkPlan("127.0.0.0/8", 2000.0),))
    assert await is_refused(world, address)
    clock[0] = 3000.0
    await until(lambda: world.worker.blocks.table is None)
    clock[0] = 1500.0
    await until(lambda: world.worker.blocks.table is not None)
    assert await is_refused(world, address)
    await world.apply(listener("a", address), revision=2)


async def test_an_allowance_ends_when_its_time_is_over_and_takes_those_along_that_were_let_in(
    world: WorkerWorld,
) -> None:
    address = world.listen()
    allowed = (NetworkPlan("127.0.0.1", time.time() + 0.5),)
    await world.apply(listener("a", address), blocked_networks=ENDING, allowed_networks=allowed)
    client = await world.greeted(address)
    assert await rest_of(client) == b"shutting down\n"
    assert await is_refused(world, address)


async def test_behind_a_trusted_proxy_the_address_in_the_header_counts_and_the_proxys_own_does_not(
    world: WorkerWorld,
) -> None:
    address = world.listen()
    behind = listener("a", address, proxy_networks=("127.0.0.0/8",))
    await world.apply(behind, blocked_networks=LOOPBACK)
    client = world.connect(address)
    await asyncio.to_thread(client.sendall, HEADER)
    assert await asyncio.to_thread(client.recv, 100) == b"hello\n"
    await world.apply(behind, revision=2, blocked_networks=(NetworkPlan("192.0.2.0/24"),))
    assert await is_refused(world, address, HEADER)
    await until(lambda: world.count("a", Cell.REFUSED_BLOCKED_NETWORK) == 1)
    assert (world.count("a"), len(world.sessions.connections)) == (1, 1)


async def test_open_connections_go_on_unless_the_block_says_otherwise(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address))
    client = await world.greeted(address)
    await world.apply(listener("a", address), revision=2, blocked_networks=LOOPBACK)
    await asyncio.to_thread(client.sendall, b"still here\n")
    assert await asyncio.to_thread(client.recv, 100) == b"done still here\n"
    await world.apply(listener("a", address), revision=3, blocked_networks=ENDING)
    assert await rest_of(client) == b"shutting down\n"
    assert world.log.connections[-1].ending is Ending.OPERATOR


async def test_a_connection_of_a_removed_listener_is_ended_too_and_behind_a_proxy_by_its_header(
    world: WorkerWorld,
) -> None:
    address = world.listen()
    await world.apply(listener("a", address, proxy_networks=("127.0.0.0/8",)))
    client = world.connect(address)
    await asyncio.to_thread(client.sendall, HEADER)
    assert await asyncio.to_thread(client.recv, 100) == b"hello\n"
    await world.apply(revision=2)
    await world.apply(revision=3, blocked_networks=ENDING)
    await asyncio.to_thread(client.sendall, b"not me\n")
    assert await asyncio.to_thread(client.recv, 100) == b"done not me\n"
    await world.apply(revision=4, blocked_networks=(NetworkPlan("192.0.2.7", None, ends_connections=True),))
    assert await rest_of(client) == b"shutting down\n"
