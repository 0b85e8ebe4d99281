"""Socket plans for tests, and a port that is free in both families."""

from __future__ import annotations

import socket

from gatepost.plan.plan import SocketPlan


def socket_plan(
    *,
    reuse_port: bool = True,
    reuse_address: bool = True,
    backlog: int = 128,
    no_delay: bool = True,
    receive_buffer: int | None = None,
    send_buffer: int | None = None,
    tos: int | None = None,
    ttl: int | None = None,
) -> SocketPlan:
    return SocketPlan(
        backlog=backlog,
        reuse_address=reuse_address,
        reuse_port=reuse_port,
        no_delay=no_delay,
        receive_buffer=receive_buffer,
        send_buffer=send_buffer,
        tos=tos,
        ttl=ttl,
    )


def free_port() -> int:
    """A port that nothing listens on now, in either family."""
    with socket.socket(socket.AF_INET6) as sock:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(("::", 0))
        port: int = sock.getsockname()[1]
        return port
