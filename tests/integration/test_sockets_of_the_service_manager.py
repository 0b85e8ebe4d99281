"""Sockets passed in as systemd passes them (sd_listen_fds(3)), and the units that are shipped for it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.cannot_run import cannot_run
from tests.free_port import free_port
from tests.integration.running_server import ADMIN, RunningServer, eventually
from tests.process_privileges import python_for

PACKAGING = Path(__file__).parents[2] / "packaging"

# Puts the descriptors that it is given in place, then becomes the program: number of descriptors, their numbers, program.
_LAUNCHER = """
import os, sys
count = int(sys.argv[1])
moved = [os.dup2(int(number), 500 + position) for position, number in enumerate(sys.argv[2 : 2 + count])]
for position, number in enumerate(moved):
    os.dup2(number, 3 + position, inheritable=True)
names = ":".join(f"name{position}" for position in range(count))
os.environ.update(LISTEN_FDS=str(count), LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES=names)
os.closerange(3 + count, 600)
os.execvp(sys.argv[2 + count], sys.argv[2 + count :])
"""


@contextmanager
def started(
    directory: Path,
    passed: Sequence[socket.socket],
    listeners: dict[str, dict[str, object]],
    *,
    python: str = sys.executable,
    user: Sequence[str] = (),
) -> Iterator[RunningServer]:
    """A server that was given these sockets; `user` is a command that starts it as another user."""
    ports = {"http": free_port()}
    api = {"name": "http", "protocol": "http", "bind": [f"127.0.0.1:{ports['http']}"], "useTls": False}
    values = {"http": api, **{name: {"name": name, **value} for name, value in listeners.items()}}
    plan = directory / "plan.ndjson"
    plan.write_text(json.dumps({"@type": "create", "object": "NetworkListener", "value": values}))
    numbers = [str(sock.fileno()) for sock in passed]
    launcher = [sys.executable, "-c", _LAUNCHER, str(len(passed)), *numbers, *user]
    arguments = ["--data", str(directory / "data"), "--plan", str(plan), "--workers", "2"]
    server = RunningServer(directory, arguments, ports, ADMIN, python=python, launcher=launcher, descriptors=passed)
    try:
        yield server
    finally:
        assert server.stop() == 0


def greets(host: str, port: int) -> bool:
    with socket.create_connection((host, port), timeout=20) as sock:
        return sock.recv(4096).startswith(b"220 ")


def holders_of(server: RunningServer, sock: socket.socket) -> list[int]:
    """The processes of the server that have this very socket."""
    name = f"socket:[{os.fstat(sock.fileno()).st_ino}]"
    pids = [server.process.pid, *server.worker_pids()]
    return [pid for pid in pids if any(_target(entry) == name for entry in Path(f"/proc/{pid}/fd").iterdir())]


def _target(entry: Path) -> str:
    try:
        return str(entry.readlink())
    except FileNotFoundError:
        return ""


def test_sockets_of_every_family_serve_all_workers_and_outlive_changes_and_the_others_are_named(tmp_path: Path) -> None:
    ipv4 = socket.create_server(("127.0.0.1", free_port()))
    ipv6 = socket.create_server(("::1", free_port()), family=socket.AF_INET6)
    both = socket.create_server(("::", free_port()), family=socket.AF_INET6, dualstack_ipv6=True)
    unwanted = socket.create_server(("127.0.0.1", free_port()))
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(str(tmp_path / "unix"))
    unix.listen()
    v4_port, v6_port, both_port = (sock.getsockname()[1] for sock in (ipv4, ipv6, both))
    bind = [f"127.0.0.1:{v4_port}", f"[::1]:{v6_port}", f"[::]:{both_port}"]
    listeners: dict[str, dict[str, object]] = {"smtp": {"protocol": "smtp", "bind": bind}}
    with started(tmp_path, (unix, ipv4, ipv6, both, unwanted), listeners) as server:
        smtp = server.listener("smtp")["id"]
        for change in ({}, {"socketReusePort": False}, {"socketReusePort": True, "socketReceiveBufferSize": 9999}):
            server.update_listener(smtp, **change)
            assert server.status("smtp")["state"] == "active"
            for sock in (ipv4, ipv6, both):
                assert len(holders_of(server, sock)) == 3
            assert greets("127.0.0.1", v4_port)
            assert greets("::1", v6_port)
            assert greets("::1", both_port)
            assert greets("127.0.0.1", both_port)
        server.kill_worker(server.worker_pids()[0])
        assert all(greets("127.0.0.1", v4_port) for _ in range(10))
        eventually(lambda: len(holders_of(server, ipv4)) == 3)
        left_alone = [line for line in server.log().splitlines() if "socket.left_alone" in line]
        assert ["AF_UNIX" in line for line in left_alone] == [True, False]
        assert "name0" in left_alone[0]
        assert f"127.0.0.1:{unwanted.getsockname()[1]} was passed" in left_alone[1]
    for sock in (ipv4, ipv6, both, unwanted, unix):
        sock.close()


def test_a_user_without_any_right_serves_a_low_port_that_was_passed_in(public_directory: Path) -> None:
    if os.geteuid() != 0:
        cannot_run("only root may bind a low port and start the server as another user")
    (public_directory / "data").mkdir(mode=0o700)
    os.chown(public_directory / "data", 65534, 65534)
    passed = next(_low_sockets())
    port = passed.getsockname()[1]
    listeners: dict[str, dict[str, object]] = {"smtp": {"protocol": "smtp", "bind": [f"127.0.0.1:{port}"]}}
    user = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--no-new-privs")
    with started(public_directory, [passed], listeners, python=python_for("nobody"), user=user) as server:
        assert greets("127.0.0.1", port)
        server.update_listener(server.listener("smtp")["id"], socketReusePort=False)
        server.update_listener(server.listener("smtp")["id"], socketReusePort=True)
        assert greets("127.0.0.1", port)
    passed.close()


def _low_sockets() -> Iterator[socket.socket]:
    for port in range(1023, 512, -1):
        try:
            yield socket.create_server(("127.0.0.1", port))
        except OSError:
            continue


@pytest.mark.parametrize("name", ["gatepost.service", "gatepost.socket"])
def test_the_units_that_are_shipped_are_valid(tmp_path: Path, name: str, needs_program: Callable[[str], str]) -> None:
    for unit in PACKAGING.glob("gatepost.*"):
        text = unit.read_text().replace("/opt/gatepost/bin/gatepost", "/bin/true")
        (tmp_path / unit.name).write_text(text)
    verified = subprocess.run(
        [needs_program("systemd-analyze"), "verify", str(tmp_path / name)], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")


def test_the_unit_needs_no_more_than_it_says(tmp_path: Path, needs_program: Callable[[str], str]) -> None:
    unit = tmp_path / "gatepost.service"
    unit.write_text((PACKAGING / "gatepost.service").read_text().replace("/opt/gatepost/bin/gatepost", "/bin/true"))
    judged = subprocess.run(
        [needs_program("systemd-analyze"), "security", "--offline=true", "--threshold=25", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert judged.returncode == 0, judged.stdout[-300:]
