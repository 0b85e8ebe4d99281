"""Which clients are refused because of the network that they come from. Looked at for every connection, right after accept.

A table has a set of network numbers for each prefix length that occurs: an address is cut to each of these lengths and looked
up, so that ten thousand networks cost what one does. Where nobody is blocked there is no table, and nothing is looked up.
Times are seconds of the epoch and are handed in.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable

from gatepost.plan.plan import NetworkPlan

_MAPPED = "::ffff:"  # an IPv4 client of a dual-stack socket (RFC 4291 section 2.5.5.2)
_BITS = {4: 32, 16: 128}  # by octets of an address


def plain_host(host: str) -> str:
    """An address in the words of the kernel, without a scope, and as IPv4 where it is mapped."""
    if ":" not in host:
        return host
    if host.startswith(_MAPPED) and "." in host:
        return host[len(_MAPPED) :]
    return host.partition("%")[0]


def address_octets(host: str) -> bytes:
    """The octets of an address in the words of the kernel; of an IPv4-mapped one those of the IPv4 address."""
    plain = plain_host(host)
    return socket.inet_pton(socket.AF_INET6 if ":" in plain else socket.AF_INET, plain)


class _Networks:
    """Networks of both families."""

    __slots__ = ("_by_length",)

    def __init__(self, texts: Iterable[str]) -> None:
        lengths: dict[int, dict[int, set[int]]] = {4: {}, 16: {}}
        for text in texts:
            address, _, length = text.partition("/")
            octets = address_octets(address)
            bits = _BITS[len(octets)]
            host_bits = bits - int(length or bits)
            lengths[len(octets)].setdefault(host_bits, set()).add(int.from_bytes(octets, "big") >> host_bits)
        self._by_length = {size: tuple(sets.items()) for size, sets in lengths.items()}

    def have(self, octets: bytes) -> bool:
        number = int.from_bytes(octets, "big")
        for host_bits, numbers in self._by_length[len(octets)]:  # noqa: SIM110 - any() would make a generator for each client
            if number >> host_bits in numbers:
                return True
        return False


class BlockTable:
    """What holds at one time."""

    __slots__ = ("_allowed", "_blocked", "_ending", "ends_any")

    def __init__(self, blocked: Iterable[NetworkPlan], allowed: Iterable[NetworkPlan]) -> None:
        blocked = tuple(blocked)
        ending = [each.network for each in blocked if each.ends_connections]
        self._blocked = _Networks(each.network for each in blocked)
        self._ending = _Networks(ending)
        self._allowed = _Networks(each.network for each in allowed)
        self.ends_any = bool(ending)

    def refuses(self, octets: bytes) -> bool:
        """Whether a client of this address is refused."""
        return self._blocked.have(octets) and not self._allowed.have(octets)

    def ends(self, octets: bytes) -> bool:
        """Whether its open connections are ended too."""
        return self._ending.have(octets) and not self._allowed.have(octets)


def table_at(now: float, blocked: Iterable[NetworkPlan], allowed: Iterable[NetworkPlan]) -> BlockTable | None:
    """What holds at that time; None where nobody is blocked."""
    in_force = [each for each in blocked if is_in_force(each, now)]
    return BlockTable(in_force, (each for each in allowed if is_in_force(each, now))) if in_force else None


def is_in_force(network: NetworkPlan, now: float) -> bool:
    """Whether its time is not over."""
    return network.until is None or network.until > now


def next_expiry(now: float, networks: Iterable[NetworkPlan]) -> float | None:
    """When the next of them ends; None where none does."""
    return min((each.until for each in networks if each.until is not None and each.until > now), default=None)
