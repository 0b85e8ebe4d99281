"""Signals and sudden deaths of a whole server: nothing is left running, nothing is left bound, nothing is lost."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.free_port import free_port
from tests.integration.running_server import RunningServer, eventually, running_server
from tests.tls_client import trusting_context


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with running_server(tmp_path, workers=2) as running:
        yield running


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def can_be_bound(address: tuple[str, int]) -> bool:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(address)
        except OSError:
            return False
        return True


def greeted(server: RunningServer, name: str) -> socket.socket:
    sock = socket.create_connection(server.address(name), timeout=20)
    assert sock.recv(4096)
    return sock


def rest_of(sock: socket.socket) -> bytes:
    seen = b""
    while more := sock.recv(4096):
        seen += more
    return seen


def test_workers_whose_supervisor_was_killed_take_leave_and_free_their_ports(server: RunningServer) -> None:
    workers = server.worker_pids()
    with greeted(server, "smtp") as smtp, greeted(server, "imap") as imap:
        server.process.kill()
        assert b"421" in rest_of(smtp)
        assert b"BYE" in rest_of(imap)
    eventually(lambda: not any(is_running(pid) for pid in workers))
    assert all(can_be_bound(server.address(name)) for name in server.ports)


def test_draining_does_not_wait_for_handshakes_under_way(server: RunningServer) -> None:
    silent = [socket.create_connection(server.address("imaps"), timeout=20) for _ in range(10)]
    half = socket.create_connection(server.address("imaps"), timeout=20)
    hello, _, outgoing = ssl.MemoryBIO(), None, ssl.MemoryBIO()
    client = trusting_context().wrap_bio(hello, outgoing)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    half.sendall(outgoing.read()[:100])
    eventually(lambda: server.status("imaps")["connections"] == 11)
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(20) == 0
    assert time.monotonic() - began < 15  # the handshakes have a minute
    for sock in (*silent, half):
        sock.close()


def test_a_second_signal_ends_the_server_at_once(server: RunningServer) -> None:
    with greeted(server, "smtp") as smtp:
        smtp.sendall(b"EHLO client.example.org\r\nMAIL FROM:<>\r\n")
        workers = server.worker_pids()
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)  # workers that cannot take leave
        server.process.send_signal(signal.SIGTERM)
        eventually(lambda: "server.stopping" in server.log())
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0
    eventually(lambda: not any(is_running(pid) for pid in workers))


def test_signals_until_the_very_end_do_not_make_an_orderly_end_a_death(server: RunningServer) -> None:
    while server.process.poll() is None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            server.process.send_signal(number)
        time.sleep(0.001)
    assert server.process.wait() == 0


def test_a_hangup_of_the_terminal_disturbs_nobody(server: RunningServer) -> None:
    workers = server.worker_pids()
    with greeted(server, "smtp") as smtp:
        for pid in (*workers, server.process.pid):
            os.kill(pid, signal.SIGHUP)
        smtp.sendall(b"NOOP\r\n")
        assert smtp.recv(100).startswith(b"250")
        assert server.status("smtp")["connections"] == 1
    assert server.worker_pids() == workers


def test_a_worker_that_is_told_to_end_is_replaced_and_changes_go_on_meanwhile(server: RunningServer) -> None:
    victim, _ = server.worker_pids()
    held = [greeted(server, "smtp") for _ in range(16)]
    os.kill(victim, signal.SIGTERM)
    eventually(lambda: select.select(held, [], [], 0)[0])  # it takes leave: also of the client of the API, if it has it
    began = time.monotonic()
    server.update_listener(server.listener("pop3")["id"], maxConnections=100)
    assert time.monotonic() - began < 20  # not the thirty seconds after which a worker counts as late
    eventually(lambda: len(server.worker_pids()) == 2 and victim not in server.worker_pids())
    for sock in held:
        sock.close()


def serve_with(directory: Path, port: int, *options: str) -> list[str]:
    """The command for a server with one SMTP listener."""
    value = {"l": {"name": "smtp", "protocol": "smtp", "bind": [f"127.0.0.1:{port}"]}}
    line = {"@type": "upsert", "object": "NetworkListener", "matchOn": ["name"], "value": value}
    (directory / "plan").write_text(json.dumps(line))
    files = ["--data", str(directory / "data"), "--plan", str(directory / "plan")]
    return [sys.executable, "-m", "gatepost", "serve", *files, *options]


@pytest.mark.parametrize("delay", [0.0, 0.3, 0.6, 0.9, 1.2, 1.5])
def test_a_server_that_is_told_to_end_while_it_starts_ends(tmp_path: Path, delay: float) -> None:
    command = serve_with(tmp_path, free_port(), "--workers", "2")
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    time.sleep(delay)  # any moment of the start; what is asserted holds for all of them
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert process.returncode in (0, -signal.SIGTERM)
    assert "Traceback" not in errors


def test_a_log_that_nobody_reads_any_more_does_not_stop_the_server(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    port = free_port()
    command = serve_with(tmp_path, port, "--log-level", "debug", "--workers", "1")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=writing, text=True)
    os.close(writing)
    os.close(reading)
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line == "ready\n":
                break
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
                assert sock.recv(100).startswith(b"220")
    finally:
        process.terminate()
        assert process.wait(40) == 0
        process.stdout.close()


def test_what_was_committed_when_the_only_worker_died_is_applied_by_its_successor(tmp_path: Path) -> None:
    with running_server(tmp_path, workers=1) as server:
        listener_id = server.listener("pop3")["id"]
        port = free_port()
        (worker,) = server.worker_pids()
        _commit_behind_its_back(server, listener_id, port)
        server.kill_worker(worker)
        server.process.send_signal(signal.SIGHUP)  # there may be no worker now: the next one has to look
        eventually(lambda: not can_be_bound(("127.0.0.1", port)))
        with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
            assert sock.recv(100).startswith(b"+OK")


def _commit_behind_its_back(server: RunningServer, listener_id: str, port: int) -> None:
    """Change the store as another node of it would."""
    program = (
        "import asyncio, sys\n"
        "from gatepost.management.stored_configuration import load_configuration\n"
        "from gatepost.registry.network_listener import NETWORK_LISTENER\n"
        "from gatepost.store.interface import ObjectWrite\n"
        "from gatepost.store.sql_store import SqlStore\n"
        "from gatepost.values.ids import Id\n"
        "from gatepost.values.socket_address import SocketAddress\n"
        "import msgspec\n"
        "async def main(directory, listener_id, port):\n"
        "    store = SqlStore.open(directory)\n"
        "    _, configuration = await load_configuration(store.configuration)\n"
        "    listener = configuration.listeners[Id(listener_id)]\n"
        "    changed = msgspec.structs.replace(\n"
        "        listener, bind=(*listener.bind, SocketAddress.parse(f'127.0.0.1:{port}')))\n"
        "    kind = NETWORK_LISTENER\n"
        "    write = ObjectWrite(kind.name, Id(listener_id), kind.to_stored(changed), kind.unique_key(changed))\n"
        "    await store.configuration.commit([write])\n"
        "    await store.close()\n"
        "asyncio.run(main(*sys.argv[1:]))\n"
    )
    subprocess.run(
        [sys.executable, "-c", program, str(server.directory / "data"), listener_id, str(port)], check=True, timeout=60
    )
