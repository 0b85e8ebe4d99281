"""The source address as octets is the one that the address objects tell of, in whatever form the kernel gives it."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from gatepost.protocols.proxy_header.decode import decode
from gatepost.protocols.proxy_header.header import Decoded
from gatepost.transport.connection_info import ConnectionInfo


@pytest.mark.parametrize(
    ("sockaddr", "is_loopback"),
    [
        (("192.0.2.7", 4001), False),
        (("127.0.0.1", 4001), True),
        (("127.255.3.4", 4001), True),
        (("::1", 4001, 0, 0), True),
        (("::2", 4001, 0, 0), False),
        (("2001:db8::7", 4001, 0, 0), False),
        (("fe80::1%eth0", 4001, 0, 2), False),
        (("::ffff:192.0.2.7", 4001, 0, 0), False),
        (("::ffff:127.0.0.1", 4001, 0, 0), True),
    ],
)
def test_octets_and_object_are_the_same_address(sockaddr: tuple[object, ...], is_loopback: bool) -> None:
    info = ConnectionInfo(sockaddr)
    assert info.source_octets == info.source_address[0].packed
    assert info.is_source_loopback is info.source_address[0].is_loopback is is_loopback


@pytest.mark.parametrize(
    ("sockaddr", "text"),
    [
        (("192.0.2.7", 4001), "192.0.2.7:4001"),
        (("::ffff:192.0.2.7", 4001, 0, 0), "192.0.2.7:4001"),
        (("2001:db8::7", 4001, 0, 0), "[2001:db8::7]:4001"),
        (("fe80::1%eth0", 4001, 0, 2), "[fe80::1]:4001"),
        (("::ffff:0:c000:207", 4001, 0, 0), "[::ffff:0:c000:207]:4001"),  # translated (RFC 2765), which is not mapped
    ],
)
def test_logs_and_lists_have_the_address_that_it_is(sockaddr: tuple[object, ...], text: str) -> None:
    info = ConnectionInfo(sockaddr)
    assert info.source_text == info.peer_text == text
    assert ip_address(text.rpartition(":")[0].strip("[]")) == info.source_address[0]


@pytest.mark.parametrize("source", ["TCP4 192.0.2.9 192.0.2.1", "TCP6 2001:db8::9 ::1", "TCP6 ::ffff:192.0.2.9 ::1"])
def test_behind_a_proxy_they_are_those_of_the_header(source: str) -> None:
    info = ConnectionInfo(("127.0.0.1", 4001))
    decoded = decode(f"PROXY {source} 4001 25\r\n".encode())
    assert isinstance(decoded, Decoded)
    info.proxy_header = decoded.header
    assert info.source_octets == info.source_address[0].packed
    assert info.source_octets[-1] == 9
    assert info.is_source_known
    assert not info.is_source_loopback


@pytest.mark.parametrize("source", ["TCP4 127.0.0.9 192.0.2.1", "TCP6 ::1 2001:db8::1", "TCP6 ::ffff:127.0.0.9 ::1"])
@pytest.mark.parametrize(("peer", "is_here"), [("127.0.0.1", True), ("::ffff:127.0.0.1", True), ("192.0.2.66", False)])
def test_a_loopback_address_behind_a_proxy_is_of_this_machine_only_if_the_proxy_is(
    source: str, peer: str, is_here: bool
) -> None:
    info = ConnectionInfo((peer, 4001))
    decoded = decode(f"PROXY {source} 4001 25\r\n".encode())
    assert isinstance(decoded, Decoded)
    info.proxy_header = decoded.header
    assert (info.is_source_known, info.is_source_loopback) == (is_here, is_here)


_V2 = b"\r\n\r\n\x00\r\nQUIT\n"


@pytest.mark.parametrize(
    "header",
    [b"PROXY UNKNOWN\r\n", _V2 + b"\x20\x00\0\0", _V2 + b"\x21\x00\0\0", _V2 + b"\x21\x31\0\xd8" + bytes(216)],
    ids=["UNKNOWN", "LOCAL", "UNSPEC", "UNIX"],
)
def test_a_client_that_its_proxy_does_not_name_is_not_taken_for_the_proxy(header: bytes) -> None:
    info = ConnectionInfo(("127.0.0.1", 4001))
    decoded = decode(header)
    assert isinstance(decoded, Decoded)
    assert info.is_source_loopback
    info.proxy_header = decoded.header
    assert not info.is_source_known
    assert not info.is_source_loopback
