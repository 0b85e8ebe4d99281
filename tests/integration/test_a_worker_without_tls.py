"""A worker that takes the place of a dead one and cannot build the TLS of a listener: nobody gets in there without TLS, the
status says so, everything else runs, and it gets its TLS when that can be built again."""

from __future__ import annotations

import socket
import ssl
from collections import Counter
from collections.abc import Iterator

import pytest
from tests.integration.fault_injection import Saboteur, sabotaged_server
from tests.integration.running_server import RunningServer, eventually
from tests.tls_client import trusting_context

CLIENTS = 24  # that all of them come to the same one of two workers happens once in eight million times


@pytest.fixture(scope="module")
def saboteur(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Saboteur]:
    with sabotaged_server(tmp_path_factory.mktemp("server")) as made:
        yield made


@pytest.fixture
def server(saboteur: Saboteur) -> Iterator[RunningServer]:
    """One of two workers has no TLS for IMAP."""
    saboteur.break_tls("imap")
    saboteur.server.kill_worker(saboteur.pid("other"))
    eventually(lambda: saboteur.server.status("imaps")["state"] == "failed")
    yield saboteur.server
    saboteur.mend_tls()
    eventually(lambda: saboteur.server.status("imaps")["state"] == "active", 40)


def outcome_in_tls(server: RunningServer, name: str) -> str:
    """`greeted in TLS`, `closed`, or what came in clear."""
    with socket.create_connection(server.address(name), timeout=20) as sock:
        try:
            with trusting_context().wrap_socket(sock) as tls:
                return "greeted in TLS" if tls.recv(4096).startswith(b"* OK") else "silent"
        except (ssl.SSLEOFError, ConnectionResetError):
            return "closed"
        except ssl.SSLError as error:
            return str(error)


def answers_in_clear(server: RunningServer, command: bytes) -> set[bytes]:
    """The first words of the answers of many connections that have not begun TLS."""
    answers = set()
    for _ in range(CLIENTS):
        with socket.create_connection(server.address("imap"), timeout=20) as sock:
            assert sock.recv(4096).startswith(b"* OK")
            sock.sendall(command)
            answers.add(sock.recv(4096)[:4])
    return answers


def test_its_listeners_are_failed_with_the_reason_and_the_others_run(server: RunningServer) -> None:
    for name in ("imap", "imaps"):
        status = server.status(name)
        assert (status["state"], "out of memory, says the test" in status["reason"]) == ("failed", True)
    for name in ("submission", "submissions", "https", "pop3s", "sieve", "smtp", "imap-clear"):
        assert (server.status(name)["state"], server.status(name)["reason"]) == ("active", None)
    assert server.log().count("plan.not_applied") == 1


def test_nobody_gets_in_without_tls(server: RunningServer) -> None:
    seen = Counter(outcome_in_tls(server, "imaps") for _ in range(CLIENTS))
    assert seen.keys() == {"greeted in TLS", "closed"}
    assert server.status("imaps")["tlsFailureReasons"]["unusable"] == seen["closed"]
    assert answers_in_clear(server, b'a LOGIN alice@example.org "alice\'s password"\r\n') == {b"a NO"}


def test_it_serves_with_tls_as_soon_as_that_can_be_built(saboteur: Saboteur, server: RunningServer) -> None:
    saboteur.mend_tls()
    eventually(lambda: server.status("imaps")["state"] == "active", 40)
    assert {outcome_in_tls(server, "imaps") for _ in range(CLIENTS)} == {"greeted in TLS"}
