"""Many who sign in at once: nobody else waits for their passwords to be looked at, and names that nobody has cost the same."""

from __future__ import annotations

import itertools
import os
import select
import socket
from base64 import b64encode
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest
from tests.integration.running_server import PASSWORDS, RunningServer, running_server

AT_ONCE = 20
BURST = 64
_sources = itertools.count(1)  # each login from an address of its own: none is slowed down for the failures of others


@pytest.fixture(scope="module")
def one_worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("logins"), workers=1) as server:
        yield server


def sign_in(server: RunningServer, name: str) -> int:
    """The status of a request with a wrong password."""
    source = f"127.1.0.{next(_sources)}"
    with httpx.Client(transport=httpx.HTTPTransport(local_address=source), timeout=60, trust_env=False) as client:
        url = f"http://127.0.0.1:{server.ports['http']}/jmap/session"
        return client.get(url, auth=(name, "wrong")).status_code


@contextmanager
def requests_at_once(server: RunningServer, source: str, credentials: Sequence[str]) -> Iterator[list[socket.socket]]:
    """A connection for each of them, with a request that has been sent."""
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(socket.create_connection(server.address("http"), 30, source_address=(source, 0)))
            for _ in credentials
        ]
        for sock, each in zip(sockets, credentials, strict=True):
            encoded = b64encode(each.encode())
            sock.sendall(b"GET /jmap/session HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic %b\r\n\r\n" % encoded)
        yield sockets


def test_a_burst_of_wrong_passwords_is_turned_away_before_they_are_looked_at(one_worker: RunningServer) -> None:
    """One after the other, ten from one address are looked at, and then one after 0.5, 1, 2, 4 seconds, as long as the queue
    takes no more than ten."""
    source = f"127.1.0.{next(_sources)}"
    with requests_at_once(one_worker, source, [f"name{number}:wrong" for number in range(BURST)]) as sockets:
        waiting = sockets
        answers: list[bytes] = []
        while sum(answer.startswith(b"HTTP/1.1 503 ") for answer in answers) < BURST - 20:
            answered, _, _ = select.select(waiting, [], [], 30)
            assert answered, answers
            answers += [sock.recv(4096) for sock in answered]
            waiting = [sock for sock in waiting if sock not in answered]
        assert sum(answer.startswith(b"HTTP/1.1 401 ") for answer in answers) <= 20


def test_while_twenty_sign_in_others_are_served(one_worker: RunningServer) -> None:
    """If passwords were looked at on the event loop, the other client would have about one answer for each of them."""
    exchanges = 0
    with (
        closing(HTTPConnection(*one_worker.address("http"), timeout=30)) as other,
        ThreadPoolExecutor(AT_ONCE) as threads,
    ):
        logins = [threads.submit(sign_in, one_worker, f"nobody{number}") for number in range(AT_ONCE)]
        while not all(login.done() for login in logins):
            other.request("GET", "/healthz/live")
            assert b"live" in other.getresponse().read()
            exchanges += 1
        assert {login.result() for login in logins} == {401}
    assert exchanges > 4 * AT_ONCE


def test_a_name_that_nobody_has_is_as_much_work_as_one_that_somebody_has(one_worker: RunningServer) -> None:
    (pid,) = one_worker.worker_pids()
    used: dict[str, list[float]] = {"alice@example.org": [], "nobody@example.org": []}
    for _ in range(3):  # three failures of one name cost nothing: after that both would wait
        for name, times in used.items():
            before = _cpu_seconds(pid)
            assert sign_in(one_worker, name) == 401
            times.append(_cpu_seconds(pid) - before)
    known, unknown = (sum(times) for times in used.values())
    assert 0.4 < unknown / known < 2.5


def test_a_client_that_is_right_gets_in_with_many_connections_at_once(one_worker: RunningServer) -> None:
    """The server has not seen its password before."""
    credentials = [f"bob@example.org:{PASSWORDS['bob']}"] * (2 * BURST)
    with requests_at_once(one_worker, f"127.1.0.{next(_sources)}", credentials) as sockets:
        assert {sock.recv(4096)[:13] for sock in sockets} == {b"HTTP/1.1 200 "}


def _cpu_seconds(pid: int) -> float:
    threads = [Path(each.path, "schedstat").read_text().split() for each in os.scandir(f"/proc/{pid}/task")]
    return sum(int(thread[0]) for thread in threads) / 1e9
