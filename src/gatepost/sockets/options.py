"""The socket options of a listener in one table: how each is set, and how it is read back from the kernel."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass

from gatepost.plan.plan import SocketPlan


@dataclass(frozen=True, slots=True)
class SocketOption:
    """One option of a listener. `wire_name` is the property of the registry; an option that has a twin in IPv6 is set
    in both families, because a dual-stack socket sends both kinds of packet."""

    wire_name: str
    attribute: str
    level: int
    number: int
    ipv6_number: int | None = None


OPTIONS = (
    SocketOption("socketReuseAddress", "reuse_address", socket.SOL_SOCKET, socket.SO_REUSEADDR),
    SocketOption("socketReusePort", "reuse_port", socket.SOL_SOCKET, socket.SO_REUSEPORT),
    SocketOption("socketNoDelay", "no_delay", socket.IPPROTO_TCP, socket.TCP_NODELAY),
    SocketOption("socketReceiveBufferSize", "receive_buffer", socket.SOL_SOCKET, socket.SO_RCVBUF),
    SocketOption("socketSendBufferSize", "send_buffer", socket.SOL_SOCKET, socket.SO_SNDBUF),
    SocketOption("socketTosV4", "tos", socket.IPPROTO_IP, socket.IP_TOS, socket.IPV6_TCLASS),
    SocketOption("socketTtl", "ttl", socket.IPPROTO_IP, socket.IP_TTL, socket.IPV6_UNICAST_HOPS),
)
_BY_ATTRIBUTE = {option.attribute: option for option in OPTIONS}
_BEFORE_BIND = ("reuse_address", "reuse_port", "receive_buffer", "send_buffer")
_ANY_TIME = ("no_delay", "tos", "ttl")
_UNSET_TOS = 0
_UNSET_TTL = -1  # ip(7): back to the system's default


def set_before_bind(sock: socket.socket, plan: SocketPlan) -> None:
    """What has to be in place before bind(2) and listen(2): reuse flags, and buffer sizes, because the window scale is
    fixed by the receive buffer when a connection comes in (tcp(7))."""
    for attribute in _BEFORE_BIND:
        _set(sock, attribute, getattr(plan, attribute))
    for attribute in _ANY_TIME:
        _set(sock, attribute, getattr(plan, attribute))


def set_live(sock: socket.socket, old: SocketPlan, new: SocketPlan) -> None:
    """Bring an open listening socket from one plan to another; accepted sockets inherit from it. Not SO_REUSEPORT,
    which concerns all sockets of an address (see `address_sockets`). A buffer size that is no longer asked for keeps its
    last value: see `plan.difference.buffers_given_back`."""
    for attribute in ("reuse_address", "receive_buffer", "send_buffer", *_ANY_TIME):
        if getattr(old, attribute) != getattr(new, attribute):
            _set(sock, attribute, getattr(new, attribute), was_set=True)
    if old.backlog != new.backlog:
        sock.listen(new.backlog)


def _set(sock: socket.socket, attribute: str, value: int | None, *, was_set: bool = False) -> None:
    option = _BY_ATTRIBUTE[attribute]
    if value is None:
        if not was_set or option.ipv6_number is None:
            return
        value = _UNSET_TOS if attribute == "tos" else _UNSET_TTL
    if option.level == socket.IPPROTO_IP:
        _set_in_both_families(sock, option, value)
    else:
        sock.setsockopt(option.level, option.number, int(value))


def _set_in_both_families(sock: socket.socket, option: SocketOption, value: int) -> None:
    if sock.family == socket.AF_INET6 and option.ipv6_number is not None:
        sock.setsockopt(socket.IPPROTO_IPV6, option.ipv6_number, value)
    sock.setsockopt(option.level, option.number, value)


def read_back(sock: socket.socket, plan: SocketPlan) -> Mapping[str, tuple[int | None, int]]:
    """For each option of the listener: what was asked for (None: nothing) and what the kernel has."""
    values: dict[str, tuple[int | None, int]] = {}
    for option in OPTIONS:
        level, number = option.level, option.number
        if sock.family == socket.AF_INET6 and option.ipv6_number is not None:
            level, number = socket.IPPROTO_IPV6, option.ipv6_number
        asked = getattr(plan, option.attribute)
        values[option.wire_name] = (None if asked is None else int(asked), sock.getsockopt(level, number))
    return values
