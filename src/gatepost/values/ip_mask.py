"""A network of IP addresses, as in a list of trusted proxies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

IpAddress = IPv4Address | IPv6Address
MAPPED_PREFIX = bytes(10) + b"\xff\xff"  # of an IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2)


def unmapped(address: IpAddress) -> IpAddress:
    """The IPv4 address inside an IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2), else the address itself."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def unmapped_octets(octets: bytes) -> bytes:
    """The same with an address as its 4 or 16 octets, for where an object would cost too much.

    >>> unmapped_octets(IPv6Address("::ffff:192.0.2.7").packed) == IPv4Address("192.0.2.7").packed
    True
    """
    return octets[12:] if octets.startswith(MAPPED_PREFIX) and len(octets) == 16 else octets


@dataclass(frozen=True, slots=True)
class IpMask:
    """An address or a network in CIDR form, any prefix length, `/0` included. Host bits are cleared: the stored form is canonical.

    >>> str(IpMask.parse("10.1.2.3/8"))
    '10.0.0.0/8'
    >>> str(IpMask.parse("10.1.2.3"))
    '10.1.2.3'
    """

    network: IPv4Network | IPv6Network

    @classmethod
    @lru_cache(maxsize=16_384)  # lists of blocked networks are long, and read again with every change
    def parse(cls, text: str) -> IpMask:
        """Raises ValueError with words for the operator."""
        if "%" in text:
            raise ValueError(
                f"{text!r}: a network has no scope; leave {text[text.index('%') :].partition('/')[0]!r} out"
            )
        try:
            network = ip_network(text.strip(), strict=False)
        except ValueError:
            raise ValueError(
                f"{text!r} is neither an IP address nor a network; write 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32"
            ) from None
        if isinstance(network, IPv6Network):
            mapped = network.network_address.ipv4_mapped
            if mapped is not None and network.prefixlen >= 96:
                network = IPv4Network((mapped, network.prefixlen - 96))
        return cls(network)

    def contains(self, address: IpAddress) -> bool:
        """Whether the address lies in the network; an IPv4-mapped IPv6 address counts as IPv4."""
        return unmapped(address) in self.network

    def is_within(self, other: IpMask) -> bool:
        """Whether all of this network lies in the other one."""
        mine, its = self.network, other.network
        if isinstance(mine, IPv4Network) and isinstance(its, IPv4Network):
            return mine.subnet_of(its)
        return isinstance(mine, IPv6Network) and isinstance(its, IPv6Network) and mine.subnet_of(its)

    def __str__(self) -> str:
        if self.network.prefixlen == self.network.max_prefixlen:
            return str(self.network.network_address)
        return str(self.network)
