"""A process that runs out of descriptors while clients come: how often it tries to accept, and whom it serves in the end.

Run with the number of clients; prints what happened as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
import sys
from typing import Any

import uvloop

from gatepost.transport.accept_loop import AcceptLoop

_SHORTAGE = 0.6  # seconds that the process has no descriptor left


class CountingSocket(socket.socket):
    """Counts how often somebody tries to accept."""

    attempts = 0

    def _accept(self) -> tuple[int, Any]:
        CountingSocket.attempts += 1
        return super()._accept()  # type: ignore[misc, no-any-return]  # see AcceptLoop


async def main(client_count: int) -> None:
    listening = CountingSocket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(client_count + 10)
    listening.setblocking(False)
    clients = [socket.create_connection(listening.getsockname()) for _ in range(client_count)]
    limits, taken = _take_all_descriptors()
    served: list[int] = []
    pauses: list[OSError] = []

    def serve(descriptor: int, _address: tuple[object, ...]) -> None:
        served.append(descriptor)
        os.write(descriptor, b"hello")

    loop = AcceptLoop(listening, serve, pauses.append, lambda: None)
    await asyncio.sleep(_SHORTAGE)
    outcome = {"served_meanwhile": len(served), "attempts": CountingSocket.attempts, "pauses": len(pauses)}
    for descriptor in taken:
        os.close(descriptor)
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    answers = await asyncio.gather(*(asyncio.to_thread(_answer, client) for client in clients))
    loop.close()
    json.dump({**outcome, "answered": answers.count("hello")}, sys.stdout)


def _take_all_descriptors() -> tuple[tuple[int, int], list[int]]:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 16, limits[1]))  # noqa: PTH208 - names of descriptors, not paths
    taken: list[int] = []
    while True:
        try:
            taken.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            return limits, taken


def _answer(client: socket.socket) -> str:
    client.settimeout(20)
    try:
        return client.recv(100).decode()
    except OSError as error:
        return repr(error)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
