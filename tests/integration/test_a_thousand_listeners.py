"""A thousand listeners made by one plan: created, found page by page, one changed among them, destroyed."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.cannot_run import cannot_run
from tests.free_port import free_port
from tests.integration.running_server import ADMIN, PACKAGE_PATH, RunningServer

MANY = 1000
PAGE = 300
PROTOCOLS = ("smtp", "lmtp", "imap", "pop3", "manageSieve")
# One socket for each worker, at the supervisor and the workers, while a change is carried through.
DESCRIPTORS = 8 * MANY
DEADLINE = 60.0  # seconds; it takes two on two cores that nobody else uses


def addresses() -> list[tuple[str, int]]:
    """As many addresses of 127/8, all with the same port."""
    port = free_port()
    return [(f"127.9.{number // 250}.{number % 250 + 1}", port) for number in range(MANY)]


def write_plan(path: Path, binds: list[tuple[str, int]]) -> None:
    value = {
        f"l{number}": {
            "name": f"many-{number:04}",
            "protocol": PROTOCOLS[number % len(PROTOCOLS)],
            "bind": {f"{host}:{port}": True},
        }
        for number, (host, port) in enumerate(binds)
    }
    operation = {"@type": "upsert", "object": "NetworkListener", "matchOn": ["name"], "value": value}
    path.write_text(json.dumps(operation) + "\n")


def apply(server: RunningServer, plan: Path) -> str:
    """What `gatepost apply` prints."""
    environment = {
        **os.environ,
        "PYTHONPATH": PACKAGE_PATH,
        "GATEPOST_URL": f"http://127.0.0.1:{server.ports['http']}",
        "GATEPOST_USER": ADMIN[0],
        "GATEPOST_PASSWORD": ADMIN[1],
    }
    command = [sys.executable, "-m", "gatepost", "apply", str(plan)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def pages(server: RunningServer) -> list[list[str]]:
    """The ids of all of them in order of name, as a client pages that goes by the last one it has seen."""
    arguments = {"filter": {"name": "many-"}, "sort": [{"property": "name"}], "limit": PAGE, "calculateTotal": True}
    found = [server.call("x:NetworkListener/query", **arguments)]
    while sum(len(page["ids"]) for page in found) < found[0]["total"]:
        last = found[-1]["ids"][-1]
        found.append(server.call("x:NetworkListener/query", anchor=last, anchorOffset=1, **arguments))
    return [page["ids"] for page in found]


def test_a_thousand_listeners_by_one_plan(server: RunningServer, tmp_path: Path) -> None:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < DESCRIPTORS:
        cannot_run(f"a process may not have {DESCRIPTORS} descriptors here")
    plan, binds = tmp_path / "many.ndjson", addresses()
    write_plan(plan, binds)
    began = time.monotonic()
    assert f"{MANY} created" in apply(server, plan)

    found = pages(server)
    ids = [each for page in found for each in page]
    assert [len(page) for page in found] == [PAGE, PAGE, PAGE, MANY - 3 * PAGE]
    assert len(set(ids)) == MANY
    names = [
        each["name"]
        for page in found
        for each in server.call("x:NetworkListener/get", ids=page, properties=["name"])["list"]
    ]
    assert names == [f"many-{number:04}" for number in range(MANY)]
    states = {each["state"] for page in found for each in server.call("x:ListenerStatus/get", ids=page)["list"]}
    assert states == {"active"}
    for bind in (binds[0], binds[MANY // 2], binds[-1]):
        socket.create_connection(bind, timeout=20).close()

    server.update_listener(ids[MANY // 2], maxConnections=77)
    assert f"{MANY} unchanged" in apply(server, plan)  # it says nothing of maxConnections
    for start in range(0, MANY, 500):  # maxObjectsInSet
        server.set("NetworkListener", destroy=ids[start : start + 500])
    assert pages(server) == [[]]
    with socket.socket() as probe:
        assert probe.connect_ex(binds[-1]) != 0
    assert time.monotonic() - began < DEADLINE
