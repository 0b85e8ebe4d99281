"""What a service manager does with the server: sockets passed in, readiness, signals, another user."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import cast

from tests.free_port import free_port
from tests.integration.running_server import ADMIN, RunningServer, eventually, running_server

from gatepost.store.interface import ObjectWrite
from gatepost.store.sql_store import SqlStore


def test_readiness_is_told_and_a_socket_that_was_passed_in_is_listened_on(tmp_path: Path) -> None:
    passed = socket.create_server(("127.0.0.1", free_port()))
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(str(tmp_path / "notify"))
    notify.settimeout(60)
    plan = tmp_path / "plan.ndjson"
    address = "{}:{}".format(*passed.getsockname())
    listener = {"name": "smtp", "protocol": "smtp", "bind": [address], "socketReusePort": False}
    plan.write_text(json.dumps({"@type": "create", "object": "NetworkListener", "value": {"l": listener}}))
    program = (
        "import os, sys; os.dup2(int(sys.argv[1]), 3, inheritable=True); "
        "os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid())); "
        "os.execv(sys.executable, [sys.executable, '-m', 'gatepost', 'serve', *sys.argv[2:]])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(passed.fileno()), "--data", str(tmp_path / "data"), "--plan", str(plan)],
        pass_fds=[passed.fileno()],
        env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify"), "GATEPOST_ADMIN": ":".join(ADMIN)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert notify.recv(100) == b"READY=1"
        with socket.create_connection(passed.getsockname(), timeout=20) as sock:
            assert sock.recv(4096).startswith(b"220 ")
        process.send_signal(signal.SIGTERM)
        assert notify.recv(100) == b"STOPPING=1"
        assert process.wait(40) == 0
    finally:
        process.kill()
        process.wait(10)
        passed.close()
        notify.close()


def test_a_signal_to_hang_up_brings_what_is_stored_into_force_as_far_as_it_can_run(server: RunningServer) -> None:
    with socket.socket() as other_process:
        other_process.bind(("127.0.0.1", 0))
        other_process.listen()
        taken, free = other_process.getsockname()[1], free_port()
        _add_behind_the_servers_back(server, "smtp", f"127.0.0.1:{taken}", f"127.0.0.1:{free}")
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: _greets(free))
        status = server.status("smtp")
        assert (status["state"], "EADDRINUSE" in status["reason"]) == ("failed", True)
        assert status["runningRevision"] == status["storedRevision"]
    eventually(lambda: server.status("smtp")["state"] == "active")
    assert _greets(taken)


def _add_behind_the_servers_back(server: RunningServer, name: str, *addresses: str) -> None:
    """As a worker that dies between the commit and the activation leaves it."""

    async def add() -> None:
        store = SqlStore.open(server.directory / "data")
        stored = await store.configuration.read_objects("NetworkListener")
        each = next(each for each in stored if each.value["name"] == name)
        bind = {**cast(dict[str, object], each.value["bind"]), **dict.fromkeys(addresses, True)}
        await store.configuration.commit([ObjectWrite("NetworkListener", each.id, {**each.value, "bind": bind}, name)])
        await store.close()

    asyncio.run(add())


def _greets(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
            return sock.recv(4096).startswith(b"220 ")
    except OSError:
        return False


def test_the_server_ends_its_workers_and_frees_its_ports_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        workers = server.worker_pids()
        server.process.kill()
        eventually(lambda: not any(_is_running(pid) for pid in workers), 45)
        with socket.socket() as probe:
            assert probe.connect_ex(server.address("smtp")) != 0


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_what_is_wrong_with_a_plan_file_is_told_with_file_and_line_and_exit_code_2(tmp_path: Path) -> None:
    plan = tmp_path / "plan.ndjson"
    listener = {"name": "bad", "protocol": "smtp", "bind": ["127.0.0.1:0"], "socketTtl": 300}
    plan.write_text(json.dumps({"@type": "create", "object": "NetworkListener", "value": {"l": listener}}) + "\n")
    finished = subprocess.run(
        [sys.executable, "-m", "gatepost", "serve", "--data", str(tmp_path / "data"), "--plan", str(plan)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 2
    assert "plan.ndjson" in finished.stderr
    assert "socketTtl" in finished.stderr
    assert "bind" in finished.stderr
    assert "Traceback" not in finished.stderr
