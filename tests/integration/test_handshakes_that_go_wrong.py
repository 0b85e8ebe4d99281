"""Handshakes that are cut short, slow, abandoned or no handshakes at all: each is told by its reason, and nobody else notices."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from tests.integration.running_server import RunningServer, eventually, running_server
from tests.integration.tls_load import served_certificate
from tests.tls_client import TlsByHand, trusting_context


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One worker, so that its memory can be looked at."""
    with running_server(tmp_path_factory.mktemp("server"), workers=1) as running:
        yield running


def failures_logged(server: RunningServer, since: int) -> list[tuple[str, str]]:
    """Reason and words of each handshake that failed."""
    lines = re.findall(r"tls\.failed\b.*", server.log()[since:])
    found = [re.search(r"failure=(\S+).*reason=(?:'([^']*)'|\"([^\"]*)\"|(\S+))", line) for line in lines]
    return [(each[1], each[2] or each[3] or each[4]) for each in found if each is not None]


@pytest.mark.parametrize(
    ("octets", "failure", "words"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "notTls", "the client spoke HTTP in clear"),
        (b"EHLO client.example\r\n", "notTls", "the client did not speak TLS: it spoke in clear, or SSL 2"),
        (TlsByHand().shake_hands()[:100], "closed", "the client closed the connection"),
        (b"\x16\x03\x01\xff\xff" + b"x" * 20_000, "malformed", "data length too long; record layer failure"),
    ],
    ids=["HTTP", "SMTP", "cut off", "oversize record"],
)
@pytest.mark.parametrize("name", ["imaps", "https"])
def test_why_a_handshake_failed_stands_in_the_log(
    server: RunningServer, name: str, octets: bytes, failure: str, words: str
) -> None:
    so_far = len(server.log())
    with socket.create_connection(server.address(name), timeout=20) as sock:
        sock.sendall(octets)
        with suppress(OSError):  # the server may have hung up already
            sock.shutdown(socket.SHUT_WR)
        eventually(lambda: failures_logged(server, so_far))
    assert failures_logged(server, so_far) == [(failure, words)]


def test_clear_text_behind_starttls_is_not_taken_for_a_handshake(server: RunningServer) -> None:
    so_far = len(server.log())
    with socket.create_connection(server.address("imap"), timeout=20) as sock:
        sock.recv(4096)
        sock.sendall(b"a STARTTLS\r\n")
        assert sock.recv(4096).startswith(b"a OK")
        sock.sendall(b"b LOGIN alice secret\r\n")
        assert _rest(sock) == b""
    eventually(lambda: failures_logged(server, so_far))
    assert failures_logged(server, so_far)[0][0] == "notTls"
    assert "b LOGIN" not in server.log()


def _rest(sock: socket.socket) -> bytes:
    seen = b""
    try:
        while data := sock.recv(4096):
            seen += data
    except ConnectionError:
        pass
    return seen


@pytest.mark.parametrize("name", ["imaps", "imap"])
def test_a_handshake_that_does_not_end_is_ended_by_its_deadline(server: RunningServer, name: str) -> None:
    server.update_listener(server.listener(name)["id"], tlsTimeout="1s")
    so_far, hello = len(server.log()), TlsByHand().shake_hands()
    with ExitStack() as stack:
        for sent in (b"", hello[:1], hello[:-1], hello):
            sock = stack.enter_context(socket.create_connection(server.address(name), timeout=20))
            if name == "imap":
                sock.recv(4096)
                sock.sendall(b"a STARTTLS\r\n")
                sock.recv(4096)
            sock.sendall(sent)
        eventually(lambda: len(failures_logged(server, so_far)) == 4)
    words = {f"no handshake within 1 s: the client {what}" for what in ("said nothing", "did not finish")}
    assert set(failures_logged(server, so_far)) == {("timeout", each) for each in words}
    server.update_listener(server.listener(name)["id"], tlsTimeout="1m")


def test_others_are_served_while_very_many_handshakes_hang_and_their_memory_is_given_back(
    server: RunningServer,
) -> None:
    hello = TlsByHand().shake_hands()
    with ExitStack() as stack:
        for number in range(300):
            sock = stack.enter_context(socket.create_connection(server.address("imaps"), timeout=20))
            sock.sendall(hello[: number % len(hello)])
        for _ in range(20):
            served_certificate(server.address("imaps"))
        eventually(lambda: server.status("imaps")["connections"] >= 300)
    eventually(lambda: server.status("imaps")["connections"] == 0)


def _resident(pid: int) -> int:
    """KiB of a process in memory."""
    found = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


def _many_handshakes(address: tuple[str, int], version: ssl.TLSVersion, count: int) -> None:
    context = trusting_context()
    context.minimum_version = context.maximum_version = version

    def some() -> None:
        for _ in range(count // 4):
            with socket.create_connection(address, timeout=30) as sock, context.wrap_socket(sock) as tls:
                assert tls.recv(100)

    threads = [threading.Thread(target=some) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
        assert not thread.is_alive()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_thousands_of_handshakes_leave_nothing_in_memory(server: RunningServer, version: ssl.TLSVersion) -> None:
    """A session cache would keep about 1 KiB of each."""
    (pid,) = server.worker_pids()
    _many_handshakes(server.address("imaps"), version, 1000)
    before = _resident(pid)
    _many_handshakes(server.address("imaps"), version, 4000)
    assert _resident(pid) - before < 1500
