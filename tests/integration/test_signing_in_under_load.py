"""Many who sign in at once: nobody else waits for their passwords to be looked at, and names that nobody has cost the same."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest
from tests.integration.running_server import RunningServer, running_server

AT_ONCE = 20
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


def _cpu_seconds(pid: int) -> float:
    threads = [Path(each.path, "schedstat").read_text().split() for each in os.scandir(f"/proc/{pid}/task")]
    return sum(int(thread[0]) for thread in threads) / 1e9
