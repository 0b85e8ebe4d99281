"""Wrong passwords are slowed alike whether they come to one worker or are spread over two, whatever protocols they come by, and
whether or not a worker dies in between."""

from __future__ import annotations

import itertools
import select
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from tests.integration.running_server import PASSWORDS, RunningServer, eventually, running_server
from tests.integration.worker_of_connection import connection_at

BURST = 64
FREE_PER_ADDRESS = 10  # failures that cost an address nothing
_addresses = (f"127.3.{number // 250}.{number % 250 + 1}" for number in itertools.count())


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("slowed"), workers=2) as server:
        yield server


def ask_by_http(sock: socket.socket, name: str, password: str = "wrong") -> None:
    encoded = b64encode(f"{name}:{password}".encode())
    sock.sendall(b"GET /jmap/session HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic %b\r\n\r\n" % encoded)


def status(sock: socket.socket) -> int:
    return int(sock.recv(4096).split()[1])


def fail_by_http(server: RunningServer, pid: int, source: str, name: str) -> None:
    with connection_at(server, "http", pid, source) as sock:
        ask_by_http(sock, name)
        assert status(sock) == 401


def ask_with_key(sock: socket.socket, name: str) -> None:
    token = f"gatepost_key_{name.replace('.', '-').replace(' ', '-')}_{64 * '0'}".encode()
    sock.sendall(b"GET /jmap/session HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %b\r\n\r\n" % token)


@contextmanager
def burst(
    server: RunningServer, source: str, count: int, ask: Callable[[socket.socket, str], None] = ask_by_http
) -> Iterator[list[socket.socket]]:
    """Requests with wrong passwords of as many names, or with as many keys, in turn at each worker."""
    with ExitStack() as stack:
        pids = server.worker_pids()
        sockets = [
            stack.enter_context(connection_at(server, "http", pids[number % len(pids)], source))
            for number in range(count)
        ]
        for number, sock in enumerate(sockets):
            ask(sock, f"{source} {number}")
        yield sockets


def turned_away(sockets: list[socket.socket], at_least: int) -> int:
    """How many are told to come later, once it is that many."""
    waiting = list(sockets)
    statuses: list[int] = []
    while statuses.count(503) < at_least:
        answered, _, _ = select.select(waiting, [], [], 30)
        assert answered, statuses
        statuses += [status(sock) for sock in answered]
        waiting = [sock for sock in waiting if sock not in answered]
    return statuses.count(503)


@pytest.mark.parametrize("ask", [ask_by_http, ask_with_key])
def test_a_burst_over_two_workers_is_looked_at_no_more_than_one_at_one_worker(
    two_workers: RunningServer, ask: Callable[[socket.socket, str], None]
) -> None:
    """Ten for nothing, and four more that fit into a queue of ten seconds; if each worker counted for itself, 36 were
    turned away."""
    with burst(two_workers, next(_addresses), BURST, ask) as sockets:
        assert turned_away(sockets, BURST - 20)


@pytest.mark.parametrize("name", ["alice@example.org", "nobody@example.org"])
def test_a_name_is_slowed_for_failures_at_the_other_worker_and_from_other_addresses(
    two_workers: RunningServer, name: str
) -> None:
    pids = itertools.cycle(two_workers.worker_pids())
    for _ in range(3):
        fail_by_http(two_workers, next(pids), next(_addresses), name)
    before = time.monotonic()
    for _ in range(2):
        fail_by_http(two_workers, next(pids), next(_addresses), name)
    assert time.monotonic() - before >= 1.0  # the last has to wait for a second after the fourth


def _exchange(sock: socket.socket, line: bytes) -> bytes:
    sock.sendall(line + b"\r\n")
    return sock.recv(4096)


def _plain(name: str) -> bytes:
    return b64encode(f"\0{name}\0wrong".encode())


def _fail_by_imap(sock: socket.socket, name: str) -> None:
    assert sock.recv(4096).startswith(b"* OK")
    assert _exchange(sock, b'a LOGIN "%b" wrong' % name.encode()).startswith(b"a NO")


def _fail_by_pop3(sock: socket.socket, name: str) -> None:
    assert sock.recv(4096).startswith(b"+OK")
    _exchange(sock, b"USER %b" % name.encode())
    assert _exchange(sock, b"PASS wrong").startswith(b"-ERR")


def _fail_by_smtp(sock: socket.socket, name: str) -> None:
    assert sock.recv(4096).startswith(b"220")
    _exchange(sock, b"EHLO client.example.org")
    assert _exchange(sock, b"AUTH PLAIN %b" % _plain(name)).startswith(b"535")


def _fail_by_managesieve(sock: socket.socket, name: str) -> None:
    assert _exchange(sock, b'AUTHENTICATE "PLAIN" "%b"' % _plain(name)).rstrip().split(b"\r\n")[-1].startswith(b"NO")


MAIL_PROTOCOLS: dict[str, Callable[[socket.socket, str], None]] = {
    "imaps": _fail_by_imap,
    "pop3s": _fail_by_pop3,
    "submissions": _fail_by_smtp,
    "sieve": _fail_by_managesieve,
}


def _tls(sock: socket.socket, listener: str) -> ssl.SSLSocket:
    if listener == "sieve":
        sock.recv(4096)
        assert _exchange(sock, b"STARTTLS").startswith(b"OK")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    tls = context.wrap_socket(sock)
    if listener == "sieve":
        tls.recv(4096)
    return tls


def test_failures_by_all_protocols_count_together(two_workers: RunningServer) -> None:
    source, pids = next(_addresses), itertools.cycle(two_workers.worker_pids())
    protocols = itertools.cycle(MAIL_PROTOCOLS)
    for number in range(FREE_PER_ADDRESS):
        listener = next(protocols)
        with (
            connection_at(two_workers, listener, next(pids), source) as sock,
            _tls(sock, listener) as tls,
        ):
            MAIL_PROTOCOLS[listener](tls, f"person{number}")
    with burst(two_workers, source, 14) as sockets:
        assert turned_away(sockets, 8)  # all but four; if HTTP counted apart, none


def test_failures_at_a_worker_that_dies_are_not_forgotten(two_workers: RunningServer) -> None:
    source, (victim, survivor) = next(_addresses), two_workers.worker_pids()
    for number in range(FREE_PER_ADDRESS):
        fail_by_http(two_workers, victim, source, f"someone{number}")
    _replace(two_workers, victim, survivor)
    with burst(two_workers, source, 14) as sockets:
        assert turned_away(sockets, 8)


def test_attempts_at_a_worker_that_dies_take_nobodys_place(two_workers: RunningServer) -> None:
    """Somebody is right while others at the same address, at a worker that is killed, wait for their turn."""
    name, source, (victim, survivor) = "waited for", next(_addresses), two_workers.worker_pids()
    for _ in range(3):
        fail_by_http(two_workers, survivor, next(_addresses), name)
    with ExitStack() as stack:
        for _ in range(FREE_PER_ADDRESS):
            waiting = stack.enter_context(connection_at(two_workers, "http", victim, source))
            ask_by_http(waiting, name)
        right = stack.enter_context(connection_at(two_workers, "http", survivor, source))
        ask_by_http(right, "bob@example.org", PASSWORDS["bob"])
        _replace(two_workers, victim, survivor)
        assert status(right) == 200  # if nobody had given the places back: 503 after ten seconds


def _replace(server: RunningServer, victim: int, survivor: int) -> None:
    started = server.log().count("worker.started")
    server.kill_worker(victim)
    eventually(lambda: server.log().count("worker.started") > started)
    assert survivor in server.worker_pids()


def test_a_server_that_stops_sends_those_away_who_wait(tmp_path: Path) -> None:
    """After ten failures, further attempts wait 0.5, 1.5, 3.5 and 7.5 s."""
    source = next(_addresses)
    with running_server(tmp_path, workers=2) as server, ExitStack() as stack:
        pids = itertools.cycle(server.worker_pids())
        for number in range(FREE_PER_ADDRESS):
            fail_by_http(server, next(pids), source, f"someone{number}")
        sockets = [
            stack.enter_context(connection_at(server, listener, next(pids), source))
            for listener in ("http", "http", "http", "imap-clear")
        ]
        for sock in sockets[:3]:
            ask_by_http(sock, "one more")
        assert sockets[3].recv(4096).startswith(b"* OK")
        sockets[3].sendall(b"a LOGIN alice wrong\r\n")
        eventually(lambda: server.log().count("login.failed") > FREE_PER_ADDRESS)  # the first has waited
        assert server.stop() == 0
        assert 503 in {status(sock) for sock in sockets[:3]}  # 401 would be for those whose time had come
        assert b"* BYE" in b"".join(iter(lambda: sockets[3].recv(4096), b""))
