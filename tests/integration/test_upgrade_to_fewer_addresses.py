"""A server is upgraded while what is stored is not what runs: the new one has no use for some of the sockets. They are given up
as by a change of the configuration: nobody who comes meanwhile is reset, and no session is cut off."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from tests.free_port import free_port
from tests.integration.fault_injection import sabotaged_server
from tests.integration.running_server import RunningServer, children_of, eventually, running_server
from tests.integration.upgrades import Upgrades
from tests.integration.visitors import GREETED, REFUSED, Target, visitors_at

from gatepost.store.sql.dialect import DATABASE_FILE

# What each listener is like, whether clients of it speak TLS, and what becomes of it: destroyed (None), or a patch.
Properties = dict[str, Any]
LISTENERS: dict[str, tuple[str, Properties, Properties | None]] = {
    "gone": ("127.0.0.1", {"useTls": False}, None),
    "gone-shared": ("127.0.0.1", {"useTls": False, "socketReusePort": False}, None),
    "gone-tls": ("::1", {"tlsImplicit": True}, None),
    "gone-any": ("::", {"useTls": False}, None),
    "gathered": ("127.0.0.1", {"useTls": False}, {"socketReusePort": False}),
    "widened": ("127.0.0.1", {"useTls": False}, {"bind": "0.0.0.0"}),
    "stays": ("127.0.0.1", {"useTls": False}, {}),
}


class Server:
    """The listeners above, and an upgrade behind which they are others."""

    def __init__(self, running: RunningServer) -> None:
        self.running = running
        self.ports = {name: free_port() for name in LISTENERS}
        for name, (host, properties, _) in LISTENERS.items():
            bind = [_bind(host, self.ports[name])]
            running.create_listener(name=name, protocol="smtp", bind=bind, **properties)
        self.upgrades = Upgrades(running)

    def targets(self) -> list[Target]:
        """For visitors."""
        return [
            Target(name, "127.0.0.1" if host == "::" else host, self.ports[name], is_tls="tlsImplicit" in properties)
            for name, (host, properties, _) in LISTENERS.items()
        ]

    def change_the_store_alone(self) -> None:
        """As somebody does who restores a backup into it: the running server does not hear of it."""
        with closing(sqlite3.connect(self.running.directory / "data" / DATABASE_FILE, timeout=30)) as store:
            for name, (_, _, patch) in LISTENERS.items():
                self._change(store, name, patch)
            store.commit()

    def _change(self, store: sqlite3.Connection, name: str, patch: Properties | None) -> None:
        where = "WHERE type = 'NetworkListener' AND unique_key = ?"
        if patch is None:
            store.execute(f"DELETE FROM configuration_object {where}", (name,))
            return
        ((text,),) = store.execute(f"SELECT value FROM configuration_object {where}", (name,)).fetchall()
        value = {**json.loads(text), **patch}
        if "bind" in patch:
            value["bind"] = {_bind(patch["bind"], self.ports[name]): True}
        store.execute(f"UPDATE configuration_object SET value = ? {where}", (json.dumps(value), name))

    def session(self, name: str) -> socket.socket:
        """A client that has been greeted."""
        sock = socket.create_connection(("127.0.0.1", self.ports[name]), timeout=20)
        self.upgrades.connections.callback(sock.close)
        assert sock.recv(4096)
        return sock

    def is_refused(self, name: str) -> bool:
        """Whether nobody listens there."""
        with socket.socket() as sock:
            sock.settimeout(20)
            return sock.connect_ex(("127.0.0.1", self.ports[name])) == errno.ECONNREFUSED


def _bind(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running_server(tmp_path) as running:
        made = Server(running)
        yield made
        made.upgrades.end()
        assert "Traceback" not in running.log()


def test_nobody_is_reset_at_an_address_that_the_new_server_does_not_want(server: Server) -> None:
    session = server.session("gone")
    server.change_the_store_alone()
    with visitors_at(server.targets(), clients=6) as visitors:
        server.upgrades.succeed()
    for name, (_, _, patch) in LISTENERS.items():
        outcomes = visitors.outcomes[name]
        assert outcomes.keys() <= ({GREETED, REFUSED} if patch is None else {GREETED}), visitors.outcomes
        assert outcomes[GREETED] > 0
    session.sendall(b"NOOP\r\n")
    assert session.recv(4096).startswith(b"250 ")
    eventually(partial(_nobody_listens_on, [server.ports[name] for name in LISTENERS if name.startswith("gone")]))
    assert _listening_sockets(server.ports["gathered"]) == 1
    assert _listening_sockets(server.ports["stays"]) == 2


def test_between_the_last_accept_and_the_end_of_a_socket_nobody_gets_in(tmp_path: Path) -> None:
    with sabotaged_server(tmp_path) as saboteur:
        server = Server(saboteur.server)
        server.session(
            "gone"
        )  # the old server lives: when the last of a group's parents ends, the kernel wakes the group
        server.change_the_store_alone()
        before = children_of(server.upgrades.pid)
        upgrading = Thread(target=server.upgrades.run)
        upgrading.start()
        (successor,) = eventually(lambda: children_of(server.upgrades.pid) - before)
        saboteur.order(successor, "receives SocketsAreYours", "stop")
        eventually(lambda: saboteur.has_struck(successor))
        for name in ("gone", "gone-shared", "gone-any"):
            with pytest.raises(TimeoutError):
                socket.create_connection(("127.0.0.1", server.ports[name]), timeout=0.3)
        os.kill(successor, signal.SIGCONT)
        upgrading.join(60)
        eventually(lambda: server.is_refused("gone"))
        server.upgrades.end()


def _nobody_listens_on(ports: list[int]) -> bool:
    return not any(_listening_sockets(port) for port in ports)


def _listening_sockets(port: int) -> int:
    return len(subprocess.check_output(["ss", "-Hltn", f"sport = :{port}"], text=True).splitlines())
