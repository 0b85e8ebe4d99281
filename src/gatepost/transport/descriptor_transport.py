"""The one owner of a connection's descriptor, from accept to close. Offers asyncio's Transport interface upwards.

Clear or TLS is a property of how octets are read and written, so STARTTLS, implicit TLS and a PROXY header before either
are the same mechanism on the same descriptor. Stages before the conversation (`stages.py`) borrow the descriptor by
`watch_reading` / `watch_writing`.

One class, though a long one: there is one object of it for each connection, and a second one that shared the work would cost
every connection its memory, and every step a call.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Any, Protocol

from gatepost.transport.connection_info import ConnectionInfo
from gatepost.transport.ending import Ending
from gatepost.transport.poller import READABLE, WRITABLE, Poller
from gatepost.transport.tls_channel import TlsChannel, TlsFailed, WouldBlockOnRead, WouldBlockOnWrite

_READ_SIZE = 65536  # octets
_READS_PER_TURN = 4  # TLS may hold records that the kernel does not report as readable; others get their turn too
_HIGH_WATER = 65536  # octets queued for sending at which the producer is asked to pause
_LOW_WATER = 16384
_CLOSE_DEADLINE = 10.0  # seconds without a client taking anything of what is queued when we close
_LINGER_DEADLINE = 2.0  # seconds to wait for the client's end, so that what we sent is not destroyed by a reset


class StreamProtocol(Protocol):
    """What the transport calls: the part of asyncio.Protocol that is used."""

    def connection_made(self, transport: asyncio.Transport, /) -> None: ...

    def data_received(self, data: bytes, /) -> None: ...

    def eof_received(self) -> bool | None: ...

    def connection_lost(self, exc: Exception | None, /) -> None: ...

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...


def _told(_transport: object) -> None:
    """In the place of `on_closed` once that was called."""


class DescriptorTransport(asyncio.Transport):
    """One accepted connection. `on_closed(transport)` is called exactly once, when the descriptor is closed."""

    __slots__ = (
        "_buffer",
        "_close_timer",
        "_events",
        "_fd",
        "_has_eof",
        "_is_closing",
        "_is_lingering",
        "_is_open",
        "_is_paused_reading",
        "_is_producer_paused",
        "_may_be_sending",
        "_on_closed",
        "_on_sent",
        "_poller",
        "_protocol",
        "_reader",
        "_sock",
        "_tls",
        "_wanted",
        "_writer",
        "bytes_received",
        "bytes_sent",
        "ending",
        "info",
    )

    def __init__(
        self,
        poller: Poller,
        descriptor: int,
        info: ConnectionInfo,
        on_closed: Callable[[DescriptorTransport], None],
    ) -> None:
        self._poller = poller
        self._fd = descriptor
        self._is_open = True
        self._sock: socket.SocketType | None = None
        self.info = info
        self._on_closed = on_closed
        self._protocol: StreamProtocol | None = None
        self._tls: TlsChannel | None = None
        self._buffer: bytearray | None = None
        self._on_sent: Callable[[], None] | None = None
        self._close_timer: asyncio.TimerHandle | None = None
        self._events = 0  # that the poller reports
        self._wanted = 0  # events that somebody waits for
        self._reader: Callable[[], None] | None = None
        self._writer: Callable[[], None] | None = None
        self._is_paused_reading = self._is_producer_paused = False
        self._is_closing = self._is_lingering = self._may_be_sending = False
        self._has_eof = False
        self.bytes_received = self.bytes_sent = 0
        self.ending: Ending | None = None

    # --- for the stages before the conversation, and for upgrades ---------------------------------------------------

    @property
    def sock(self) -> socket.SocketType:
        """The accepted socket. Raises ConnectionResetError when it is closed already."""
        if not self._is_open:
            raise ConnectionResetError("the connection is closed")
        if self._sock is None:
            # Most connections never need the object. Family and type are not looked at by what is called on it.
            self._sock = socket.SocketType(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, self._fd)
        return self._sock

    @property
    def descriptor(self) -> int:
        """The descriptor, as long as the connection is open."""
        return self._fd

    def take(self, most: int) -> bytes:
        """Octets in clear that have come, for a stage; empty at the end. Raises OSError, also when it is closed already."""
        if not self._is_open:
            raise ConnectionResetError("the connection is closed")
        return os.read(self._fd, most)

    def watch_reading(self, callback: Callable[[], None] | None = None) -> None:
        """Call `callback` when the descriptor is readable, instead of whatever was called before; None: read for the
        protocol."""
        self._reader = callback
        self._wanted |= READABLE
        if not self._events & READABLE:
            self._watch(READABLE)

    def watch_writing(self, callback: Callable[[], None] | None = None) -> None:
        """Call `callback` when the descriptor is writable; None: send what is queued."""
        self._writer = callback
        self._wanted |= WRITABLE
        if not self._events & WRITABLE:
            self._watch(WRITABLE)

    def _watch(self, event: int) -> None:
        before, self._events = self._events, self._events | event
        if before:
            self._poller.change(self._fd, self._events)
        else:
            self._poller.watch(self._fd, self, event)

    def take_long_step(self, step: Callable[[], None]) -> bool:
        """See Poller."""
        return self._poller.take_long_step(self, step)

    def unwatch(self) -> None:
        """Neither."""
        self._wanted = 0
        self._reader = self._writer = None

    def ready(self, events: int, /) -> None:
        """See Poller. What nobody waits for any more is taken out of the poller only now: often somebody does again."""
        if events & self._wanted & READABLE:
            if self._reader is not None:
                self._reader()
            else:
                self._read_ready()
        if events & self._wanted & WRITABLE:
            if self._writer is not None:
                self._writer()
            else:
                self._write_ready()
        unwanted = self._events & events & ~self._wanted
        if unwanted:
            self._events &= ~unwanted
            self._poller.change(self._fd, self._events)

    def begin(self, protocol: StreamProtocol, surplus: bytes = b"") -> None:
        """The stages are done: hand octets to `protocol` from now on, first what a stage has read beyond its own."""
        self._protocol = protocol
        protocol.connection_made(self)
        if not self._is_closing and not self._is_paused_reading:
            self.watch_reading()
        if surplus and not self._is_closing:
            self._deliver(surplus)

    def use_tls(self, channel: TlsChannel) -> None:
        """From now on octets are read and written through `channel`, whose handshake is complete."""
        self._tls = channel

    def when_sent(self, callback: Callable[[], None]) -> None:
        """Call `callback` when the kernel has taken everything written so far; never if the connection ends before."""
        if self._buffer:
            self._on_sent = callback
        elif not self._is_closing:
            callback()

    @property
    def tls(self) -> TlsChannel | None:
        """The TLS channel, None in clear."""
        return self._tls

    # --- reading ----------------------------------------------------------------------------------------------------

    def _read_ready(self) -> None:
        if self._tls is None:
            self._read_clear()
        else:
            self._read_tls()

    def _read_clear(self) -> None:
        if not self._wanted & READABLE:
            return
        try:
            data = os.read(self._fd, _READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._close_now(error)
            return
        self._deliver(data)

    def _read_tls(self) -> None:
        for _ in range(_READS_PER_TURN):
            tls = self._tls
            if not self._wanted & READABLE or tls is None:
                return
            try:
                data = tls.receive()
            except WouldBlockOnRead:
                return
            except WouldBlockOnWrite:
                self._stop_reading()  # it would be called again and again
                self.watch_writing(self._read_when_written)
                return
            except TlsFailed as error:
                self._close_now(ConnectionResetError(str(error)))
                return
            self._deliver(data)
            if not data or not tls.has_decrypted:
                return
        asyncio.get_running_loop().call_soon(self._read_ready)

    def _read_when_written(self) -> None:
        self._stop_writing()
        if self._buffer:
            self.watch_writing()
        if not self._is_closing and not self._is_paused_reading:
            self.watch_reading()
            self._read_ready()

    def _deliver(self, data: bytes) -> None:
        protocol = self._protocol
        if protocol is None:
            return
        try:
            if data:
                self.bytes_received += len(data)
                protocol.data_received(data)
            else:
                self._has_eof = True
                self._stop_reading()
                if not protocol.eof_received():
                    self.close()
        except Exception as error:  # a protocol in an unknown state is not fed any further
            context = {"message": "a protocol failed", "exception": error, "protocol": protocol, "transport": self}
            asyncio.get_running_loop().call_exception_handler(context)
            self.abort()

    def pause_reading(self) -> None:
        """Leave what comes in the kernel; TCP slows the client down."""
        if not self._is_closing:
            self._is_paused_reading = True
            self._stop_reading()

    def resume_reading(self) -> None:
        """Undo pause_reading. What TLS has decrypted already is read in the next turn of the loop."""
        if self._is_paused_reading:
            self._is_paused_reading = False
            if not self._is_closing and self._is_open and self._protocol is not None:
                self.watch_reading()
                if self._tls is not None:
                    asyncio.get_running_loop().call_soon(self._read_ready)

    def is_reading(self) -> bool:
        """Whether octets are being taken from the client."""
        return bool(self._wanted & READABLE)

    def _stop_reading(self) -> None:
        self._wanted &= ~READABLE
        self._reader = None

    # --- writing ----------------------------------------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Send, or queue what the kernel does not take now. After `close` nothing more is sent."""
        if not data or self._is_closing:
            return
        if not self._buffer:
            sent = self._send(data)
            if sent == len(data) or not self._is_open:
                return
            data = memoryview(data)[sent:]
        if self._buffer is None:
            self._buffer = bytearray()
        self._buffer += data
        if not self._wanted & WRITABLE:
            self.watch_writing()
        if len(self._buffer) > _HIGH_WATER and not self._is_producer_paused and self._protocol is not None:
            self._is_producer_paused = True
            self._protocol.pause_writing()

    def _send(self, data: bytes | bytearray | memoryview[Any]) -> int:
        """How many octets were taken now. Loses the connection by itself where it is broken."""
        if not self._is_open:
            return 0
        taken = 0
        try:
            if self._tls is None:
                taken = os.write(self._fd, data)
            else:
                taken = self._tls.send(data)
                while taken < len(data):
                    taken += self._tls.send(memoryview(data)[taken:])
        except (BlockingIOError, InterruptedError, WouldBlockOnRead, WouldBlockOnWrite):
            pass
        except (OSError, TlsFailed) as error:
            self._close_now(error if isinstance(error, OSError) else ConnectionResetError(str(error)))
        self.bytes_sent += taken
        return taken

    def _write_ready(self) -> None:
        buffer = self._buffer
        if buffer:
            taken = self._send(bytes(buffer[:262144]))
            del buffer[:taken]
        if buffer and self._is_open:
            if self._is_producer_paused and len(buffer) <= _LOW_WATER:
                self._resume_producer()
            if self._is_closing and taken:
                self._set_close_timer(_CLOSE_DEADLINE, self._stalled)
            return
        self._buffer = None
        self._stop_writing()
        on_sent, self._on_sent = self._on_sent, None
        self._resume_producer()
        if self._is_closing:
            self._finish()
        elif on_sent is not None:
            on_sent()

    def _resume_producer(self) -> None:
        if self._is_producer_paused and self._protocol is not None:
            self._is_producer_paused = False
            self._protocol.resume_writing()

    def _stop_writing(self) -> None:
        self._wanted &= ~WRITABLE
        self._writer = None

    def get_write_buffer_size(self) -> int:
        """Octets that are queued."""
        return len(self._buffer or b"")

    def can_write_eof(self) -> bool:
        """Half-closing is left to `close`."""
        return False

    # --- the end ----------------------------------------------------------------------------------------------------

    @property
    def is_closed(self) -> bool:
        """Whether the descriptor is closed."""
        return not self._is_open

    def is_closing(self) -> bool:
        """Whether close or abort was called."""
        return self._is_closing

    def close(self) -> None:
        """Send what is queued, say that nothing more comes, close. A client that does not take it is cut off in the end."""
        if self._is_closing or not self._is_open:
            return
        self._is_closing = True
        self._stop_reading()
        if self._buffer:
            self._set_close_timer(_CLOSE_DEADLINE, self._stalled)
        else:
            self._finish()

    def _finish(self) -> None:
        """Everything is sent. If the client is still sending, closing now would reset the connection and could destroy what
        it has not read yet: then its end is waited for, and what it says is thrown away."""
        if not self._is_open or self._is_lingering:
            return
        if self._tls is not None:
            self._tls.send_close_notify()
        if self._has_eof:  # nothing is left unread, so nothing can be destroyed
            self._close_now(None)
            return
        try:
            self.sock.shutdown(socket.SHUT_WR)
            if self._may_be_sending or (self._protocol is not None and os.read(self._fd, _READ_SIZE)):
                self._linger()
                return
        except OSError:
            pass  # nothing has come, or the connection is broken
        self._close_now(None)

    def linger_then_close(self) -> None:
        """Like close, and always wait a moment for the client's end: for farewells to clients that may be sending."""
        self._may_be_sending = True
        self.close()

    def _linger(self) -> None:
        self._is_lingering = True
        self._set_close_timer(_LINGER_DEADLINE, self.abort)
        self.watch_reading(self._discard)

    def _discard(self) -> None:
        try:
            if os.read(self._fd, _READ_SIZE):
                return
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            pass
        self._close_now(None)

    def _set_close_timer(self, seconds: float, expired: Callable[[], None]) -> None:
        if self._close_timer is not None:
            self._close_timer.cancel()
        self._close_timer = asyncio.get_running_loop().call_later(seconds, expired)

    def _stalled(self) -> None:
        self.note_ending(Ending.STALLED)
        self.abort()

    def note_ending(self, ending: Ending) -> None:
        """Why the connection is about to end. What was said first counts."""
        if self.ending is None:
            self.ending = ending

    def abort(self) -> None:
        """Close at once; what is queued is lost."""
        self._close_now(None)

    def abandon(self) -> None:
        """See Poller. A fault of the server."""
        self.note_ending(Ending.FAULT)
        self.abort()

    def _close_now(self, error: OSError | None) -> None:
        self._is_closing = True
        if not self._is_open:
            return
        self._is_open = False
        self._wanted = 0
        if self._close_timer is not None:
            self._close_timer.cancel()
            self._close_timer = None
        self._buffer = self._on_sent = self._reader = self._writer = None
        if self._events:
            self._events = 0
            self._poller.forget(self._fd)
        if self._sock is None:
            os.close(self._fd)
        else:
            self._sock.close()
            self._sock = None
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            asyncio.get_running_loop().call_soon(protocol.connection_lost, error)
        on_closed, self._on_closed = self._on_closed, _told  # no cycle is left for the collector to find
        if self.ending is None:
            self.ending = Ending.RESET if error else Ending.CLIENT_CLOSED if self._has_eof else Ending.COMPLETED
        on_closed(self)  # which may still ask for facts of the TLS connection
        self._tls = None

    # --- asyncio's Transport, for protocols of other projects -------------------------------------------------------

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Another protocol takes over (a WebSocket upgrade)."""
        self._protocol = protocol  # type: ignore[assignment]  # asyncio's own signature is wider than what is ever given

    def get_protocol(self) -> asyncio.BaseProtocol:
        """The protocol that octets go to."""
        return self._protocol  # type: ignore[return-value]  # see set_protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """`peername` and `sockname` are the true source and destination (after a trusted PROXY header; without the former
        where that does not say who the client is); `proxy_address` is that of who sent such a header; `sslcontext` is true
        under TLS, `tls_version` then says which (`TLSv1.3`). The socket itself is not given away."""
        if name == "peername" and not self.info.is_source_known:
            return default  # the proxy's own, of this machine perhaps, would be trusted as the client's
        if name in ("peername", "sockname"):
            address, port = self.info.source_address if name == "peername" else self.info.destination_address
            return str(address), port
        if name == "proxy_address":
            return default if self.info.proxy_header is None else self.info.peer_address[0]
        if name == "sslcontext":
            return self._tls is not None or default
        if name == "tls_version":
            return default if self._tls is None else self._tls.version
        return default
