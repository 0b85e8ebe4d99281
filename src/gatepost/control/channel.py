"""One end of the channel between supervisor and worker, on an event loop."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from gatepost.sockets.descriptor_passing import ChannelClosed, FrameReader, frame_packets, send_packet

Received = TypeVar("Received")

_RETRY = 0.02  # seconds until descriptors in flight may have arrived


@dataclass(slots=True)
class _Packet:
    """Octets that have to be sent, with the descriptors that go with them: the caller's, or duplicates of ours."""

    octets: bytes
    descriptors: list[int]
    is_ours: bool = False

    def keep(self) -> None:
        """The caller may close its own from now on. Raises OSError where there is no room for duplicates."""
        if self.is_ours or not self.descriptors:
            return
        duplicates: list[int] = []
        try:
            for descriptor in self.descriptors:
                duplicates.append(os.dup(descriptor))  # noqa: PERF401 - what was made must be known when one fails
        except OSError:
            _close_all(duplicates)
            raise
        self.descriptors, self.is_ours = duplicates, True

    def let_go(self) -> None:
        """They are sent, or never will be."""
        if self.is_ours:
            _close_all(self.descriptors)
        self.descriptors = []


class Channel(Generic[Received]):
    """Sends any message; hands received ones, with their descriptors, to `on_message`, in order.

    `on_closed` is called once when the other process is gone, sends what cannot be understood, or cannot be sent what it
    has to have. Sending to a process that is gone is not an error: whoever waits for its answer learns of the death by
    `on_closed`.
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
        self._outgoing: deque[_Packet] = deque()
        self._on_message = on_message
        self._on_closed = on_closed
        self._is_open = True
        self._loop.add_reader(sock.fileno(), self._readable)

    @property
    def is_open(self) -> bool:
        """Whether the other process listens, as far as is known."""
        return self._is_open

    def send(self, message: msgspec.Struct, descriptors: Sequence[int] = ()) -> None:
        """Send a message, or queue what the kernel does not take now. Descriptors that are queued are duplicated: the caller
        may close its own right after. A process that has none left can send all that goes at once; where it would have to
        duplicate, the channel ends, because a part of a message is of no use to the other side."""
        if not self._is_open:
            return
        packets = [_Packet(*packet) for packet in frame_packets(self._encoder.encode(message), descriptors)]
        self._outgoing.extend(packets)
        self._write()
        try:
            for packet in packets:
                packet.keep()
        except OSError as error:
            text = f"a process cannot be sent what it has to have, out of descriptors: {error.strerror}"
            self._loop.call_exception_handler({"message": text})
            self._lost()

    def close(self) -> None:
        """Stop; `on_closed` is not called."""
        if not self._is_open:
            return
        self._is_open = False
        self._loop.remove_reader(self._sock.fileno())
        self._loop.remove_writer(self._sock.fileno())
        self._sock.close()
        self._reader.close()
        for packet in self._outgoing:
            packet.let_go()
        self._outgoing.clear()

    def _write(self) -> None:
        while self._outgoing and self._is_open:
            packet = self._outgoing[0]
            try:
                sent = send_packet(self._sock, packet.octets, packet.descriptors)
            except BlockingIOError:
                self._loop.add_writer(self._sock.fileno(), self._write)
                return
            except OSError as error:
                if error.errno == errno.ETOOMANYREFS:  # unix(7): more descriptors in flight than a process may have
                    self._loop.call_later(_RETRY, self._write)
                else:
                    self._lost()
                return
            packet.let_go()
            packet.octets = packet.octets[sent:]
            if not packet.octets:
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
