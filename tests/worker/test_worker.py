"""A worker as its supervisor sees it: plans, and the sockets and connections that live on when plans change."""

from __future__ import annotations

import asyncio

from structlog.testing import capture_logs
from tests.open_descriptors import open_descriptors
from tests.supervisor.plans import TLS, listener, plan
from tests.transport.loopback import until
from tests.worker.worker_world import CERTIFICATES, WorkerWorld, reset, rest_of

from gatepost.control.messages import Drain, Reconcile, TlsTried, TryTls
from gatepost.transport.counter_page import Cell


async def test_a_plan_is_confirmed_and_its_listeners_serve(world: WorkerWorld) -> None:
    one, two = world.listen(), world.listen()
    answer = await world.apply(listener("a", one), listener("b", two))
    assert answer.error is None
    await world.greeted(one)
    await world.greeted(two)
    assert (world.count("a"), world.count("b"), world.server_count()) == (1, 1, 2)
    assert [connection.address for connection in world.sessions.connections] == [one, two]


async def test_connections_live_on_when_their_listener_changes_or_goes(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address))
    client = await world.greeted(address)
    await world.apply(listener("b", address), revision=2)
    await world.greeted(address)
    assert [connection.policy.plan.name for connection in world.sessions.connections] == ["a", "b"]
    await world.apply(revision=3)
    await world.release(address)
    await asyncio.to_thread(client.sendall, b"now\n")
    assert await asyncio.to_thread(client.recv, 100) == b"done now\n"


async def test_what_waits_in_a_socket_that_is_given_up_is_served(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address))
    client = world.connect(address)  # the worker has not had its turn yet
    await world.apply(revision=2)
    await world.release(address)
    assert await asyncio.to_thread(client.recv, 100) == b"hello\n"


async def test_who_waits_in_a_socket_that_goes_came_before_the_change(world: WorkerWorld) -> None:
    goes, stays = world.listen(), world.listen()
    await world.apply(listener("a", goes, stays))
    client = world.connect(goes)
    await world.apply(listener("a", stays, tls=TLS, is_tls_implicit=True), revision=2, certificates=CERTIFICATES)
    await world.release(goes)
    assert await asyncio.to_thread(client.recv, 100) == b"hello\n"


async def test_sockets_that_go_are_emptied_though_the_plan_cannot_be_followed(world: WorkerWorld) -> None:
    goes = world.listen()
    await world.apply(listener("a", goes))
    with capture_logs():
        assert (await world.apply_plan(plan(listener("b")))).error  # no counter slot was given out for it
    client = await world.connect_late(goes)
    assert await asyncio.to_thread(client.recv, 100) == b"hello\n"
    client.sendall(b"quit\n")
    assert await rest_of(client)


async def test_who_comes_to_a_listener_that_is_leaving_is_told_when_the_server_goes_down(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address))
    await world.apply(revision=2)
    client = await world.greeted(address)  # the socket is not released yet
    world.channel.send(Drain(timeout=15))
    assert await rest_of(client) == b"shutting down\n"


async def test_connections_of_what_was_removed_end_at_the_drain_timeout(world: WorkerWorld) -> None:
    address, kept = world.listen(), world.listen()
    await world.apply(listener("a", address, kept))
    client, other = await world.greeted(address), await world.greeted(kept)
    await world.apply(listener("a", kept), revision=2, drain_timeout=0.05)
    await world.release(address)
    assert await rest_of(client) == b"shutting down\n"
    await asyncio.to_thread(other.sendall, b"now\n")
    assert await asyncio.to_thread(other.recv, 100) == b"done now\n"


async def test_connections_of_an_address_that_came_back_are_left_alone(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address))
    await world.apply(listener("a"), revision=2, drain_timeout=0.05)
    await world.release(address)
    await world.apply(listener("a", address), revision=3, drain_timeout=0.05)
    client = await world.greeted(address)
    await asyncio.sleep(0.15)  # the drain timeout of what was removed passes
    await asyncio.to_thread(client.sendall, b"now\n")
    assert await asyncio.to_thread(client.recv, 100) == b"done now\n"


async def test_no_descriptor_is_left_behind_by_changes_and_connections(world: WorkerWorld) -> None:
    address, other = world.listen(), world.listen()
    await world.apply(listener("a", address))
    before = open_descriptors()
    for revision in range(2, 12):
        await world.apply(listener("a", address, other), revision=revision)
        client = await world.greeted(other)
        reset(client)
        await until(lambda: world.server_count() == 0)
        await world.apply(listener("a", address), revision=revision)
        await world.release(other)
    assert open_descriptors() <= before


async def test_a_plan_that_cannot_be_followed_is_answered_with_the_reason(world: WorkerWorld) -> None:
    address = world.listen()
    with capture_logs():
        answer = await world.apply_plan(plan(listener("a", address)))  # no counter slot was given out for it
    assert answer.error


async def test_tls_that_cannot_be_built_is_told_and_never_served_as_clear_text(world: WorkerWorld) -> None:
    address = world.listen()
    answer = await world.apply(listener("a", address, tls=TLS, is_tls_implicit=True))
    assert "no certificate" in (answer.error or "")
    client = world.connect(address)
    assert await rest_of(client) == b""
    assert world.count("a", Cell.TLS_FAILED_UNUSABLE) == 1


async def test_tls_is_tried_without_touching_what_runs(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address))
    wanted = listener("a", address, tls=TLS, is_tls_implicit=True)
    world.channel.send(TryTls(number=77, plan=plan(wanted)))
    tried: TlsTried = await world.answer(TlsTried)
    (failure,) = tried.failures
    assert (tried.number, failure.listener_id) == (77, "a")
    assert "no certificate" in failure.text
    world.channel.send(TryTls(number=78, plan=plan(wanted, certificates=CERTIFICATES)))
    assert await world.answer(TlsTried) == TlsTried(number=78)
    await world.greeted(address)  # in clear, as before


async def test_the_supervisor_may_ask_to_compare_with_the_store(world: WorkerWorld) -> None:
    asked: list[bool] = []
    world.worker.reconcile = lambda: asked.append(True)
    world.channel.send(Reconcile())
    await until(lambda: asked)
