"""Ports for the listeners of tests."""

from __future__ import annotations

import random
import socket

_PORTS = range(24000, 32700)  # below those that the kernel gives to clients (ip_local_port_range)
_given: set[int] = set()


def free_port() -> int:
    """A TCP port that nothing is bound to now at any address, and that was not given before."""
    while True:
        port = random.choice(_PORTS)
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
