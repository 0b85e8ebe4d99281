"""A worker as its supervisor sees it: plans, sockets, connections that live on, caps, stages, the end."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.open_descriptors import open_descriptors
from tests.supervisor.plans import TLS, listener, plan
from tests.tls_client import trusting_context
from tests.transport.certificates import certificate
from tests.transport.loopback import some_turns, until
from tests.worker.worker_world import WorkerWorld, rest_of

from gatepost.control.messages import Drain, Reconcile, Retire, TlsTried, TryTls
from gatepost.plan.plan import ProtocolName
from gatepost.transport.counter_page import SERVER_SLOT, Cell
from gatepost.values.ids import Id

CERTIFICATES = (certificate("ecdsa", "mail.example.org", is_fallback=True),)
V1 = b"PROXY TCP4 192.0.2.7 192.0.2.1 4001 25\r\n"


@pytest.fixture
async def world() -> AsyncIterator[WorkerWorld]:
    complaints: list[dict[str, Any]] = []
    made = WorkerWorld()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    yield made
    await made.end()
    assert complaints == []


async def tls_client(sock: socket.socket) -> ssl.SSLSocket:
    return await asyncio.to_thread(trusting_context().wrap_socket, sock)


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


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


# --- connections ----------------------------------------------------------------------------------------------------------


async def test_a_refused_client_is_told_and_not_counted(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address, max_connections=1))
    await world.greeted(address)
    assert await rest_of(world.connect(address)) == b"too many connections\n"
    assert world.count("a") == 1
    assert world.count("a", Cell.REFUSED_LISTENER_CAP) == 1


async def test_a_refused_client_is_told_inside_tls(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(
        listener("a", address, max_connections=1, tls=TLS, is_tls_implicit=True), certificates=CERTIFICATES
    )
    first = await tls_client(world.connect(address))
    second = await tls_client(world.connect(address))
    assert await rest_of(second) == b"too many connections\n"
    first.close()
    second.close()


async def test_telling_refused_clients_has_a_bound(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(
        listener("a", address, max_connections=1, tls=TLS, is_tls_implicit=True), certificates=CERTIFICATES
    )
    clients = [world.connect(address) for _ in range(80)]
    await until(lambda: world.count("a", Cell.REFUSED_LISTENER_CAP) == 79)
    (served,) = world.worker._listeners.values()
    assert len(served.connections) == 1 + 64
    for client in clients:
        reset(client)
    await until(lambda: not served.connections)
    assert await rest_of(await tls_client_refused(world, address)) == b"too many connections\n"


async def tls_client_refused(world: WorkerWorld, address: str) -> ssl.SSLSocket:
    world.clients.append(await tls_client(world.connect(address)))  # takes the only place
    refused = await tls_client(world.connect(address))
    world.clients.append(refused)
    return refused


async def test_the_cap_of_the_server_goes_over_all_listeners(world: WorkerWorld) -> None:
    one, two = world.listen(), world.listen()
    await world.apply(listener("a", one), listener("b", two), max_connections=1)
    await world.greeted(one)
    assert await rest_of(world.connect(two)) == b"too many connections\n"
    assert world.count("b", Cell.REFUSED_SERVER_CAP) == 1


async def test_a_cap_per_address_counts_those_who_are_here_already(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address))
    first = await world.greeted(address)
    await world.apply(listener("a", address), revision=2, max_connections_per_address=1)
    assert await rest_of(world.connect(address)) == b"too many connections\n"
    assert world.count("a") == 1
    first.close()
    await until(lambda: world.count("a") == 0)
    await world.greeted(address)


async def test_a_cap_per_address_holds_for_clients_whose_proxy_header_was_on_its_way(world: WorkerWorld) -> None:
    address = world.listen()
    proxied = listener("a", address, proxy_networks=("127.0.0.0/8",))
    await world.apply(proxied)
    early = [world.connect(address) for _ in range(2)]
    await until(lambda: world.count("a") == 2)
    await world.apply(proxied, revision=2, max_connections_per_address=1)
    for client in early:
        client.sendall(V1)
    assert await asyncio.to_thread(early[0].recv, 100) == b"hello\n"
    assert await rest_of(early[1]) == b"too many connections\n"
    local = world.connect(address)
    local.sendall(b"PROXY UNKNOWN\r\n")  # the proxy itself, which those two do not count for
    assert await asyncio.to_thread(local.recv, 100) == b"hello\n"


async def test_the_address_in_the_header_of_a_proxy_is_what_counts(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address, proxy_networks=("127.0.0.0/8",)), max_connections_per_address=1)
    first = world.connect(address)
    first.sendall(V1)
    assert await asyncio.to_thread(first.recv, 100) == b"hello\n"
    second = world.connect(address)
    second.sendall(V1)
    assert await rest_of(second) == b"too many connections\n"
    third = world.connect(address)
    third.sendall(V1.replace(b"192.0.2.7", b"192.0.2.8"))
    assert await asyncio.to_thread(third.recv, 100) == b"hello\n"
    info = world.sessions.connections[0].transport.info
    assert str(info.source_address[0]) == "192.0.2.7"
    assert str(info.destination_address[0]) == "192.0.2.1"
    assert str(info.peer_address[0]) == "127.0.0.1"


@pytest.mark.parametrize(
    ("header", "may"),
    [
        (b"PROXY TCP4 127.0.0.1 127.0.0.1 4001 25\r\n", True),
        (V1, False),
        (b"PROXY UNKNOWN\r\n", False),  # the proxy is on this machine; nobody knows where its client is
    ],
)
async def test_only_a_client_on_this_machine_may_log_in_in_clear(world: WorkerWorld, header: bytes, may: bool) -> None:
    address = world.listen()
    await world.apply(listener("a", address, proxy_networks=("127.0.0.0/8",)))
    client = world.connect(address)
    client.sendall(header)
    assert await asyncio.to_thread(client.recv, 100) == b"hello\n"
    (connection,) = world.sessions.connections
    assert connection.policy.may_log_in_in_clear(connection.transport.info) is may


async def test_a_connection_without_the_header_is_closed_counted_and_logged(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address, proxy_networks=("127.0.0.0/8",)))
    client = world.connect(address)
    with capture_logs() as logs:
        client.sendall(b"EHLO client.example.org\r\n")
        await until(lambda: world.count("a", Cell.ENDED_PROXY_REJECTED) == 1)
    (line,) = [entry for entry in logs if entry["event"] == "proxy_header.rejected"]
    assert "got EHLO" in line["reason"]
    await until(lambda: world.count("a") == 0)


async def test_handshakes_are_counted_by_how_they_end(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address, tls=TLS, is_tls_implicit=True), certificates=CERTIFICATES)
    client = await tls_client(world.connect(address))
    assert await asyncio.to_thread(client.recv, 100) == b"hello\n"
    clear = world.connect(address)
    clear.sendall(b"EHLO client.example.org\r\n")
    await until(lambda: world.count("a", Cell.TLS_FAILED_NOT_TLS) == 1)
    assert world.count("a", Cell.TLS_HANDSHAKES) == 1
    client.close()


async def test_a_session_may_be_upgraded(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address, tls=TLS), certificates=CERTIFICATES)
    client = await world.greeted(address)
    client.sendall(b"starttls\n")
    assert await asyncio.to_thread(client.recv, 100) == b"go ahead\n"
    secure = await tls_client(client)
    secure.sendall(b"now\n")
    assert await asyncio.to_thread(secure.recv, 100) == b"done now\n"
    assert world.count("a", Cell.TLS_HANDSHAKES) == 1
    secure.close()


async def test_a_session_that_cannot_be_made_closes_its_connection(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address))
    world.sessions.failure = ZeroDivisionError()
    with capture_logs() as logs:
        assert await rest_of(world.connect(address)) == b""
        await until(lambda: world.count("a") == 0)
    assert "conversation.failed" in [entry["event"] for entry in logs]


async def test_clients_that_reset_at_once_leave_nothing_behind(world: WorkerWorld) -> None:
    address, secure = world.listen(), world.listen()
    await world.apply(
        listener("a", address),
        listener("b", secure, tls=TLS, is_tls_implicit=True, proxy_networks=("127.0.0.0/8",)),
        certificates=CERTIFICATES,
        max_connections_per_address=1000,
    )
    for _ in range(50):
        reset(world.connect(address))
        reset(world.connect(secure))
    await until(lambda: world.count("a", Cell.ACCEPTED) == 50)
    await until(lambda: world.count("b", Cell.PROXY_CLOSED) == 50)
    await until(lambda: world.server_count() == 0)


# --- the end --------------------------------------------------------------------------------------------------------------


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
