"""A server is upgraded while what is stored is not what runs: the new one has no use for some of the sockets. They are given up
as by a change of the configuration: nobody who comes meanwhile is reset, and no session is cut off."""

from __future__ import annotations

import json
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.free_port import free_port
from tests.integration.running_server import RunningServer, eventually, running_server
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
    session = socket.create_connection(("127.0.0.1", server.ports["gone"]), timeout=20)
    server.upgrades.connections.callback(session.close)
    assert session.recv(4096)
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


def _nobody_listens_on(ports: list[int]) -> bool:
    return not any(_listening_sockets(port) for port in ports)


def _listening_sockets(port: int) -> int:
    return len(subprocess.check_output(["ss", "-Hltn", f"sport = :{port}"], text=True).splitlines())
