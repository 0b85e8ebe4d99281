"""PROXY headers and upgrades to TLS on the wire: byte by byte, all at once, hostile."""

from __future__ import annotations

import socket
import ssl
import struct
import time

import pytest
from tests.free_port import free_port
from tests.integration.running_server import RunningServer, eventually
from tests.tls_client import trusting_context

V2 = b"\r\n\r\n\x00\r\nQUIT\n"
HEADERS = {
    "version 1": b"PROXY TCP4 198.51.100.7 203.0.113.1 4321 25\r\n",
    "version 2": V2
    + b"\x21\x11\x00\x0c"
    + socket.inet_aton("198.51.100.7")
    + socket.inet_aton("203.0.113.1")
    + struct.pack("!HH", 4321, 25),
}


@pytest.fixture
def relayed(server: RunningServer) -> dict[str, int]:
    """Listeners that trust a PROXY header from loopback: port by kind of TLS."""
    ports = {"clear": free_port(), "starttls": free_port(), "implicit": free_port()}
    for name, port in ports.items():
        server.create_listener(
            name=f"relayed-{name}",
            protocol="smtp",
            bind=[f"127.0.0.1:{port}"],
            overrideProxyTrustedNetworks=["127.0.0.0/8"],
            useTls=name != "clear",
            tlsImplicit=name == "implicit",
        )
    return ports


def _received_from(server: RunningServer) -> bool:
    """Whether the access log says so, which it does a moment after the connection has ended."""
    return bool(eventually(lambda: " source=198.51.100.7:4321 " in server.log()))


@pytest.mark.parametrize("version", HEADERS)
def test_header_client_hello_and_more_in_one_segment_or_octet_by_octet(
    server: RunningServer, relayed: dict[str, int], version: str
) -> None:
    for sizes in (10_000, 1):
        with socket.create_connection(("127.0.0.1", relayed["implicit"]), timeout=30) as sock:
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = trusting_context().wrap_bio(incoming, outgoing)
            with pytest.raises(ssl.SSLWantReadError):
                tls.do_handshake()
            data = HEADERS[version] + outgoing.read()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for start in range(0, len(data), sizes):
                sock.sendall(data[start : start + sizes])
            greeting = b""
            while not greeting:
                incoming.write(sock.recv(65536))
                try:
                    tls.do_handshake()
                    sock.sendall(outgoing.read())
                    greeting = tls.read(4096)
                except ssl.SSLWantReadError:
                    sock.sendall(outgoing.read())
            assert greeting.startswith(b"220 ")
    assert _received_from(server)


def test_a_header_and_pipelined_commands_in_clear(server: RunningServer, relayed: dict[str, int]) -> None:
    with socket.create_connection(("127.0.0.1", relayed["clear"]), timeout=30) as sock:
        sock.sendall(HEADERS["version 1"] + b"EHLO a.example\r\nQUIT\r\n")
        received = b""
        while data := sock.recv(4096):
            received += data
    assert b"[198.51.100.7]" in received or b"198.51.100.7" in received or received.startswith(b"220 ")
    assert b"\r\n221 " in received
    assert _received_from(server)


def test_a_trusted_peer_without_a_header_is_closed_and_the_log_says_what_came(
    server: RunningServer, relayed: dict[str, int]
) -> None:
    with socket.create_connection(("127.0.0.1", relayed["clear"]), timeout=30) as sock:
        sock.sendall(b"EHLO a.example\r\n")
        assert _rest(sock) == b""
    assert (
        "got EHLO" in eventually(lambda: [line for line in server.log().splitlines() if "proxy_header.rej" in line])[0]
    )
    assert server.status("relayed-clear")["refused"]["proxyHeader"] == 1


def test_a_header_that_does_not_come_ends_the_connection_at_the_deadline_without_spinning(
    server: RunningServer, relayed: dict[str, int]
) -> None:
    server.set("SystemSettings", update={"singleton": {"proxyHeaderTimeout": "1s"}})
    before = _cpu_seconds(server)
    with socket.create_connection(("127.0.0.1", relayed["clear"]), timeout=30) as sock:
        sock.sendall(b"PROXY TCP4 198.51")
        sock.shutdown(socket.SHUT_WR)
        assert _rest(sock) == b""
    with socket.create_connection(("127.0.0.1", relayed["clear"]), timeout=30) as sock:
        sock.sendall(V2[:7])
        assert _rest(sock) == b""
    assert _cpu_seconds(server) - before < 0.7


def _rest(sock: socket.socket) -> bytes:
    try:
        return sock.recv(4096)
    except ConnectionResetError:
        return b""


def _cpu_seconds(server: RunningServer) -> float:
    from pathlib import Path

    total = 0
    for pid in server.worker_pids():
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / 100


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (b"PROXY TCP4 127.0.0.9 127.0.0.1 4001 80\r\n", b"200"),
        (b"PROXY UNKNOWN\r\n", b"403"),
        (V2 + b"\x21\x00\x00\x00", b"403"),
        (V2 + b"\x21\x31\x00\xd8" + bytes(216), b"403"),
    ],
    ids=["named", "UNKNOWN", "UNSPEC", "UNIX"],
)
def test_a_client_that_a_proxy_on_this_machine_does_not_name_has_no_rights_of_this_machine(
    shared_server: RunningServer, header: bytes, status: bytes
) -> None:
    port = free_port()
    listener_id = shared_server.create_listener(
        name="relayed-http",
        protocol="http",
        bind=[f"127.0.0.1:{port}"],
        useTls=False,
        overrideProxyTrustedNetworks=["127.0.0.1"],
    )
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
            sock.sendall(header + b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert sock.recv(65536).startswith(b"HTTP/1.1 " + status)
    finally:
        shared_server.destroy_listener(listener_id)


def test_a_peer_that_is_not_trusted_is_never_asked_for_a_header(server: RunningServer) -> None:
    with socket.create_connection(server.address("smtp"), timeout=30) as sock:
        assert sock.recv(4096).startswith(b"220 ")
        sock.sendall(HEADERS["version 1"])
        assert sock.recv(4096).startswith(b"500 ")


@pytest.mark.parametrize(
    ("listener", "first", "upgrade", "injected", "go_ahead"),
    [
        ("submission", b"EHLO a\r\n", b"STARTTLS\r\n", b"RSET\r\n", b"220 "),
        ("imap", b"", b"a STARTTLS\r\n", b"b NOOP\r\n", b"a OK"),
        ("pop3", b"", b"STLS\r\n", b"NOOP\r\n", b"+OK"),
        ("sieve", b"", b"STARTTLS\r\n", b"NOOP\r\n", b"OK"),
    ],
)
def test_clear_text_pipelined_behind_an_upgrade_is_refused(
    shared_server: RunningServer, listener: str, first: bytes, upgrade: bytes, injected: bytes, go_ahead: bytes
) -> None:
    with socket.create_connection(shared_server.address(listener), timeout=30) as sock:
        assert sock.recv(4096)
        if first:
            sock.sendall(first)
            sock.recv(4096)
        sock.sendall(upgrade + injected)
        answer = b""
        while data := _rest(sock):
            answer += data
        assert answer
        assert not answer.startswith(go_ahead)


def test_clear_text_sent_after_the_go_ahead_breaks_the_handshake_and_is_never_read_as_a_command(
    shared_server: RunningServer,
) -> None:
    with socket.create_connection(shared_server.address("submission"), timeout=30) as sock:
        sock.recv(4096)
        sock.sendall(b"EHLO a\r\n")
        sock.recv(4096)
        sock.sendall(b"STARTTLS\r\n")
        assert sock.recv(4096).startswith(b"220 ")
        sock.sendall(b"RSET\r\n" * 100)
        answer = b""
        while data := _rest(sock):
            answer += data
        assert b"250" not in answer


def test_rubbish_on_every_port_ends_nothing_but_its_own_connection(shared_server: RunningServer) -> None:
    rubbish = [
        b"\x00" * 70000,
        b"\xff\xfe\r\n" * 1000,
        b"A" * 200_000,
        b"\x16\x03\x01\xff\xff" + b"x" * 300,
        b"\r\n" * 5000,
    ]
    workers = shared_server.worker_pids()
    for name in shared_server.ports:
        for data in rubbish:
            with socket.create_connection(shared_server.address(name), timeout=30) as sock:
                sock.settimeout(30)
                try:
                    sock.sendall(data)
                    sock.shutdown(socket.SHUT_WR)
                    while sock.recv(65536):
                        pass
                except TimeoutError:
                    raise  # whatever came, the server has an answer or an end for it
                except OSError:
                    pass
    assert shared_server.worker_pids() == workers
    assert "Traceback" not in shared_server.log()
    deadline = time.monotonic() + 30
    while any(shared_server.status(name)["connections"] for name in ("smtp", "imap", "pop3", "sieve", "lmtp")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
