"""Caps hold exactly over all workers and addresses, and who is refused is told so in the words of the protocol."""

from __future__ import annotations

import resource
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.free_port import free_port
from tests.integration.running_server import RunningServer, eventually, running_server
from tests.tls_client import trusting_context

CAP, BEYOND = 20, 15


def _first_words(address: tuple[str, int], *, is_tls: bool = False, say: bytes = b"") -> tuple[socket.socket, bytes]:
    sock = socket.create_connection(address, timeout=30)
    if is_tls:
        sock = trusting_context().wrap_socket(sock)
    if say:
        sock.sendall(say)
    return sock, sock.recv(4096)


def _all_at_once(count: int, visit: Callable[[int], tuple[socket.socket, bytes]]) -> list[tuple[socket.socket, bytes]]:
    results: list[tuple[socket.socket, bytes]] = []
    start, lock = threading.Barrier(count), threading.Lock()

    def run(number: int) -> None:
        start.wait()
        result = visit(number)
        with lock:
            results.append(result)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


@pytest.mark.parametrize(
    ("protocol", "greeting", "refusal"),
    [
        ("smtp", b"220 ", b"421 4.3.2 "),
        ("lmtp", b"220 ", b"421 4.3.2 "),
        ("imap", b"* OK", b"* BYE [UNAVAILABLE] Too many connections"),
        ("pop3", b"+OK", b"-ERR [SYS/TEMP] Too many connections"),
        ("manageSieve", b'"IMPLEMENTATION"', b'BYE (TRYLATER) "Too many connections"'),
    ],
)
@pytest.mark.parametrize("is_tls", [False, True], ids=["clear", "implicit TLS"])
def test_exactly_those_beyond_the_cap_are_refused_and_told_so(
    shared_server: RunningServer, protocol: str, greeting: bytes, refusal: bytes, is_tls: bool
) -> None:
    ports = free_port(), free_port()
    listener_id = shared_server.create_listener(
        name=f"capped-{protocol}-{is_tls}",
        protocol=protocol,
        bind=[f"127.0.0.1:{port}" for port in ports],
        maxConnections=CAP,
        tlsImplicit=is_tls,
    )
    results = _all_at_once(CAP + BEYOND, lambda n: _first_words(("127.0.0.1", ports[n % 2]), is_tls=is_tls))
    words = [text for _, text in results]
    assert sum(text.startswith(greeting) for text in words) == CAP
    assert sum(text.startswith(refusal) for text in words) == BEYOND
    status = shared_server.status(f"capped-{protocol}-{is_tls}")
    assert status["connections"] == status["connectionsPeak"] == CAP
    assert status["refused"]["maxConnections"] == BEYOND
    for sock, _ in results:
        sock.close()
    eventually(lambda: shared_server.status(f"capped-{protocol}-{is_tls}")["connections"] == 0)
    shared_server.destroy_listener(listener_id)


def test_http_beyond_the_cap_gets_503_with_retry_after(shared_server: RunningServer) -> None:
    port = free_port()
    listener_id = shared_server.create_listener(
        name="capped-http", protocol="http", bind=[f"127.0.0.1:{port}"], maxConnections=1, useTls=False
    )
    with socket.create_connection(("127.0.0.1", port), timeout=30) as held:
        held.sendall(b"GET /healthz/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert held.recv(4096).startswith(b"HTTP/1.1 200")
        sock, answer = _first_words(("127.0.0.1", port), say=b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        sock.close()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: " in answer
    shared_server.destroy_listener(listener_id)


def test_the_server_wide_cap_counts_over_all_listeners(server: RunningServer) -> None:
    server.http.headers["connection"] = "close"  # so that the API's own connection does not stay in the count
    server.set("SystemSettings", update={"singleton": {"maxConnections": 10}})
    names = ["smtp", "imap-clear"]
    results = _all_at_once(14, lambda number: _first_words(server.address(names[number % 2])))
    greeted = [text for _, text in results if text.startswith((b"220 ", b"* OK"))]
    assert len(greeted) == 10
    for sock, _ in results:
        sock.close()
    eventually(lambda: _is_greeted(server))


def _is_greeted(server: RunningServer) -> bool:
    sock, text = _first_words(server.address("smtp"))
    sock.close()
    return text.startswith(b"220 ")


def test_the_cap_per_address_counts_every_worker_and_those_who_were_there_before_it(server: RunningServer) -> None:
    held = [_first_words(server.address("smtp")) for _ in range(3)]
    server.set("SystemSettings", update={"singleton": {"maxConnectionsPerAddress": 5}})
    before = server.status("imap-clear")
    results = _all_at_once(8, lambda _: _first_words(server.address("imap-clear")))
    # The API is spoken to from the same address: its own connection is one of the five.
    assert sum(text.startswith(b"* OK") for _, text in results) == 1
    assert sum(text.startswith(b"* BYE [UNAVAILABLE]") for _, text in results) == 7
    status = server.status("imap-clear")
    assert status["accepted"] == before["accepted"] + 1  # with those that were refused: all that came
    assert status["refused"]["maxConnectionsPerAddress"] == before["refused"].get("maxConnectionsPerAddress", 0) + 7
    other = socket.create_connection(server.address("smtp"), timeout=30, source_address=("127.0.0.9", 0))
    assert other.recv(4096).startswith(b"220 ")
    for sock, _ in [*held, *results, (other, b"")]:
        sock.close()


def test_a_client_that_stalls_in_the_tls_handshake_is_closed_after_the_timeout_and_counted(
    server: RunningServer,
) -> None:
    listener = server.listener("imaps")
    server.update_listener(listener["id"], tlsTimeout="200ms")
    with socket.create_connection(server.address("imaps"), timeout=30) as sock:
        sock.sendall(b"\x16\x03\x01")
        assert sock.recv(4096) == b""
    assert eventually(lambda: server.status("imaps")["tlsFailures"]) == 1
    assert server.status("imaps")["connections"] == 0


def test_tls_versions_and_suites_that_are_disabled_are_not_spoken(server: RunningServer) -> None:
    listener = server.listener("imaps")
    server.update_listener(listener["id"], tlsDisableProtocols=["tls13"])
    assert _tls_version(server, ssl.TLSVersion.TLSv1_3) is None
    assert _tls_version(server, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
    server.update_listener(listener["id"], tlsDisableProtocols=["tls12"])
    assert _tls_version(server, ssl.TLSVersion.TLSv1_2) is None
    assert _tls_version(server, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"


def _tls_version(server: RunningServer, version: ssl.TLSVersion) -> str | None:
    context = trusting_context()
    context.minimum_version = context.maximum_version = version
    with socket.create_connection(server.address("imaps"), timeout=30) as sock:
        try:
            with context.wrap_socket(sock) as tls:
                assert tls.recv(4096).startswith(b"* OK")
                return tls.version()
        except ssl.SSLError:
            return None


def test_every_process_may_have_as_many_descriptors_as_the_system_allows(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 512), hard))
    try:
        with running_server(tmp_path) as server:
            pids = [server.process.pid, *server.worker_pids()]
            assert {resource.prlimit(pid, resource.RLIMIT_NOFILE) for pid in pids} == {(hard, hard)}
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_worker_whose_clients_have_all_descriptors_still_gets_the_sockets_of_a_change(tmp_path: Path) -> None:
    limit, kept, sockets = 2048, 128, 100
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    launcher = ("prlimit", f"--nofile={limit}:{limit}")
    try:
        with running_server(tmp_path, workers=1, launcher=launcher) as server, ExitStack() as clients:
            (worker,) = server.worker_pids()
            first = clients.enter_context(socket.create_connection(server.address("smtp"), timeout=30))
            first.recv(4096)
            for _ in range(limit - kept):
                clients.enter_context(socket.create_connection(server.address("smtp"), timeout=30))
            eventually(lambda: len(list(Path(f"/proc/{worker}/fd").iterdir())) >= limit - kept)
            port = free_port()
            bind = {f"127.8.0.{number + 1}:{port}": True for number in range(sockets)}
            server.create_listener(name="many-sockets", protocol="imap", bind=bind)
            first.sendall(b"NOOP\r\n")
            assert first.recv(4096).startswith(b"250 ")
            assert server.worker_pids() == [worker]
            # The last one of its listener gets in, as the descriptors for it are those of nobody else.
            with socket.create_connection((f"127.8.0.{sockets}", port), timeout=30) as another:
                assert another.recv(4096).startswith(b"* OK")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
