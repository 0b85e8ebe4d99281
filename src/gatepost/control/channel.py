"""One end of the channel between supervisor and worker, on an event loop."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import msgspec

from gatepost.sockets.descriptor_passing import ChannelClosed, FrameReader, frame_packets, send_packet

Received = TypeVar("Received")

_RETRY = 0.02  # seconds until descriptors in flight may have arrived


class Channel(Generic[Received]):
    """Sends any message; hands received ones, with their descriptors, to `on_message`, in order.

    `on_closed` is called once when the other process is gone, or sends what cannot be understood. Sending to a process
    that is gone is not an error: whoever waits for its answer learns of the death by `on_closed`.
    """

    def __init__(
        self,
        sock: socket.socket,
        received: type[Received],
        on_message: Callable[[Received, list[int]], None],
        on_closed: Callable[[], None],
    ) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(received)
        self._reader = FrameReader()
        self._outgoing: deque[tuple[bytes, list[int]]] = deque()
        self._on_message = on_message
        self._on_closed = on_closed
        self._is_open = True
        self._loop.add_reader(sock.fileno(), self._readable)

    @property
    def is_open(self) -> bool:
        """Whether the other process listens, as far as is known."""
        return self._is_open

    def send(self, message: msgspec.Struct, descriptors: Sequence[int] = ()) -> None:
        """Queue a message. The descriptors are duplicated at once: the caller may close its own right after."""
        if not self._is_open:
            return
        duplicates = [os.dup(descriptor) for descriptor in descriptors]
        self._outgoing.extend(frame_packets(self._encoder.encode(message), duplicates))
        self._write()

    def close(self) -> None:
        """Stop; `on_closed` is not called."""
        if not self._is_open:
            return
        self._is_open = False
        self._loop.remove_reader(self._sock.fileno())
        self._loop.remove_writer(self._sock.fileno())
        self._sock.close()
        self._reader.close()
        for _, descriptors in self._outgoing:
            _close_all(descriptors)
        self._outgoing.clear()

    def _write(self) -> None:
        while self._outgoing and self._is_open:
            octets, descriptors = self._outgoing[0]
            try:
                sent = send_packet(self._sock, octets, descriptors)
            except BlockingIOError:
                self._loop.add_writer(self._sock.fileno(), self._write)
                return
            except OSError as error:
                if error.errno == errno.ETOOMANYREFS:  # unix(7): more descriptors in flight than a process may have
                    self._loop.call_later(_RETRY, self._write)
                else:
                    self._lost()
                return
            _close_all(descriptors)
            if sent < len(octets):
                self._outgoing[0] = (octets[sent:], [])
            else:
                self._outgoing.popleft()
        if self._is_open:
            self._loop.remove_writer(self._sock.fileno())

    def _readable(self) -> None:
        try:
            self._reader.receive(self._sock)
            while self._is_open and (frame := self._reader.next_frame()) is not None:
                self._deliver(*frame)
        except BlockingIOError:
            return
        except (ChannelClosed, OSError):
            self._lost()

    def _deliver(self, payload: bytes, descriptors: list[int]) -> None:
        try:
            message = self._decoder.decode(payload)
        except msgspec.MsgspecError:
            _close_all(descriptors)
            raise ChannelClosed from None
        try:
            self._on_message(message, descriptors)
        except Exception as error:  # one message must not keep those behind it from being read
            self._loop.call_exception_handler({"message": "a message could not be dealt with", "exception": error})

    def _lost(self) -> None:
        if self._is_open:
            self.close()
            self._on_closed()


def _close_all(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
    descriptors.clear()
