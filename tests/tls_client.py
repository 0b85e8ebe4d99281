"""TLS clients of tests that trust whoever answers: servers of tests have made their certificates themselves."""

from __future__ import annotations

import ssl


def trusting_context() -> ssl.SSLContext:
    """TLS without verification."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class TlsByHand:
    """A client without a socket: the test carries its octets, whole or cut."""

    def __init__(self) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = trusting_context().wrap_bio(self._incoming, self._outgoing)
        self.has_shaken_hands = False

    def shake_hands(self, received: bytes = b"") -> bytes:
        """The next octets to send: without any that were received, the ClientHello."""
        self._incoming.write(received)
        try:
            self._tls.do_handshake()
            self.has_shaken_hands = True
        except ssl.SSLWantReadError:
            pass
        return self._outgoing.read()

    def encrypt(self, data: bytes) -> bytes:
        """The octets to send for it."""
        self._tls.write(data)
        return self._outgoing.read()

    def decrypt(self, received: bytes) -> bytes:
        """What the server says in them and in what came before; empty as long as it is incomplete."""
        self._incoming.write(received)
        try:
            return self._tls.read(65536)
        except ssl.SSLWantReadError:
            return b""
