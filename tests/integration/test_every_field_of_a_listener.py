"""Each field of a listener from outside, over IPv4, IPv6 and both through one socket: what it does, and what a change of it
does at once, at the next connection, and not to an open one. Options that show in packets: test_packets_of_a_listener."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.free_port import free_port
from tests.integration.accepted_socket import option_of_accepted_socket
from tests.integration.running_server import RunningServer, eventually, running_server
from tests.tls_client import trusting_context

WORKERS = 2


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One for all tests of this file: each makes a listener of its own."""
    with running_server(tmp_path_factory.mktemp("server"), workers=WORKERS) as running:
        yield running


@dataclass(frozen=True)
class Way:
    """What is bound, and where a client connects to and from."""

    bind: str
    host: str

    @property
    def network(self) -> str:
        """The network that has the client and nobody else."""
        return f"{self.host}/{128 if ':' in self.host else 32}"


WAYS = {
    "IPv4": Way("127.0.0.1", "127.0.0.1"),
    "IPv6": Way("[::1]", "::1"),
    "dual stack over IPv4": Way("[::]", "127.0.0.1"),
    "dual stack over IPv6": Way("[::]", "::1"),
}


@pytest.fixture(params=list(WAYS.values()), ids=list(WAYS))
def way(request: pytest.FixtureRequest) -> Way:
    found: Way = request.param
    return found


class Listener:
    """A listener of the test's own, reached on one way."""

    def __init__(self, server: RunningServer, way: Way, **properties: object) -> None:
        self.server, self.way, self.port = server, way, free_port()
        self.name = f"l{self.port}"
        listener = {"name": self.name, "protocol": "smtp", "bind": [f"{way.bind}:{self.port}"], **properties}
        self.id = server.create_listener(**listener)

    def change(self, **patch: object) -> None:
        self.server.update_listener(self.id, **patch)

    def connect(self) -> socket.socket:
        return socket.create_connection((self.way.host, self.port), timeout=30)

    def greeting(self, first: bytes = b"") -> bytes:
        """What a client hears that sends `first` and goes."""
        with self.connect() as sock:
            sock.sendall(first)
            return sock.recv(4096)

    def is_refused(self) -> bool:
        try:
            self.connect().close()
        except ConnectionRefusedError:
            return True
        return False

    def ehlo(self) -> bytes:
        with self.connect() as sock:
            return asked(sock, b"EHLO client.example\r\n", has_greeting=False)

    def handshake(self, context: ssl.SSLContext) -> tuple[str, str] | None:
        """Version and suite of a handshake, or None where it fails."""
        with self.connect() as sock:
            try:
                with context.wrap_socket(sock) as tls:
                    tls.recv(4096)
                    suite = tls.cipher()
                    return (str(tls.version()), suite[0]) if suite is not None else None
            except (ssl.SSLError, ConnectionResetError):
                return None


def asked(sock: socket.socket, command: bytes, *, has_greeting: bool = True) -> bytes:
    """The answer to a command on an open connection."""
    if not has_greeting:
        assert sock.recv(4096).startswith(b"220 ")
    sock.sendall(command)
    return sock.recv(65536)


def context(version: ssl.TLSVersion, suites: str | None = None) -> ssl.SSLContext:
    made = trusting_context()
    made.minimum_version = made.maximum_version = version
    if suites is not None:
        made.set_ciphers(suites)
    return made


MOST = 2**31 - 1
LIMITS = {
    "socketBacklog": (1, MOST),
    "socketReceiveBufferSize": (1, MOST),
    "socketSendBufferSize": (1, MOST),
    "socketTosV4": (1, 255),
    "socketTtl": (1, 255),
    "tlsTimeout": (1, None),
    "maxConnections": (1, None),
}


@pytest.mark.parametrize("field", LIMITS)
def test_every_field_takes_its_limits_and_nothing_beyond(server: RunningServer, field: str) -> None:
    listener = Listener(server, WAYS["dual stack over IPv6"])
    least, most = LIMITS[field]
    beyond = [least - 1, -1, "1", 1.5, True] + ([] if most is None else [most + 1])
    for value in beyond:
        answer = server.call("x:NetworkListener/set", update={listener.id: {field: value}})
        refused = answer["notUpdated"][listener.id]
        assert refused["properties"] == [field]
        assert refused["validationErrors"][0]["property"] == field
    for value in (least, most, None):
        listener.change(**{field: value})
        assert server.status(listener.name)["state"] == "active"


# --- what it is, and where ------------------------------------------------------------------------------------------------


def test_a_name_is_there_once_whatever_its_case_and_never_changes(server: RunningServer, way: Way) -> None:
    listener = Listener(server, way)
    other = {"name": listener.name.upper(), "protocol": "smtp", "bind": [f"{way.bind}:{free_port()}"]}
    refused = server.call("x:NetworkListener/set", create={"l": other})["notCreated"]["l"]
    assert refused["type"] == "alreadyExists"
    assert refused["existingId"] == listener.id
    refused = server.call("x:NetworkListener/set", update={listener.id: {"name": "another"}})["notUpdated"][listener.id]
    assert refused["properties"] == ["name"]
    assert server.listener(listener.name)["id"] == listener.id


def listening(port: int) -> list[str]:
    """The local addresses of the listening sockets of a port, as ss(8) tells them."""
    output = subprocess.check_output(["ss", "-Hltn", "sport", "=", f":{port}"], text=True)
    return [line.split()[3].rpartition(":")[0] for line in output.splitlines()]


def test_addresses_come_and_go_and_exactly_they_are_listened_on(server: RunningServer, way: Way) -> None:
    listener, added = Listener(server, way), free_port()
    shown = "*" if way.bind == "[::]" else way.bind
    assert listening(listener.port) == [shown] * WORKERS
    with listener.connect() as sock:
        assert sock.recv(4096).startswith(b"220 ")
        listener.change(**{f"bind/{way.bind}:{added}": True})
        assert listening(added) == [shown] * WORKERS
        listener.change(**{f"bind/{way.bind}:{listener.port}": None})
        assert listening(listener.port) == []
        assert listener.is_refused()
        assert asked(sock, b"NOOP\r\n").startswith(b"250 ")


@pytest.mark.parametrize(
    ("bind", "errno_name"),
    [
        ("127.0.0.1:{taken}", "EADDRINUSE"),
        ("[::1]:{taken}", "EADDRINUSE"),
        ("[::]:{taken}", "EADDRINUSE"),
        ("192.0.2.77:{free}", "EADDRNOTAVAIL"),
        ("[2001:db8::77]:{free}", "EADDRNOTAVAIL"),
        ("[fe80::77%nowhere0]:{free}", "ENODEV"),
    ],
)
def test_an_address_that_cannot_be_bound_is_refused_by_address_and_errno(
    server: RunningServer, bind: str, errno_name: str
) -> None:
    with socket.create_server(("::", free_port()), family=socket.AF_INET6, dualstack_ipv6=True) as taken:
        address = bind.format(taken=taken.getsockname()[1], free=free_port())
        listener = {"name": f"l{free_port()}", "protocol": "smtp", "bind": [address]}
        refused = server.call("x:NetworkListener/set", create={"l": listener})["notCreated"]["l"]
    assert refused["properties"] == ["bind"]
    (error,) = refused["validationErrors"]
    assert error["value"] == address
    assert address in error["description"]
    assert errno_name in error["description"]


@pytest.mark.parametrize("bind", ["127.0.0.1:0", "[::1]:0", "127.0.0.1:65536", "[::1]:65536", "localhost:25", "[::1"])
def test_what_is_no_address_with_a_port_is_refused(server: RunningServer, bind: str) -> None:
    listener = {"name": f"l{free_port()}", "protocol": "smtp", "bind": [bind]}
    refused = server.call("x:NetworkListener/set", create={"l": listener})["notCreated"]["l"]
    assert refused["validationErrors"][0]["property"] == "bind"
    assert refused["validationErrors"][0]["value"] == bind


GREETINGS = {
    "smtp": (b"", b"220 "),
    "lmtp": (b"", b"220 "),
    "imap": (b"", b"* OK"),
    "pop3": (b"", b"+OK"),
    "manageSieve": (b"", b'"IMPLEMENTATION"'),
    "http": (b"GET /healthz/live HTTP/1.1\r\nHost: here\r\n\r\n", b"HTTP/1.1 200 "),
}


def test_the_next_connection_speaks_the_protocol_and_an_open_one_goes_on(server: RunningServer, way: Way) -> None:
    listener = Listener(server, way, useTls=False)
    with listener.connect() as sock:
        assert sock.recv(4096).startswith(b"220 ")
        for protocol, (first, greeting) in GREETINGS.items():
            listener.change(protocol=protocol)
            assert listener.greeting(first).startswith(greeting)
        assert asked(sock, b"NOOP\r\n").startswith(b"250 ")


def test_a_proxy_in_the_networks_of_the_listener_must_send_a_header_from_the_next_connection_on(
    server: RunningServer, way: Way
) -> None:
    listener = Listener(server, way)
    header = b"PROXY TCP6 2001:db8::5 2001:db8::1 4242 25\r\n"
    assert listener.greeting().startswith(b"220 ")
    with listener.connect() as sock:
        assert sock.recv(4096).startswith(b"220 ")
        listener.change(overrideProxyTrustedNetworks=[way.network])
        assert listener.greeting(header).startswith(b"220 ")
        assert listener.greeting(b"EHLO nobody\r\n") == b""
        assert asked(sock, b"NOOP\r\n").startswith(b"250 ")
    listener.change(overrideProxyTrustedNetworks=["198.51.100.0/24", "2001:db8:77::/48"])
    assert listener.greeting().startswith(b"220 ")
    listener.change(overrideProxyTrustedNetworks=["0.0.0.0/0", "::/0"])
    assert listener.greeting(header).startswith(b"220 ")
    listener.change(overrideProxyTrustedNetworks=[])
    assert listener.greeting().startswith(b"220 ")


# --- sockets --------------------------------------------------------------------------------------------------------------


def test_small_segments_are_sent_at_once_or_not_from_the_next_connection_on(server: RunningServer, way: Way) -> None:
    listener = Listener(server, way)
    found = []
    with listener.connect() as first:
        for wanted in (True, False, True):
            listener.change(socketNoDelay=wanted)
            with listener.connect() as sock:
                assert sock.recv(4096).startswith(b"220 ")
                found.append(option_of_accepted_socket(server, sock, socket.IPPROTO_TCP, socket.TCP_NODELAY))
        assert found == [1, 0, 1]
        assert option_of_accepted_socket(server, first, socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


_OTHER_PROCESS = """
import socket, sys
host, port, flag = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, flag)
try:
    sock.bind((host, port))
    sock.listen()
except OSError as error:
    sys.exit(error.errno)
"""


def others_may_listen(way: Way, port: int) -> bool:
    """Whether a second process can listen there with SO_REUSEPORT."""
    arguments = [way.bind.strip("[]"), str(port), "1"]
    return subprocess.run([sys.executable, "-c", _OTHER_PROCESS, *arguments], check=False).returncode == 0


def sockets_of(port: int) -> int:
    return len(listening(port))


def test_reuse_port_gives_each_worker_a_socket_and_lets_other_processes_in_and_off_it_does_neither(
    server: RunningServer, way: Way
) -> None:
    listener = Listener(server, way)
    for is_on in (True, False, True, False):
        listener.change(socketReusePort=is_on)
        assert sockets_of(listener.port) == (WORKERS if is_on else 1)
        if os.geteuid() == 0 or way.bind != "[::]" or is_on:  # making [::] exclusive again takes root
            assert others_may_listen(way, listener.port) == is_on
        assert listener.greeting().startswith(b"220 ")


def test_with_reuse_port_every_worker_gets_connections(server: RunningServer, way: Way) -> None:
    listener = Listener(server, way)
    clients = [listener.connect() for _ in range(60)]
    for sock in clients:
        assert sock.recv(4096).startswith(b"220 ")
    counts = [_connections_of(pid, listener.port) for pid in server.worker_pids()]
    assert sum(counts) == 60
    assert min(counts) > 0
    for sock in clients:
        sock.close()


def _connections_of(pid: int, port: int) -> int:
    state = ["state", "established", "sport", "=", f":{port}"]
    return subprocess.check_output(["ss", "-Htanp", *state], text=True).count(f"pid={pid},")


def test_reuse_address_changes_on_the_open_socket(server: RunningServer, way: Way) -> None:
    listener = Listener(server, way)
    for wanted in (False, True):
        listener.change(socketReuseAddress=wanted)
        options = server.status(listener.name)["addresses"][0]["socketOptions"]
        assert options["socketReuseAddress"] == {"configured": int(wanted), "kernel": int(wanted)}


def test_a_host_without_ipv6_binds_ipv4_for_the_wildcard_and_says_so(tmp_path: Path) -> None:
    with running_server(tmp_path, launcher=without_ipv6()) as server:
        listener = Listener(server, Way("[::]", "127.0.0.1"))
        assert listening(listener.port) == ["0.0.0.0"] * WORKERS
        assert listener.greeting().startswith(b"220 ")
        assert "no IPv6" in server.status(listener.name)["addresses"][0]["note"]
        other = {"name": "other", "protocol": "smtp", "bind": [f"[::1]:{free_port()}"]}
        refused = server.call("x:NetworkListener/set", create={"l": other})["notCreated"]["l"]
        assert "EAFNOSUPPORT" in refused["validationErrors"][0]["description"]


# A seccomp(2) filter by which socket(AF_INET6, …) fails as it does in a kernel without IPv6 (ipv6.disable=1).
_WITHOUT_IPV6 = """
import ctypes, os, platform, struct, sys
number = {"x86_64": 41, "aarch64": 198}[platform.machine()]  # socket(2)
program = struct.pack("=" + "HBBI" * 6,
    0x20, 0, 0, 0,           # load the number of the system call
    0x15, 0, 3, number,      # socket? else allow
    0x20, 0, 0, 16,          # load the first argument
    0x15, 0, 1, 10,          # AF_INET6? else allow
    0x06, 0, 0, 0x00050061,  # EAFNOSUPPORT
    0x06, 0, 0, 0x7FFF0000)  # allow
instructions = ctypes.create_string_buffer(program)
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
filter_program = ctypes.create_string_buffer(struct.pack("HP", 6, ctypes.addressof(instructions)))
assert libc.prctl(22, 2, filter_program, 0, 0) == 0, ctypes.get_errno()  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
os.execv(sys.argv[1], sys.argv[1:])
"""


def without_ipv6() -> list[str]:
    """A command that starts a program on a host without IPv6."""
    return [sys.executable, "-c", _WITHOUT_IPV6]


# --- TLS ------------------------------------------------------------------------------------------------------------------


def test_starttls_is_offered_where_tls_is_on_from_the_next_connection_on(server: RunningServer, way: Way) -> None:
    listener = Listener(server, way)
    with listener.connect() as sock:
        assert b"STARTTLS" in asked(sock, b"EHLO client.example\r\n", has_greeting=False)
        listener.change(useTls=False)
        assert b"STARTTLS" not in listener.ehlo()
        assert b"STARTTLS" in asked(sock, b"EHLO client.example\r\n")
        listener.change(useTls=True)
        assert b"STARTTLS" in listener.ehlo()


def test_tls_is_from_the_first_octet_on_where_it_is_implicit(server: RunningServer, way: Way) -> None:
    listener = Listener(server, way)
    assert listener.greeting().startswith(b"220 ")
    listener.change(tlsImplicit=True)
    assert listener.handshake(trusting_context()) is not None
    listener.change(tlsImplicit=False)
    assert listener.greeting().startswith(b"220 ")
    listener.change(tlsImplicit=True)
    refused = server.call("x:NetworkListener/set", update={listener.id: {"useTls": False}})["notUpdated"][listener.id]
    assert refused["properties"] == ["tlsImplicit"]


def test_a_disabled_version_is_not_spoken_and_one_stays(server: RunningServer, way: Way) -> None:
    listener = Listener(server, way, tlsImplicit=True)
    versions = {"tls12": ssl.TLSVersion.TLSv1_2, "tls13": ssl.TLSVersion.TLSv1_3}
    for disabled in ([], ["tls12"], ["tls13"], []):
        listener.change(tlsDisableProtocols=disabled)
        for name, version in versions.items():
            assert (listener.handshake(context(version)) is None) == (name in disabled)
    answer = server.call("x:NetworkListener/set", update={listener.id: {"tlsDisableProtocols": list(versions)}})
    assert answer["notUpdated"][listener.id]["properties"] == ["tlsDisableProtocols"]


def test_a_disabled_suite_is_not_agreed_on(server: RunningServer, way: Way) -> None:
    listener = Listener(server, way, tlsImplicit=True)
    offered = context(ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384")
    assert listener.handshake(offered) == ("TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384")
    assert listener.handshake(context(ssl.TLSVersion.TLSv1_3)) == ("TLSv1.3", "TLS_AES_256_GCM_SHA384")
    disabled = ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"]
    listener.change(tlsDisableCipherSuites=disabled)
    assert listener.handshake(offered) is None
    assert listener.handshake(context(ssl.TLSVersion.TLSv1_3)) == ("TLSv1.3", "TLS_AES_128_GCM_SHA256")


def test_the_order_of_the_server_or_that_of_the_client_decides(server: RunningServer, way: Way) -> None:
    listener = Listener(server, way, tlsImplicit=True)
    preferring = context(ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384")
    assert listener.handshake(preferring) == ("TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384")
    listener.change(tlsIgnoreClientOrder=False)
    assert listener.handshake(preferring) == ("TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256")


def test_a_handshake_that_stalls_is_closed_when_its_time_is_over(server: RunningServer, way: Way) -> None:
    listener = Listener(server, way, tlsImplicit=True, tlsTimeout=None)
    with listener.connect() as without_end:
        without_end.sendall(b"\x16\x03\x01")
        eventually(lambda: server.status(listener.name)["connections"] == 1)
        listener.change(tlsTimeout=200)
        with listener.connect() as stalling:
            stalling.sendall(b"\x16\x03\x01")
            assert stalling.recv(4096) == b""
        without_end.setblocking(False)
        with pytest.raises(BlockingIOError):
            without_end.recv(4096)
    assert eventually(lambda: server.status(listener.name)["tlsFailures"])
    listener.change(tlsImplicit=False)
    with listener.connect() as stalling:
        assert b"STARTTLS" in asked(stalling, b"EHLO client.example\r\n", has_greeting=False)
        assert asked(stalling, b"STARTTLS\r\n").startswith(b"220 ")
        stalling.sendall(b"\x16\x03\x01")
        assert stalling.recv(4096) == b""


# --- limits ---------------------------------------------------------------------------------------------------------------


def test_the_cap_is_exact_and_changes_at_once(server: RunningServer, way: Way) -> None:
    listener = Listener(server, way, maxConnections=7)
    with ThreadPoolExecutor(12) as pool:
        clients = list(pool.map(lambda _: listener.connect(), range(12)))
        words = list(pool.map(lambda sock: sock.recv(4096)[:4], clients))
    assert sorted(words) == [b"220 "] * 7 + [b"421 "] * 5
    listener.change(maxConnections=8)
    with listener.connect() as eighth:
        assert eighth.recv(4096).startswith(b"220 ")
        assert listener.greeting().startswith(b"421 4.3.2 ")
        listener.change(maxConnections=1)
        assert asked(eighth, b"NOOP\r\n").startswith(b"250 ")
        listener.change(maxConnections=None)
        assert listener.greeting().startswith(b"220 ")
    for sock in clients:
        sock.close()
