"""The number of workers is changed over the API while clients come and go: nobody is refused, reset or cut off."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.free_port import free_port
from tests.integration.client_load import ClientLoad, clients_in_a_loop
from tests.integration.running_server import RunningServer, eventually, running_server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with running_server(tmp_path, workers=1) as running:
        yield running


def _set_workers(server: RunningServer, count: int | None) -> None:
    server.set("SystemSettings", update={"singleton": {"workers": count}})


def _listening_sockets(port: int) -> int:
    """As ss(8) shows them."""
    lines = subprocess.run(["ss", "-Htnl", f"sport = :{port}"], capture_output=True, text=True, check=True).stdout
    return len(lines.splitlines())


def _session(server: RunningServer, name: str) -> socket.socket:
    sock = socket.create_connection(server.address(name), timeout=20)
    assert sock.recv(4096)
    return sock


def _answers(sock: socket.socket) -> bool:
    sock.sendall(b"a NOOP\r\n")
    return sock.recv(4096).startswith(b"a OK")


def _goes_on(load: ClientLoad, visits: int = 150) -> None:
    before = load.visits
    eventually(lambda: load.visits > before + visits)


def test_workers_come_and_go_under_load_without_an_error(server: RunningServer) -> None:
    shared = free_port()
    server.create_listener(
        name="shared", protocol="smtp", useTls=False, socketReusePort=False, bind={f"127.0.0.1:{shared}": True}
    )
    ports = {"own": server.ports["smtp"], "shared": shared}
    open_sessions = [_session(server, "imap-clear") for _ in range(3)]
    with ExitStack() as stack:
        loads = [stack.enter_context(clients_in_a_loop(("127.0.0.1", port), count=10)) for port in ports.values()]
        for count in (4, 2, 3, 1, 2):
            _set_workers(server, count)
            status = server.status("smtp")
            assert status["addresses"][0]["workersAccepting"] == count
            assert {name: _listening_sockets(port) for name, port in ports.items()} == {"own": count, "shared": 1}
            open_sessions += [_session(server, "imap-clear") for _ in range(6)]
            for load in loads:
                _goes_on(load)
        assert [load.errors for load in loads] == [[], []]
    assert all(_answers(sock) for sock in open_sessions)
    assert server.status("imap-clear")["connections"] == len(open_sessions)
    for sock in open_sessions:
        sock.close()
    eventually(lambda: server.status("imap-clear")["connections"] == 0)
    eventually(lambda: len(server.worker_pids()) == 2)  # those whose last connection is gone have ended


def test_every_worker_gets_its_part_of_the_connections_when_there_are_more_and_when_there_are_fewer(
    server: RunningServer,
) -> None:
    for count in (4, 3):
        _set_workers(server, count)
        sessions = [_session(server, "imap-clear") for _ in range(30 * count)]
        shares = sorted(_established(server, "imap-clear").values())
        assert len(shares) == count
        assert shares[0] >= 5  # of 30 that are its part
        for sock in sessions:
            sock.close()
        eventually(lambda: server.status("imap-clear")["connections"] == 0)


def _established(server: RunningServer, name: str) -> dict[int, int]:
    """Process → connections of a listener, as ss(8) shows them."""
    port = server.ports[name]
    command = ["ss", "-Htnp", "state", "established", f"sport = :{port}"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    found: dict[int, int] = {}
    for line in lines:
        for pid in re.findall(r"pid=(\d+)", line):
            found[int(pid)] = found.get(int(pid), 0) + 1
    return found


def test_a_cap_is_exact_while_workers_that_are_not_needed_any_more_still_have_connections(
    server: RunningServer,
) -> None:
    port = free_port()
    server.create_listener(
        name="capped", protocol="smtp", bind={f"127.0.0.1:{port}": True}, maxConnections=5, useTls=False
    )
    _set_workers(server, 4)
    held: list[socket.socket] = []
    while len(held) < 3:
        held.append(socket.create_connection(("127.0.0.1", port), timeout=20))
        assert held[-1].recv(100).startswith(b"220 ")
    _set_workers(server, 1)
    words = []
    for _ in range(4):
        held.append(socket.create_connection(("127.0.0.1", port), timeout=20))
        words.append(held[-1].recv(100)[:3])
    assert words == [b"220", b"220", b"421", b"421"]
    assert server.status("capped")["connections"] == 5
    for sock in held:
        sock.close()
    eventually(lambda: server.status("capped")["connections"] == 0)


def test_sessions_of_workers_that_are_not_needed_any_more_end_at_the_drain_timeout(server: RunningServer) -> None:
    _set_workers(server, 3)
    server.set("SystemSettings", update={"singleton": {"drainTimeout": 500}})
    sessions = [_session(server, "imap-clear") for _ in range(30)]
    _set_workers(server, 1)
    eventually(lambda: len(server.worker_pids()) == 1)
    stayed = server.status("imap-clear")["connections"]
    assert 0 < stayed < 30
    for sock in sessions:
        sock.close()


def test_a_killed_worker_that_was_not_needed_any_more_is_not_replaced_and_does_not_count(server: RunningServer) -> None:
    _set_workers(server, 2)
    (first, second) = server.worker_pids()
    sessions = [_session(server, "imap-clear") for _ in range(20)]
    _set_workers(server, 1)
    server.kill_worker(max(first, second))
    eventually(lambda: server.worker_pids() == [min(first, second)])
    eventually(lambda: 0 < server.status("imap-clear")["connections"] < 20)
    for sock in sessions:
        sock.close()


def test_as_many_workers_as_the_server_was_started_with_where_the_setting_is_empty(server: RunningServer) -> None:
    _set_workers(server, 2)
    _set_workers(server, None)
    assert server.status("smtp")["addresses"][0]["workersAccepting"] == 1


def test_a_number_that_is_out_of_range_is_refused_by_name(server: RunningServer) -> None:
    answer = server.call("x:SystemSettings/set", update={"singleton": {"workers": 0}})
    assert answer["notUpdated"]["singleton"]["properties"] == ["workers"]
