"""Making one listening socket, and looking at its accept queue."""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address

from msgspec import structs

from gatepost.plan.plan import SocketPlan
from gatepost.sockets import minimum_ttl, options
from gatepost.values.socket_address import SocketAddress

_LISTEN_FDS_START = 3  # sd_listen_fds(3)
_SO_PROTOCOL = 38  # socket(7); Python does not name it everywhere
_SO_COOKIE = 57  # asm-generic/socket.h
_SO_MEMINFO = 55  # asm-generic/socket.h
_SK_MEMINFO_DROPS = 8  # linux/sock_diag.h: place among its numbers


def bind(address: SocketAddress, plan: SocketPlan) -> socket.socket:
    """A socket bound to exactly this address, not listening yet: a client cannot connect before `listen`.

    Raises OSError as bind(2) does. `[::]` takes IPv4 too, whatever net.ipv6.bindv6only says; on a host without IPv6 it
    becomes 0.0.0.0 (`fell_back_to_ipv4` tells). The protocol is named, because some stacks apply TCP_NODELAY only then.
    """
    try:
        return _bind(address, plan)
    except OSError as error:
        if address.is_dual_stack and error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
            return _bind(SocketAddress.parse(f"0.0.0.0:{address.port}"), plan)
        raise


def _bind(address: SocketAddress, plan: SocketPlan) -> socket.socket:
    is_ipv6 = isinstance(address.ip, IPv6Address)
    sock = socket.socket(socket.AF_INET6 if is_ipv6 else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setblocking(False)
        options.set_before_bind(sock, plan)
        if is_ipv6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if address.is_dual_stack else 1)
        sock.bind(_sockaddr(address))
    except BaseException:
        sock.close()
        raise
    return sock


def _sockaddr(address: SocketAddress) -> tuple[str, int] | tuple[str, int, int, int]:
    if isinstance(address.ip, IPv6Address):
        return str(address.ip), address.port, 0, _interface(address.scope) if address.scope else 0
    return str(address.ip), address.port


def _interface(name: str) -> int:
    try:
        return socket.if_nametoindex(name)
    except OSError:  # without an errno, whatever if_nametoindex(3) has said
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV)) from None


def fell_back_to_ipv4(address: SocketAddress, sock: socket.socket) -> bool:
    """Whether `bind` had to take 0.0.0.0 for `[::]`."""
    return address.is_dual_stack and sock.family == socket.AF_INET


def bound_address(sock: socket.socket) -> SocketAddress:
    """The address that the kernel says this socket is bound to."""
    host, port, *rest = sock.getsockname()
    if sock.family == socket.AF_INET:
        return SocketAddress.parse(f"{host}:{port}")
    host = host.partition("%")[0]
    scope = f"%{socket.if_indextoname(rest[1])}" if rest[1] else ""
    return SocketAddress.parse(f"[{host}{scope}]:{port}")


def cookie(sock: socket.socket) -> int:
    """The kernel's own number of the socket, the same by whichever descriptor and in whichever process (SO_COOKIE)."""
    return int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, _SO_COOKIE, 8), sys.byteorder)


@dataclass(frozen=True, slots=True)
class InheritedSockets:
    """What the service manager has passed: listening sockets by address, and words for each descriptor that is left alone."""

    by_address: Mapping[SocketAddress, socket.socket] = field(default_factory=dict)
    left_alone: Sequence[str] = ()


def inherited_sockets(environment: Mapping[str, str], pid: int) -> InheritedSockets:
    """Listening TCP sockets passed by the service manager (sd_listen_fds(3)). Whatever else it has passed stays as it is:
    it is not ours to close."""
    count = environment.get("LISTEN_FDS", "")
    if environment.get("LISTEN_PID") != str(pid) or not count.isdecimal():
        return InheritedSockets()
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    sockets: dict[SocketAddress, socket.socket] = {}
    left_alone: list[str] = []
    for position in range(int(count)):
        descriptor, name = _LISTEN_FDS_START + position, names[position] if position < len(names) else ""
        reason = _take_over(descriptor, sockets)
        if reason is not None:
            left_alone.append(f"descriptor {descriptor} {name!r} of the service manager: {reason}")
    return InheritedSockets(sockets, left_alone)


def _take_over(descriptor: int, sockets: dict[SocketAddress, socket.socket]) -> str | None:
    """Add it to `sockets`, or say why it is of no use and leave it as it is."""
    try:
        sock = socket.socket(fileno=descriptor)
    except OSError as error:
        return f"is no socket ({error.strerror})"
    reason = _unfit(sock)
    if reason is None and bound_address(sock) in sockets:
        reason = f"{bound_address(sock)} was passed before, and clients wait in this one: pass it once, without ReusePort=yes"
    if reason is not None:
        sock.detach()
        return reason
    sock.setblocking(False)
    sock.set_inheritable(False)
    sockets[bound_address(sock)] = sock
    return None


def _unfit(sock: socket.socket) -> str | None:
    if sock.family not in (socket.AF_INET, socket.AF_INET6) or sock.type != socket.SOCK_STREAM:
        return f"listeners are TCP, this is {sock.family.name} {sock.type.name}"
    if sock.getsockopt(socket.SOL_SOCKET, _SO_PROTOCOL) != socket.IPPROTO_TCP:
        return "listeners are TCP, this is another protocol (SocketProtocol=)"
    if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) != 1:
        return "is not listening (Accept=yes passes connections, which are not taken)"
    if bound_address(sock).is_dual_stack and sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1:
        return f"{bound_address(sock)} takes no IPv4, as a listener does: set BindIPv6Only=both"
    return None


def take_inherited(inherited: socket.socket, plan: SocketPlan) -> socket.socket:
    """A descriptor of our own of an inherited socket, with the options of the plan; usable again after it was given up. It
    is the only one of its address, so nobody may join it."""
    sock = inherited.dup()
    minimum_ttl.let_new_connections_in(sock)
    options.set_before_bind(sock, structs.replace(plan, reuse_port=False))
    return sock


@dataclass(frozen=True, slots=True)
class AcceptQueue:
    """How many connections wait to be accepted, how many may (the backlog as clamped by net.core.somaxconn), and how many
    the kernel has dropped since the socket was made."""

    length: int
    limit: int
    drops: int


def accept_queue(sock: socket.socket) -> AcceptQueue:
    """Read from TCP_INFO: of a listening socket, tcpi_unacked is the queue's length and tcpi_sacked its limit. The drops are
    sk_drops, which counts for the socket what ListenDrops of /proc/net/netstat counts for all of them together."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    unacked, sacked = struct.unpack_from("=II", info, 24)
    meminfo = sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 4 * (_SK_MEMINFO_DROPS + 1))
    (drops,) = struct.unpack_from("=I", meminfo, 4 * _SK_MEMINFO_DROPS)
    return AcceptQueue(length=unacked, limit=sacked, drops=drops)
