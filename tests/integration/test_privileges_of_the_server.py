"""What the processes of a server may do on the machine, in each way of starting it; and that low ports bind all the same."""

from __future__ import annotations

import errno
import json
import os
import pwd
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.cannot_run import cannot_run
from tests.free_port import free_port
from tests.integration.client_load import clients_in_a_loop
from tests.integration.running_server import ADMIN, RunningServer, children_of, eventually, workers_of
from tests.integration.upgrades import Upgrades
from tests.process_privileges import LOW_PORTS, Privileges, privileges_of, python_for
from tests.python_process import python_environment

NOTHING = Privileges(permitted=0, effective=0, inheritable=0, ambient=0, bounding=0, no_new_privileges=True)
LOW_PORTS_ALONE = Privileges(LOW_PORTS, LOW_PORTS, LOW_PORTS, ambient=0, bounding=0, no_new_privileges=True)
AS_NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
# As systemd does it by the unit that is shipped: AmbientCapabilities, CapabilityBoundingSet, NoNewPrivileges.
_BY_THE_UNIT = ("--no-new-privs", "--bounding-set=-all,+net_bind_service")
WITH_LOW_PORTS = (*AS_NOBODY, "--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service", *_BY_THE_UNIT)


@pytest.fixture(autouse=True)
def root() -> None:
    if os.geteuid() != 0:
        cannot_run("only root may start the server as another user")


def free_low_port() -> int:
    """A port that only a privileged process may bind."""
    limit = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    for port in range(limit - 1, 512, -1):
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) != 0:
                return port
    return cannot_run("every port may be bound by everybody on this machine")


@contextmanager
def started(
    directory: Path, *arguments: str, low: int, python: str = sys.executable, launcher: Sequence[str] = ()
) -> Iterator[RunningServer]:
    """A server with the API on a high port and a listener on a low one. The plan file is readable to root alone."""
    ports = {"http": free_port(), "low": low}
    listeners = {
        name: {"name": name, "protocol": "http", "bind": [f"127.0.0.1:{port}"], "useTls": False}
        for name, port in ports.items()
    }
    plan = directory / "plan.ndjson"
    plan.write_text(json.dumps({"@type": "create", "object": "NetworkListener", "value": listeners}))
    plan.chmod(0o600 if not launcher else 0o644)
    data = ["--data", str(directory / "data"), "--plan", str(plan), "--workers", "2"]
    server = RunningServer(directory, [*data, *arguments], ports, ADMIN, python=python, launcher=launcher)
    try:
        yield server
    finally:
        assert server.stop() == 0


def users_of(pid: int) -> set[str]:
    """Real, effective, saved and file system user and group of a process, and its other groups, as numbers."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {number for line in lines if line.startswith(("Uid:", "Gid:", "Groups:")) for number in line.split()[1:]}


def greets(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
        sock.sendall(b"GET /healthz/live HTTP/1.1\r\nHost: here\r\n\r\n")
        return sock.recv(4096).startswith(b"HTTP/1.1 200 ")


def assert_that_sockets_can_be_given_up_and_gathered(server: RunningServer) -> None:
    kept, removed = free_port(), free_port()
    bind = [f"127.0.0.1:{kept}", f"127.0.0.1:{removed}"]
    listener = server.create_listener(name="changed", protocol="smtp", bind=bind, useTls=False)
    with clients_in_a_loop(("127.0.0.1", kept)) as load:
        for is_on in (False, True, False):
            server.update_listener(listener, socketReusePort=is_on)
            assert server.status("changed")["state"] == "active"
        server.update_listener(listener, **{f"bind/127.0.0.1:{removed}": None})
        assert server.status("changed")["state"] == "active"
        assert load.visits > 0
    assert load.errors == []
    with socket.socket() as sock:
        assert sock.connect_ex(("127.0.0.1", removed)) == errno.ECONNREFUSED
    with clients_in_a_loop(("127.0.0.1", kept)) as load:
        for host in ("0.0.0.0", "127.0.0.1", "[::]", "127.0.0.1"):
            server.update_listener(listener, bind={f"{host}:{kept}": True})
            assert server.status("changed")["state"] == "active"
        assert load.visits > 0
    assert load.errors == []
    server.destroy_listener(listener)


def assert_that_a_low_port_can_be_added_and_workers_replaced(server: RunningServer) -> None:
    lower = free_low_port()
    server.create_listener(name="lower", protocol="http", bind=[f"127.0.0.1:{lower}"], useTls=False)
    assert server.status("lower")["state"] == "active"
    old = server.worker_pids()
    server.kill_worker(old[0])
    eventually(lambda: len(server.worker_pids()) == 2 and old[0] not in server.worker_pids())
    eventually(lambda: server.status("lower")["addresses"][0]["workersAccepting"] == 2)
    assert greets(lower)


def test_root_becomes_the_user_that_was_asked_for_and_keeps_nothing_but_low_ports(public_directory: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    numbers = {str(nobody.pw_uid), str(nobody.pw_gid)}
    low = free_low_port()
    with started(public_directory, "--run-as", "nobody", low=low, python=python_for("nobody")) as server:
        assert users_of(server.process.pid) == numbers
        assert privileges_of(server.process.pid) == LOW_PORTS_ALONE
        assert_that_a_low_port_can_be_added_and_workers_replaced(server)
        for pid in server.worker_pids():
            assert users_of(pid) == numbers
            assert privileges_of(pid) == NOTHING
        data = public_directory / "data"
        assert {path.stat().st_uid for path in (data, *data.iterdir())} == {nobody.pw_uid}
        assert greets(low)
        assert_that_sockets_can_be_given_up_and_gathered(server)
        wild = server.create_listener(name="wild", protocol="http", bind=[f"[::]:{free_low_port()}"], useTls=False)
        assert server.status("wild")["addresses"][0]["note"] is None
        server.update_listener(wild, socketReusePort=False)  # to have [::] alone again would take another capability
        assert "can still join" in server.status("wild")["addresses"][0]["note"]


@pytest.mark.parametrize("arguments", [("--run-as", "nobody"), ()], ids=["becomes nobody", "starts as nobody"])
def test_a_server_that_takes_over_has_what_the_one_before_had(
    public_directory: Path, arguments: tuple[str, ...]
) -> None:
    if not arguments:
        _give_data_directory_to_nobody(public_directory)
    low, python, launcher = free_low_port(), python_for("nobody"), () if arguments else WITH_LOW_PORTS
    with started(public_directory, *arguments, low=low, python=python, launcher=launcher) as server:
        before = privileges_of(server.process.pid)
        users = users_of(server.process.pid)
        upgrades = Upgrades(server)
        try:
            upgrades.succeed()
            assert users_of(upgrades.pid) == users
            assert privileges_of(upgrades.pid) == before
            assert {privileges_of(pid).permitted for pid in children_of(upgrades.pid) | workers_of(upgrades.pid)} == {0}
            lower = free_low_port()
            server.create_listener(name="lower", protocol="http", bind=[f"127.0.0.1:{lower}"], useTls=False)
            assert greets(lower)
            assert greets(low)
        finally:
            upgrades.end()


def test_root_without_another_user_has_workers_without_capabilities_and_is_told_so(public_directory: Path) -> None:
    with started(public_directory, low=free_low_port()) as server:
        assert_that_a_low_port_can_be_added_and_workers_replaced(server)
        for pid in server.worker_pids():
            assert users_of(pid) == {"0"}
            assert privileges_of(pid) == NOTHING
        assert sum("--run-as" in line for line in server.log().splitlines()) == 1


def test_a_user_with_the_right_to_bind_low_ports_keeps_it_in_the_supervisor(public_directory: Path) -> None:
    _give_data_directory_to_nobody(public_directory)
    low, python = free_low_port(), python_for("nobody")
    with started(public_directory, low=low, python=python, launcher=WITH_LOW_PORTS) as server:
        may = privileges_of(server.process.pid)
        assert (may.permitted, may.effective, may.ambient, may.no_new_privileges) == (LOW_PORTS, LOW_PORTS, 0, True)
        assert_that_a_low_port_can_be_added_and_workers_replaced(server)
        for pid in server.worker_pids():
            may = privileges_of(pid)
            assert (may.permitted, may.effective, may.inheritable, may.ambient) == (0, 0, 0, 0)
            assert may.no_new_privileges


def test_a_user_without_that_right_is_refused_low_ports_with_the_reason(public_directory: Path) -> None:
    _give_data_directory_to_nobody(public_directory)
    low, python = free_low_port(), python_for("nobody")
    with started(public_directory, low=low, python=python, launcher=AS_NOBODY) as server:
        assert "EACCES" in server.status("low")["reason"]
        for host in ("127.0.0.1", "[::1]", "[::]"):
            address = f"{host}:{free_low_port()}"
            lower = {"name": "lower", "protocol": "http", "bind": [address], "useTls": False}
            refused = server.call("x:NetworkListener/set", create={"l": lower})["notCreated"]["l"]
            assert refused["properties"] == ["bind"]
            assert "EACCES" in refused["validationErrors"][0]["description"]
            assert address in refused["validationErrors"][0]["description"]


@pytest.mark.parametrize(
    ("owner", "arguments", "words"),
    [
        (0, ("--run-as", "nobody"), "belongs to root, and the server runs as nobody"),
        (65534, (), "belongs to nobody, and the server runs as root"),
    ],
)
def test_a_data_directory_of_another_user_is_refused_with_what_to_do(
    public_directory: Path, owner: int, arguments: tuple[str, ...], words: str
) -> None:
    data = public_directory / "data"
    data.mkdir(mode=0o700)
    os.chown(data, owner, owner)
    finished = subprocess.run(
        [python_for("nobody"), "-m", "gatepost", "serve", "--data", str(data), *arguments],
        env=python_environment(),
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 1
    assert words in finished.stderr
    assert "chown -R" in finished.stderr
    assert "Traceback" not in finished.stderr


def _give_data_directory_to_nobody(directory: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    (directory / "data").mkdir(mode=0o700)
    os.chown(directory / "data", nobody.pw_uid, nobody.pw_gid)
