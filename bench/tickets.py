"""What session tickets cost: CPU of the server's side of TLS 1.3 handshakes, without tickets and with the two that OpenSSL sends.

    python -m bench.tickets [handshakes]

The same context three ways, interleaved; the client is a process of its own. The figures stand in ADR 0014.
"""

from __future__ import annotations

import os
import socket
import ssl
import statistics
import sys
import time
from datetime import UTC, datetime

from OpenSSL import SSL

from gatepost.boot.self_signed import make_self_signed
from gatepost.plan.plan import CertificatePlan, ProtocolName, TlsPlan
from gatepost.transport.tls_contexts import TlsContexts
from gatepost.values.ids import Id

_ROUNDS = 6
_POLICY = TlsPlan(
    tls13_suites=("TLS_AES_256_GCM_SHA384",),
    tls12_suites=(),
    is_tls13_enabled=True,
    is_tls12_enabled=False,
    prefer_server_order=True,
)


def _context(kind: str) -> SSL.Context:
    made = make_self_signed("localhost", datetime.now(UTC))
    assert made.certificate is not None and made.private_key is not None
    plan = CertificatePlan(
        id=Id("c"), chain_pem=made.certificate, private_key_pem=made.private_key.reveal(), names=(), is_fallback=True
    )
    context = TlsContexts([plan]).of(_POLICY, ProtocolName.IMAP).context
    if kind != "none":
        context.set_tlsext_servername_callback(lambda _connection: None)
    if kind == "two, stateful":
        context.set_options(SSL.OP_NO_TICKET)
    return context


def _client(address: tuple[str, int], count: int) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for _ in range(count):
        with socket.create_connection(address) as sock, context.wrap_socket(sock) as tls:
            tls.recv(100)


def _microseconds(context: SSL.Context, count: int) -> float:
    """Of this process, for each handshake with a greeting."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        child = os.fork()
        if child == 0:
            _client(listening.getsockname(), count)
            os._exit(0)
        begun = time.process_time()
        for _ in range(count):
            sock, _ = listening.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with sock:
                connection = SSL.Connection(context, sock)
                connection.set_accept_state()
                connection.do_handshake()
                connection.send(b"* OK\r\n")
        spent = time.process_time() - begun
        os.waitpid(child, 0)
    return spent / count * 1e6


def main(count: int) -> None:
    """Print one line for each kind: median, and ratio to none with its range."""
    kinds = ("none", "two, stateful", "two, stateless")
    taken: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(_ROUNDS):
        for kind in kinds:
            taken[kind].append(_microseconds(_context(kind), count))
    for kind, figures in taken.items():
        ratios = [figure / none for figure, none in zip(figures[1:], taken["none"][1:], strict=True)]
        ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
        sys.stdout.write(f"{kind:16} {statistics.median(figures[1:]):7.0f} us   x {ratio}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
