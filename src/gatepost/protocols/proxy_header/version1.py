"""Version 1: one line of text (proxy-protocol.txt section 2.1). Pure; called by `decode` and by tests."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from gatepost.protocols.proxy_header.header import (
    V1_MAX_LENGTH,
    Command,
    Decoded,
    Endpoint,
    Incomplete,
    MalformedHeader,
    ProxyFailure,
    ProxyHeader,
    TcpAddresses,
    is_ipv6,
)
from gatepost.values.ip_mask import IpAddress

V1_PREFIX = b"PROXY "
V1_SHORTEST = len(b"PROXY UNKNOWN\r\n")

_PORT = re.compile(r"(?:0|[1-9][0-9]{0,4})\Z", re.ASCII)


def decode_version1(data: bytes) -> Decoded | Incomplete:
    """The line at the front of `data`, which begins like one. Raises MalformedHeader."""
    end = data.find(b"\n", 0, V1_MAX_LENGTH)
    if end < 0:
        return _incomplete(data)
    if data[end - 1] != 0x0D:
        raise MalformedHeader("the PROXY line ends in LF without CR")
    try:
        line = data[: end - 1].decode("ascii")
    except UnicodeDecodeError:
        raise MalformedHeader("the PROXY line is not ASCII") from None
    return Decoded(_parse(line), end + 1)


def encode_version1(addresses: TcpAddresses | None) -> bytes:
    """The line for a relayed TCP connection; None gives UNKNOWN. Mixed families are written as IPv6."""
    if addresses is None:
        return b"PROXY UNKNOWN\r\n"
    source, destination = addresses.source, addresses.destination
    as_ipv6 = is_ipv6(source) or is_ipv6(destination)
    shown = [_shown(endpoint.address, as_ipv6) for endpoint in (source, destination)]
    family = "TCP6" if as_ipv6 else "TCP4"
    return f"PROXY {family} {shown[0]} {shown[1]} {source.port} {destination.port}\r\n".encode("ascii")


def _shown(address: IpAddress, as_ipv6: bool) -> str:
    return f"::ffff:{address}" if as_ipv6 and isinstance(address, IPv4Address) else str(address)


def _incomplete(data: bytes) -> Incomplete:
    if len(data) >= V1_MAX_LENGTH:
        raise MalformedHeader(f"no line end within {V1_MAX_LENGTH} octets", ProxyFailure.TOO_LARGE)
    return Incomplete(max(V1_SHORTEST, len(data) + 1))


def _parse(line: str) -> ProxyHeader:
    words = line.split(" ")
    family = words[1]
    if family == "UNKNOWN":  # whatever stands behind it has to be ignored
        return ProxyHeader(1, Command.PROXY)
    if family not in ("TCP4", "TCP6"):
        raise MalformedHeader("the protocol is neither TCP4 nor TCP6 nor UNKNOWN")
    if len(words) != 6:
        raise MalformedHeader("the PROXY line does not have six words with one space between them")
    source, destination = (_parse_address(family, word) for word in words[2:4])
    source_port, destination_port = (_parse_port(word) for word in words[4:6])
    addresses = TcpAddresses(Endpoint.of(source, source_port), Endpoint.of(destination, destination_port))
    return ProxyHeader(1, Command.PROXY, addresses)


def _parse_address(family: str, text: str) -> IpAddress:
    if "%" in text:  # Python takes a scope, which has no meaning on another machine
        raise MalformedHeader("an address of the PROXY line has a scope")
    try:
        return IPv4Address(text) if family == "TCP4" else IPv6Address(text)
    except AddressValueError:
        raise MalformedHeader(f"a {family} address of the PROXY line is not valid") from None


def _parse_port(text: str) -> int:
    if _PORT.match(text) is None or int(text) > 65535:
        raise MalformedHeader("a port of the PROXY line is not valid")
    return int(text)
