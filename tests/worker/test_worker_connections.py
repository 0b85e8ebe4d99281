"""The connections of a worker: caps, PROXY headers, TLS, sessions."""

from __future__ import annotations

import asyncio
import ssl

import pytest
from structlog.testing import capture_logs
from tests.supervisor.plans import TLS, listener
from tests.transport.loopback import until
from tests.worker.worker_world import CERTIFICATES, V1, WorkerWorld, reset, rest_of, tls_client

from gatepost.transport.counter_page import Cell


async def test_a_refused_client_is_told_and_not_counted(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address, max_connections=1))
    await world.greeted(address)
    assert await rest_of(world.connect(address)) == b"too many connections\n"
    assert world.count("a") == 1
    assert world.count("a", Cell.REFUSED_LISTENER_CAP) == 1


async def test_refusals_of_a_second_are_one_line_of_the_log_with_the_cap_as_the_status_calls_it(
    world: WorkerWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatepost.worker.listener._REFUSALS_LOGGED_EVERY", 0.2)
    address = world.listen()
    await world.apply(listener("a", address, max_connections=1))
    await world.greeted(address)
    with capture_logs() as logs:
        for _ in range(2):
            await rest_of(world.connect(address))
        await until(lambda: logs)
    assert [(line["event"], line["listener"], line["cap"], line["count"]) for line in logs] == [
        ("connection.refused", "a", "maxConnections", 2)
    ]


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
