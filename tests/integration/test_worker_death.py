"""A worker is killed under load: its own connections end, everything else goes on, a new one takes its sockets over."""

from __future__ import annotations

import socket

from tests.integration.client_load import clients_in_a_loop
from tests.integration.running_server import RunningServer, eventually


def _held_connections(server: RunningServer, count: int) -> list[socket.socket]:
    held = [socket.create_connection(server.address("imap-clear"), timeout=20) for _ in range(count)]
    for sock in held:
        assert sock.recv(4096).startswith(b"* OK")
    return held


def _is_alive(sock: socket.socket) -> bool:
    try:
        sock.sendall(b"a NOOP\r\n")
        return sock.recv(4096).startswith(b"a OK")
    except OSError:
        return False


def test_only_the_connections_of_a_killed_worker_end(server: RunningServer) -> None:
    victim, survivor = server.worker_pids()
    held = _held_connections(server, 40)
    with clients_in_a_loop(server.address("smtp")) as load:
        eventually(lambda: load.visits > 200)
        server.kill_worker(victim)
        replaced = eventually(lambda: [pid for pid in server.worker_pids() if pid not in (victim, survivor)])
        eventually(lambda: server.log().count("worker.started") == 3)
        visits, errors = load.visits, len(load.errors)
        eventually(lambda: load.visits > visits + 200)
        assert load.errors[errors:] == []  # once it is replaced, nothing goes wrong any more
    assert len(replaced) == 1
    assert survivor in server.worker_pids()
    # Of 50 clients at most those that the dead worker was serving at that moment saw their connection end.
    assert len(load.errors) <= 50
    alive = [sock for sock in held if _is_alive(sock)]
    assert 0 < len(alive) < len(held)
    assert server.status("imap-clear")["connections"] == len(alive)
    for sock in held:
        sock.close()
    eventually(lambda: server.status("imap-clear")["connections"] == 0)
    counts = server.status("imap-clear")
    assert counts["ended"]["workerDied"] == len(held) - len(alive)
    assert sum(counts["ended"].values()) == counts["accepted"]


def test_a_connection_that_waits_in_the_accept_queue_of_a_dead_worker_is_served_by_its_successor(
    server: RunningServer,
) -> None:
    for pid in server.worker_pids():
        server.kill_worker(pid)
    waiting = [socket.create_connection(server.address("smtp"), timeout=20) for _ in range(20)]
    for sock in waiting:
        assert sock.recv(4096).startswith(b"220 ")
        sock.close()


def test_changes_work_after_every_worker_was_replaced(server: RunningServer) -> None:
    before = server.worker_pids()
    for pid in before:
        server.kill_worker(pid)
    eventually(lambda: server.log().count("worker.started") == 4)
    listener = server.listener("pop3")
    server.update_listener(listener["id"], protocol="imap")
    with socket.create_connection(server.address("pop3"), timeout=20) as sock:
        assert sock.recv(4096).startswith(b"* OK")
