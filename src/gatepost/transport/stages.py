"""What happens between accept and the conversation, each with its deadline: the PROXY header, the TLS handshake."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from OpenSSL import SSL

from gatepost.protocols.proxy_header.decode import DEFAULT_LIMIT, decode
from gatepost.protocols.proxy_header.describe import describe
from gatepost.protocols.proxy_header.header import Incomplete, MalformedHeader, ProxyFailure, ProxyHeader
from gatepost.transport.descriptor_transport import DescriptorTransport
from gatepost.transport.tls_channel import TlsChannel, TlsFailed, WouldBlockOnRead, WouldBlockOnWrite
from gatepost.transport.tls_failure import TlsFailure


class ProxyHeaderStage:
    """Reads one PROXY header. `done(header, surplus)` gets it, with the octets that came behind it.

    `is_tls_next`: not one octet more than the header is taken from the socket, so that TLS begins on a clean one, and the
    surplus is empty. What comes is peeked at, and taken as far as it belongs to the header: what is left in the kernel would
    be reported again and again, and fill a small receive buffer. In clear what comes is taken and decoded in place, which
    costs a system call less. A proxy sends its header at once: where that is there already, nothing is waited for.

    `failed(why, words)`: the words say for the log what was seen instead.
    """

    __slots__ = ("_done", "_failed", "_peeks", "_seen", "_timeout", "_timer", "_transport")

    def __init__(
        self,
        transport: DescriptorTransport,
        timeout: float,
        done: Callable[[ProxyHeader, bytes], None],
        failed: Callable[[ProxyFailure, str], None],
        *,
        is_tls_next: bool,
    ) -> None:
        self._transport = transport
        self._timeout = timeout
        self._done = done
        self._failed = failed
        self._peeks = is_tls_next
        self._seen = b""
        self._timer: asyncio.TimerHandle | None = None
        self._readable()

    def _readable(self) -> None:
        try:
            got = self._peek() if self._peeks else self._transport.take(DEFAULT_LIMIT)
        except (BlockingIOError, InterruptedError):
            self._wait()
            return
        except OSError as error:
            words = f"got {describe(self._seen)}, then the connection broke: {error.strerror}"
            self._fail(ProxyFailure.CLOSED, words)
            return
        if not got:
            self._fail(ProxyFailure.CLOSED, f"got {describe(self._seen)}, then the connection was closed")
            return
        taken, self._seen = len(self._seen), self._seen + got
        self._look(taken)

    def _peek(self) -> bytes:
        return self._transport.sock.recv(DEFAULT_LIMIT, socket.MSG_PEEK)

    def _look(self, taken: int) -> None:
        """`taken`: octets of the header that are not in the kernel any more, where the others are only peeked at."""
        try:
            result = decode(self._seen)
        except MalformedHeader as error:
            self._fail(error.failure, f"got {describe(self._seen)}: {error}")
            return
        length = len(self._seen) if isinstance(result, Incomplete) else result.length
        if self._peeks:
            self._transport.sock.recv(length - taken)
        if isinstance(result, Incomplete):
            self._wait()
            return
        self._end()
        self._done(result.header, b"" if self._peeks else self._seen[length:])

    def _wait(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._timeout, self._timed_out)
            self._transport.watch_reading(self._readable)

    def _timed_out(self) -> None:
        words = f"got {describe(self._seen)} within {self._timeout:g} s: the PROXY header did not come"
        self._fail(ProxyFailure.TIMEOUT, words)

    def _fail(self, failure: ProxyFailure, words: str) -> None:
        self._end()
        if not self._transport.is_closing():  # else somebody has ended the connection meanwhile, which is no failure
            self._failed(failure, words)

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._transport.unwatch()


class TlsHandshakeStage:
    """One TLS handshake on the transport's descriptor. `timeout=None`: no deadline. `failed` is told the kind of failure,
    and words for the log."""

    __slots__ = ("_channel", "_context", "_done", "_failed", "_has_ended", "_is_writing", "_timer", "_transport")

    def __init__(
        self,
        transport: DescriptorTransport,
        context: SSL.Context,
        timeout: float | None,
        done: Callable[[], None],
        failed: Callable[[TlsFailure, str], None],
    ) -> None:
        self._transport = transport
        self._done = done
        self._failed = failed
        self._context = context
        self._channel: TlsChannel | None = None  # made when the client speaks: one that is silent costs no TLS state
        self._is_writing: bool | None = None
        self._has_ended = False
        self._timer: asyncio.TimerHandle | None = None
        if timeout is not None:
            self._timer = asyncio.get_running_loop().call_later(timeout, self._timed_out, timeout)
        self._wait(is_writing=False)

    def _go_on(self) -> None:
        if self._channel is not None:
            self._advance()
        elif not self._transport.take_long_step(self._begin):
            self._is_writing = None
            self._transport.unwatch()

    def _begin(self) -> None:
        """The client has said something: now the server's part of the key exchange has to be made and signed."""
        if self._has_ended or self._transport.is_closing():
            return
        self._channel = TlsChannel(self._context, self._transport.descriptor)
        self._advance()

    def _advance(self) -> None:
        assert self._channel is not None  # noqa: S101 - _begin has made it
        try:
            self._channel.handshake()
        except WouldBlockOnRead:
            self._wait(is_writing=False)
        except WouldBlockOnWrite:
            self._wait(is_writing=True)
        except TlsFailed as error:
            self._fail(error.failure, str(error))
        else:
            self._end()
            self._transport.use_tls(self._channel)
            self._done()

    def _wait(self, *, is_writing: bool) -> None:
        if self._is_writing == is_writing:
            return
        if self._is_writing is not None:
            self._transport.unwatch()
        self._is_writing = is_writing
        if is_writing:
            self._transport.watch_writing(self._go_on)
        else:
            self._transport.watch_reading(self._go_on)

    def _timed_out(self, timeout: float) -> None:
        how_far = "the client said nothing" if self._channel is None else "the client did not finish"
        self._fail(TlsFailure.TIMEOUT, f"no handshake within {timeout:g} s: {how_far}")

    def _fail(self, failure: TlsFailure, reason: str) -> None:
        self._end()
        if not self._transport.is_closing():  # else somebody has ended the connection meanwhile, which is no failure
            self._failed(failure, reason)

    def _end(self) -> None:
        self._has_ended = True
        if self._timer is not None:
            self._timer.cancel()
        self._transport.unwatch()
