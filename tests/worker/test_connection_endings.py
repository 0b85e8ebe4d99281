"""Each way in which a connection can end: counted under its reason, and told in the access log."""

from __future__ import annotations

import asyncio
import errno
import socket
from unittest.mock import Mock

import pytest
from tests.supervisor.plans import TLS, listener
from tests.tls_client import trusting_context
from tests.transport.loopback import until
from tests.worker.worker_world import CERTIFICATES, V1, WorkerWorld, reset, rest_of, tls_client

from gatepost.control.messages import Drain
from gatepost.telemetry.access_log import ClosedConnection
from gatepost.transport import descriptor_transport, stages
from gatepost.transport.counter_page import Cell
from gatepost.transport.ending import Ending
from gatepost.transport.poller import Poller
from gatepost.transport.reasons import CELL_OF_ENDING


async def ended(world: WorkerWorld, ending: Ending) -> ClosedConnection:
    """The line of the one connection that has ended, which was counted once, under that reason."""
    (line,) = await until(lambda: world.log.connections)
    counts = {each: world.count("a", cell) for each, cell in CELL_OF_ENDING.items()}
    assert counts == {each: int(each is ending) for each in Ending}
    assert line.ending == ending.value
    closed: ClosedConnection = line
    return closed


async def test_a_goodbye_is_completed(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address))
    client = await world.greeted(address)
    client.sendall(b"quit\n")
    await rest_of(client)
    line = await ended(world, Ending.COMPLETED)
    host, port = client.getsockname()
    assert (line.listener, line.protocol, line.source, line.destination) == ("a", "smtp", f"{host}:{port}", address)
    assert (line.received, line.sent) == (len(b"quit\n"), len(b"hello\nbye\n"))
    assert (line.peer, line.tls_version, line.account) == (None, None, None)
    assert 0 <= line.seconds < 60
    assert line.id == world.sessions.connections[0].id


async def test_a_client_that_just_closes(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address))
    (await world.greeted(address)).close()
    await ended(world, Ending.CLIENT_CLOSED)


async def test_a_reset(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address))
    client = await world.greeted(address)
    reset(client)
    await ended(world, Ending.RESET)


async def test_a_reset_inside_tls(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address, tls=TLS, is_tls_implicit=True), certificates=CERTIFICATES)
    client = await tls_client(world.connect(address))
    assert await asyncio.to_thread(client.recv, 100) == b"hello\n"
    reset(client)
    await ended(world, Ending.RESET)


async def test_a_client_that_leaves_tls_without_a_word(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address, tls=TLS, is_tls_implicit=True), certificates=CERTIFICATES)
    client = await tls_client(world.connect(address))
    assert await asyncio.to_thread(client.recv, 100) == b"hello\n"
    client.close()
    await ended(world, Ending.CLIENT_CLOSED)


async def test_a_client_that_does_not_take_its_farewell(world: WorkerWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descriptor_transport, "_CLOSE_DEADLINE", 0.1)
    address = world.listen()
    await world.apply(listener("a", address))
    client = await world.greeted(address)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    transport = world.sessions.connections[0].transport
    transport.write(bytes(20_000_000))
    transport.close()
    await ended(world, Ending.STALLED)


async def test_a_client_that_says_nothing(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address))
    world.sessions.idle_timeout = 0.05
    client = await world.greeted(address)
    assert await rest_of(client) == b"idle timeout\n"
    await ended(world, Ending.IDLE)


async def test_a_client_that_talks_and_does_not_log_in(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address))
    world.sessions.login_deadline = 0.05
    client = await world.greeted(address)
    assert await rest_of(client) == b"idle timeout\n"
    await ended(world, Ending.LOGIN_DEADLINE)


async def test_a_worker_that_drains(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address))
    client = await world.greeted(address)
    world.channel.send(Drain(timeout=15.0))
    await rest_of(client)
    await ended(world, Ending.SHUT_DOWN)


async def test_a_fault_of_the_server(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address))
    client = await world.greeted(address)
    client.sendall(b"broken\n")
    await rest_of(client)
    await ended(world, Ending.FAULT)


async def test_a_fault_of_the_server_that_would_come_again_with_every_look(
    world: WorkerWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: failures.append(str(context["message"])))
    address = world.listen()
    await world.apply(listener("a", address, tls=TLS, is_tls_implicit=True), certificates=CERTIFICATES)
    monkeypatch.setattr(stages, "TlsChannel", Mock(side_effect=MemoryError))
    clients = [world.connect(address) for _ in range(20)]  # more than shake hands in one turn
    for client in clients:
        client.sendall(b"hello?")
    await until(lambda: world.count("a", Cell.ENDED_FAULT) == len(clients))
    assert world.count("a", Cell.CONNECTIONS) == 0
    assert len(failures) == len(clients)


async def test_a_connection_that_cannot_even_be_watched(world: WorkerWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    address = world.listen()
    await world.apply(listener("a", address))
    monkeypatch.setattr(Poller, "watch", Mock(side_effect=OSError(errno.ENOSPC, "max_user_watches")))
    world.connect(address)
    await ended(world, Ending.FAULT)


@pytest.mark.parametrize(
    ("sent", "cell"),
    [
        (b"EHLO a.example\r\n", Cell.PROXY_MISSING),
        (b"PROXY TCP4 not addresses\r\n", Cell.PROXY_MALFORMED),
        (b"PROXY TCP4", Cell.PROXY_CLOSED),
        (None, Cell.PROXY_TIMEOUT),
    ],
)
async def test_a_proxy_header_that_is_not_accepted(world: WorkerWorld, sent: bytes | None, cell: Cell) -> None:
    address = world.listen()
    await world.apply(listener("a", address, proxy_networks=("127.0.0.0/8",)), proxy_header_timeout=0.2)
    client = world.connect(address)
    if sent is not None:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
    line = await ended(world, Ending.PROXY_REJECTED)
    assert world.count("a", cell) == 1
    assert world.count("a", Cell.ACCEPTED) == 0
    assert line.peer is None


async def test_the_source_of_a_proxy_header_stands_beside_the_proxy(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address, proxy_networks=("127.0.0.0/8",)))
    client = world.connect(address)
    client.sendall(V1 + b"quit\n")
    await rest_of(client)
    line = await ended(world, Ending.COMPLETED)
    host, port = client.getsockname()
    assert (line.source, line.destination, line.peer) == ("192.0.2.7:4001", "192.0.2.1:25", f"{host}:{port}")
    assert world.count("a", Cell.ACCEPTED) == 1


async def test_a_tls_handshake_is_counted_by_version_and_time_and_told(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address, tls=TLS, is_tls_implicit=True), certificates=CERTIFICATES)
    client = await asyncio.to_thread(
        lambda: trusting_context().wrap_socket(world.connect(address), server_hostname="mail.example.org")
    )
    await asyncio.to_thread(client.sendall, b"quit\n")
    await rest_of(client)
    client.close()
    line = await ended(world, Ending.COMPLETED)
    assert (line.tls_version, line.cipher_suite) == ("TLSv1.3", "TLS_AES_128_GCM_SHA256")
    assert line.server_name == "mail.example.org"
    assert (world.count("a", Cell.TLS_1_3), world.count("a", Cell.TLS_1_2)) == (1, 0)
    assert 0 < world.count("a", Cell.TLS_MICROSECONDS) < 60_000_000
    buckets = [cell for cell in Cell if cell.name.startswith("TLS_WITHIN")]
    assert sum(world.count("a", cell) for cell in buckets) <= 1


async def test_a_tls_handshake_that_fails(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address, tls=TLS, is_tls_implicit=True), certificates=CERTIFICATES)
    client = world.connect(address)
    client.sendall(b"EHLO a.example\r\n")
    await ended(world, Ending.TLS_FAILED)


async def test_refused_clients_are_counted_and_not_told_of_one_by_one(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address, max_connections=1))
    first = await world.greeted(address)
    assert await rest_of(world.connect(address)) == b"too many connections\n"
    assert world.count("a", Cell.REFUSED_LISTENER_CAP) == 1
    first.close()
    await ended(world, Ending.CLIENT_CLOSED)


async def test_octets_of_open_connections_are_in_the_counts_within_a_moment(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address))
    client = await world.greeted(address)
    client.sendall(b"now\n")
    await until(lambda: world.count("a", Cell.BYTES_RECEIVED) == len(b"now\n"))
    assert world.count("a", Cell.BYTES_SENT) == len(b"hello\ndone now\n")
    client.sendall(b"quit\n")
    await rest_of(client)
    await until(lambda: world.count("a", Cell.BYTES_SENT) == len(b"hello\ndone now\nbye\n"))
    assert world.count("a", Cell.BYTES_RECEIVED) == len(b"now\nquit\n")
