"""Networks that a test makes for itself: a server's side and a client's side, joined by a pair of interfaces, with nothing
else in them. See network_namespaces(7), veth(4). They go away with the last descriptor and process in them."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cannot_run import cannot_run

_CLONE_NEWNET = 0x40000000
_ETH_P_ALL = 3
_libc = ctypes.CDLL(None, use_errno=True)

SERVER, CLIENT = "10.77.0.1", "10.77.0.2"
SERVER_V6, CLIENT_V6 = "fd77::1", "fd77::2"
SERVER_LINK_LOCAL = "fe80::77:1"


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _this_namespace() -> int:
    return os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY | os.O_CLOEXEC)


@contextmanager
def inside(namespace: int) -> Iterator[None]:
    """Sockets that this thread makes and processes that it starts in here belong to the namespace."""
    outside = _this_namespace()
    _check(_libc.setns(namespace, _CLONE_NEWNET))
    try:
        yield
    finally:
        _check(_libc.setns(outside, _CLONE_NEWNET))
        os.close(outside)


def new_namespace() -> int:
    """A descriptor of a namespace that has a loopback interface alone."""
    outside = _this_namespace()
    try:
        _check(_libc.unshare(_CLONE_NEWNET))
    except PermissionError:
        os.close(outside)
        cannot_run("only root may make a network namespace")
    namespace = _this_namespace()
    _ip("link set lo up")
    _check(_libc.setns(outside, _CLONE_NEWNET))
    os.close(outside)
    return namespace


def _ip(*commands: str) -> None:
    for command in commands:
        subprocess.run(["ip", *command.split()], check=True)


@contextmanager
def kernel_setting(name: str, value: int) -> Iterator[None]:
    """sysctl(8) of the namespace that this thread is in, like `net.core.somaxconn`, for a while."""
    path = Path("/proc/sys", *name.split("."))
    before = path.read_text()
    path.write_text(str(value))
    try:
        yield
    finally:
        path.write_text(before)


@dataclass(frozen=True, slots=True)
class Packet:
    """The header of an IP packet with TCP in it, and whether it opens the connection (SYN) or carries data."""

    version: int
    traffic_class: int  # RFC 791 type of service, RFC 8200 section 7
    hops: int  # time to live, hop limit
    source_port: int
    destination_port: int
    is_syn: bool
    has_data: bool


class Capture:
    """What comes in on the client's side from now on, as it was on the wire."""

    def __init__(self) -> None:
        self._sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
        self._sock.bind(("client0", _ETH_P_ALL))
        self._sock.settimeout(20)

    def packets_to(self, port: int, *, until_data: bool = True) -> list[Packet]:
        """TCP packets for a port of the client, up to the first that carries data."""
        found: list[Packet] = []
        while not found or (until_data and not found[-1].has_data):
            octets, origin = self._sock.recvfrom(65536)
            packet = _parsed(octets)
            is_incoming = origin[2] != socket.PACKET_OUTGOING
            if is_incoming and packet is not None and packet.destination_port == port:
                found.append(packet)
        return found

    def close(self) -> None:
        self._sock.close()


def _parsed(octets: bytes) -> Packet | None:
    version = octets[0] >> 4
    if version == 4 and octets[9] == socket.IPPROTO_TCP:
        start, size = (octets[0] & 0x0F) * 4, struct.unpack_from("!H", octets, 2)[0]
        traffic_class, hops = octets[1], octets[8]
    elif version == 6 and octets[6] == socket.IPPROTO_TCP:
        start, size = 40, 40 + struct.unpack_from("!H", octets, 4)[0]
        traffic_class, hops = (octets[0] & 0x0F) << 4 | octets[1] >> 4, octets[7]
    else:
        return None
    source, destination = struct.unpack_from("!HH", octets, start)
    data_start = start + (octets[start + 12] >> 4) * 4
    is_syn = bool(octets[start + 13] & 0x02)
    return Packet(version, traffic_class, hops, source, destination, is_syn, has_data=size > data_start)


class TwoHosts:
    """A server's host, in which the test's thread is, and a client's."""

    def __init__(self) -> None:
        self.server, self.client = new_namespace(), new_namespace()
        with inside(self.server):
            _ip(f"link add server0 type veth peer name client0 netns /proc/{os.getpid()}/fd/{self.client}")
            _ip(f"address add {SERVER}/24 dev server0", f"address add {SERVER_V6}/64 dev server0 nodad")
            _ip(f"address add {SERVER_LINK_LOCAL}/64 dev server0 nodad", "link set server0 up")
        with inside(self.client):
            _ip(f"address add {CLIENT}/24 dev client0", f"address add {CLIENT_V6}/64 dev client0 nodad")
            _ip("address add fe80::77:2/64 dev client0 nodad", "link set client0 up")

    def connect(self, host: str, port: int) -> socket.socket:
        """A client on the other host."""
        with inside(self.client):
            if host.startswith("fe80:"):
                host += "%client0"
            return socket.create_connection((host, port), timeout=20)

    def make_far_host(self, address: str) -> None:
        """Another host beyond the client's, which is silent but for what somebody sends in its name: see far_client."""
        with inside(self.client):
            (link,) = json.loads(subprocess.check_output(["ip", "-json", "link", "show", "client0"]))
        with inside(self.server):
            _ip(f"neighbour replace {address} lladdr {link['address']} dev server0")

    def capture(self) -> Capture:
        """See Capture."""
        with inside(self.client):
            return Capture()

    def close(self) -> None:
        for namespace in (self.server, self.client):
            os.close(namespace)


@contextmanager
def two_hosts() -> Iterator[TwoHosts]:
    """In here this thread, and whatever it starts, is on the server's host."""
    hosts = TwoHosts()
    try:
        with inside(hosts.server):
            yield hosts
    finally:
        hosts.close()
