"""A process of clients that come to every address of a server in a loop, and keep account of how each attempt ended.

Run by `visitors_at`; a process of its own, so that the test's own work does not slow the clients down. It visits until its
standard input ends, each client some times at least, and then prints the account as JSON: outcomes by target.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import uvloop
from tests.python_process import python_environment
from tests.tls_client import TlsByHand

GREETED = "greeted"
REFUSED = "refused"
ENDED_BEFORE_GREETING = "ended before the greeting"
SILENT = "silent"  # connected, and nothing was said: a listener that waits for a ClientHello by now
TIMED_OUT = "timed out"

_PATIENCE = 20.0  # seconds; far beyond the second after which a SYN that was dropped is sent again
_SILENCE = 1.0  # seconds without a word after which a client in clear tries TLS
_VISITS_AT_LEAST = 5  # of each client
_CLOSE_AT_ONCE = struct.pack("ii", 1, 0)  # no TIME_WAIT: ports would run out


class Target(msgspec.Struct, frozen=True):
    """Where to go, and how to begin: a PROXY header, TLS, both, or listening for the greeting."""

    name: str
    host: str
    port: int
    is_tls: bool = False
    header: bytes = b""


async def _attempt(target: Target, *, is_tls: bool) -> str:
    """One connection: how it ended."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET6 if ":" in target.host else socket.AF_INET) as sock:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _CLOSE_AT_ONCE)
        try:
            await loop.sock_connect(sock, (target.host, target.port))
        except ConnectionRefusedError:
            return REFUSED
        except ConnectionResetError:
            return ENDED_BEFORE_GREETING
        try:
            await loop.sock_sendall(sock, target.header)
            if is_tls:
                return await _greeted_in_tls(loop, sock)
            async with asyncio.timeout(_SILENCE):
                return GREETED if await loop.sock_recv(sock, 4096) else ENDED_BEFORE_GREETING
        except TimeoutError:
            return SILENT
        except (ConnectionResetError, BrokenPipeError):
            return ENDED_BEFORE_GREETING


async def _greeted_in_tls(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> str:
    tls = TlsByHand()
    to_send, received = tls.shake_hands(), b""
    while not tls.has_shaken_hands:
        await loop.sock_sendall(sock, to_send)
        received = await loop.sock_recv(sock, 65536)
        if not received:
            return ENDED_BEFORE_GREETING
        if received[:1].isalnum() or received[:1] in b"*+":
            return GREETED  # in clear: what is offered changed meanwhile
        to_send = tls.shake_hands(received)
    await loop.sock_sendall(sock, to_send)
    greeting = tls.decrypt(b"")
    while not greeting:
        received = await loop.sock_recv(sock, 65536)
        if not received:
            return ENDED_BEFORE_GREETING
        greeting = tls.decrypt(received)
    return GREETED


async def _visit(target: Target) -> str:
    try:
        async with asyncio.timeout(_PATIENCE):
            outcome = await _attempt(target, is_tls=target.is_tls)
            return await _attempt(target, is_tls=True) if outcome == SILENT else outcome
    except TimeoutError:
        return TIMED_OUT


async def _run(targets: Sequence[Target], clients: int) -> dict[str, Counter[str]]:
    account: dict[str, Counter[str]] = {target.name: Counter() for target in targets}
    is_over = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), is_over.set)

    async def client(target: Target) -> None:
        visits = 0
        while not is_over.is_set() or visits < _VISITS_AT_LEAST:
            account[target.name][await _visit(target)] += 1
            visits += 1

    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.gather(*(client(target) for target in targets for _ in range(clients)))
    return account


class Visitors:
    """The account, once the block of `visitors_at` has ended."""

    def __init__(self) -> None:
        self.outcomes: dict[str, dict[str, int]] = {}

    def count(self, outcome: str) -> int:
        """How many attempts ended so, at all targets together."""
        return sum(outcomes.get(outcome, 0) for outcomes in self.outcomes.values())

    def kinds(self) -> set[str]:
        """Every way that attempts ended."""
        return {outcome for outcomes in self.outcomes.values() for outcome in outcomes}


@contextmanager
def visitors_at(targets: Sequence[Target], *, clients: int = 8) -> Iterator[Visitors]:
    """`clients` clients at each target until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.visitors", str(clients), msgspec.json.encode(targets).decode()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env=python_environment(),
    )
    visitors = Visitors()
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield visitors
        account, _ = process.communicate(timeout=60)
        visitors.outcomes = json.loads(account)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def main() -> None:
    """Visit until standard input ends."""
    targets = msgspec.json.decode(sys.argv[2], type=list[Target])
    account = uvloop.run(_run(targets, int(sys.argv[1])))
    sys.stdout.write(json.dumps(account))


if __name__ == "__main__":
    main()
