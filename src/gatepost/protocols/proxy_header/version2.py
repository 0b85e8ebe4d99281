"""Version 2: the binary header (proxy-protocol.txt section 2.2). Pure; called by `decode` and by tests."""

from __future__ import annotations

from struct import Struct

from gatepost.protocols.proxy_header.crc32c import crc32c
from gatepost.protocols.proxy_header.header import (
    NO_EXTENSIONS,
    V2_FIXED_LENGTH,
    V2_SIGNATURE,
    Command,
    Decoded,
    Endpoint,
    Incomplete,
    MalformedHeader,
    ProxyFailure,
    ProxyHeader,
    TcpAddresses,
    UnixAddresses,
    UnixEndpoint,
    is_ipv6,
)
from gatepost.protocols.proxy_header.tlv import Pp2Type, decode_extensions, encode_extensions, encode_tlv
from gatepost.values.ip_mask import MAPPED_PREFIX, unmapped_octets

_UNSPEC, _TCP4, _TCP6, _UNIX_STREAM = 0x00, 0x11, 0x21, 0x31
_DATAGRAM = frozenset((0x12, 0x22, 0x32))
_ADDRESS_LENGTH = {_TCP4: 12, _TCP6: 36, _UNIX_STREAM: 216}
_UNIX_PATH = 108  # octets of each UNIX address
_TCP4_BLOCK, _TCP6_BLOCK = Struct("!4s4sHH"), Struct("!16s16sHH")  # source and destination, source and destination port
_COMMANDS = {0x20 | command.value: command for command in Command}


def decode_version2(data: bytes, limit: int) -> Decoded | Incomplete:
    """The header at the front of `data`, which begins like one. Raises MalformedHeader."""
    command = _command(data[12]) if len(data) > len(V2_SIGNATURE) else None
    if command is None or len(data) < V2_FIXED_LENGTH:
        return Incomplete(V2_FIXED_LENGTH)
    length = V2_FIXED_LENGTH + int.from_bytes(data[14:16], "big")
    if length > limit:
        words = f"the header has {length} octets, {limit} are allowed"
        raise MalformedHeader(words, ProxyFailure.TOO_LARGE)
    if len(data) < length:
        return Incomplete(length)
    return Decoded(_decode_whole(command, data[:length]), length)


def encode_version2(header: ProxyHeader) -> bytes:
    """The octets of a header; a checksum is put last where `header.extensions.has_checksum` asks for one."""
    family, block = _encode_addresses(header.addresses)
    block += encode_extensions(header.extensions)
    if header.extensions.has_checksum:
        block += encode_tlv(Pp2Type.CRC32C, bytes(4))
    fixed = bytes((0x20 | header.command.value, family)) + len(block).to_bytes(2, "big")
    octets = V2_SIGNATURE + fixed + block
    if header.extensions.has_checksum:
        return octets[:-4] + crc32c(octets).to_bytes(4, "big")
    return octets


def _command(octet: int) -> Command:
    command = _COMMANDS.get(octet)
    if command is not None:
        return command
    if octet >> 4 != 2:
        raise MalformedHeader(f"version {octet >> 4} of the PROXY protocol is not known")
    raise MalformedHeader(f"command {octet & 0x0F} of the PROXY protocol is not known")


def _decode_whole(command: Command, header: bytes) -> ProxyHeader:
    family = header[13]
    # Section 2.2: behind LOCAL the whole block is discarded, the family too. An unspecified family leaves open where
    # its addresses end, so nothing behind it can be read either.
    if command is Command.LOCAL or family == _UNSPEC:
        return ProxyHeader(2, command)
    if family in _DATAGRAM:
        raise MalformedHeader("a datagram flow cannot come over a stream connection")
    if family not in _ADDRESS_LENGTH:
        raise MalformedHeader(f"address family and protocol 0x{family:02x} are not known")
    end = V2_FIXED_LENGTH + _ADDRESS_LENGTH[family]
    if len(header) < end:
        raise MalformedHeader("the header is too short for its addresses")
    addresses = _decode_addresses(family, header[V2_FIXED_LENGTH:end])
    extensions = decode_extensions(header, end) if end < len(header) else NO_EXTENSIONS
    return ProxyHeader(2, command, addresses, extensions)


def _decode_addresses(family: int, block: bytes) -> TcpAddresses | UnixAddresses:
    if family == _UNIX_STREAM:
        return UnixAddresses(_unix_endpoint(block[:_UNIX_PATH]), _unix_endpoint(block[_UNIX_PATH:]))
    if family == _TCP4:
        source, destination, source_port, destination_port = _TCP4_BLOCK.unpack(block)
    else:
        source, destination, source_port, destination_port = _TCP6_BLOCK.unpack(block)
        source, destination = unmapped_octets(source), unmapped_octets(destination)
    return TcpAddresses(Endpoint(source, source_port), Endpoint(destination, destination_port))


def _unix_endpoint(field: bytes) -> UnixEndpoint:
    if field[0] == 0:  # an abstract name: NULs inside count, only the padding goes
        return UnixEndpoint(field.rstrip(b"\0"))
    return UnixEndpoint(field.split(b"\0", 1)[0])


def _encode_addresses(addresses: TcpAddresses | UnixAddresses | None) -> tuple[int, bytes]:
    if addresses is None:
        return _UNSPEC, b""
    if isinstance(addresses, UnixAddresses):
        ends = (addresses.source, addresses.destination)
        return _UNIX_STREAM, b"".join(end.path.ljust(_UNIX_PATH, b"\0") for end in ends)
    source, destination = addresses.source, addresses.destination
    ports = source.port.to_bytes(2, "big") + destination.port.to_bytes(2, "big")
    if is_ipv6(source) or is_ipv6(destination):
        return _TCP6, _as_ipv6(source) + _as_ipv6(destination) + ports
    return _TCP4, source.octets + destination.octets + ports


def _as_ipv6(endpoint: Endpoint) -> bytes:
    return endpoint.octets if is_ipv6(endpoint) else MAPPED_PREFIX + endpoint.octets
