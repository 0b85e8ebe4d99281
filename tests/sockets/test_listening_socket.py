"""One listening socket: bound to exactly what was asked for, its options in the kernel, its accept queue."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.python_process import python_environment
from tests.sockets.socket_plans import free_port, socket_plan

from gatepost.plan.plan import SocketPlan
from gatepost.sockets import listening_socket, minimum_ttl, options
from gatepost.sockets.listening_socket import accept_queue, bind, bound_address, fell_back_to_ipv4
from gatepost.values.socket_address import SocketAddress

PLAN = socket_plan()


def address(host: str) -> SocketAddress:
    return SocketAddress.parse(f"{host}:{free_port()}")


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "0.0.0.0", "[::]"])
def test_a_socket_is_bound_to_exactly_the_address(host: str) -> None:
    wanted = address(host)
    with bind(wanted, PLAN) as sock:
        assert bound_address(sock) == wanted
        assert not fell_back_to_ipv4(wanted, sock)
        assert sock.gettimeout() == 0
        assert not sock.get_inheritable()
        assert sock.proto == socket.IPPROTO_TCP


@pytest.mark.parametrize(("host", "takes_ipv4"), [("[::]", True), ("[::1]", False)])
def test_only_the_ipv6_wildcard_takes_ipv4(host: str, takes_ipv4: bool) -> None:
    wanted = address(host)
    with bind(wanted, PLAN) as sock:
        sock.listen()
        socket.create_connection(("::1", wanted.port), timeout=5).close()
        if takes_ipv4:
            socket.create_connection(("127.0.0.1", wanted.port), timeout=5).close()
        else:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", wanted.port), timeout=5)


@pytest.mark.parametrize("number", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
def test_a_host_without_ipv6_gets_the_ipv4_wildcard(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    real = listening_socket._bind

    def bind_without_ipv6(wanted: SocketAddress, plan: SocketPlan) -> socket.socket:
        if wanted.ip.version == 6:
            raise OSError(number, os.strerror(number))
        return real(wanted, plan)

    monkeypatch.setattr(listening_socket, "_bind", bind_without_ipv6)
    wanted = address("[::]")
    with bind(wanted, PLAN) as sock:
        assert str(bound_address(sock)) == f"0.0.0.0:{wanted.port}"
        assert fell_back_to_ipv4(wanted, sock)
    with pytest.raises(OSError, match=os.strerror(number)):
        bind(address("[::1]"), PLAN)


def test_an_address_that_the_machine_does_not_have_is_refused() -> None:
    with pytest.raises(OSError, match="assign") as refused:
        bind(address("192.0.2.1"), PLAN)
    assert refused.value.errno == errno.EADDRNOTAVAIL


def test_an_interface_that_the_machine_does_not_have_is_refused() -> None:
    with pytest.raises(OSError, match="No such device") as refused:
        bind(address("[fe80::1%nosuch0]"), PLAN)
    assert refused.value.errno == errno.ENODEV


def test_a_backlog_is_what_the_kernel_queues() -> None:
    with bind(address("127.0.0.1"), socket_plan(backlog=7)) as sock:
        sock.listen(7)
        assert (accept_queue(sock).length, accept_queue(sock).limit) == (0, 7)
        clients = [socket.create_connection(sock.getsockname(), timeout=5) for _ in range(3)]
        assert accept_queue(sock).length == 3
        for client in clients:
            client.close()


def test_connections_that_the_kernel_drops_are_told() -> None:
    with bind(address("127.0.0.1"), socket_plan(backlog=1)) as sock:
        sock.listen(1)
        clients = [socket.socket() for _ in range(8)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex(sock.getsockname())
        deadline = time.monotonic() + 15
        while not accept_queue(sock).drops:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert accept_queue(sock).length == 2
        for client in clients:
            client.close()


# --- options --------------------------------------------------------------------------------------------------------------

FULL = socket_plan(receive_buffer=40_000, send_buffer=50_000, tos=0x28, ttl=33, no_delay=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::]"])
def test_every_option_is_in_the_kernel_and_inherited_by_connections(host: str) -> None:
    wanted = address(host)
    with bind(wanted, FULL) as sock:
        sock.listen()
        assert options.read_back(sock, FULL) == {
            "socketReuseAddress": (1, 1),
            "socketReusePort": (1, 1),
            "socketNoDelay": (1, 1),
            "socketReceiveBufferSize": (40_000, 80_000),
            "socketSendBufferSize": (50_000, 100_000),
            "socketTosV4": (0x28, 0x28),
            "socketTtl": (33, 33),
        }
        client = socket.create_connection(("::1" if host == "[::1]" else "127.0.0.1", wanted.port), timeout=5)
        accepted = accept(sock)
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 100_000
        if host != "[::1]":
            assert accepted.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) == 0x28
            assert accepted.getsockopt(socket.IPPROTO_IP, socket.IP_TTL) == 33
        else:
            assert accepted.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS) == 0x28
            assert accepted.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS) == 33
        client.close()
        accepted.close()


def accept(sock: socket.socket) -> socket.socket:
    sock.settimeout(5)
    accepted, _ = sock.accept()
    return accepted


def test_what_is_not_asked_for_is_left_to_the_kernel() -> None:
    with socket.socket() as untouched, bind(address("127.0.0.1"), PLAN) as sock:
        for name, (asked, value) in options.read_back(sock, PLAN).items():
            if asked is None:
                option = next(option for option in options.OPTIONS if option.wire_name == name)
                assert value == untouched.getsockopt(option.level, option.number)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::]"])
@pytest.mark.parametrize(
    ("change", "read"),
    [
        (socket_plan(no_delay=False), ("socketNoDelay", (0, 0))),
        (socket_plan(receive_buffer=40_000), ("socketReceiveBufferSize", (40_000, 80_000))),
        (socket_plan(send_buffer=50_000), ("socketSendBufferSize", (50_000, 100_000))),
        (socket_plan(tos=16), ("socketTosV4", (16, 16))),
        (socket_plan(ttl=5), ("socketTtl", (5, 5))),
        (socket_plan(reuse_address=False), ("socketReuseAddress", (0, 0))),
    ],
)
def test_an_option_changes_on_an_open_socket_and_back(
    host: str, change: SocketPlan, read: tuple[str, tuple[int | None, int]]
) -> None:
    with bind(address(host), PLAN) as sock:
        sock.listen(PLAN.backlog)
        before = options.read_back(sock, PLAN)
        options.set_live(sock, PLAN, change)
        assert options.read_back(sock, change)[read[0]] == read[1]
        options.set_live(sock, change, PLAN)
        if "Buffer" not in read[0]:  # the kernel has no way back to automatic sizing
            assert options.read_back(sock, PLAN) == before


def test_a_backlog_changes_on_an_open_socket() -> None:
    with bind(address("127.0.0.1"), PLAN) as sock:
        sock.listen(PLAN.backlog)
        options.set_live(sock, PLAN, socket_plan(backlog=5))
        assert accept_queue(sock).limit == 5


@pytest.mark.parametrize(("asked", "limit"), [(4096, 4096), (2**31 - 1, None)])
def test_a_backlog_is_clamped_by_the_system(asked: int, limit: int | None) -> None:
    most = int(Path("/proc/sys/net/core/somaxconn").read_text())
    with bind(address("127.0.0.1"), socket_plan(backlog=asked)) as sock:
        sock.listen(asked)
        assert accept_queue(sock).limit == min(most, limit or most)


# --- sockets of a service manager -----------------------------------------------------------------------------------------

_PROGRAM = """
import json, os, sys
from gatepost.sockets.listening_socket import inherited_sockets
moved = [os.dup2(int(number), 100 + position) for position, number in enumerate(sys.argv[1:])]
for position, number in enumerate(moved):
    os.dup2(number, 3 + position)
environment = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(moved)), "LISTEN_FDNAMES": "a:b:c:d:e:f:g:h"}
found = inherited_sockets(environment, os.getpid())
print(json.dumps([[str(address) for address in found.by_address], found.left_alone]))
for position in range(len(moved)):
    os.fstat(3 + position)
"""


def found_by_a_process(descriptors: list[int]) -> tuple[list[str], list[str]]:
    """The addresses that a process finds whose descriptors from 3 on are these, and what it says of the others. It fails
    when one of them is closed."""
    finished = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *map(str, descriptors)],
        check=False,
        capture_output=True,
        text=True,
        pass_fds=descriptors,
        env=python_environment(),
    )
    assert finished.returncode == 0, finished.stderr
    addresses, left_alone = json.loads(finished.stdout)
    return addresses, left_alone


def test_listening_sockets_of_the_service_manager_are_found_and_others_left_alone_with_a_word() -> None:
    ipv4, ipv6 = bind(address("127.0.0.1"), PLAN), bind(address("[::]"), PLAN)
    bound_only, udp = bind(address("127.0.0.1"), PLAN), socket.socket(type=socket.SOCK_DGRAM)
    ipv6_only = socket.create_server(("::", free_port()), family=socket.AF_INET6)
    unix, pipe = socket.socket(socket.AF_UNIX), os.pipe()
    ipv4.listen()
    ipv6.listen()
    expected = [str(bound_address(ipv4)), str(bound_address(ipv6))]
    descriptors = [sock.fileno() for sock in (udp, ipv4, bound_only, unix, ipv6, ipv6_only, ipv4)]
    addresses, left_alone = found_by_a_process([*descriptors, pipe[0]])
    assert addresses == expected
    reasons = {words.split()[2]: words for words in left_alone}
    assert list(reasons) == ["'a'", "'c'", "'d'", "'f'", "'g'", "'h'"]
    words = ("SOCK_DGRAM", "not listening", "AF_UNIX", "BindIPv6Only=both", "passed before", "no socket")
    for name, wanted in zip(reasons, words, strict=True):
        assert wanted in reasons[name]
    for sock in (ipv4, ipv6, bound_only, udp, unix, ipv6_only):
        sock.close()
    os.close(pipe[0])
    os.close(pipe[1])


@pytest.mark.parametrize(
    "environment", [{}, {"LISTEN_PID": "1", "LISTEN_FDS": "1"}, {"LISTEN_PID": "77", "LISTEN_FDS": "many"}]
)
def test_what_is_not_for_this_process_is_not_looked_at(environment: dict[str, str]) -> None:
    assert listening_socket.inherited_sockets(environment, 77) == listening_socket.InheritedSockets()


def test_an_inherited_socket_can_be_used_again_after_it_was_given_up() -> None:
    inherited = bind(address("127.0.0.1"), PLAN)
    inherited.listen()
    minimum_ttl.drop_new_connections(inherited)
    with listening_socket.take_inherited(inherited, socket_plan(ttl=9)) as taken:
        taken.listen()
        socket.create_connection(inherited.getsockname(), timeout=5).close()
        assert taken.getsockopt(socket.IPPROTO_IP, socket.IP_TTL) == 9
    inherited.close()


def test_a_low_port_is_refused_to_who_may_not_bind_it() -> None:
    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) > 25:
        is_root = os.geteuid() == 0
        if is_root:
            os.seteuid(65534)
        try:
            with pytest.raises(PermissionError):
                bind(SocketAddress.parse("127.0.0.1:25"), PLAN)
        finally:
            if is_root:
                os.seteuid(0)


def test_a_socket_has_one_cookie_by_whichever_descriptor_and_no_other_has_it() -> None:
    with bind(address("127.0.0.1"), PLAN) as one, bind(address("127.0.0.1"), PLAN) as other, one.dup() as same:
        assert listening_socket.cookie(one) == listening_socket.cookie(same)
        assert listening_socket.cookie(one) != listening_socket.cookie(other)
