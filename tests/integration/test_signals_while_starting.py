"""Signals that come before the server is ready: SIGHUP and SIGUSR2 do not end it, whichever of its processes they come to."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from tests.free_port import free_port
from tests.integration.running_server import ADMIN, RunningServer

# Becomes the server, and leaves a child that sends both signals to it and to the two processes that it starts at first: to the
# server as soon as they are not deadly there any more, to the others from the moment on that they are there, again and again.
_SIGNALLED = """
import os, re, signal, sys, time
from pathlib import Path

SIGNALS = (signal.SIGHUP, signal.SIGUSR2)
WANTED = sum(1 << number - 1 for number in SIGNALS)

def is_prepared(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    caught, ignored = (int(re.search(name + r":\\s*([0-9a-f]+)", status)[1], 16) for name in ("SigCgt", "SigIgn"))
    return (caught | ignored) & WANTED == WANTED

server = os.getpid()
if os.fork():
    os.execvp(sys.argv[1], sys.argv[1:])
while not is_prepared(server):
    time.sleep(0.001)
signalled, ends = {}, time.monotonic() + 120
while time.monotonic() < ends and (len(signalled) < 3 or min(signalled.values()) < 100):
    children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    for pid in [server, *map(int, children)]:
        if pid == os.getpid() or signalled.get(pid, 0) == 100:
            continue
        for number in SIGNALS:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
        signalled[pid] = signalled.get(pid, 0) + 1
        if signalled[pid] == 1:
            print("signalled", flush=True)
    time.sleep(0.001)
"""


def test_the_server_starts_nevertheless_and_says_what_became_of_the_upgrade(tmp_path: Path) -> None:
    port, plan = free_port(), tmp_path / "plan.ndjson"
    listener = {"name": "http", "protocol": "http", "bind": [f"127.0.0.1:{port}"], "useTls": False}
    plan.write_text(json.dumps({"@type": "create", "object": "NetworkListener", "value": {"http": listener}}))
    arguments = ["--data", str(tmp_path / "data"), "--plan", str(plan), "--workers", "1"]
    server = RunningServer(tmp_path, arguments, {"http": port}, ADMIN, launcher=(sys.executable, "-c", _SIGNALLED))
    try:
        assert server.output.count("signalled\n") == 3
        assert re.search("upgrade.failed.*the server is starting", server.log())
        assert "worker.died" not in server.log()
    finally:
        assert server.stop() == 0
