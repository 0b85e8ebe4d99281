"""TLS clients that connect, shake hands, are greeted and leave in a loop, and say which certificates they have seen."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from cryptography import x509
from tests.integration.client_load import ClientLoad, visits_in_a_loop
from tests.tls_client import trusting_context


def served_certificate(address: tuple[str, int], server_name: str | None = None) -> x509.Certificate:
    """The first of the chain that a client gets now."""
    sock = socket.create_connection(address, timeout=20)
    with sock, trusting_context().wrap_socket(sock, server_hostname=server_name) as tls:
        octets = tls.getpeercert(binary_form=True)
        assert octets is not None
        assert tls.recv(4096), "no greeting"
        return x509.load_der_x509_certificate(octets)


@contextmanager
def tls_clients_in_a_loop(address: tuple[str, int], count: int = 8) -> Iterator[ClientLoad]:
    """What they have seen is counted by the serial number of the certificate."""
    with visits_in_a_loop(lambda: served_certificate(address).serial_number, count) as load:
        yield load
