"""A running server goes over to the code that is installed: nobody is refused, nobody is cut off, and where the new server
does not come up, everything is as it was."""

from __future__ import annotations

import imaplib
import os
import re
import signal
import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest
from tests.free_port import free_port
from tests.integration.client_load import ClientLoad, clients_in_a_loop
from tests.integration.running_server import (
    PASSWORDS,
    RunningServer,
    children_of,
    eventually,
    running_server,
    workers_of,
)
from tests.integration.tls_load import tls_clients_in_a_loop
from tests.integration.upgrades import Upgrades, is_running

from gatepost.supervisor import control_socket

# In the place of what is installed: the product's own processes, but a new server does what the line says.
_OVERLAY = "import os, sys, time\nif {condition}: {statement}\n"
_IN_NEW_SERVER = "'GATEPOST_HANDOVER' in os.environ"
_IN_FORK_SERVER = "'GATEPOST_FORK_SERVER' in os.environ"
_WORKERS_CANNOT_FOLLOW = (
    "from gatepost.worker.worker import PlanApplied, Worker; "
    "error = lambda message: 'not understood' if message.sockets else None; "
    "Worker._apply = lambda self, message, _: PlanApplied(number=message.number, error=error(message))"
)
_WORKERS_HAVE_NO_TLS = (
    "from gatepost.transport import tls_contexts; from unittest.mock import Mock; "
    "tls_contexts._build = Mock(side_effect=tls_contexts.UnusableTls('not in this library'))"
)


@contextmanager
def _upgrades(directory: Path) -> Iterator[Upgrades]:
    with running_server(directory) as server:
        upgrades = Upgrades(server)
        try:
            yield upgrades
        finally:
            upgrades.end()
        assert "Traceback" not in server.log()


@pytest.fixture
def upgrades(tmp_path: Path) -> Iterator[Upgrades]:
    with _upgrades(tmp_path) as made:
        yield made


def _answers(sock: socket.socket, command: bytes = b"NOOP\r\n", answer: bytes = b"250") -> bool:
    sock.sendall(command)
    return sock.recv(4096).startswith(answer)


def _goes_on(load: ClientLoad) -> None:
    visits = load.visits
    eventually(lambda: load.visits > visits + 50)


def _exceeds(load: ClientLoad, handshakes: int) -> bool:
    return load.visits > handshakes


def test_no_connection_is_refused_or_reset_and_no_session_is_cut_off(upgrades: Upgrades) -> None:
    server = upgrades.server
    shared = free_port()
    server.create_listener(
        name="shared", protocol="smtp", useTls=False, socketReusePort=False, bind={f"127.0.0.1:{shared}": True}
    )
    sessions = [upgrades.connect("smtp") for _ in range(10)]
    with ExitStack() as stack:
        own = stack.enter_context(clients_in_a_loop(server.address("smtp"), count=12))
        other = stack.enter_context(clients_in_a_loop(("127.0.0.1", shared), count=8))
        tls = stack.enter_context(tls_clients_in_a_loop(server.address("submissions"), count=4))
        for _ in range(2):
            upgrades.succeed()
            _goes_on(own)
            _goes_on(other)
            handshakes = tls.seen.total()
            eventually(partial(_exceeds, tls, handshakes + 20))
            sessions.append(upgrades.connect("smtp"))
    assert (own.errors, other.errors, tls.errors) == ([], [], [])
    assert len(set(upgrades.pids)) == 3
    assert all(_answers(sock) for sock in sessions)
    assert server.status("smtp")["connections"] == len(sessions)
    assert server.status("smtp")["addresses"][0]["workersAccepting"] == 2


def test_a_session_in_idle_hears_of_what_is_delivered_through_the_new_server(upgrades: Upgrades) -> None:
    server = upgrades.server
    with imaplib.IMAP4(*server.address("imap-clear"), timeout=30) as client:
        client.login("bob", PASSWORDS["bob"])
        client.select("INBOX")
        client.send(b"i IDLE\r\n")
        assert client.readline().startswith(b"+")
        for number in (1, 2):
            upgrades.succeed()
            for _ in range(2):  # by one worker or the other
                _deliver(server)
            seen = b""
            while b"* %d EXISTS" % (2 * number) not in seen:
                seen = client.readline()
                assert seen
        client.send(b"DONE\r\n")
        while not client.readline().startswith(b"i OK"):
            pass
    eventually(lambda: not any(is_running(pid) for pid in upgrades.pids[:-1]))


def test_a_session_of_the_new_server_hears_of_what_is_delivered_through_an_old_session(upgrades: Upgrades) -> None:
    server = upgrades.server
    with smtplib.SMTP(*server.address("smtp"), timeout=30) as old:
        old.ehlo()
        upgrades.succeed()
        with imaplib.IMAP4(*server.address("imap-clear"), timeout=30) as client:
            client.login("bob", PASSWORDS["bob"])
            client.select("INBOX")
            client.send(b"i IDLE\r\n")
            assert client.readline().startswith(b"+")
            old.sendmail("somebody@example.net", ["bob@example.org"], b"Subject: x\r\n\r\nx\r\n")
            assert client.readline().startswith(b"* 1 EXISTS")
            client.send(b"DONE\r\n")
            while not client.readline().startswith(b"i OK"):
                pass


def _deliver(server: RunningServer) -> None:
    with smtplib.SMTP(*server.address("smtp"), timeout=30) as client:
        client.sendmail("somebody@example.net", ["bob@example.org"], b"Subject: x\r\n\r\nx\r\n")


def test_caps_are_exact_over_old_and_new_connections(upgrades: Upgrades) -> None:
    server = upgrades.server
    server.update_listener(server.listener("smtp")["id"], maxConnections=5)
    old = [upgrades.connect("smtp") for _ in range(3)]
    upgrades.succeed()
    words = []
    for _ in range(4):
        sock = socket.create_connection(server.address("smtp"), timeout=30)
        upgrades.connections.callback(sock.close)
        words.append(sock.recv(100)[:3])
    assert words == [b"220", b"220", b"421", b"421"]
    old.pop().close()
    eventually(lambda: server.status("smtp")["connections"] == 4)
    assert upgrades.connect("smtp")


def test_connections_of_an_old_worker_that_is_killed_do_not_count_any_more(upgrades: Upgrades) -> None:
    server = upgrades.server
    held = [upgrades.connect("smtp") for _ in range(12)]
    old_workers = workers_of(upgrades.pid)
    upgrades.succeed()
    os.kill(upgrades.pids[0], signal.SIGKILL)
    assert all(_answers(sock) for sock in held)  # the supervisor that is gone was not needed any more
    for pid in old_workers:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: server.status("smtp")["connections"] == 0)
    sock = upgrades.connect("smtp")
    assert _answers(sock)
    assert server.status("smtp")["connections"] == 1


def test_sessions_of_every_server_before_are_listed_and_can_be_ended(upgrades: Upgrades) -> None:
    sessions = [upgrades.connect("smtp")]
    for _ in range(2):
        upgrades.succeed()
        sessions.append(upgrades.connect("smtp"))
    host, port = sessions[1].getsockname()
    sessions[1].close()  # the server in the middle has none any more: the way to the first one leads through it
    eventually(lambda: f"{host}:{port}" not in _connections(upgrades.server))
    sources = ["{}:{}".format(*session.getsockname()) for session in (sessions[0], sessions[2])]
    listed = _connections(upgrades.server)
    assert sorted(listed) == sorted(sources)
    answer = upgrades.server.set("Connection", destroy=list(listed.values()))
    assert sorted(answer["destroyed"]) == sorted(listed.values())
    for session in (sessions[0], sessions[2]):
        assert session.recv(4096).startswith(b"421 ")
    eventually(lambda: not any(map(is_running, upgrades.pids[:-1])))
    assert _connections(upgrades.server) == {}


def _connections(server: RunningServer) -> dict[str, str]:
    """The ids of those at the listener for SMTP, by their source."""
    ids = server.call("x:Connection/query", filter={"listener": "smtp"})["ids"]
    return {each["source"]: each["id"] for each in server.call("x:Connection/get", ids=ids)["list"]}


def test_http_connections_go_over_at_once_and_changes_work(upgrades: Upgrades) -> None:
    server = upgrades.server
    port = free_port()
    idle = socket.create_connection(server.address("http"), timeout=30)
    upgrades.connections.callback(idle.close)
    idle.sendall(b"GET /healthz/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert idle.recv(4096).startswith(b"HTTP/1.1 200")
    upgrades.succeed()
    while idle.recv(4096):
        pass  # kept alive by the server before; it is closed now
    server.create_listener(name="later", protocol="smtp", useTls=False, bind={f"127.0.0.1:{port}": True})
    with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
        assert sock.recv(100).startswith(b"220")
    server.set("SystemSettings", update={"singleton": {"workers": 3}})
    assert server.status("smtp")["addresses"][0]["workersAccepting"] == 3
    upgrades.succeed()
    assert server.status("smtp")["addresses"][0]["workersAccepting"] == 3
    assert server.status("later")["state"] == "active"


def test_the_server_that_has_taken_over_ends_as_a_whole_when_it_is_told_to(upgrades: Upgrades) -> None:
    sock = upgrades.connect("smtp")
    upgrades.succeed()
    newer = upgrades.connect("smtp")
    os.kill(upgrades.pid, signal.SIGTERM)
    assert sock.recv(100).startswith(b"421")  # it takes leave of those of the server before, too
    assert newer.recv(100).startswith(b"421")
    eventually(lambda: not any(is_running(pid) for pid in upgrades.pids))
    with socket.socket() as probe:
        assert probe.connect_ex(upgrades.server.address("smtp")) != 0


def test_a_signal_does_the_same_as_the_command(upgrades: Upgrades) -> None:
    os.kill(upgrades.pid, signal.SIGUSR2)
    eventually(lambda: "upgrade.done" in upgrades.server.log())
    found = re.search(r"upgrade\.done\s+pid=(\d+)", upgrades.server.log())
    assert found
    upgrades.pids.append(int(found[1]))
    eventually(lambda: not is_running(upgrades.pids[0]))
    assert upgrades.connect("smtp")


def _overlay(upgrades: Upgrades, condition: str, statement: str) -> None:
    overlay = upgrades.server.directory / "overlay"
    overlay.mkdir(exist_ok=True)
    (overlay / "sitecustomize.py").write_text(_OVERLAY.format(condition=condition, statement=statement))


@pytest.mark.parametrize(
    ("condition", "statement", "reason"),
    [
        (_IN_NEW_SERVER, "os._exit(7)", "status 7"),
        (_IN_NEW_SERVER, "sys.modules['gatepost'] = None", "status 1"),
        ("'GATEPOST_BOOT' in os.environ", "os._exit(3)", "status 1"),
        (_IN_FORK_SERVER, "os.register_at_fork(after_in_child=lambda: os._exit(3))", "die as they start"),
        (_IN_FORK_SERVER, "os._exit(3)", "die as they start"),
        (_IN_FORK_SERVER, _WORKERS_CANNOT_FOLLOW, "worker 1: not understood"),
        (_IN_FORK_SERVER, _WORKERS_HAVE_NO_TLS, "imaps: not in this library"),
    ],
    ids=[
        "exits",
        "cannot be imported",
        "cannot use the store",
        "has no workers",
        "cannot make workers",
        "cannot use the sockets",
        "has no TLS for a listener",
    ],
)
def test_a_new_server_that_does_not_come_up_changes_nothing(
    upgrades: Upgrades, condition: str, statement: str, reason: str
) -> None:
    server = upgrades.server
    session = upgrades.connect("smtp")
    workers = workers_of(upgrades.pid)
    _overlay(upgrades, condition, statement)
    with clients_in_a_loop(server.address("smtp"), count=10) as load:
        assert reason in upgrades.fail()
        _goes_on(load)
    assert load.errors == []
    assert workers_of(upgrades.pid) == workers
    assert "upgrade.failed" in server.log()
    assert _answers(session)
    server.update_listener(server.listener("pop3")["id"], maxConnections=100)  # the turn has been given back
    eventually(lambda: server.status("smtp")["connections"] == 1)
    (server.directory / "overlay" / "sitecustomize.py").unlink()
    upgrades.succeed()


def test_an_upgrade_while_another_is_under_way_is_refused_in_words(upgrades: Upgrades) -> None:
    _overlay(upgrades, _IN_NEW_SERVER, "time.sleep(3)")
    with control_socket.connect(upgrades.server.directory / "data") as first:
        first.sendall(control_socket.UPGRADE)
        eventually(lambda: "upgrade.begun" in upgrades.server.log())
        assert "under way" in upgrades.fail()
        first.settimeout(60)
        done = re.match(rb"done (\d+)\n", first.recv(100))
    assert done
    upgrades.pids.append(int(done[1]))
    assert upgrades.connect("smtp")


def test_a_server_that_ends_while_it_is_upgraded_leaves_nothing_behind(upgrades: Upgrades) -> None:
    _overlay(upgrades, _IN_NEW_SERVER, "time.sleep(60)")
    with control_socket.connect(upgrades.server.directory / "data") as asking:
        asking.sendall(control_socket.UPGRADE)
        eventually(lambda: "upgrade.begun" in upgrades.server.log())
        eventually(lambda: len(children_of(upgrades.pid)) == 2)
        started = children_of(upgrades.pid) | workers_of(upgrades.pid)
        os.kill(upgrades.pid, signal.SIGTERM)
        asking.settimeout(60)
        assert asking.recv(1000).startswith(b"failed ")
    eventually(lambda: not any(is_running(pid) for pid in (*started, *upgrades.pids)))


def test_the_service_manager_learns_which_process_is_the_main_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(tmp_path / "notify"))
        notify.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        with _upgrades(tmp_path) as upgrades:
            assert notify.recv(100) == b"READY=1"
            upgrades.succeed()
            assert notify.recv(100) == b"MAINPID=%d" % upgrades.pid
            assert notify.recv(100) == b"READY=1"
        assert notify.recv(100) == b"STOPPING=1"


def test_where_no_server_runs_the_command_says_so(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gatepost", "upgrade", "--data", str(tmp_path)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert finished.returncode == 1
    assert str(tmp_path) in finished.stderr
    assert "Traceback" not in finished.stderr


def test_nobody_but_the_owner_reaches_the_socket_of_the_command(upgrades: Upgrades) -> None:
    path = upgrades.server.directory / "data" / control_socket.NAME
    assert path.stat().st_mode & 0o777 == 0o600
    with control_socket.connect(path.parent) as sock:
        sock.settimeout(30)
        sock.sendall(b"GET / HTTP/1.1\r\n")
        assert sock.recv(100).startswith(b"failed ")
