"""`maxConcurrentRequests` of the Session resource: so many requests of an account are under way, in all workers together."""

from __future__ import annotations

import json
import select
import socket
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest
from tests.integration.running_server import PASSWORDS, RunningServer, eventually

BEYOND = 9
ECHO = json.dumps({"using": ["urn:ietf:params:jmap:core"], "methodCalls": [["Core/echo", {}, "0"]]}).encode()


def _credentials(name: str) -> str:
    return b64encode(f"{name}:{PASSWORDS[name]}".encode()).decode()


def _announced(server: RunningServer) -> int:
    session = server.http.get("/jmap/session").json()
    most: int = session["capabilities"]["urn:ietf:params:jmap:core"]["maxConcurrentRequests"]
    return most


def _head(name: str) -> bytes:
    lines = ("POST /jmap HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Basic {_credentials(name)}")
    more = ("Content-Type: application/json", f"Content-Length: {len(ECHO)}", "Connection: close", "", "")
    return "\r\n".join((*lines, *more)).encode()


@contextmanager
def _requests_under_way(server: RunningServer, name: str, count: int) -> Iterator[list[socket.socket]]:
    """Requests of which the last octet has not been sent."""
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(socket.create_connection(server.address("http"), timeout=30)) for _ in range(count)
        ]
        for sock in sockets:
            sock.sendall(_head(name) + ECHO[:-1])
        yield sockets


def _answered(sockets: list[socket.socket]) -> list[socket.socket]:
    return select.select(sockets, [], [], 0)[0]


def _answer(sock: socket.socket) -> bytes:
    octets = b""
    while more := sock.recv(65536):
        octets += more
    return octets


def _one_request(server: RunningServer, name: str) -> httpx.Response:
    auth = (name, PASSWORDS[name])
    headers = {"Content-Type": "application/json"}
    return httpx.post(str(server.http.base_url.join("/jmap")), content=ECHO, headers=headers, auth=auth, timeout=30)


def test_as_many_requests_as_announced_are_under_way_and_those_beyond_are_refused(shared_server: RunningServer) -> None:
    most = _announced(shared_server)
    with _requests_under_way(shared_server, "alice", most + BEYOND) as sockets:
        eventually(lambda: len(_answered(sockets)) >= BEYOND)
        refused = _answered(sockets)
        for sock in refused:
            octets = _answer(sock)
            assert octets.startswith(b"HTTP/1.1 400 ")
            problem = json.loads(octets.partition(b"\r\n\r\n")[2])
            assert (problem["type"], problem["limit"]) == (
                "urn:ietf:params:jmap:error:limit",
                "maxConcurrentRequests",
            )
        assert _one_request(shared_server, "bob").status_code == 200  # another account
        waiting = [sock for sock in sockets if sock not in refused]
        for sock in waiting:
            sock.sendall(ECHO[-1:])
        assert [_answer(sock)[:13] for sock in waiting] == [b"HTTP/1.1 200 "] * most
    assert [_one_request(shared_server, "alice").status_code for _ in range(most + BEYOND)] == [200] * (most + BEYOND)


def test_the_requests_of_a_worker_that_died_are_not_under_way_any_more(server: RunningServer) -> None:
    most = _announced(server)
    with _requests_under_way(server, "alice", most) as sockets:
        eventually(lambda: _one_request(server, "alice").status_code == 400)
        server.kill_worker(server.worker_pids()[0])
        ended = eventually(lambda: _answered(sockets))
        eventually(lambda: len(server.worker_pids()) == 2)
        eventually(lambda: _one_request(server, "alice").status_code == 200)
        with _requests_under_way(server, "alice", len(ended)):
            eventually(lambda: _one_request(server, "alice").status_code == 400)


@pytest.mark.parametrize("leaves", ["in the head", "in the body"])
def test_a_client_that_leaves_takes_its_request_with_it(shared_server: RunningServer, leaves: str) -> None:
    most = _announced(shared_server)
    sent = _head("bob") if leaves == "in the body" else _head("bob")[:-2]
    for _ in range(most + BEYOND):
        with socket.create_connection(shared_server.address("http"), timeout=30) as sock:
            sock.sendall(sent)
    eventually(lambda: _is_room_for(shared_server, "bob", most))


def _is_room_for(server: RunningServer, name: str, count: int) -> bool:
    with _requests_under_way(server, name, count) as sockets:
        for sock in sockets:
            sock.sendall(ECHO[-1:])
        return all(_answer(sock).startswith(b"HTTP/1.1 200 ") for sock in sockets)
