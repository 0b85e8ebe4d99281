"""An address that a listener binds: IP address and port, IPv6 in brackets, with its scope where it has one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from gatepost.values.ip_mask import unmapped

_BRACKETED = re.compile(r"\[([^\[\]]*)\]:(\d{1,5})\Z", re.ASCII)
_PLAIN = re.compile(r"([0-9.]+):(\d{1,5})\Z", re.ASCII)
_BROADCAST = IPv4Address("255.255.255.255")
_SCOPE = re.compile(r"[A-Za-z0-9_.:-]{1,15}\Z", re.ASCII)  # IFNAMSIZ - 1


@dataclass(frozen=True, slots=True)
class SocketAddress:
    """`ip:port`, `[ipv6]:port` or `[fe80::1%eth0]:port`; port 1-65535.

    >>> str(SocketAddress.parse("[0:0::0]:25"))
    '[::]:25'
    """

    ip: IPv4Address | IPv6Address
    port: int
    scope: str | None = None

    @classmethod
    def parse(cls, text: str) -> SocketAddress:
        """Raises ValueError with words for the operator."""
        match = _PLAIN.match(text) or _BRACKETED.match(text)
        if match is None:
            raise ValueError(f"{text!r} is not a socket address; write 192.0.2.1:25, [2001:db8::1]:25 or [::]:25")
        host, _, scope = match[1].partition("%")
        try:
            ip = ip_address(host)
        except ValueError:
            raise ValueError(f"{text!r}: {host!r} is not an IP address (a host name cannot be bound)") from None
        if scope and _SCOPE.match(scope) is None:
            raise ValueError(f"{text!r}: {scope!r} is not the name of a network interface")
        if "%" in match[1] and not (isinstance(ip, IPv6Address) and ip.is_link_local and scope):
            raise ValueError(f"{text!r}: only a link-local IPv6 address takes a scope, like [fe80::1%eth0]:25")
        if isinstance(ip, IPv6Address) and ip.is_link_local and not scope:
            raise ValueError(f"{text!r}: a link-local address needs its interface, like [{ip}%eth0]:{match[2]}")
        port = int(match[2])
        if not 1 <= port <= 65535:
            raise ValueError(f"{text!r}: the port must be from 1 to 65535")
        ip = unmapped(ip)
        if ip.is_multicast or ip == _BROADCAST:
            raise ValueError(f"{text!r}: nobody can connect to a multicast or broadcast address")
        return cls(ip, port, scope or None)

    @property
    def is_wildcard(self) -> bool:
        """Whether it stands for every address of its family (and `[::]` for IPv4 too)."""
        return self.ip.is_unspecified

    @property
    def is_dual_stack(self) -> bool:
        """Whether a socket bound to it also takes IPv4: `[::]` does."""
        return isinstance(self.ip, IPv6Address) and self.ip.is_unspecified

    def clashes_with(self, other: SocketAddress) -> bool:
        """Whether the kernel would not let both listen: equal, or one a wildcard that covers the other."""
        if self.port != other.port:
            return False
        if (self.ip, self.scope) == (other.ip, other.scope):
            return True
        if self.is_dual_stack or other.is_dual_stack:
            return True
        same_family = isinstance(self.ip, IPv4Address) == isinstance(other.ip, IPv4Address)
        return same_family and (self.is_wildcard or other.is_wildcard)

    def __str__(self) -> str:
        if isinstance(self.ip, IPv4Address):
            return f"{self.ip}:{self.port}"
        scope = f"%{self.scope}" if self.scope else ""
        return f"[{self.ip}{scope}]:{self.port}"
