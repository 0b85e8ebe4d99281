"""Which worker has the other end of a connection, and connections to a worker of one's choice."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.running_server import RunningServer, eventually


def worker_of(server: RunningServer, client: socket.socket) -> int:
    """Its process id."""
    return int(eventually(lambda: _holder(server, _inode_of_other_end(client))))


@contextmanager
def connection_at(server: RunningServer, listener: str, pid: int, source: str) -> Iterator[socket.socket]:
    """A connection from that address, to an address of the listener, that the worker has accepted."""
    others: list[socket.socket] = []  # kept until the end: a port that is free again would lead to the same worker
    try:
        while True:
            sock = socket.create_connection(server.address(listener), 30, source_address=(source, 0))
            others.append(sock)
            if worker_of(server, sock) == pid:
                yield sock
                return
            assert len(others) < 50, "no connection comes to that worker"
    finally:
        for sock in others:
            sock.close()


def _inode_of_other_end(client: socket.socket) -> str | None:
    """See /proc/net/tcp in proc(5)."""
    here, there = _as_in_proc(client.getpeername()), _as_in_proc(client.getsockname())
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if (fields[1], fields[2]) == (here, there):
            return fields[9]
    return None


def _as_in_proc(address: tuple[str, int]) -> str:
    host, port = address
    return f"{int.from_bytes(socket.inet_aton(host), 'little'):08X}:{port:04X}"


def _holder(server: RunningServer, inode: str | None) -> int | None:
    for pid in server.worker_pids():
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            try:
                if str(entry.readlink()) == f"socket:[{inode}]":
                    return pid
            except FileNotFoundError:
                continue
    return None
