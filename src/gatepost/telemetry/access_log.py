"""The access log: one line for each connection when it has ended, among the other lines on standard error.

Made by the worker for every connection that was admitted; those that a cap refused are counted instead, so that a flood
does not fill the disk. It does not go through structlog, because a line has to cost less than the connection it tells of:
one template, and many lines in one write(2). May not be asked for anything but text: all values come as they are shown.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections.abc import Callable
from typing import Protocol

import msgspec

from gatepost.telemetry import standard_error
from gatepost.telemetry.events import Event

_FLUSH_AFTER = 0.1  # seconds that a line may wait for others
_MOST_WAITING = 4_000_000  # octets that are kept for a log that cannot be written to at the moment
_LAST_WAIT = 1.0  # seconds that who reads the log has for the last lines of a process
_PLAIN = re.compile(r"[\w.@:+/\[\]-]+", re.ASCII)
_EVENT = Event.CONNECTION_CLOSED.value


class ClosedConnection(msgspec.Struct, gc=False):
    """What is told of a connection. Addresses as `192.0.2.1:4321`, `[2001:db8::1]:4321`. `account` and `server_name` are
    what a client has said: they may hold anything."""

    id: str
    listener: str
    protocol: str
    source: str
    destination: str
    peer: str | None  # the proxy, where a PROXY header named the source
    seconds: float
    received: int  # octets of the protocol, without TLS's own
    sent: int
    tls_version: str | None
    cipher_suite: str | None
    server_name: str | None
    account: str | None
    ending: str


class AccessLog(Protocol):
    """Where lines go."""

    def closed(self, connection: ClosedConnection, /) -> None:
        """A connection has ended."""

    def flush(self) -> None:
        """Write what waits. Nothing is lost when this is the last call before the process ends and somebody reads the log, who
        has a second for it."""

    @property
    def is_on(self) -> bool:
        """Whether it is worth the while to put a ClosedConnection together."""


class NoAccessLog:
    """For log levels above info, and for tests."""

    is_on = False

    def closed(self, connection: ClosedConnection, /) -> None:
        """Nothing."""

    def flush(self) -> None:
        """Nothing."""


class LineAccessLog:
    """Lines in the format of the other events. Has to be made on the loop that it is used on."""

    is_on = True

    def __init__(self, *, log_format: str, process: str, write: Callable[[bytes], int] | None = None) -> None:
        """`write` takes octets as os.write(2, ...) does, and is that if it is not given."""
        self._format = _as_json if log_format == "json" else _as_text
        self._process = process
        self._write = write or _write_to_standard_error
        self._waiting: list[str] = []
        self._unwritten = b""
        self._timer: asyncio.TimerHandle | None = None
        self._second = 0
        self._second_text = ""

    def closed(self, connection: ClosedConnection, /) -> None:
        """See AccessLog."""
        self._waiting.append(self._format(connection, self._timestamp(), self._process))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_FLUSH_AFTER, self._flush_later)

    def _timestamp(self) -> str:
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._second_text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._second_text}.{int((now - second) * 1_000_000):06d}Z"

    def _flush_later(self) -> None:
        self._timer = None
        self._write_waiting()
        if self._unwritten:
            self._timer = asyncio.get_running_loop().call_later(_FLUSH_AFTER, self._flush_later)

    def flush(self) -> None:
        """See AccessLog."""
        end = time.monotonic() + _LAST_WAIT
        self._write_waiting()
        while self._unwritten and time.monotonic() < end:
            time.sleep(_FLUSH_AFTER / 10)
            self._write_waiting()

    def _write_waiting(self) -> None:
        lines, self._waiting = self._waiting, []
        data = self._unwritten + "".join(lines).encode()
        self._unwritten = b""
        position = 0
        while position < len(data):
            try:
                position += self._write(data[position : _end_of_lines(data, position)])
            except BlockingIOError:
                self._unwritten = data[position:] if len(data) - position <= _MOST_WAITING else b""
                return
            except OSError:  # a broken pipe, a full disk: a log that nobody reads must not keep the server from serving
                return


def _end_of_lines(data: bytes, start: int) -> int:
    """Where to cut: behind as many whole lines as one write may hold, at least one."""
    if len(data) - start <= standard_error.MOST_IN_ONE_WRITE:
        return len(data)
    end = data.rfind(b"\n", start, start + standard_error.MOST_IN_ONE_WRITE)
    return (end if end >= 0 else data.index(b"\n", start)) + 1


def _write_to_standard_error(data: bytes) -> int:
    if not standard_error.takes_more():
        raise BlockingIOError
    return os.write(2, data)


def _as_json(c: ClosedConnection, timestamp: str, process: str) -> str:
    """Only what clients have said needs escaping: all else is made of characters that JSON takes as they are."""
    optional = f',"peer":"{c.peer}"' if c.peer is not None else ""
    if c.tls_version is not None:
        optional += f',"tlsVersion":"{c.tls_version}","cipherSuite":"{c.cipher_suite}"'
    if c.server_name is not None:
        optional += f',"serverName":{json.dumps(c.server_name)}'
    if c.account is not None:
        optional += f',"account":{json.dumps(c.account)}'
    return (
        f'{{"id":"{c.id}","listener":"{c.listener}","protocol":"{c.protocol}","source":"{c.source}",'
        f'"destination":"{c.destination}"{optional},"seconds":{c.seconds:.3f},"received":{c.received},"sent":{c.sent},'
        f'"ending":"{c.ending}","process":"{process}","event":"{_EVENT}","level":"info","timestamp":"{timestamp}"}}\n'
    )


def _as_text(c: ClosedConnection, timestamp: str, process: str) -> str:
    optional = f" peer={c.peer}" if c.peer is not None else ""
    if c.tls_version is not None:
        optional += f" tlsVersion={c.tls_version} cipherSuite={c.cipher_suite}"
    if c.server_name is not None:
        optional += f" serverName={_quoted(c.server_name)}"
    if c.account is not None:
        optional += f" account={_quoted(c.account)}"
    return (
        f"{timestamp} [info     ] {_EVENT:<26} id={c.id} listener={c.listener} protocol={c.protocol} source={c.source}"
        f" destination={c.destination}{optional} seconds={c.seconds:.3f} received={c.received} sent={c.sent}"
        f" ending={c.ending} process={process}\n"
    )


def _quoted(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else json.dumps(text)
