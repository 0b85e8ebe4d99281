"""Workers are killed while clients wait in sockets that are being given up: whoever has connected is greeted, under the policy
that he came under, and answered; then the socket is closed."""

from __future__ import annotations

import errno
import os
import re
import select
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from tests.free_port import free_port
from tests.integration.fault_injection import Saboteur, sabotaged_server
from tests.integration.running_server import RunningServer, eventually
from tests.tls_client import trusting_context

CLIENTS = 24  # of two workers' queues, each has some


@pytest.fixture(scope="module")
def saboteur(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Saboteur]:
    """One server for all of them: it has to get over each."""
    with sabotaged_server(tmp_path_factory.mktemp("server")) as made:
        yield made


@dataclass
class Edge:
    """A listener that gives sockets up."""

    server: RunningServer
    properties: dict[str, Any]
    port: int = field(default_factory=free_port)
    id: str = ""

    @property
    def bind(self) -> str:
        return f"127.0.0.1:{self.port}"

    def open(self) -> None:
        self.id = self.server.create_listener(name="edge", protocol="smtp", bind=[self.bind], **self.properties)

    def connect(self) -> socket.socket:
        """A client that waits to be accepted."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def serves(self, sock: socket.socket) -> bool:
        """Whether it is greeted, and answered."""
        if self.properties.get("tlsImplicit"):
            sock = trusting_context().wrap_socket(sock)
        with sock:
            greeting = sock.recv(4096)
            sock.sendall(b"NOOP\r\n")
            return greeting.startswith(b"220 ") and sock.recv(4096).startswith(b"250 ")

    def is_refused(self) -> bool:
        with socket.socket() as sock:
            sock.settimeout(20)
            return sock.connect_ex(("127.0.0.1", self.port)) == errno.ECONNREFUSED

    def close(self) -> None:
        """If it is there yet."""
        listeners = self.server.call("x:NetworkListener/get", ids=None)["list"]
        self.server.set("NetworkListener", destroy=[each["id"] for each in listeners if each["name"] == "edge"])
        self.server.set("SystemSettings", update={"singleton": {"workers": None}})


Change = Callable[[Edge], None]


def destroyed(edge: Edge) -> None:
    edge.server.destroy_listener(edge.id)


def moved(edge: Edge) -> None:
    edge.server.update_listener(edge.id, bind=[f"127.0.0.1:{free_port()}"])


def gathered(edge: Edge) -> None:
    edge.server.update_listener(edge.id, socketReusePort=False)


def widened(edge: Edge) -> None:
    edge.server.update_listener(edge.id, bind=[f"0.0.0.0:{edge.port}"])


def for_one_worker(edge: Edge) -> None:
    edge.server.set("SystemSettings", update={"singleton": {"workers": 1}})


@contextmanager
def under_way(change: Change, edge: Edge) -> Iterator[None]:
    """Make it in another thread; it has happened at the end of the block."""

    def make() -> None:
        with suppress(httpx.TransportError, AssertionError):  # where the worker that had the request is gone
            change(edge)

    making = Thread(target=make)
    making.start()
    try:
        yield
    finally:
        making.join(60)
    assert not making.is_alive()


@pytest.fixture
def opened(saboteur: Saboteur) -> Iterator[Callable[..., Edge]]:
    server = saboteur.server
    edges: list[Edge] = []
    eventually(lambda: len(server.worker_pids()) == 2)
    before = descriptors(server)

    def open_(**properties: Any) -> Edge:
        edges.append(Edge(server, properties))
        edges[-1].open()
        return edges[-1]

    yield open_
    for edge in edges:
        edge.close()
    eventually(lambda: descriptors(server) == before)


def descriptors(server: RunningServer) -> int:
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))  # noqa: PTH208 - a number is all that is wanted


def worker_that_can_be_missed(saboteur: Saboteur) -> int:
    """The second one: it is not needed where there is to be one worker, or one socket. The API is the first one's business."""
    server = saboteur.server
    numbers = dict(re.findall(r"worker.started +worker=(\d) pid=(\d+)", server.log()))
    while saboteur.pid("api") != int(numbers["1"]):
        server.http.get("/healthz/live", headers={"Connection": "close"})
    return int(numbers["2"])


@contextmanager
def killed_over(saboteur: Saboteur, change: Change, edge: Edge) -> Iterator[list[socket.socket]]:
    """Clients that wait for a worker which is killed while the change gives its socket up. The change has happened at the end of
    the block."""
    victim, api = worker_that_can_be_missed(saboteur), saboteur.pid("api")
    os.kill(victim, signal.SIGSTOP)
    clients = [edge.connect() for _ in range(CLIENTS)]
    saboteur.order(api, "sends PlanApplied", "note")
    with under_way(change, edge):
        eventually(lambda: saboteur.has_struck(api))
        yield clients
        with suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
        assert all(edge.serves(sock) for sock in clients)


@pytest.mark.parametrize("properties", [{"useTls": False}, {"tlsImplicit": True}], ids=["clear", "tls"])
@pytest.mark.parametrize("change", [destroyed, moved, widened, gathered, for_one_worker])
def test_who_waits_for_a_worker_that_is_killed_over_it_is_greeted(
    saboteur: Saboteur, opened: Callable[..., Edge], change: Change, properties: dict[str, Any]
) -> None:
    edge = opened(**properties)
    with killed_over(saboteur, change, edge):
        pass
    assert edge.is_refused() is (change in (destroyed, moved))


@pytest.mark.parametrize("deed", ["drop", "die"])
def test_whoever_is_to_stand_in_for_it_may_not_hear_of_that_or_die_as_well(
    saboteur: Saboteur, opened: Callable[..., Edge], deed: str
) -> None:
    edge = opened(useTls=False)
    api = saboteur.pid("api")
    with killed_over(saboteur, destroyed, edge) as clients:
        saboteur.order(api, "receives EmptySockets", deed)
        eventually(lambda: len(_greeted(clients)) == len(clients) - _queued(edge.port))
        for sock in _greeted(clients):  # by the one that stands in, in its own socket
            clients.remove(sock)
            sock.close()
    assert saboteur.has_struck(api)
    assert edge.is_refused()


def _greeted(clients: list[socket.socket]) -> list[socket.socket]:
    return select.select(clients, [], [], 0)[0]


def _queued(port: int) -> int:
    """How many wait to be accepted, as ss(8) shows them."""
    lines = subprocess.check_output(["ss", "-Hltn", f"sport = :{port}"], text=True).splitlines()
    return sum(int(line.split()[1]) for line in lines)


def test_an_address_that_is_asked_for_again_meanwhile_comes_back_when_it_is_gone(
    saboteur: Saboteur, opened: Callable[..., Edge]
) -> None:
    edge = opened(useTls=False)
    with killed_over(saboteur, destroyed, edge):
        again = Thread(target=edge.open)
        again.start()
    again.join(60)
    assert edge.serves(edge.connect())


def test_a_server_that_is_told_to_stop_meanwhile_ends_in_order(tmp_path: Path) -> None:
    with sabotaged_server(tmp_path) as saboteur:
        edge = Edge(saboteur.server, {"useTls": False})
        edge.open()
        victim, api = worker_that_can_be_missed(saboteur), saboteur.pid("api")
        os.kill(victim, signal.SIGSTOP)
        saboteur.order(api, "sends PlanApplied", "note")
        with ExitStack() as clients, under_way(destroyed, edge):
            for _ in range(CLIENTS):
                clients.enter_context(edge.connect())
            eventually(lambda: saboteur.has_struck(api))
            os.kill(victim, signal.SIGKILL)
            saboteur.server.process.send_signal(signal.SIGTERM)
            assert saboteur.server.process.wait(45) == 0
        assert "Traceback" not in saboteur.server.log()


@pytest.mark.parametrize("reuse_port", [True, False])
def test_who_waits_when_all_workers_are_killed_over_it_is_greeted_by_their_successors(
    saboteur: Saboteur, opened: Callable[..., Edge], reuse_port: bool
) -> None:
    edge = opened(socketReusePort=reuse_port, useTls=False)
    workers = saboteur.server.worker_pids()
    for pid in workers:
        saboteur.order(pid, "receives ApplyPlan", "stop")
    with under_way(destroyed, edge):
        eventually(lambda: all(saboteur.has_struck(pid) for pid in workers))
        clients = [edge.connect() for _ in range(CLIENTS)]
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        assert all(edge.serves(sock) for sock in clients)
    eventually(edge.is_refused)
