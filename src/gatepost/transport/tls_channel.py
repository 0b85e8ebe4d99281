"""TLS on a descriptor: a small interface of our own in front of pyOpenSSL, so that no other file knows the library."""

from __future__ import annotations

from OpenSSL import SSL

from gatepost.transport.alpn import NoCommonProtocol
from gatepost.transport.tls_failure import TlsFailure, failure_of

_CHUNK = 16384  # octets; the largest content of a TLS record (RFC 8446 section 5.1)


class TlsFailed(Exception):
    """The TLS connection cannot go on; the text says why, in OpenSSL's words where it has any, and `failure` in one of ours."""

    def __init__(self, failure: TlsFailure, words: str) -> None:
        super().__init__(words)
        self.failure = failure


# Raised on the way of every connection, so they are the library's own: try again when the descriptor is readable, writable.
WouldBlockOnRead = SSL.WantReadError
WouldBlockOnWrite = SSL.WantWriteError


class TlsChannel:
    """The server side of one TLS connection. The descriptor stays owned by the transport."""

    __slots__ = ("_connection", "_version")

    def __init__(self, context: SSL.Context, descriptor: int) -> None:
        self._connection = SSL.Connection(context, descriptor)  # type: ignore[arg-type]  # it asks a socket for no more
        self._version: str | None = None
        self._connection.set_accept_state()

    def handshake(self) -> None:
        """Go on with the handshake; returns when it is complete. Raises WouldBlockOnRead/Write, TlsFailed."""
        try:
            self._connection.do_handshake()
        except (WouldBlockOnRead, WouldBlockOnWrite):
            raise
        except NoCommonProtocol as error:
            raise TlsFailed(TlsFailure.NO_COMMON_PROTOCOL, str(error)) from None
        except SSL.Error as error:
            raise _failed(error) from None
        except OSError as error:
            raise TlsFailed(TlsFailure.CLOSED, error.strerror or str(error)) from None

    def receive(self) -> bytes:
        """Some octets; empty at the end of the stream. Raises WouldBlockOnRead/Write, TlsFailed."""
        try:
            return self._connection.recv(_CHUNK)
        except (WouldBlockOnRead, WouldBlockOnWrite):
            raise
        except SSL.ZeroReturnError:
            return b""
        except SSL.SysCallError as error:
            if error.args[0] > 0:  # an errno: the connection is broken, and was not just ended without a close_notify
                raise _failed(error) from None
            return b""
        except SSL.Error as error:
            raise _failed(error) from None

    def send(self, data: bytes | bytearray | memoryview) -> int:
        """The number of octets taken, a record at most. Raises WouldBlockOnRead/Write, TlsFailed. The call after a WouldBlock must
        begin with the same octets."""
        try:
            return self._connection.send(data)
        except (WouldBlockOnRead, WouldBlockOnWrite):
            raise
        except SSL.Error as error:
            raise _failed(error) from None

    @property
    def has_decrypted(self) -> bool:
        """Whether `receive` gives octets that the kernel does not report any more."""
        return self._connection.pending() > 0

    def send_close_notify(self) -> None:
        """Tell the client that no more comes (RFC 8446 section 6.1). Best effort."""
        try:
            self._connection.shutdown()
        except (SSL.Error, OSError):
            pass

    @property
    def version(self) -> str:
        """`TLSv1.3`"""
        if self._version is None:
            self._version = self._connection.get_protocol_version_name()
        return self._version

    @property
    def cipher_suite(self) -> str:
        """OpenSSL's name of the cipher suite."""
        return self._connection.get_cipher_name() or "unknown"

    @property
    def key_exchange_group(self) -> str | None:
        """OpenSSL's name of the group (`X25519MLKEM768`, `x25519`, `secp256r1`)."""
        return self._connection.get_group_name()

    @property
    def server_name(self) -> str | None:
        """The host name that the client asked for (SNI, RFC 6066 section 3), as it spelled it."""
        name = self._connection.get_servername()
        return None if name is None else name.decode("ascii", "backslashreplace")

    @property
    def application_protocol(self) -> str | None:
        """The name agreed on (ALPN, RFC 7301); None where the client named none."""
        return self._connection.get_alpn_proto_negotiated().decode("ascii") or None


def _failed(error: SSL.Error) -> TlsFailed:
    if isinstance(error, (SSL.SysCallError, SSL.ZeroReturnError)):
        return TlsFailed(TlsFailure.CLOSED, "the client closed the connection")
    entries = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return TlsFailed(*failure_of([str(entry[-1]) for entry in entries]))
