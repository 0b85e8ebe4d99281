"""Requests of the API on kept connections: how many for a second of the server's CPU, which is what one core can carry, against
bare uvicorn that answers with the same octets."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from bench.api import basic_credentials
from bench.pairs import Contestant, Measured, interleave
from bench.peer_servers import installed
from bench.ports import Port
from bench.processes import ServerProcess, running
from bench.rig import NotMeasurable, Rig
from bench.servers import api, gatepost
from bench.table import Row, comparison, missing

_CONNECTIONS = 4  # fewer than the requests that an account may have under way
_PEERS = (("uvicorn, h11", "h11", Port.UVICORN), ("uvicorn, httptools", "httptools", Port.UVICORN_HTTPTOOLS))


def asking(rig: Rig, *, seconds: int, rounds: int) -> Iterator[Row]:
    """`x:NetworkListener/get` of all listeners. One worker, one process of each peer, all on the server's core."""
    wrk = installed("wrk", "wrk")
    with ExitStack() as servers:
        us = servers.enter_context(gatepost(rig, workers=1))
        with api(rig) as calls:
            body = calls.request_octets("x:NetworkListener/get", ids=None)
            answer = rig.directory / "answer.json"
            answer.write_bytes(calls.exchange("POST", "/jmap", body))
        (rig.directory / "request.json").write_bytes(body)
        values = {"authorization": basic_credentials(), "body": rig.directory / "request.json"}
        script = rig.peer_configuration("post.lua", values)
        what = f"API: NetworkListener/get, requests for a second of CPU ({len(answer.read_bytes())} octets)"
        ours = Contestant("gatepost", _load(rig, us, wrk, script, Port.HTTP, seconds))
        peers = []
        for name, http, port in _PEERS:
            try:
                them = _uvicorn(rig, servers, http, port, answer)
            except NotMeasurable as reason:
                yield missing(what, name, reason)
            else:
                peers.append(Contestant(name, _load(rig, them, wrk, script, port, seconds)))
        interleave((ours, *peers), rounds)
    yield from comparison(what, "/s", ours, peers)


def _load(rig: Rig, server: ServerProcess, wrk: str, script: Path, port: Port, seconds: int) -> Measured:
    """Requests for a second of the server's CPU, and what went wrong."""
    url = f"http://127.0.0.1:{port.of(rig)}/jmap"
    command = (*rig.on_client_core(), wrk, "-t1", f"-c{_CONNECTIONS}", f"-d{seconds}s", "-s", str(script), url)

    def measure() -> tuple[float, int]:
        before = server.settled_cpu_seconds()
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        requests, errors = _counted(said)
        return requests / (server.settled_cpu_seconds() - before), errors

    return measure


def _counted(said: str) -> tuple[int, int]:
    requests = re.search(r"(\d+) requests in", said)
    if requests is None:
        raise NotMeasurable(f"wrk did not say how many requests it made:\n{said}")
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    errors = (int(wrong[1]) if wrong else 0) + (sum(map(int, broken.groups())) if broken else 0)
    return int(requests[1]), errors


def _uvicorn(rig: Rig, servers: ExitStack, http: str, port: Port, answer: Path) -> ServerProcess:
    """Raises NotMeasurable."""
    program = Path(__file__).parent / "peers" / "uvicorn_server.py"
    command = (*rig.on_server_core(), sys.executable, str(program), str(port.of(rig)), http, str(answer))
    server = servers.enter_context(running(command, rig.directory / f"uvicorn-{http}.log", ports=[port.of(rig)]))
    server.wait_for_port(port.of(rig))
    return server
