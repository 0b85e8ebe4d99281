"""What one account asks for does not keep the other clients of its worker waiting until it is answered."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.certificates import certificate_pem, key_pem, new_certificate, new_key
from tests.integration.running_server import RunningServer, running_server

CONDITIONS = {"operator": "NOT", "conditions": [{"text": f"nothing has this {number}"} for number in range(250)]}
SORT = [{"property": name} for name in ("name", "bind", "protocol", "socketBacklog")] * 8
PROBE = b"GET /healthz/live HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with one worker: who is served while it works is served in between."""
    with running_server(tmp_path_factory.mktemp("server"), workers=1) as server:
        yield server


def waits_meanwhile(server: RunningServer, *method_calls: list[Any]) -> list[float]:
    """How long somebody else waits for each answer, one request after the other, until the calls are answered: seconds."""
    done = threading.Event()

    def ask() -> None:
        try:
            server.calls(*method_calls)
        finally:
            done.set()

    asking = threading.Thread(target=ask)
    with socket.create_connection(server.address("http"), timeout=60) as other:
        waits = []
        asking.start()
        while not done.is_set():
            began = time.monotonic()
            other.sendall(PROBE)
            assert other.recv(65536).startswith(b"HTTP/1.1 200")
            waits.append(time.monotonic() - began)
        asking.join()
    return waits


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("x:NetworkListener/query", {"filter": CONDITIONS}),
        ("x:NetworkListener/query", {"sort": SORT}),
        ("x:ListenerStatus/query", {"filter": CONDITIONS}),
    ],
)
def test_others_are_served_between_the_calls_of_a_request_and_within_them(
    alone: RunningServer, method: str, arguments: dict[str, Any]
) -> None:
    calls = [[method, {"accountId": alone.account_id, **arguments}, str(number)] for number in range(64)]
    assert len(waits_meanwhile(alone, *calls)) >= 20


def test_others_are_served_while_hundreds_of_objects_of_many_members_are_checked(alone: RunningServer) -> None:
    networks = [f"10.{number}.0.0/16" for number in range(90)]
    keys = {f"k{number}": {"name": f"key {number}", "allowedNetworks": networks} for number in range(500)}
    waits = waits_meanwhile(
        alone, ["x:ApiKey/set", {"accountId": alone.account_id, "create": keys, "dryRun": True}, "0"]
    )
    assert max(waits) < sum(waits) / 2  # nine tenths where all are checked in one go, a tenth where they are not


def test_certificates_with_large_rsa_keys_are_taken_at_once(alone: RunningServer) -> None:
    """To prove their primes again took the worker so long that it was taken for dead."""
    key, now = new_key("rsa4096"), datetime.now(UTC)
    chain = certificate_pem(new_certificate("c", key, (now, now + timedelta(days=9)), names=("large.example.org",)))
    pairs = {f"c{number}": {"certificate": chain, "privateKey": key_pem(key)} for number in range(40)}
    workers, began = alone.worker_pids(), time.monotonic()
    answer = alone.call("x:Certificate/set", create=pairs, dryRun=True)
    assert len(answer["created"]) == len(pairs)
    assert time.monotonic() - began < 20
    assert alone.worker_pids() == workers
