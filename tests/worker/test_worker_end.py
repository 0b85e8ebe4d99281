"""The end of a worker: drained, retired, without a supervisor."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs
from tests.open_descriptors import open_descriptors
from tests.supervisor.plans import TLS, listener
from tests.transport.loopback import some_turns, until
from tests.worker.worker_world import CERTIFICATES, V1, WorkerWorld, rest_of

from gatepost.control.messages import Drain, Retire
from gatepost.plan.plan import ProtocolName
from gatepost.transport.counter_page import SERVER_SLOT, Cell
from gatepost.values.ids import Id


async def test_a_worker_that_drains_accepts_no_more_and_finishes_when_the_last_has_gone(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address))
    waiting, idle = await world.greeted(address), await world.greeted(address)
    await asyncio.to_thread(waiting.sendall, b"wait\n")
    await until(lambda: world.sessions.reactions and world.sessions.reactions[0].seen)
    world.channel.send(Drain(timeout=15))
    assert await rest_of(idle) == b"shutting down\n"
    await some_turns()
    assert not world.worker.is_finished.is_set()
    late = world.connect(address)
    world.sessions.reactions[0].may_go_on.set()
    assert await rest_of(waiting) == b"done wait\nshutting down\n"
    await until(world.worker.is_finished.is_set)
    assert len(world.sessions.connections) == 2
    late.close()


async def test_a_worker_without_connections_finishes_at_once(world: WorkerWorld) -> None:
    await world.apply(listener("a", world.listen()))
    world.channel.send(Drain(timeout=15))
    await until(world.worker.is_finished.is_set)


async def test_whoever_stays_beyond_the_timeout_is_cut_off(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address))
    client = await world.greeted(address)
    await asyncio.to_thread(client.sendall, b"wait\n")
    await until(lambda: world.sessions.reactions and world.sessions.reactions[0].seen)
    world.channel.send(Drain(timeout=0.05))
    await until(world.worker.is_finished.is_set)
    assert await rest_of(client) == b""
    world.sessions.reactions[0].may_go_on.set()


async def test_a_plan_for_a_worker_that_drains_is_confirmed_and_not_followed(world: WorkerWorld) -> None:
    address, added = world.listen(), world.listen()
    await world.apply(listener("a", address))
    client = await world.greeted(address)
    await asyncio.to_thread(client.sendall, b"wait\n")
    await until(lambda: world.sessions.reactions and world.sessions.reactions[0].seen)
    world.channel.send(Drain(timeout=15))
    before = open_descriptors()
    assert (await world.apply(listener("a", address, added), revision=2)).error is None
    await world.release(address)
    await some_turns()
    assert open_descriptors() <= before
    world.sessions.reactions[0].may_go_on.set()
    await until(world.worker.is_finished.is_set)


async def test_a_worker_whose_supervisor_is_gone_takes_leave_and_frees_its_ports(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address))
    client = await world.greeted(address)
    for _, sock in world.listening.values():
        sock.close()
    with capture_logs():
        world.channel.close()
        assert await rest_of(client) == b"shutting down\n"
    await until(world.worker.is_finished.is_set)
    with pytest.raises(ConnectionRefusedError):
        world.connect(address)


async def test_handshakes_and_headers_under_way_are_cut_off_when_the_server_goes_down(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(
        listener("a", address, tls=TLS, is_tls_implicit=True, proxy_networks=("127.0.0.0/8",)),
        certificates=CERTIFICATES,
    )
    header, handshake = world.connect(address), world.connect(address)
    header.sendall(V1[:10])
    handshake.sendall(V1 + b"\x16\x03\x01")
    await until(lambda: world.count("a") == 2)
    await some_turns()
    with capture_logs() as logs:
        world.channel.send(Drain(timeout=15))
        await until(world.worker.is_finished.is_set)
    assert world.page.total(world.slots.by_listener[Id("a")], Cell.ENDED_PROXY_REJECTED) == 0
    assert [entry for entry in logs if entry["event"] == "proxy_header.rejected"] == []
    assert world.page.total(SERVER_SLOT, Cell.CONNECTIONS) == 0


async def test_a_worker_that_retires_keeps_its_sessions_and_finishes_with_the_last(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address))
    clients = [await world.greeted(address) for _ in range(2)]
    await world.release(address)
    world.channel.send(Retire(timeout=None))
    await some_turns()
    world.channel.close()  # it needs no supervisor for that
    for client in clients:
        assert not world.worker.is_finished.is_set()
        client.sendall(b"quit\n")
        assert await rest_of(client)
    await until(world.worker.is_finished.is_set)


async def test_sessions_of_a_worker_that_retires_end_at_the_drain_timeout(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address))
    client = await world.greeted(address)
    world.channel.send(Retire(timeout=0.05))
    assert await rest_of(client) == b"shutting down\n"
    await until(world.worker.is_finished.is_set)


async def test_http_connections_of_a_worker_that_retires_end_at_once(world: WorkerWorld) -> None:
    address, other = world.listen(), world.listen()
    await world.apply(listener("api", address, protocol=ProtocolName.HTTP), listener("mail", other))
    api, mail = await world.greeted(address), await world.greeted(other)
    world.channel.send(Retire(timeout=None))
    assert await rest_of(api) == b"shutting down\n"
    assert not world.worker.is_finished.is_set()
    mail.close()
    await until(world.worker.is_finished.is_set)
