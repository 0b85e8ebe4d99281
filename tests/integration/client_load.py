"""Clients that connect, speak and leave in a loop, and keep account of everything that goes wrong."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class ClientLoad:
    """`errors` is what went wrong; `visits` counts what went well."""

    def __init__(self, address: tuple[str, int], greeting: bytes, farewell: bytes) -> None:
        self._address = address
        self._greeting = greeting
        self._farewell = farewell
        self._is_over = threading.Event()
        self._lock = threading.Lock()
        self.errors: list[str] = []
        self.visits = 0

    def visit(self) -> None:
        """Connect, be greeted, say goodbye, see the server close."""
        with socket.create_connection(self._address, timeout=20) as sock:
            received = b""
            while not received.endswith(b"\r\n"):
                received += _some(sock)
            assert received.startswith(self._greeting), received
            sock.sendall(self._farewell)
            while data := sock.recv(4096):
                received += data

    def run(self) -> None:
        """One client's loop."""
        while not self._is_over.is_set():
            try:
                self.visit()
            except (OSError, AssertionError) as error:
                with self._lock:
                    self.errors.append(repr(error))
            else:
                with self._lock:
                    self.visits += 1

    def stop(self) -> None:
        """No further visits."""
        self._is_over.set()


def _some(sock: socket.socket) -> bytes:
    data = sock.recv(4096)
    if not data:
        raise ConnectionError("closed before the greeting was complete")
    return data


@contextmanager
def clients_in_a_loop(
    address: tuple[str, int], *, count: int = 50, greeting: bytes = b"220 ", farewell: bytes = b"QUIT\r\n"
) -> Iterator[ClientLoad]:
    """`count` clients in threads, until the block ends."""
    load = ClientLoad(address, greeting, farewell)
    threads = [threading.Thread(target=load.run, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.stop()
        for thread in threads:
            thread.join(60)
