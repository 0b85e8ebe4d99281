"""Ports for the listeners of tests."""

from __future__ import annotations

import os
import random
import re
import socket

_ALL = range(24000, 32700)  # below those that the kernel gives to clients (ip_local_port_range)
_given: set[int] = set()


def _own_ports() -> range:
    """This process's share. Tests run in several processes (pytest-xdist), and with SO_REUSEPORT two servers of one user
    could bind the same port without an error, and share the clients."""
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    name = re.fullmatch(r"gw(\d+)", os.environ.get("PYTEST_XDIST_WORKER", ""))
    return _ALL[int(name[1]) if name else 0 :: processes]


def free_port() -> int:
    """A TCP port that nothing is bound to now at any address, and that was not given before."""
    ports = _own_ports()
    while True:
        port = random.choice(ports)
        if port not in _given and _is_free(port):
            _given.add(port)
            return port


def _is_free(port: int) -> bool:
    is_dual = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if is_dual else socket.AF_INET
    try:
        socket.create_server(("", port), family=family, dualstack_ipv6=is_dual).close()
    except OSError:
        return False
    return True
