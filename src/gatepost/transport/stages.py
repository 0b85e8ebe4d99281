"""What happens between accept and the conversation, each with its deadline: the PROXY header, the TLS handshake."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from OpenSSL import SSL

from gatepost.protocols.proxy_header.decode import DEFAULT_LIMIT, decode
from gatepost.protocols.proxy_header.describe import describe
from gatepost.protocols.proxy_header.header import Incomplete, MalformedHeader, ProxyHeader
from gatepost.transport.descriptor_transport import DescriptorTransport
from gatepost.transport.tls_channel import TlsChannel, TlsFailed, WouldBlockOnRead, WouldBlockOnWrite

Failed = Callable[[str], None]


class ProxyHeaderStage:
    """Reads one PROXY header from the socket and not one octet more, so that TLS can begin on a clean socket.

    The octets are peeked at until the header is whole, then exactly its length is read. SO_RCVLOWAT keeps the loop from
    being woken for octets that were seen already.
    """

    __slots__ = ("_done", "_failed", "_timer", "_transport", "_wanted")

    def __init__(
        self,
        transport: DescriptorTransport,
        timeout: float,
        done: Callable[[ProxyHeader], None],
        failed: Failed,
    ) -> None:
        self._transport = transport
        self._done = done
        self._failed = failed
        self._wanted = 1
        self._timer = asyncio.get_running_loop().call_later(timeout, self._timed_out, timeout)
        transport.watch_reading(self._readable)

    def _readable(self) -> None:
        sock = self._transport.sock
        try:
            seen = sock.recv(DEFAULT_LIMIT, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._fail(f"connection broke before the PROXY header: {error.strerror}")
            return
        if len(seen) < self._wanted:  # woken for less than was waited for: nothing more will come
            self._fail(f"got {describe(seen)}, then the connection was closed")
            return
        try:
            result = decode(seen)
        except MalformedHeader as error:
            self._fail(f"got {describe(seen)}: {error}")
            return
        if isinstance(result, Incomplete):
            self._wanted = max(result.at_least, len(seen) + 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, self._wanted)
            return
        sock.recv(result.length)
        if self._wanted > 1:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        self._end()
        self._done(result.header)

    def _timed_out(self, timeout: float) -> None:
        seen = b""
        try:
            seen = self._transport.sock.recv(64, socket.MSG_PEEK)
        except OSError:
            pass
        self._fail(f"got {describe(seen)} within {timeout:g} s: the PROXY header did not come")

    def _fail(self, reason: str) -> None:
        self._end()
        if not self._transport.is_closing():  # else somebody has ended the connection meanwhile, which is no failure
            self._failed(reason)

    def _end(self) -> None:
        self._timer.cancel()
        self._transport.unwatch()


class TlsHandshakeStage:
    """One TLS handshake on the transport's descriptor. `timeout=None`: no deadline."""

    __slots__ = ("_channel", "_context", "_done", "_failed", "_is_writing", "_timer", "_transport")

    def __init__(
        self,
        transport: DescriptorTransport,
        context: SSL.Context,
        timeout: float | None,
        done: Callable[[], None],
        failed: Failed,
    ) -> None:
        self._transport = transport
        self._done = done
        self._failed = failed
        self._context = context
        self._channel: TlsChannel | None = None  # made when the client speaks: one that is silent costs no TLS state
        self._is_writing: bool | None = None
        self._timer: asyncio.TimerHandle | None = None
        if timeout is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(timeout, self._fail, f"no handshake within {timeout:g} s")
        self._wait(is_writing=False)

    def _go_on(self) -> None:
        if self._channel is None:
            self._channel = TlsChannel(self._context, self._transport.sock)
        try:
            self._channel.handshake()
        except WouldBlockOnRead:
            self._wait(is_writing=False)
        except WouldBlockOnWrite:
            self._wait(is_writing=True)
        except TlsFailed as error:
            self._fail(str(error))
        else:
            self._end()
            self._transport.use_tls(self._channel)
            self._done()

    def _wait(self, *, is_writing: bool) -> None:
        if self._is_writing == is_writing:
            return
        self._is_writing = is_writing
        self._transport.unwatch()
        if is_writing:
            self._transport.watch_writing(self._go_on)
        else:
            self._transport.watch_reading(self._go_on)

    def _fail(self, reason: str) -> None:
        self._end()
        if not self._transport.is_closing():  # else somebody has ended the connection meanwhile, which is no failure
            self._failed(reason)

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._transport.unwatch()
