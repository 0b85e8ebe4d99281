"""What a PROXY header says, as values. Made by the decoders, read by the transport and by sessions.

What every header is made of are structs, which cost a quarter of a frozen dataclass: there is one for each connection."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv6Address

import msgspec

from gatepost.values.ip_mask import IpAddress, unmapped_octets

V2_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
V2_FIXED_LENGTH = 16  # octets: signature, version and command, family and protocol, length
V1_MAX_LENGTH = 107  # octets, CR LF included (section 2.1)


class ProxyFailure(Enum):
    """Why no PROXY header was accepted from a peer that must send one; each is counted by itself.

    The decoder gives the first four, the transport the others.
    """

    MISSING = "missing"  # something else came: the peer does not speak the PROXY protocol
    MALFORMED = "malformed"
    TOO_LARGE = "tooLarge"
    BAD_CHECKSUM = "badChecksum"
    TIMEOUT = "timeout"
    CLOSED = "closed"  # the peer ended the connection, or it broke, before the header was whole


class MalformedHeader(ValueError):
    """The octets are not a PROXY header, or one that must not be accepted. The connection has to be closed."""

    def __init__(self, text: str, failure: ProxyFailure = ProxyFailure.MALFORMED) -> None:
        super().__init__(text)
        self.failure = failure


class Command(Enum):
    """LOCAL: the proxy speaks for itself (health check); the addresses of the connection count. PROXY: it relays."""

    LOCAL = 0
    PROXY = 1


class Endpoint(msgspec.Struct, frozen=True):
    """One end of a relayed TCP connection: the 4 or 16 octets of its address, and the port, 0-65535. IPv4-mapped IPv6 addresses
    have become IPv4.

    >>> str(Endpoint.of(IPv4Address("192.0.2.7"), 25))
    '192.0.2.7:25'
    """

    octets: bytes
    port: int

    @classmethod
    def of(cls, address: IpAddress, port: int) -> Endpoint:
        """The one at this address."""
        return cls(unmapped_octets(address.packed), port)

    @property
    def address(self) -> IpAddress:
        """The address as an object, which few ask for."""
        return IPv4Address(self.octets) if len(self.octets) == 4 else IPv6Address(self.octets)

    def __str__(self) -> str:
        if len(self.octets) == 4:
            first, second, third, fourth = self.octets
            return f"{first}.{second}.{third}.{fourth}:{self.port}"
        return f"[{IPv6Address(self.octets)}]:{self.port}"


@dataclass(frozen=True, slots=True)
class UnixEndpoint:
    """One end of a relayed UNIX connection. `path` begins with NUL for an abstract name; it may be empty."""

    path: bytes


class TcpAddresses(msgspec.Struct, frozen=True):
    """Source and destination of a relayed TCP connection."""

    source: Endpoint
    destination: Endpoint


@dataclass(frozen=True, slots=True)
class UnixAddresses:
    """Source and destination of a relayed UNIX stream connection."""

    source: UnixEndpoint
    destination: UnixEndpoint


@dataclass(frozen=True, slots=True)
class Tlv:
    """A type-length-value vector that has no meaning of its own here: vendor types and ones assigned later."""

    type: int
    value: bytes


@dataclass(frozen=True, slots=True)
class SslInformation:
    """PP2_TYPE_SSL (section 2.2.5): how the client reached the proxy.

    `verify` is zero when the client gave a certificate and it was good.
    """

    client_flags: int
    verify: int
    version: str | None = None
    common_name: str | None = None
    cipher: str | None = None
    signature_algorithm: str | None = None
    key_algorithm: str | None = None
    other: tuple[Tlv, ...] = ()

    @property
    def is_tls(self) -> bool:
        """PP2_CLIENT_SSL: the client connected over SSL/TLS."""
        return bool(self.client_flags & 0x01)

    @property
    def has_certificate_on_connection(self) -> bool:
        """PP2_CLIENT_CERT_CONN: a certificate came over this very connection."""
        return bool(self.client_flags & 0x02)

    @property
    def has_certificate_in_session(self) -> bool:
        """PP2_CLIENT_CERT_SESS: a certificate came at least once in the TLS session."""
        return bool(self.client_flags & 0x04)


@dataclass(frozen=True, slots=True)
class Extensions:
    """The TLVs of a version 2 header. `has_checksum` says that a CRC32C was there (and right)."""

    alpn: bytes | None = None
    authority: str | None = None
    unique_id: bytes | None = None
    ssl: SslInformation | None = None
    network_namespace: str | None = None
    has_checksum: bool = False
    other: tuple[Tlv, ...] = ()


NO_EXTENSIONS = Extensions()


class ProxyHeader(msgspec.Struct, frozen=True):
    """One header. `addresses` is None for LOCAL, UNKNOWN and UNSPEC: the connection's own addresses count then."""

    version: int
    command: Command
    addresses: TcpAddresses | UnixAddresses | None = None
    extensions: Extensions = NO_EXTENSIONS


class Decoded(msgspec.Struct, frozen=True):
    """A complete header and its exact `length` in octets: what follows belongs to the protocol behind it."""

    header: ProxyHeader
    length: int


@dataclass(frozen=True, slots=True)
class Incomplete:
    """So far it may become a header; look again when `at_least` octets (counted from the first) are there."""

    at_least: int


def is_ipv6(endpoint: Endpoint) -> bool:
    """Whether the endpoint needs the IPv6 form of an address block."""
    return len(endpoint.octets) == 16
