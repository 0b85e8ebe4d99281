"""Clients that visit a server in a loop, and keep account of what they have seen and of everything that goes wrong."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from functools import partial


class ClientLoad:
    """`errors` is what went wrong; `seen` counts the visits that went well by what they gave."""

    def __init__(self, visit: Callable[[], Hashable]) -> None:
        self._visit = visit
        self._is_over = threading.Event()
        self._lock = threading.Lock()
        self.errors: list[str] = []
        self.seen: Counter[Hashable] = Counter()

    @property
    def visits(self) -> int:
        """How many went well."""
        return self.seen.total()

    def run(self) -> None:
        """One client's loop."""
        while not self._is_over.is_set():
            try:
                given = self._visit()
            except (OSError, AssertionError) as error:
                with self._lock:
                    self.errors.append(repr(error))
            else:
                with self._lock:
                    self.seen[given] += 1

    def stop(self) -> None:
        """No further visits."""
        self._is_over.set()


@contextmanager
def visits_in_a_loop(visit: Callable[[], Hashable], count: int) -> Iterator[ClientLoad]:
    """`count` clients in threads, until the block ends."""
    load = ClientLoad(visit)
    threads = [threading.Thread(target=load.run, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.stop()
        for thread in threads:
            thread.join(60)


@contextmanager
def clients_in_a_loop(
    address: tuple[str, int], *, count: int = 50, greeting: bytes = b"220 ", farewell: bytes = b"QUIT\r\n"
) -> Iterator[ClientLoad]:
    """Clients that connect, speak and leave."""
    with visits_in_a_loop(partial(_speak, address, greeting, farewell), count) as load:
        yield load


def _speak(address: tuple[str, int], greeting: bytes, farewell: bytes) -> None:
    """Connect, be greeted, say goodbye, see the server close."""
    with socket.create_connection(address, timeout=20) as sock:
        received = b""
        while not received.endswith(b"\r\n"):
            received += _some(sock)
        assert received.startswith(greeting), received
        sock.sendall(farewell)
        while data := sock.recv(4096):
            received += data


def _some(sock: socket.socket) -> bytes:
    data = sock.recv(4096)
    if not data:
        raise ConnectionError("closed before the greeting was complete")
    return data
