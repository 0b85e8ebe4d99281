"""Push by EventSource over real connections and two workers (RFC 8620 section 7.3): curl and httpx see every change."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
from tests.integration.running_server import ADMIN, RunningServer, eventually, running_server
from tests.tls_client import trusting_context

NeedsProgram = Callable[[str], str]
STREAMS = 6  # over two workers: some of them at the worker that makes the change, some at the other


def stream_url(server: RunningServer, types: str = "*", closeafter: str = "no", ping: int = 0) -> str:
    """The URL that the session gives, filled in."""
    template: str = server.http.get("/jmap/session").json()["eventSourceUrl"]
    return template.replace("{types}", types).replace("{closeafter}", closeafter).replace("{ping}", str(ping))


@contextmanager
def open_stream(server: RunningServer, *, types: str = "*", secure: bool = False) -> Iterator[Iterator[dict[str, str]]]:
    """The events of a stream, as they come."""
    url = httpx.URL(stream_url(server, types))
    if secure:
        url = url.copy_with(scheme="https", port=server.ports["https"])
    with (
        httpx.Client(auth=ADMIN, timeout=20, trust_env=False, verify=trusting_context()) as client,
        client.stream("GET", url) as response,
    ):
        assert response.status_code == 200, response.read()
        lines = response.iter_lines()
        assert next(lines) == ":"
        yield events_of(lines)


def events_of(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    fields: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(": ")
        if colon:
            fields[name] = value
        elif fields:
            yield fields
            fields = {}


def create_domain(server: RunningServer, name: str) -> str:
    """Its type's state afterwards."""
    answer = server.call("x:Domain/set", create={"d": {"name": name}})
    assert answer["created"], answer
    state: str = answer["newState"]
    return state


def test_every_stream_at_every_worker_hears_of_a_change_at_once(shared_server: RunningServer) -> None:
    with ExitStack() as streams:
        opened = [streams.enter_context(open_stream(shared_server, types="x:Domain")) for _ in range(STREAMS)]
        for number in range(4):
            state = create_domain(shared_server, f"push{number}-{time.time_ns()}.example")
            began = time.monotonic()
            for events in opened:
                event = next(events)
                assert event["event"] == "state"
                change = json.loads(event["data"])
                assert change == {"@type": "StateChange", "changed": {shared_server.account_id: {"x:Domain": state}}}
            assert time.monotonic() - began < 10


def test_curl_sees_events_while_the_answer_goes_on(
    shared_server: RunningServer, needs_program: NeedsProgram, tmp_path: Path
) -> None:
    output = tmp_path / "events"
    with output.open("wb") as file:
        curl = [needs_program("curl"), "-sS", "-N", "-D", "-", "-u", ":".join(ADMIN)]
        with subprocess.Popen([*curl, stream_url(shared_server, closeafter="state")], stdout=file) as process:
            eventually(lambda: b"\r\n\r\n" in output.read_bytes())
            create_domain(shared_server, f"curl-{time.time_ns()}.example")
            assert process.wait(20) == 0  # closeafter=state: the answer comes to its end
    head, _, body = output.read_bytes().partition(b"\r\n\r\n")
    assert b"content-type: text/event-stream" in head
    assert b"event: state\n" in body


def streams_at(server: RunningServer) -> list[str]:
    """The connections that have an answer under way, but for the one that asks."""
    ids = server.call("x:Connection/query", filter={"listener": "https", "state": "request"})["ids"]
    found: list[str] = ids
    return found


def test_a_client_that_leaves_is_noticed(shared_server: RunningServer) -> None:
    with open_stream(shared_server, secure=True):
        eventually(lambda: len(streams_at(shared_server)) == 1)
    eventually(lambda: not streams_at(shared_server))


def test_a_stream_ends_when_its_connection_is_destroyed(shared_server: RunningServer) -> None:
    with open_stream(shared_server, secure=True) as events:
        (connection_id,) = eventually(lambda: streams_at(shared_server))
        assert shared_server.call("x:Connection/set", destroy=[connection_id])["destroyed"] == [connection_id]
        assert list(events) == []


def test_a_server_that_stops_ends_its_streams_at_once(tmp_path: Path) -> None:
    with running_server(tmp_path) as server, ExitStack() as streams:
        opened = [streams.enter_context(open_stream(server)) for _ in range(4)]
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 10  # far less than the time that connections are given to end
        for events in opened:
            assert list(events) == []  # an orderly end: httpx raises for an answer that is cut off
