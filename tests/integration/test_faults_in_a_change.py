"""A change that goes wrong at any step either happens as a whole or not at all: what is stored, what runs in every worker,
what the kernel listens on and what a client meets are the same, and nothing is left open.

The change is a mix in one request: a listener is created, another gets an address and another TLS policy, a third goes.
"""

from __future__ import annotations

import errno
import os
import re
import resource
import signal
import socket
import sqlite3
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from tests.free_port import free_port
from tests.integration.fault_injection import Saboteur, sabotaged_server
from tests.integration.running_server import USING, RunningServer, eventually

from gatepost.store.sql.dialect import DATABASE_FILE

WORKERS = 2


@pytest.fixture(scope="module")
def saboteur(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Saboteur]:
    """One server for all of them: it has to get over each."""
    with sabotaged_server(tmp_path_factory.mktemp("server")) as made:
        yield made


@pytest.fixture
def change(saboteur: Saboteur) -> Iterator[MixedChange]:
    made = MixedChange(saboteur.server)
    made.assert_all_agree(has_happened=False)
    yield made
    made.undo()


class MixedChange:
    """Before: `edge` and `old`. After: `edge` with one address more, and `new`."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        self.ports = {name: free_port() for name in ("edge", "old", "added", "new", "newer")}
        bind = {name: f"127.0.0.1:{port}" for name, port in self.ports.items()}
        self.edge = server.create_listener(name="edge", protocol="smtp", bind=[bind["edge"]])
        self.old = server.create_listener(name="old", protocol="imap", bind=[bind["old"]])
        self.arguments: dict[str, Any] = {
            "create": {"n": {"name": "new", "protocol": "pop3", "bind": [bind["new"], bind["newer"]]}},
            "update": {self.edge: {f"bind/{bind['added']}": True, "tlsDisableProtocols": ["tls12"]}},
            "destroy": [self.old],
        }
        self.descriptors = _descriptors(server.process.pid)

    def make(self) -> dict[str, Any]:
        """Ask for it; the answer of the method, or its error. An answer that never comes is empty."""
        call = ["x:NetworkListener/set", {"accountId": self.server.account_id, **self.arguments}, "0"]
        try:
            (response,) = self.server.calls(call)
        except httpx.TransportError:
            return {}  # the worker that had the request is gone
        answer: dict[str, Any] = response[1]
        return answer

    def undo(self) -> None:
        """Remove what is left."""
        listeners = self.server.call("x:NetworkListener/get", ids=None)["list"]
        ours = [listener["id"] for listener in listeners if listener["name"] in ("edge", "old", "new")]
        self.server.set("NetworkListener", destroy=ours)

    def has_happened(self) -> bool:
        """By what is stored."""
        names = {listener["name"] for listener in self.server.call("x:NetworkListener/get", ids=None)["list"]}
        assert names & {"new", "old"} in ({"new"}, {"old"})  # never a part
        return "new" in names

    def expected_ports(self, *, has_happened: bool) -> set[int]:
        """Of those of this change, the ones that are listened on."""
        names = ("edge", "added", "new", "newer") if has_happened else ("edge", "old")
        return {self.ports[name] for name in names}

    def assert_all_agree(self, *, has_happened: bool) -> None:
        """What is stored, what runs, what the kernel says, and what clients meet; and no descriptor is left behind."""
        assert self.has_happened() is has_happened
        expected = self.expected_ports(has_happened=has_happened)
        eventually(lambda: _listened_to(self.server) & set(self.ports.values()) == expected)
        assert _stored_ports(self.server) == _running_ports(self.server) == _listened_to(self.server)
        assert _greeted_ports(self.ports.values()) == expected
        eventually(lambda: _workers_listen_on(self.server, _stored_ports(self.server)))
        sockets_more = 2 * WORKERS if has_happened else 0  # addresses, four for two; a socket for each worker
        eventually(lambda: _descriptors(self.server.process.pid) == self.descriptors + sockets_more)


def _stored_ports(server: RunningServer) -> set[int]:
    listeners = server.call("x:NetworkListener/get", ids=None)["list"]
    return {int(address.rpartition(":")[2]) for listener in listeners for address in listener["bind"]}


def _running_ports(server: RunningServer) -> set[int]:
    statuses = server.call("x:ListenerStatus/get", ids=None)["list"]
    return {int(each["address"].rpartition(":")[2]) for status in statuses for each in status["addresses"]}


def _listened_to(server: RunningServer) -> set[int]:
    return {port for _, port in _listening_sockets(server)}


def _listening_sockets(server: RunningServer) -> set[tuple[str, int]]:
    """Inode and port of what the supervisor holds."""
    held = _inodes(server.process.pid)
    output = subprocess.check_output(["ss", "-Hltne"], text=True)
    found = re.findall(r":(\d+) +\S+:\*.* ino:(\d+) ", output)
    return {(inode, int(port)) for port, inode in found if inode in held}


def _inodes(pid: int) -> set[str]:
    links = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            links.append(str(entry.readlink()))
    return {link[8:-1] for link in links if link.startswith("socket:")}


def _workers_listen_on(server: RunningServer, ports: set[int]) -> bool:
    """Every worker has a socket of each port, none has any that the supervisor has not, and all are there."""
    pids = server.worker_pids()
    sockets = _listening_sockets(server)
    try:
        shares = [{(inode, port) for inode, port in sockets if inode in _inodes(pid)} for pid in pids]
    except FileNotFoundError:
        return False
    return len(pids) == WORKERS and all({port for _, port in share} == ports for share in shares)


def _descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - a number is all that is wanted


def _greeted_ports(ports: Any) -> set[int]:
    greeted = set()
    for port in ports:
        with socket.socket() as sock:
            sock.settimeout(20)
            result = sock.connect_ex(("127.0.0.1", port))
            assert result in (0, errno.ECONNREFUSED)
            if result == 0 and sock.recv(4096):
                greeted.add(port)
    return greeted


def test_without_a_fault_it_happens(change: MixedChange) -> None:
    assert change.make()["created"]
    change.assert_all_agree(has_happened=True)


# --- the machine does not have what is asked for ------------------------------------------------------------------------


@pytest.mark.parametrize("which", range(4))
def test_an_address_that_cannot_be_bound_refuses_its_listener_alone_whichever_it_is(
    change: MixedChange, which: int
) -> None:
    ports = [free_port() for _ in range(4)]
    with socket.create_server(("127.0.0.1", ports[which])):
        bind = [f"127.0.0.1:{port}" for port in ports]
        change.arguments["create"]["refused"] = {"name": "refused", "protocol": "smtp", "bind": bind}
        answer = change.make()
        (problem,) = answer["notCreated"]["refused"]["validationErrors"]
        assert problem["value"] == bind[which]
        assert "EADDRINUSE" in problem["description"]
        assert answer["created"].keys() == {"n"}
        assert _greeted_ports([port for port in ports if port != ports[which]]) == set()
    change.assert_all_agree(has_happened=True)


def test_a_dry_run_holds_nothing_afterwards(change: MixedChange) -> None:
    change.arguments["dryRun"] = True
    assert change.make()["dryRun"]
    change.assert_all_agree(has_happened=False)


@pytest.mark.parametrize(("role", "suite"), [("api", "tls13Aes128GcmSha256"), ("other", "tls13Chacha20Poly1305Sha256")])
def test_a_tls_policy_that_one_worker_cannot_build_is_refused_and_undone(
    saboteur: Saboteur, change: MixedChange, role: str, suite: str
) -> None:
    change.arguments = {"update": change.arguments["update"]}
    change.arguments["update"][change.edge]["tlsDisableCipherSuites"] = [suite]  # a policy that was not built before
    pid = saboteur.pid(role)
    saboteur.order(pid, "builds TlsContext", "fail")
    error = change.make()["notUpdated"][change.edge]
    assert saboteur.has_struck(pid)
    assert error["properties"] == ["useTls"]
    assert "out of memory, says the test" in error["description"] + str(error["validationErrors"])
    change.assert_all_agree(has_happened=False)
    assert change.make()["updated"]
    assert _greeted_ports([change.ports["added"]])


# --- the store does not take it -----------------------------------------------------------------------------------------


@contextmanager
def full_disk(server: RunningServer) -> Iterator[None]:
    """No worker can make a file any longer (setrlimit(2), RLIMIT_FSIZE)."""
    before = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in server.worker_pids()}
    for pid, (_, most) in before.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, most))
    try:
        yield
    finally:
        for pid, limits in before.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


@contextmanager
def held_database(server: RunningServer) -> Iterator[None]:
    """Another program holds the store's write lock."""
    holding = sqlite3.connect(server.directory / "data" / DATABASE_FILE, isolation_level=None)
    holding.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        holding.close()


@pytest.mark.parametrize("trouble", [full_disk, held_database])
def test_a_change_that_cannot_be_stored_is_undone(change: MixedChange, trouble: Any) -> None:
    with trouble(change.server):
        answer = change.make()
    assert "serverUnavailable" in str(answer) or "serverFail" in str(answer), answer
    change.assert_all_agree(has_happened=False)
    assert change.make()["created"]
    change.assert_all_agree(has_happened=True)


# --- processes die, stand still, and do not hear each other -------------------------------------------------------------


@dataclass(frozen=True)
class Fault:
    """Whose, when, and what; whether the change has happened in the end."""

    role: str
    moment: str
    deed: str
    happens: bool


FAULTS = [
    Fault("other", "receives TryTls", "die", happens=True),
    Fault("other", "sends TlsTried", "drop", happens=True),
    Fault("other", "receives TryTls", "stop", happens=True),
    Fault("api", "receives TryTls", "die", happens=False),
    Fault("api", "sends BeginChange", "die", happens=False),
    Fault("api", "receives ChangeGranted", "die", happens=False),
    Fault("api", "sends PrepareChange", "die", happens=False),
    Fault("api", "receives ChangePrepared", "die", happens=False),
    Fault("api", "sends ActivateChange", "die", happens=True),
    Fault("api", "receives ApplyPlan", "die", happens=True),
    Fault("api", "sends PlanApplied", "die", happens=True),
    Fault("api", "receives ChangeEnded", "die", happens=True),
    Fault("other", "receives ApplyPlan", "die", happens=True),
    Fault("other", "sends PlanApplied", "die", happens=True),
    Fault("other", "receives ReleaseSockets", "die", happens=True),
    Fault("other", "receives ApplyPlan", "stop", happens=True),
    Fault("other", "receives ReleaseSockets", "stop", happens=True),
    Fault("api", "receives ChangePrepared", "stop", happens=True),  # late, in a turn of its own
    Fault("api", "sends ActivateChange", "stop", happens=True),
    Fault("supervisor", "sends ChangeGranted", "drop", happens=False),
    Fault("supervisor", "sends ChangePrepared", "drop", happens=False),
    Fault("supervisor", "receives PrepareChange", "drop", happens=False),
    Fault("supervisor", "receives ActivateChange", "drop", happens=True),
    Fault("supervisor", "sends ApplyPlan", "drop", happens=True),
    Fault("supervisor", "receives PlanApplied", "drop", happens=True),
    Fault("supervisor", "sends ReleaseSockets", "drop", happens=True),
    Fault("supervisor", "sends ChangeEnded", "drop", happens=True),
    Fault("api", "sends PrepareChange", "break", happens=False),
    Fault("api", "sends ActivateChange", "break", happens=True),
    Fault("other", "receives ApplyPlan", "break", happens=True),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.role} {fault.moment} {fault.deed}")
def test_the_change_happens_as_a_whole_or_not_at_all_when(
    saboteur: Saboteur, change: MixedChange, fault: Fault
) -> None:
    pid = saboteur.pid(fault.role)
    saboteur.order(pid, fault.moment, fault.deed)
    answer = change.make() if fault.deed != "stop" else _made_by_one_who_stands_still(saboteur, change, pid)
    assert saboteur.has_struck(pid)
    eventually(lambda: change.has_happened() is fault.happens)
    change.assert_all_agree(has_happened=fault.happens)
    if answer and answer.get("created"):
        assert fault.happens  # what was said to be done is done
    if not fault.happens:  # and nothing stands in the way of the next attempt
        assert change.make()["created"]
        change.assert_all_agree(has_happened=True)


def _made_by_one_who_stands_still(saboteur: Saboteur, change: MixedChange, pid: int) -> dict[str, Any]:
    """It goes on when nobody waits for it any more: it has lost its turn, or it is to be replaced."""
    log = saboteur.server.log
    before = log().count("change.abandoned") + log().count("worker.late")
    answers: list[dict[str, Any]] = []
    making = Thread(target=lambda: answers.append(change.make()))
    making.start()
    eventually(lambda: log().count("change.abandoned") + log().count("worker.late") > before)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
    making.join(60)
    return answers[0]


def test_a_client_that_goes_away_leaves_the_change_whole(saboteur: Saboteur, change: MixedChange) -> None:
    server, workers = saboteur.server, saboteur.server.worker_pids()
    for pid in workers:
        saboteur.order(pid, "receives ChangeGranted", "stop")
    with socket.create_connection(server.address("http"), timeout=20) as sock:
        sock.sendall(_request(server, change.arguments))
        (stopped,) = eventually(lambda: [pid for pid in workers if saboteur.has_struck(pid)])
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    for pid in workers:
        saboteur.cancel(pid)
    os.kill(stopped, signal.SIGCONT)
    eventually(change.has_happened)
    change.assert_all_agree(has_happened=True)


def _request(server: RunningServer, arguments: dict[str, Any]) -> bytes:
    call = ["x:NetworkListener/set", {"accountId": server.account_id, **arguments}, "0"]
    json = {"using": USING, "methodCalls": [call]}
    request = next(httpx.BasicAuth(*server.admin).auth_flow(server.http.build_request("POST", "/jmap", json=json)))
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    return f"POST /jmap HTTP/1.1\r\n{head}\r\n".encode() + request.read()
