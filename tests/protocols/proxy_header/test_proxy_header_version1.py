"""The line of text, strictly by proxy-protocol.txt section 2.1."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from gatepost.protocols.proxy_header.decode import decode
from gatepost.protocols.proxy_header.header import Decoded, Incomplete, MalformedHeader, TcpAddresses


def addresses_of(line: bytes) -> TcpAddresses | None:
    decoded = decode(line)
    assert isinstance(decoded, Decoded)
    addresses = decoded.header.addresses
    assert addresses is None or isinstance(addresses, TcpAddresses)
    return addresses


def test_the_example_of_the_specification() -> None:
    addresses = addresses_of(b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\nGET / HTTP/1.1\r\n")
    assert addresses is not None
    assert (str(addresses.source), str(addresses.destination)) == ("192.168.0.1:56324", "192.168.0.11:443")


def test_the_longest_lines_of_the_specification() -> None:
    ones = b"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
    addresses = addresses_of(b"PROXY TCP6 " + ones + b" " + ones + b" 65535 65535\r\n")
    assert addresses is not None
    assert str(addresses.source) == f"[{ones.decode()}]:65535"
    longest = b"PROXY UNKNOWN " + ones + b" " + ones + b" 65535 65535\r\n"
    assert len(longest) == 107
    assert addresses_of(longest) is None


def test_unknown_ignores_whatever_stands_before_the_line_end() -> None:
    assert addresses_of(b"PROXY UNKNOWN\r\n") is None
    assert addresses_of(b"PROXY UNKNOWN anything at all\r\n") is None


def test_ipv4_mapped_addresses_are_ipv4() -> None:
    addresses = addresses_of(b"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:c000:201 4001 25\r\n")
    assert addresses is not None
    assert addresses.source.address == IPv4Address("192.0.2.7")
    assert addresses.destination.address == IPv4Address("192.0.2.1")


@pytest.mark.parametrize(
    "line",
    [
        b"PROXY \r\n",
        b"PROXY TCP4\r\n",
        b"PROXY UDP4 192.0.2.7 192.0.2.1 4001 25\r\n",
        b"PROXY tcp4 192.0.2.7 192.0.2.1 4001 25\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 4001\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 4001 25 \r\n",
        b"PROXY TCP4 192.0.2.7  192.0.2.1 4001 25\r\n",
        b"PROXY TCP4 192.0.2.07 192.0.2.1 4001 25\r\n",
        b"PROXY TCP4 192.0.2.256 192.0.2.1 4001 25\r\n",
        b"PROXY TCP4 192.0.2 192.0.2.1 4001 25\r\n",
        b"PROXY TCP4 2001:db8::7 192.0.2.1 4001 25\r\n",
        b"PROXY TCP6 192.0.2.7 192.0.2.1 4001 25\r\n",
        b"PROXY TCP6 2001:db8:::7 2001:db8::1 4001 25\r\n",
        b"PROXY TCP6 fe80::1%eth0 2001:db8::1 4001 25\r\n",
        b"PROXY TCP6 2001:db8::7/64 2001:db8::1 4001 25\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 04001 25\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 65536 25\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 -1 25\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 +1 25\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 1_0 25\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.1 \u0664 25\r\n".encode(),
        b"PROXY TCP4 192.0.2.7 192.0.2.1 4001 25\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 4001 25\r\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1\x004001 25\r\n",
    ],
)
def test_a_line_that_is_not_strictly_right_is_refused(line: bytes) -> None:
    with pytest.raises(MalformedHeader):
        decode(line)


@pytest.mark.parametrize(("length", "is_waited_for"), [(105, True), (106, True), (107, False), (200, False)])
def test_a_line_without_end_is_refused_at_107_octets(length: int, is_waited_for: bool) -> None:
    data = b"PROXY UNKNOWN ".ljust(length, b"x")
    if is_waited_for:
        assert decode(data) == Incomplete(length + 1)
    else:
        with pytest.raises(MalformedHeader, match="no line end"):
            decode(data)


def test_a_line_of_108_octets_is_refused_even_when_it_is_complete() -> None:
    with pytest.raises(MalformedHeader):
        decode(b"PROXY UNKNOWN ".ljust(106, b"x") + b"\r\n")
