"""The addresses of a connection: the kernel's, and those that count after a trusted PROXY header."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, ip_address

from gatepost.protocols.proxy_header.header import ProxyHeader, TcpAddresses
from gatepost.transport.blocked_networks import address_octets, plain_host
from gatepost.values.ip_mask import IpAddress, unmapped

Endpoint = tuple[IpAddress, int]
_LOOPBACK_V6 = bytes(15) + b"\x01"


def endpoint(sockaddr: tuple[object, ...]) -> Endpoint:
    """Address and port of a socket address of the kernel; an IPv4-mapped IPv6 address becomes IPv4."""
    host, port = str(sockaddr[0]), int(str(sockaddr[1]))
    if ":" not in host:
        return IPv4Address(host), port
    return unmapped(ip_address(host.partition("%")[0])), port


def _endpoint_text(sockaddr: tuple[object, ...]) -> str:
    """The kernel's own words are canonical (RFC 5952): nothing is parsed, because every line of the access log has two."""
    host = plain_host(str(sockaddr[0]))
    return f"[{host}]:{sockaddr[1]}" if ":" in host else f"{host}:{sockaddr[1]}"


def _is_loopback(octets: bytes) -> bool:
    return octets[0] == 127 if len(octets) == 4 else octets == _LOOPBACK_V6


class ConnectionInfo:
    """Worked out when asked for: most connections of a busy server end without anybody asking for all four."""

    __slots__ = ("_local", "_local_sockaddr", "_peer", "_sockaddr", "proxy_header")

    def __init__(self, sockaddr: tuple[object, ...], local: Endpoint | None = None) -> None:
        """`local`: this end, where the listening address tells it already."""
        self._sockaddr = sockaddr
        self._peer: Endpoint | None = None
        self._local = local
        self._local_sockaddr: tuple[object, ...] | None = None
        self.proxy_header: ProxyHeader | None = None

    @property
    def peer_address(self) -> Endpoint:
        """The other end of the TCP connection, as the kernel says."""
        if self._peer is None:
            self._peer = endpoint(self._sockaddr)
        return self._peer

    @property
    def peer_host(self) -> str:
        """The address of the other end of the TCP connection in the kernel's words."""
        return str(self._sockaddr[0])

    @property
    def has_local_address(self) -> bool:
        """Whether this end is known."""
        return self._local is not None or self._local_sockaddr is not None

    def note_local_address(self, sock: socket.SocketType) -> None:
        """Ask the kernel for this end, while the descriptor is open."""
        self._local_sockaddr = sock.getsockname()

    @property
    def local_address(self) -> Endpoint:
        """This end of the TCP connection. `note_local_address` comes first."""
        if self._local is None:
            assert self._local_sockaddr is not None, "note_local_address was not called"  # noqa: S101 - a wiring error
            self._local = endpoint(self._local_sockaddr)
        return self._local

    @property
    def peer_octets(self) -> bytes:
        """The address of the other end of the TCP connection, IPv4 for an IPv4-mapped one; made without an address object."""
        return address_octets(str(self._sockaddr[0]))

    @property
    def relayed_octets(self) -> bytes | None:
        """The same of the client that a PROXY header names; None where there is none."""
        relayed = self._relayed()
        return None if relayed is None else relayed.source.octets

    @property
    def peer_text(self) -> str:
        """The other end of the TCP connection as logs show it: `192.0.2.1:25`, `[2001:db8::1]:25`."""
        return _endpoint_text(self._sockaddr)

    @property
    def source_text(self) -> str:
        """Who the client is, as logs show it."""
        relayed = self._relayed()
        return str(relayed.source) if relayed else _endpoint_text(self._sockaddr)

    @property
    def destination_text(self) -> str | None:
        """What the client connected to, as logs show it; None where nobody has asked the kernel."""
        relayed = self._relayed()
        if relayed:
            return str(relayed.destination)
        return None if self._local_sockaddr is None else _endpoint_text(self._local_sockaddr)

    @property
    def source_address(self) -> Endpoint:
        """Who the client is: the PROXY header's source where a trusted peer sent one."""
        relayed = self._relayed()
        return (relayed.source.address, relayed.source.port) if relayed else self.peer_address

    @property
    def source_octets(self) -> bytes:
        """The address of `source_address`, as its 4 or 16 octets."""
        relayed = self._relayed()
        return relayed.source.octets if relayed else self.peer_octets

    @property
    def is_source_known(self) -> bool:
        """Whether the source is the client's, as seen from here: not that of a proxy that does not say for whom it speaks, nor
        a loopback address of the machine of a proxy elsewhere."""
        relayed = self._relayed()
        if relayed is None:
            return self.proxy_header is None
        return not _is_loopback(relayed.source.octets) or _is_loopback(self.peer_octets)

    @property
    def is_source_loopback(self) -> bool:
        """Whether the client is on this machine; one that nobody knows is not."""
        return self.is_source_known and _is_loopback(self.source_octets)

    @property
    def destination_address(self) -> Endpoint:
        """What the client connected to."""
        relayed = self._relayed()
        return (relayed.destination.address, relayed.destination.port) if relayed else self.local_address

    def _relayed(self) -> TcpAddresses | None:
        header = self.proxy_header
        return header.addresses if header is not None and isinstance(header.addresses, TcpAddresses) else None
