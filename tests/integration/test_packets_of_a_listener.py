"""What a listener's options do on the wire and to the kernel, seen from another host: packet headers, window scale, queues."""

from __future__ import annotations

import re
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from tests.far_client import FarClient
from tests.free_port import free_port
from tests.integration.running_server import RunningServer, running_server
from tests.network_namespace import (
    SERVER,
    SERVER_LINK_LOCAL,
    SERVER_V6,
    Packet,
    TwoHosts,
    inside,
    kernel_setting,
    two_hosts,
)

DEFAULT_HOPS = 64
WAYS = [(SERVER, SERVER), (f"[{SERVER_V6}]", SERVER_V6), ("[::]", SERVER), ("[::]", SERVER_V6)]
WAY_NAMES = ["IPv4", "IPv6", "dual stack over IPv4", "dual stack over IPv6"]


@pytest.fixture(scope="module")
def hosts() -> Iterator[TwoHosts]:
    with two_hosts() as made:
        yield made


@pytest.fixture(scope="module")
def server(hosts: TwoHosts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One for all tests of this file: each makes a listener of its own."""
    with running_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(params=WAYS, ids=WAY_NAMES)
def way(request: pytest.FixtureRequest) -> tuple[str, str]:
    """What is bound, and the address that a client connects to."""
    found: tuple[str, str] = request.param
    return found


def create(server: RunningServer, bind: str, **properties: object) -> tuple[str, int]:
    port = free_port()
    name = f"l{port}"
    properties = {"name": name, "protocol": "smtp", "bind": [f"{bind}:{port}"], **properties}
    return server.create_listener(**properties), port


def opened(hosts: TwoHosts, host: str, port: int) -> tuple[socket.socket, list[Packet]]:
    """A connection, and the packets that came before and with its greeting: the first is SYN-ACK."""
    capture = hosts.capture()
    sock = hosts.connect(host, port)
    assert sock.recv(4096).startswith(b"220 ")
    packets = capture.packets_to(sock.getsockname()[1])
    capture.close()
    assert packets[0].is_syn
    assert packets[-1].has_data
    assert {packet.version for packet in packets} == {6 if ":" in host else 4}
    return sock, packets


def answered(hosts: TwoHosts, sock: socket.socket) -> list[Packet]:
    """The packets of an answer on an open connection."""
    capture = hosts.capture()
    sock.sendall(b"NOOP\r\n")
    assert sock.recv(4096).startswith(b"250 ")
    packets = capture.packets_to(sock.getsockname()[1])
    capture.close()
    return packets


def test_every_packet_has_the_type_of_service_and_the_hops_of_its_listener_from_the_next_connection_on(
    hosts: TwoHosts, server: RunningServer, way: tuple[str, str]
) -> None:
    bind, host = way
    listener_id, port = create(server, bind)
    before, packets = opened(hosts, host, port)
    assert {(packet.traffic_class, packet.hops) for packet in packets} == {(0, DEFAULT_HOPS)}
    server.update_listener(listener_id, socketTosV4=0x28, socketTtl=33)
    during, packets = opened(hosts, host, port)
    assert {(packet.traffic_class, packet.hops) for packet in packets} == {(0x28, 33)}
    server.update_listener(listener_id, socketTosV4=None, socketTtl=None)
    after, packets = opened(hosts, host, port)
    assert {(packet.traffic_class, packet.hops) for packet in packets} == {(0, DEFAULT_HOPS)}
    for sock, expected in ((before, (0, DEFAULT_HOPS)), (during, (0x28, 33)), (after, (0, DEFAULT_HOPS))):
        assert {(packet.traffic_class, packet.hops) for packet in answered(hosts, sock)} == {expected}
        sock.close()


def window_scale(sock: socket.socket) -> int:
    """What the server said in its SYN-ACK (RFC 7323): tcpi_snd_wscale of TCP_INFO on the client's side."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    scale: int = struct.unpack_from("B", info, 6)[0] & 0x0F
    return scale


def buffers(port: int, state: str) -> set[tuple[int, int]]:
    """Receive and send buffer of the server's sockets of this port, as ss(8) tells: the kernel's doubled numbers."""
    output = subprocess.check_output(["ss", "-Htanm", "state", state, "sport", "=", f":{port}"], text=True)
    return {(int(receive), int(send)) for receive, send in re.findall(r"rb(\d+),t\d+,tb(\d+)", output)}


def test_buffers_are_set_before_listening_so_that_the_window_scale_fits_and_are_given_back_to_the_kernel(
    hosts: TwoHosts, server: RunningServer, way: tuple[str, str]
) -> None:
    bind, host = way
    listener_id, port = create(server, bind, socketReceiveBufferSize=40_000, socketSendBufferSize=50_000)
    with hosts.connect(host, port) as sock:
        assert sock.recv(4096).startswith(b"220 ")
        small = window_scale(sock)
        assert buffers(port, "listening") == {(80_000, 100_000)}
        assert buffers(port, "established") == {(80_000, 100_000)}
    server.update_listener(listener_id, socketReceiveBufferSize=1_000_000)
    with hosts.connect(host, port) as sock:
        large = window_scale(sock)
        assert buffers(port, "listening") == {(2_000_000, 100_000)}
    server.update_listener(listener_id, socketReceiveBufferSize=None, socketSendBufferSize=None)
    with hosts.connect(host, port) as sock:
        untouched = window_scale(sock)
    (kernel,) = buffers(port, "listening")
    with socket.socket() as fresh:
        assert kernel == (
            fresh.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF),
            fresh.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF),
        )
    assert small < large <= untouched


def test_a_buffer_beyond_what_the_system_allows_is_shown_as_the_kernel_has_it(
    server: RunningServer, way: tuple[str, str]
) -> None:
    _, port = create(server, way[0], socketReceiveBufferSize=2**31 - 1, socketSendBufferSize=2**31 - 1)
    options = server.status(f"l{port}")["addresses"][0]["socketOptions"]
    ((receive, send),) = buffers(port, "listening")
    assert options["socketReceiveBufferSize"] == {"configured": 2**31 - 1, "kernel": receive}
    assert options["socketSendBufferSize"] == {"configured": 2**31 - 1, "kernel": send}
    assert receive == 2 * int(Path("/proc/sys/net/core/rmem_max").read_text())
    assert send == 2 * int(Path("/proc/sys/net/core/wmem_max").read_text())


def queue_limits(port: int) -> list[int]:
    """The backlog of each listening socket, as ss(8) tells in Send-Q."""
    output = subprocess.check_output(["ss", "-Hltn", "sport", "=", f":{port}"], text=True)
    return [int(line.split()[2]) for line in output.splitlines()]


def test_the_backlog_is_that_of_the_sockets_at_once_and_a_cut_by_somaxconn_is_shown(
    server: RunningServer, way: tuple[str, str]
) -> None:
    listener_id, port = create(server, way[0], socketBacklog=17)
    assert queue_limits(port) == [17, 17]
    server.update_listener(listener_id, socketBacklog=23)
    assert queue_limits(port) == [23, 23]
    with kernel_setting("net.core.somaxconn", 50):
        server.update_listener(listener_id, socketBacklog=1000)
        assert queue_limits(port) == [50, 50]
        options = server.status(f"l{port}")["addresses"][0]["socketOptions"]
        assert options["socketBacklog"] == {"configured": 1000, "kernel": 50}
    server.update_listener(listener_id, socketBacklog=None)
    assert queue_limits(port) == [1024, 1024]


def end_first(hosts: TwoHosts, host: str, port: int) -> None:
    """A connection that the server ends, so that it is the server's socket that stays in TIME_WAIT."""
    with hosts.connect(host, port) as sock:
        sock.sendall(b"QUIT\r\n")
        while sock.recv(4096):
            pass
    waiting = subprocess.check_output(["ss", "-Htan", "state", "time-wait", "sport", "=", f":{port}"], text=True)
    assert waiting


def test_an_address_with_connections_in_time_wait_is_bound_again_only_where_it_may_be_reused(
    hosts: TwoHosts, server: RunningServer, way: tuple[str, str]
) -> None:
    bind, host = way
    for may_be_reused in (True, False):
        listener_id, port = create(server, bind, socketReusePort=False, socketReuseAddress=may_be_reused)
        end_first(hosts, host, port)
        server.destroy_listener(listener_id)
        again = {"name": f"again{port}", "protocol": "smtp", "bind": [f"{bind}:{port}"], "socketReusePort": False}
        again["socketReuseAddress"] = may_be_reused
        answer = server.call("x:NetworkListener/set", create={"l": again})
        if may_be_reused:
            assert answer["created"]
            hosts.connect(host, port).close()
        else:
            assert "EADDRINUSE" in answer["notCreated"]["l"]["validationErrors"][0]["description"]


def test_a_link_local_address_is_bound_at_its_interface(hosts: TwoHosts, server: RunningServer) -> None:
    _, port = create(server, f"[{SERVER_LINK_LOCAL}%server0]")
    with hosts.connect(SERVER_LINK_LOCAL, port) as sock:
        assert sock.recv(4096).startswith(b"220 ")
    with pytest.raises(ConnectionRefusedError):
        hosts.connect(SERVER_V6, port)
    assert server.listener(f"l{port}")["bind"] == {f"[{SERVER_LINK_LOCAL}%server0]:{port}": True}


@pytest.mark.parametrize("only_v6", [0, 1])
def test_the_ipv6_wildcard_takes_ipv4_whatever_the_system_says(
    hosts: TwoHosts, server: RunningServer, only_v6: int
) -> None:
    with kernel_setting("net.ipv6.bindv6only", only_v6):
        _, port = create(server, "[::]")
    for host in (SERVER, SERVER_V6):
        with hosts.connect(host, port) as sock:
            assert sock.recv(4096).startswith(b"220 ")


def test_the_test_looks_at_packets_of_the_server_and_not_of_the_client(hosts: TwoHosts) -> None:
    with socket.create_server((SERVER, 0)) as listening:
        listening.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 7)
        with inside(hosts.client):
            capture = hosts.capture()
        with hosts.connect(SERVER, listening.getsockname()[1]) as sock:
            accepted, _ = listening.accept()
            accepted.sendall(b"data")
            assert {packet.hops for packet in capture.packets_to(sock.getsockname()[1])} == {7}
            accepted.close()
        capture.close()


@pytest.mark.parametrize("reuse_port", [True, False])
def test_who_is_far_away_and_in_the_middle_of_connecting_is_served_although_the_address_is_given_up(
    hosts: TwoHosts, server: RunningServer, reuse_port: bool
) -> None:
    listener_id, port = create(server, SERVER, useTls=False, socketReusePort=reuse_port)
    client = FarClient(hosts, port)
    client.begin()
    destroying = Thread(target=server.destroy_listener, args=(listener_id,))
    destroying.start()
    time.sleep(0.6)  # as long as its packet is on the way
    client.complete()
    assert client.first_words().startswith(b"220 ")
    destroying.join(20)
    assert not destroying.is_alive()
    with pytest.raises(ConnectionRefusedError):
        hosts.connect(SERVER, port)
    client.close()
