"""A server of TLS handshakes in a thread, with certificates of the tests, and the standard library's client for it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator

from tests.transport.certificates import certificate, root_pem

from gatepost.plan.derive import derive
from gatepost.plan.plan import CertificatePlan, ProtocolName, TlsPlan
from gatepost.registry.configuration import Configuration, ObjectRef
from gatepost.registry.network_listener import NETWORK_LISTENER, NetworkListener
from gatepost.registry.tls import TlsCipherSuite, TlsVersion
from gatepost.transport.tls_channel import TlsChannel, TlsFailed
from gatepost.transport.tls_contexts import TlsContexts
from gatepost.transport.tls_failure import TlsFailure
from gatepost.values.ids import Id
from gatepost.values.socket_address import SocketAddress

RSA = certificate("rsa", "mail.example.org", is_fallback=True)
ECDSA = certificate("ecdsa", "mail.example.org", is_fallback=True)
EXACT = certificate("ecdsa", "exact.example.org")
WILDCARD = certificate("ecdsa", "*.example.net")
BOTH = (RSA, ECDSA)

TLS13 = ("TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256")
TLS12_ECDSA = (
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
)
TLS12_RSA = ("ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-CHACHA20-POLY1305")


def policy(
    *,
    without: tuple[TlsCipherSuite, ...] = (),
    disabled: tuple[TlsVersion, ...] = (),
    prefer_server_order: bool = True,
) -> TlsPlan:
    """The policy that a listener's fields ask for."""
    listener = NetworkListener(
        name="imap",
        bind=(SocketAddress.parse("127.0.0.1:1143"),),
        tls_disable_cipher_suites=without,
        tls_disable_protocols=disabled,
        tls_ignore_client_order=prefer_server_order,
    )
    configuration = Configuration.load(()).replace(ObjectRef(NETWORK_LISTENER.name, Id("l")), listener)
    plan = derive(configuration, 1)
    tls = plan.listeners[0].tls
    assert tls is not None
    return tls


class Server:
    """Serves handshakes of one policy in a thread, one after the other, and says what was agreed. `failures` and `words`
    are of those that came to nothing; `channel` is the last one."""

    def __init__(self, tls: TlsPlan, certificates: tuple[CertificatePlan, ...], protocol: ProtocolName) -> None:
        self._contexts = TlsContexts(certificates)
        self._policy = tls
        self._protocol = protocol
        self.failures: list[TlsFailure] = []
        self.words: list[str] = []
        self.channel: TlsChannel | None = None
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = self._listening.getsockname()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._listening.accept()
            except OSError:
                return
            with sock:
                sock.settimeout(None)
                channel = TlsChannel(self._contexts.of(self._policy, self._protocol).context, sock.fileno())
                self.channel = channel
                try:
                    channel.handshake()
                    channel.send(f"{channel.version} {channel.cipher_suite} {channel.key_exchange_group}".encode())
                    channel.receive()
                    channel.send_close_notify()
                except TlsFailed as error:
                    self.failures.append(error.failure)
                    self.words.append(str(error))

    def close(self) -> None:
        """Serve no more; the failures are complete then."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(20)


@contextlib.contextmanager
def serving(
    tls: TlsPlan, *certificates: CertificatePlan, protocol: ProtocolName = ProtocolName.IMAP
) -> Iterator[Server]:
    """A server until the block ends."""
    server = Server(tls, certificates or BOTH, protocol)
    try:
        yield server
    finally:
        server.close()


def client_context(
    *, tls12_ciphers: str | None = None, version: ssl.TLSVersion | None = None, verify: bool = False
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = verify
    if verify:
        context.load_verify_locations(cadata=root_pem())
    else:
        context.verify_mode = ssl.CERT_NONE
    if tls12_ciphers is not None:
        context.set_ciphers(tls12_ciphers)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


def handshake(
    server: Server,
    context: ssl.SSLContext,
    name: str | None = "mail.example.org",
    session: ssl.SSLSession | None = None,
) -> tuple[str, ssl.SSLSocket]:
    """What the server says was agreed, and the connection, which is closed."""
    sock = socket.create_connection(server.address, timeout=20)
    with sock, context.wrap_socket(sock, server_hostname=name, session=session) as tls:
        agreed = tls.recv(1000).decode()
        tls.send(b"x")
        tls.recv(1000)
        return agreed, tls


def agreed_suite(server: Server, context: ssl.SSLContext) -> str | None:
    """What the server says it is; None where the handshake fails."""
    try:
        return handshake(server, context)[0].split()[1]
    except (ssl.SSLError, ConnectionError):
        return None
