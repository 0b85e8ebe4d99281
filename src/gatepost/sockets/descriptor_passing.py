"""Framed messages with descriptors over a UNIX stream socket (unix(7), SCM_RIGHTS).

A frame is a 6-octet header (length of the payload, number of descriptors) and the payload. Descriptors travel with the
header, at most 250 to a packet, further ones each batch with one octet of padding behind the header; the kernel delivers
descriptors no later than the octets that they were sent with.
"""

from __future__ import annotations

import array
import os
import socket
import struct
from collections import deque
from collections.abc import Sequence

_HEADER = struct.Struct("!IH")
_DESCRIPTORS_PER_PACKET = 250  # SCM_MAX_FD is 253
_MOST_DESCRIPTORS = 0xFFFF  # of one frame
_ANCILLARY_SPACE = socket.CMSG_SPACE(_DESCRIPTORS_PER_PACKET * 4)
MAX_FRAME = 64 * 1024 * 1024


class ChannelClosed(Exception):
    """The process on the other side is gone, or sends what is no frame."""


def frame_packets(payload: bytes, descriptors: Sequence[int]) -> deque[tuple[bytes, list[int]]]:
    """What has to be sent, packet by packet: octets with the descriptors that go with them."""
    batches = [
        list(descriptors[start : start + _DESCRIPTORS_PER_PACKET])
        for start in range(0, len(descriptors), _DESCRIPTORS_PER_PACKET)
    ]
    first = batches.pop(0) if batches else []
    packets = deque([(_HEADER.pack(len(payload), len(descriptors)), first)])
    packets.extend((b"\0", batch) for batch in batches)
    packets.append((payload, []))
    return packets


def send_packet(sock: socket.socket, octets: bytes, descriptors: list[int]) -> int:
    """One sendmsg(2); the number of octets taken. Raises BlockingIOError as it does."""
    if not descriptors:
        return sock.send(octets, socket.MSG_NOSIGNAL)
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
    return sock.sendmsg([octets], ancillary, socket.MSG_NOSIGNAL)


class FrameReader:
    """Puts frames together again. Descriptors that are received are not inheritable."""

    def __init__(self) -> None:
        self._octets = bytearray()
        self._descriptors: deque[int] = deque()

    def receive(self, sock: socket.socket) -> None:
        """One recvmsg(2). Raises BlockingIOError, and ChannelClosed at the end of the stream and where descriptors were lost
        because this process has too many."""
        try:
            octets, ancillary, flags, _ = sock.recvmsg(262144, _ANCILLARY_SPACE, socket.MSG_CMSG_CLOEXEC)
        except ConnectionResetError:
            raise ChannelClosed from None
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                received = array.array("i")
                received.frombytes(data[: len(data) - len(data) % received.itemsize])
                self._descriptors.extend(received)
        if not octets or flags & socket.MSG_CTRUNC or len(self._descriptors) > _MOST_DESCRIPTORS:
            raise ChannelClosed
        self._octets += octets

    def next_frame(self) -> tuple[bytes, list[int]] | None:
        """A whole frame with its descriptors, now owned by the caller; None while one is incomplete. Raises ChannelClosed for
        what no honest sender sends."""
        if len(self._octets) < _HEADER.size:
            return None
        length, descriptor_count = _HEADER.unpack_from(self._octets)
        if length > MAX_FRAME:
            raise ChannelClosed
        padding = max(0, -(-descriptor_count // _DESCRIPTORS_PER_PACKET) - 1)
        start = _HEADER.size + padding
        if len(self._octets) < start + length:
            return None
        if descriptor_count > len(self._descriptors):
            raise ChannelClosed
        payload = bytes(self._octets[start : start + length])
        del self._octets[: start + length]
        return payload, [self._descriptors.popleft() for _ in range(descriptor_count)]

    def close(self) -> None:
        """Close descriptors that were received but not taken."""
        while self._descriptors:
            os.close(self._descriptors.popleft())
