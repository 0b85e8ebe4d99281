"""A listening socket that lets nobody in any more, as clients see it."""

from __future__ import annotations

import errno
import select
import socket
from collections.abc import Iterator
from ipaddress import ip_address

import pytest
from tests.sockets.socket_plans import free_port, socket_plan

from gatepost.sockets import listening_socket, minimum_ttl
from gatepost.values.socket_address import SocketAddress

WAYS = [("127.0.0.1", "127.0.0.1"), ("[::1]", "::1"), ("[::]", "127.0.0.1"), ("[::]", "::1")]
WAY_NAMES = ["IPv4", "IPv6", "dual stack over IPv4", "dual stack over IPv6"]
A_MOMENT = 0.3  # seconds: less than until a SYN is sent again


@pytest.fixture(params=WAYS, ids=WAY_NAMES)
def way(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, tuple[str, int]]]:
    """A listening socket, and where clients connect to."""
    bound, host = request.param
    port = free_port()
    with listening_socket.bind(SocketAddress.parse(f"{bound}:{port}"), socket_plan()) as listening:
        listening.listen()
        listening.setblocking(True)
        yield listening, (host, port)


def test_who_comes_is_dropped_without_a_reset_and_who_waits_is_still_accepted_and_heard(
    way: tuple[socket.socket, tuple[str, int]],
) -> None:
    listening, where = way
    with socket.create_connection(where, timeout=5) as waiting:
        minimum_ttl.drop_new_connections(listening)
        with pytest.raises(TimeoutError):
            socket.create_connection(where, timeout=A_MOMENT)
        accepted, _ = listening.accept()
        with accepted:
            waiting.sendall(b"are you there?")
            assert accepted.recv(100) == b"are you there?"


def test_who_comes_is_let_in_again_when_it_is_undone(way: tuple[socket.socket, tuple[str, int]]) -> None:
    listening, where = way
    minimum_ttl.drop_new_connections(listening)
    minimum_ttl.let_new_connections_in(listening)
    minimum_ttl.let_new_connections_in(listening)
    with socket.create_connection(where, timeout=5) as client:
        accepted, _ = listening.accept()
        with accepted:
            client.sendall(b"heard")
            assert accepted.recv(100) == b"heard"


def test_who_was_dropped_is_refused_once_the_socket_is_gone(way: tuple[socket.socket, tuple[str, int]]) -> None:
    listening, where = way
    minimum_ttl.drop_new_connections(listening)
    family = socket.AF_INET6 if ip_address(where[0]).version == 6 else socket.AF_INET
    with socket.socket(family) as client:
        client.setblocking(False)
        client.connect_ex(where)
        listening.close()
        assert select.select([], [client], [], 10)[1] == [client]
        assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED


def test_a_connection_that_has_inherited_it_is_deaf_until_packets_are_let_in(
    way: tuple[socket.socket, tuple[str, int]],
) -> None:
    listening, where = way
    with socket.create_connection(where, timeout=5) as client:
        accepted, _ = listening.accept()
        with accepted:
            minimum_ttl.drop_new_connections(accepted)
            client.sendall(b"can you hear me?")
            accepted.settimeout(A_MOMENT / 3)
            with pytest.raises(TimeoutError):
                accepted.recv(100)
            minimum_ttl.let_packets_in(accepted.fileno(), listening)
            accepted.settimeout(5)
            assert accepted.recv(100) == b"can you hear me?"
