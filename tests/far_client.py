"""A client whose packets are on their way for as long as a test likes: it makes them itself, in the name of a host that is not
there. IPv4 (RFC 791) and TCP (RFC 9293) without options; as much of them as a handshake and a greeting need."""

from __future__ import annotations

import socket
import struct

from tests.network_namespace import SERVER, TwoHosts, inside

FAR = "10.77.0.3"
_PORT = 40404
_SYN, _ACK = 0x02, 0x10
_ETH_P_IP = 0x0800


class FarClient:
    """One connection to a port of the server's host."""

    def __init__(self, hosts: TwoHosts, port: int) -> None:
        hosts.make_far_host(FAR)
        with inside(hosts.client):
            self._out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
            self._in = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_IP))
            self._in.bind(("client0", _ETH_P_IP))
        self._in.settimeout(20)
        self._port = port
        self._sent, self._received = 1000, 0  # sequence numbers

    def begin(self) -> None:
        """SYN; returns when the server has answered."""
        self._send(_SYN)
        self._sent += 1
        flags, number, _ = self._next()
        assert flags & (_SYN | _ACK) == _SYN | _ACK
        self._received = number + 1

    def complete(self) -> None:
        """The last packet of the handshake arrives."""
        self._send(_ACK)

    def first_words(self) -> bytes:
        """What the server says first. Fails where it resets the connection."""
        while True:
            flags, _, data = self._next()
            assert not flags & 0x04, "the server has reset the connection"
            if data:
                return data

    def close(self) -> None:
        self._out.close()
        self._in.close()

    def _send(self, flags: int) -> None:
        ends = socket.inet_aton(FAR) + socket.inet_aton(SERVER)
        segment = struct.pack("!HHIIBBHHH", _PORT, self._port, self._sent, self._received, 5 << 4, flags, 65535, 0, 0)
        checksum = _checksum(ends + struct.pack("!HH", socket.IPPROTO_TCP, len(segment)) + segment)
        segment = segment[:16] + struct.pack("!H", checksum) + segment[18:]
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0, 64, socket.IPPROTO_TCP, 0) + ends
        self._out.sendto(header + segment, (SERVER, 0))

    def _next(self) -> tuple[int, int, bytes]:
        """Flags, sequence number and data of the next segment for this client."""
        while True:
            packet, origin = self._in.recvfrom(65536)
            start = (packet[0] & 0x0F) * 4
            if origin[2] == socket.PACKET_OUTGOING or packet[9] != socket.IPPROTO_TCP:
                continue
            source, destination, number = struct.unpack_from("!HHI", packet, start)
            if (source, destination) == (self._port, _PORT):
                end = struct.unpack_from("!H", packet, 2)[0]
                return packet[start + 13], number, packet[start + (packet[start + 12] >> 4) * 4 : end]


def _checksum(octets: bytes) -> int:
    """RFC 1071."""
    total: int = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
