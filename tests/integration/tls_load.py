"""TLS clients that connect, shake hands, are greeted and leave in a loop, and say which certificates they have seen."""

from __future__ import annotations

import socket
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from cryptography import x509
from tests.tls_client import trusting_context


def served_certificate(address: tuple[str, int], server_name: str | None = None) -> x509.Certificate:
    """The first of the chain that a client gets now."""
    sock = socket.create_connection(address, timeout=20)
    with sock, trusting_context().wrap_socket(sock, server_hostname=server_name) as tls:
        octets = tls.getpeercert(binary_form=True)
        assert octets is not None
        assert tls.recv(4096), "no greeting"
        return x509.load_der_x509_certificate(octets)


class TlsLoad:
    """`errors` is what went wrong; `seen` counts handshakes by the serial number of the certificate."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._is_over = threading.Event()
        self._lock = threading.Lock()
        self.errors: list[str] = []
        self.seen: Counter[int] = Counter()

    def run(self) -> None:
        """One client's loop."""
        while not self._is_over.is_set():
            try:
                serial = served_certificate(self._address).serial_number
            except (OSError, AssertionError, ssl.SSLError) as error:
                with self._lock:
                    self.errors.append(repr(error))
            else:
                with self._lock:
                    self.seen[serial] += 1

    def stop(self) -> None:
        """No further handshakes."""
        self._is_over.set()


@contextmanager
def tls_clients_in_a_loop(address: tuple[str, int], count: int = 8) -> Iterator[TlsLoad]:
    """`count` clients in threads, until the block ends."""
    load = TlsLoad(address)
    threads = [threading.Thread(target=load.run, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.stop()
        for thread in threads:
            thread.join(60)
