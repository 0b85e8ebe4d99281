"""The access log: whole lines, many to a write, nothing lost, and nothing that a client says can forge one."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from msgspec import structs
from tests.transport.loopback import until

from gatepost.telemetry.access_log import AccessLog, ClosedConnection, LineAccessLog, NoAccessLog

CLOSED = ClosedConnection(
    id="w7-1",
    listener="smtp",
    protocol="smtp",
    source="192.0.2.1:4321",
    destination="192.0.2.25:25",
    peer=None,
    seconds=1.23456,
    received=10,
    sent=20,
    tls_version=None,
    cipher_suite=None,
    server_name=None,
    account=None,
    ending="completed",
)
FULL = structs.replace(
    CLOSED,
    peer="[2001:db8::1]:99",
    tls_version="TLSv1.3",
    cipher_suite="TLS_AES_256_GCM_SHA384",
    server_name="mail.example.org",
    account="alice@example.org",
)
HOSTILE = 'a"b\\c\n2026-01-01T00:00:00Z [info] forged\r\x00\x1b[2J\u2028é'


class Written:
    """Takes what is written, and fails or takes less as it is told."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.failure: OSError | None = None
        self.most = 10**9
        self.attempts = 0

    def __call__(self, data: bytes) -> int:
        self.attempts += 1
        if self.failure is not None:
            raise self.failure
        self.writes.append(data[: self.most])
        return len(self.writes[-1])

    @property
    def lines(self) -> list[str]:
        return b"".join(self.writes).decode().splitlines()


@contextmanager
def pipe_as_standard_error() -> Iterator[int]:
    """Its reading end. No fixture: what captures output would take its place before the test begins."""
    reading, writing = os.pipe()
    standard_error = os.dup(2)
    os.dup2(writing, 2)
    os.close(writing)
    try:
        yield reading
    finally:
        os.dup2(standard_error, 2)
        os.close(standard_error)
        os.close(reading)


def access_log(written: Written, log_format: str = "json") -> LineAccessLog:
    return LineAccessLog(log_format=log_format, process="worker-1", write=written)


async def logged(connection: ClosedConnection, log_format: str) -> str:
    written = Written()
    log = access_log(written, log_format)
    log.closed(connection)
    log.flush()
    (line,) = b"".join(written.writes).decode().split("\n")[:-1]
    return line


async def test_a_json_line_says_all_that_is_known() -> None:
    line: dict[str, Any] = json.loads(await logged(FULL, "json"))
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "connection.closed",
        "level": "info",
        "process": "worker-1",
        "id": "w7-1",
        "listener": "smtp",
        "protocol": "smtp",
        "source": "192.0.2.1:4321",
        "destination": "192.0.2.25:25",
        "peer": "[2001:db8::1]:99",
        "tlsVersion": "TLSv1.3",
        "cipherSuite": "TLS_AES_256_GCM_SHA384",
        "serverName": "mail.example.org",
        "account": "alice@example.org",
        "seconds": 1.235,
        "received": 10,
        "sent": 20,
        "ending": "completed",
    }


async def test_what_is_not_known_is_left_out() -> None:
    absent = {"peer", "tlsVersion", "cipherSuite", "serverName", "account"}
    assert not absent & json.loads(await logged(CLOSED, "json")).keys()
    assert not absent & {word.partition("=")[0] for word in (await logged(CLOSED, "text")).split()}


async def test_a_text_line_looks_like_the_lines_of_other_events() -> None:
    line = await logged(FULL, "text")
    assert " [info     ] connection.closed          id=w7-1 listener=smtp protocol=smtp source=192.0.2.1:4321 " in line
    assert line.endswith(" seconds=1.235 received=10 sent=20 ending=completed process=worker-1")


@pytest.mark.parametrize("name", ["account", "server_name"])
async def test_what_a_client_says_cannot_forge_a_line(name: str) -> None:
    hostile = structs.replace(FULL, **{name: HOSTILE})
    as_json = json.loads(await logged(hostile, "json"))
    assert as_json["account" if name == "account" else "serverName"] == HOSTILE
    text = await logged(hostile, "text")
    assert text.isprintable()
    assert '="a\\"b\\\\c\\n2026' in text


async def test_many_lines_are_one_write_and_no_line_is_torn() -> None:
    written = Written()
    log = access_log(written)
    for number in range(100):
        log.closed(structs.replace(FULL, id=f"w7-{number}"))
    assert written.writes == []
    await until(lambda: written.writes)
    assert [json.loads(line)["id"] for line in written.lines] == [f"w7-{number}" for number in range(100)]
    assert len(written.writes) < 15
    assert all(write.endswith(b"\n") and len(write) <= 4096 for write in written.writes)


async def test_a_line_longer_than_a_pipe_takes_at_once_is_written_all_the_same() -> None:
    written = Written()
    log = access_log(written)
    log.closed(structs.replace(FULL, account="x" * 9000))
    log.closed(CLOSED)
    log.flush()
    assert [json.loads(line)["id"] for line in written.lines] == ["w7-1", "w7-1"]


async def test_a_write_that_takes_a_part_is_gone_on_with() -> None:
    written = Written()
    written.most = 7
    log = access_log(written)
    log.closed(CLOSED)
    log.flush()
    assert json.loads(written.lines[0])["id"] == "w7-1"


async def test_a_log_that_is_full_for_a_moment_loses_nothing() -> None:
    written = Written()
    written.failure = BlockingIOError()
    log = access_log(written)
    log.closed(CLOSED)
    await until(lambda: written.attempts > 1)
    written.failure = None
    log.closed(FULL)
    await until(lambda: len(written.lines) == 2)


async def test_a_pipe_that_nobody_reads_holds_nothing_up_and_has_every_line_once_somebody_does() -> None:
    log = LineAccessLog(log_format="json", process="worker-7")
    received = b""
    with pipe_as_standard_error() as reading:
        for number in range(1000):
            log.closed(structs.replace(CLOSED, received=number))
            if number % 100 == 0:
                log._write_waiting()
        while received.count(b"\n") < 1000:
            received += await asyncio.to_thread(os.read, reading, 65536)
    assert [json.loads(line)["received"] for line in received.splitlines()] == list(range(1000))


async def test_the_last_lines_of_a_process_do_not_wait_for_ever() -> None:
    log = LineAccessLog(log_format="json", process="worker-7")
    for _ in range(1000):
        log.closed(CLOSED)
    with pipe_as_standard_error() as reading:
        log.flush()
        assert os.read(reading, 65536)


async def test_a_log_that_nobody_reads_is_no_failure() -> None:
    written = Written()
    written.failure = BrokenPipeError()
    log = access_log(written)
    log.closed(CLOSED)
    log.flush()


async def test_no_access_log_is_off() -> None:
    log: AccessLog = NoAccessLog()
    log.closed(CLOSED)
    log.flush()
    assert not log.is_on
