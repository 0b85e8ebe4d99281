"""Nobody is turned away by a change: clients come to every kind of address all the time, while everything that can change
does, one thing after the other. Not one attempt to connect is refused, reset or left waiting, and no open session is cut.

What a running server may undergo is a function of `CHANGES`, or of `UPHEAVALS` where processes come and go: a new way to
disturb it belongs there.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Thread
from typing import Any

import pytest
from tests.certificates import certificate_pem, key_pem, new_certificate, new_key
from tests.free_port import free_port
from tests.integration.listener_changes import AFTER, BEFORE
from tests.integration.running_server import RunningServer, eventually, running_server
from tests.integration.visitors import ENDED_BEFORE_GREETING, GREETED, Target, visitors_at
from tests.tls_client import trusting_context

RELAYED = {"127.0.0.0/8": True, "::1": True}
PROXY_V1 = b"PROXY TCP4 198.51.100.7 203.0.113.1 4321 25\r\n"
PROXY_V1_LOCAL = b"PROXY UNKNOWN\r\n"
GET = b"GET /healthz/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
WORDS = {"smtp": (b"NOOP\r\n", b"250 "), "imap": (b"a NOOP\r\n", b"a OK"), "pop3": (b"CAPA\r\n", b"+OK")}
SESSIONS = 3  # held open at each listener


@dataclass
class Door:
    """A listener, and how clients come to it."""

    protocol: str
    bind: str = "127.0.0.1"  # the address that it is bound to
    host: str = "127.0.0.1"  # the one that clients connect to
    is_tls: bool = False
    header: bytes = b""
    properties: dict[str, Any] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    id: str = ""

    def open(self, server: RunningServer, name: str) -> None:
        """Create the listener."""
        self.properties = {**BEFORE, "protocol": self.protocol, "tlsImplicit": self.is_tls}
        if self.header.startswith(b"PROXY"):
            self.properties["overrideProxyTrustedNetworks"] = RELAYED
        self.id = server.create_listener(name=name, bind=[self.address(self.port)], **self.properties)

    def address(self, port: int) -> str:
        """As `bind` has it."""
        return f"[{self.bind}]:{port}" if ":" in self.bind else f"{self.bind}:{port}"

    def target(self, name: str) -> Target:
        """For visitors."""
        return Target(name, self.host, self.port, self.is_tls, self.header)

    def session(self) -> socket.socket:
        """A client that has been greeted."""
        sock = socket.create_connection((self.host, self.port), timeout=20)
        sock.sendall(self.header)
        if self.is_tls:
            sock = trusting_context().wrap_socket(sock)
        assert sock.recv(4096)
        return sock

    def is_alive(self, session: socket.socket) -> bool:
        """Whether it is still answered."""
        command, answer = WORDS[self.protocol]
        try:
            session.sendall(command)
            return session.recv(4096).startswith(answer)
        except OSError:
            return False


Doors = dict[str, Door]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One for all of them: each leaves it as it found it, with other workers perhaps."""
    with running_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def doors(server: RunningServer) -> Doors:
    made = {
        "v4": Door("smtp"),
        "v6": Door("imap", "::1", "::1"),
        "any": Door("smtp", "::"),
        "tls": Door("pop3", is_tls=True),
        "relayed": Door("smtp", header=PROXY_V1),
        "relayed-tls": Door("imap", "::1", "::1", is_tls=True, header=PROXY_V1_LOCAL),
        "web": Door("http", header=GET),
    }
    for name, door in made.items():
        door.open(server, f"door-{name}")
    return made


@contextmanager
def sessions_at(doors: Doors) -> Iterator[list[tuple[Door, socket.socket]]]:
    """Some sessions at each door, HTTP apart, where a connection has no greeting and does not last."""
    with ExitStack() as stack:
        yield [
            (door, stack.enter_context(door.session()))
            for door in doors.values()
            if door.protocol != "http"
            for _ in range(SESSIONS)
        ]


# --- what changes -----------------------------------------------------------------------------------------------------


def every_property_of_every_listener(server: RunningServer, doors: Doors) -> None:
    """There and back, each by itself."""
    for door in doors.values():
        before = dict(door.properties)
        for name, value in AFTER.items():
            if name == "tlsImplicit" and door.protocol == "http":
                continue  # who speaks first, and in clear, is rightly cut off where TLS begins at once
            there, back = {name: value}, {name: before[name]}
            match name:
                case "overrideProxyTrustedNetworks":
                    there = {name: {**before[name], **value}}
                case "tlsImplicit":
                    there = {name: not before[name]}
                case "useTls":
                    there, back = there | {"tlsImplicit": False}, back | {"tlsImplicit": before["tlsImplicit"]}
            server.update_listener(door.id, **there)
            server.update_listener(door.id, **back)


def addresses_come_and_go(server: RunningServer, doors: Doors) -> None:
    """Others of the same listener."""
    for door in doors.values():
        added = f"bind/{door.address(free_port())}"
        server.update_listener(door.id, **{added: True})
        server.update_listener(door.id, **{added: None})


def listeners_come_and_go_all_at_once(server: RunningServer, doors: Doors) -> None:
    """Creates, updates and a destroy in one request."""
    gone = server.create_listener(name="gone", protocol="smtp", bind=[f"127.0.0.1:{free_port()}"])
    answer = server.set(
        "NetworkListener",
        create={"new": {"name": "new", "protocol": "imap", "bind": [f"127.0.0.1:{free_port()}"]}},
        update={door.id: {"socketBacklog": 77, "maxConnections": 5000} for door in doors.values()},
        destroy=[gone],
    )
    server.set(
        "NetworkListener",
        update={door.id: {"socketBacklog": 1024, "maxConnections": 8192} for door in doors.values()},
        destroy=[answer["created"]["new"]["id"]],
    )


def certificates_are_replaced(server: RunningServer, doors: Doors) -> None:
    """A new one becomes the default, is exchanged for another pair, and goes."""
    pairs = [_certificate_pair() for _ in range(2)]
    created = server.set("Certificate", create={"c": pairs[0]})["created"]["c"]["id"]
    server.set("SystemSettings", update={"singleton": {"defaultCertificateId": created}})
    server.set("Certificate", update={created: pairs[1]})
    server.set("SystemSettings", update={"singleton": {"defaultCertificateId": None}})
    server.set("Certificate", destroy=[created])


def _certificate_pair() -> dict[str, str]:
    key, now = new_key(), datetime.now(UTC)
    name = "mail.example.org"
    certificate = new_certificate(name, key, (now, now + timedelta(days=90)), names=(name,))
    return {"certificate": certificate_pem(certificate), "privateKey": key_pem(key)}


def server_settings_change(server: RunningServer, doors: Doors) -> None:
    """Each there and back, and what was left empty is filled in."""
    settings = server.call("x:SystemSettings/get", ids=["singleton"])["list"][0]
    for name, value in {
        "defaultHostname": "other.example.org",
        "maxConnections": 8000,
        "maxConnectionsPerAddress": 4000,
        "proxyTrustedNetworks": {"192.0.2.0/24": True},
        "proxyHeaderTimeout": 9000,
        "drainTimeout": 3_600_000,
        "maxMessageSize": 20_000_000,
    }.items():
        server.set("SystemSettings", update={"singleton": {name: value}})
        server.set("SystemSettings", update={"singleton": {name: settings[name]}})


def the_number_of_workers_changes(server: RunningServer, doors: Doors) -> None:
    """More, fewer, and back."""
    for number in (4, 1, None):
        server.set("SystemSettings", update={"singleton": {"workers": number}})


CHANGES: list[Callable[[RunningServer, Doors], None]] = [
    every_property_of_every_listener,
    addresses_come_and_go,
    listeners_come_and_go_all_at_once,
    certificates_are_replaced,
    server_settings_change,
    the_number_of_workers_changes,
]


@pytest.mark.parametrize("change", CHANGES)
def test_no_attempt_is_lost_and_no_session_is_cut_by(
    server: RunningServer, doors: Doors, change: Callable[[RunningServer, Doors], None]
) -> None:
    with sessions_at(doors) as sessions:
        with visitors_at([door.target(name) for name, door in doors.items()]) as visitors:
            change(server, doors)
        assert [each for each in visitors.outcomes.items() if each[1].keys() != {GREETED}] == []
        assert visitors.outcomes.keys() == doors.keys()
        assert all(door.is_alive(session) for door, session in sessions)
        for name, door in doors.items():
            expected = 0 if door.protocol == "http" else SESSIONS
            eventually(partial(_has_connections, server, name, expected))


def _has_connections(server: RunningServer, name: str, expected: int) -> bool:
    connections: int = server.status(f"door-{name}")["connections"]
    return connections == expected


def test_who_waits_in_the_queue_of_a_busy_worker_is_served_although_its_socket_is_given_up(
    server: RunningServer, doors: Doors
) -> None:
    door = doors["v4"]
    with visitors_at([door.target("v4")], clients=200) as visitors:
        for pid in server.worker_pids():
            _change_while_busy(server, pid, door, socketReusePort=False)
            server.update_listener(door.id, socketReusePort=True)
            server.update_listener(door.id, socketReceiveBufferSize=65536)
            _change_while_busy(server, pid, door, socketReceiveBufferSize=None)
    assert visitors.outcomes["v4"].keys() == {GREETED}, visitors.outcomes


def _change_while_busy(server: RunningServer, pid: int, door: Door, **patch: Any) -> None:
    """The worker stands still until more clients wait than it accepts in a row, and the change has come to it."""
    while _worker_of_the_api(server) == pid:
        server.http.get("/healthz/live", headers={"connection": "close"})
    changing = Thread(target=server.update_listener, args=(door.id,), kwargs=patch)
    os.kill(pid, signal.SIGSTOP)
    try:
        eventually(lambda: _accept_queue(door.port) > 100)
        changing.start()
        eventually(lambda: _has_unread_message(pid))
    finally:
        os.kill(pid, signal.SIGCONT)
    changing.join(60)
    assert not changing.is_alive()


def _worker_of_the_api(server: RunningServer) -> int:
    """Who serves the connection that the test's calls go through."""
    server.http.get("/healthz/live")
    (pid,) = re.findall(r"pid=(\d+)", _ss("-tnp", f"sport = :{server.ports['http']}"))
    return int(pid)


def _accept_queue(port: int) -> int:
    """How many connections wait at the port, in the longest queue."""
    return max(int(line.split()[1]) for line in _ss("-ltn", f"sport = :{port}").splitlines())


def _has_unread_message(pid: int) -> bool:
    """Whether something waits for the process in a UNIX socket: that of its supervisor."""
    lines = _ss("-xnp").splitlines()
    return any(f"pid={pid}," in line and line.startswith("u_str") and int(line.split()[2]) > 0 for line in lines)


def _ss(*arguments: str) -> str:
    return subprocess.check_output(["ss", "-H", *arguments], text=True)


# --- processes come and go --------------------------------------------------------------------------------------------


def workers_are_killed_one_after_the_other(server: RunningServer) -> int:
    """How many were."""
    victims = server.worker_pids()
    for pid in victims:
        started = _workers_started(server)
        server.kill_worker(pid)
        eventually(partial(_has_started_workers, server, started + 1))
    return len(victims)


def _workers_started(server: RunningServer) -> int:
    return server.log().count("worker.started")


def _has_started_workers(server: RunningServer, number: int) -> bool:
    return _workers_started(server) == number


UPHEAVALS: list[Callable[[RunningServer], int]] = [workers_are_killed_one_after_the_other]


@pytest.mark.parametrize("upheaval", UPHEAVALS)
def test_only_what_a_dead_worker_had_accepted_is_lost_when(
    server: RunningServer, doors: Doors, upheaval: Callable[[RunningServer], int]
) -> None:
    in_flight = 8
    with visitors_at([door.target(name) for name, door in doors.items()], clients=in_flight) as visitors:
        deaths = upheaval(server)
    assert visitors.kinds() <= {GREETED, ENDED_BEFORE_GREETING}, visitors.outcomes
    for name, outcomes in visitors.outcomes.items():
        # In clear a client is greeted in the turn of the loop that accepts it: at most one of all is caught in between.
        # With a header, a handshake or a request to wait for it can be each that was inside.
        allowed = deaths * in_flight if doors[name].is_tls or doors[name].header else deaths
        assert outcomes.get(ENDED_BEFORE_GREETING, 0) <= allowed, visitors.outcomes
    for name in doors:
        eventually(partial(_has_connections, server, name, 0))
