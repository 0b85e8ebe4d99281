"""Conditions on networks and socket addresses: whoever gives a whole one means what it stands for, not its letters. Pure.

`10.0.0.1` is no part of `110.0.0.1`, nor port 25 of `127.0.0.1:2525`. What is no whole address is looked for as text, as while it
is being typed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address

from gatepost.management.jmap.failure import invalid_arguments
from gatepost.management.methods.filter import ValueTest
from gatepost.values.ip_mask import IpMask, unmapped
from gatepost.values.socket_address import SocketAddress

TextTest = Callable[[str], bool]


def network_test(wanted: object) -> ValueTest:
    """Of an address or a network: the networks that all of it lies in, itself included."""
    if not isinstance(wanted, str):
        return _no_text(wanted)
    try:
        network = IpMask.parse(wanted)
    except ValueError:
        return _of_any(_contains(wanted))
    return _of_any(lambda value: network.is_within(IpMask.parse(value)))


def socket_address_test(wanted: object) -> ValueTest:
    """Of `address:port`: that one; of an address: every port of it; of `:port`: every address with it. The values that are
    looked at are canonical, and need not be addresses that can be bound."""
    if not isinstance(wanted, str):
        return _no_text(wanted)
    if (whole := _socket_address(wanted)) is not None:
        return _of_any(str(whole).__eq__)
    if wanted.startswith(":") and wanted[1:].isdecimal():
        return _of_any(lambda value: value.endswith(wanted))
    ip = _ip(wanted)
    return _of_any(_contains(wanted) if ip is None else lambda value: _ip(value.rpartition(":")[0]) == ip)


def _socket_address(text: str) -> SocketAddress | None:
    try:
        return SocketAddress.parse(text)
    except ValueError:
        return None


def _ip(text: str) -> IPv4Address | IPv6Address | None:
    """Without its brackets and its scope; None where there is no address."""
    try:
        return unmapped(ip_address(text.removeprefix("[").removesuffix("]").partition("%")[0]))
    except ValueError:
        return None


def _contains(wanted: str) -> TextTest:
    return lambda value: wanted.casefold() in value.casefold()


def _of_any(test: TextTest) -> ValueTest:
    """Whether it is true of the value, or of a member of the set that the value is."""

    def is_true(value: object) -> bool:
        members = list(value) if isinstance(value, Mapping) else [value]
        return any(isinstance(member, str) and test(member) for member in members)

    return is_true


def _no_text(wanted: object) -> ValueTest:
    if isinstance(wanted, list | dict):
        raise invalid_arguments("the condition on an address or a network must be text, or null for none")
    return lambda value: wanted is None and not value
