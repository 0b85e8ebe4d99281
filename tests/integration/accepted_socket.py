"""The server's own end of a connection, looked at from another process by pidfd_getfd(2)."""

from __future__ import annotations

import ctypes
import os
import socket
from pathlib import Path

from tests.integration.running_server import RunningServer

_PIDFD_GETFD = 438  # of every architecture
_libc = ctypes.CDLL(None, use_errno=True)


def option_of_accepted_socket(server: RunningServer, client: socket.socket, level: int, option: int) -> int:
    """getsockopt(2) on the socket at the other end of `client`, whichever worker has it."""
    for pid in server.worker_pids():
        pidfd = os.pidfd_open(pid)
        try:
            for entry in Path(f"/proc/{pid}/fd").iterdir():
                descriptor = _libc.syscall(_PIDFD_GETFD, pidfd, int(entry.name), 0)
                if (
                    descriptor >= 0
                    and (value := _option(descriptor, client.getsockname()[:2], level, option)) is not None
                ):
                    return value
        finally:
            os.close(pidfd)
    raise AssertionError("no worker has the other end of this connection")


def _option(descriptor: int, wanted: tuple[str, int], level: int, option: int) -> int | None:
    try:
        sock = socket.socket(fileno=descriptor)
    except OSError:
        os.close(descriptor)
        return None
    with sock:
        try:
            host, port = sock.getpeername()[:2]
        except (OSError, ValueError):
            return None
        return sock.getsockopt(level, option) if (host.removeprefix("::ffff:"), port) == wanted else None
