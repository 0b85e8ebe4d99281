"""Both versions through the one way in: whole, octet by octet, split, with octets behind, and with anything at all."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.protocols.proxy_header.decode import DEFAULT_LIMIT, decode
from gatepost.protocols.proxy_header.header import (
    V2_SIGNATURE,
    Command,
    Decoded,
    Endpoint,
    Extensions,
    Incomplete,
    MalformedHeader,
    ProxyHeader,
    SslInformation,
    TcpAddresses,
    Tlv,
    UnixAddresses,
    UnixEndpoint,
)
from gatepost.protocols.proxy_header.version1 import encode_version1
from gatepost.protocols.proxy_header.version2 import encode_version2

V4 = TcpAddresses(Endpoint.of(IPv4Address("192.0.2.7"), 4001), Endpoint.of(IPv4Address("198.51.100.1"), 25))
V6 = TcpAddresses(Endpoint.of(IPv6Address("2001:db8::7"), 0), Endpoint.of(IPv6Address("2001:db8::1"), 65535))
UNIX = UnixAddresses(UnixEndpoint(b"\0abstract\0name"), UnixEndpoint(b"/run/proxy.sock"))
EVERYTHING = Extensions(
    alpn=b"h2",
    authority="mail.example.org",
    unique_id=b"7F000001:0FA1",
    ssl=SslInformation(
        0x07, 0, "TLSv1.3", "alice", "TLS_AES_128_GCM_SHA256", "SHA256", "RSA2048", (Tlv(0x26, b"X25519"),)
    ),
    network_namespace="blue",
    has_checksum=True,
    other=(Tlv(0xEA, b"\x01vpce-1"), Tlv(0xF0, b"")),
)
HEADERS = [
    encode_version1(V4),
    encode_version1(V6),
    encode_version1(None),
    encode_version2(ProxyHeader(2, Command.LOCAL)),
    encode_version2(ProxyHeader(2, Command.PROXY, V4)),
    encode_version2(ProxyHeader(2, Command.PROXY, V6, Extensions(has_checksum=True))),
    encode_version2(ProxyHeader(2, Command.PROXY, UNIX, EVERYTHING)),
]

ips = st.one_of(  # a mapped address would come back as IPv4
    st.ip_addresses(v=4), st.ip_addresses(v=6).map(IPv6Address).filter(lambda ip: ip.ipv4_mapped is None)
)
endpoints = st.builds(Endpoint.of, ips, st.integers(0, 65535))
tcp_addresses = st.builds(TcpAddresses, endpoints, endpoints)
unix_endpoints = st.builds(UnixEndpoint, st.binary(min_size=1, max_size=108).filter(lambda path: b"\0" not in path))
texts = st.none() | st.text(max_size=40)
vendor_tlvs = st.builds(Tlv, st.integers(0xE0, 0xEF), st.binary(max_size=40))
ssl_information = st.builds(
    SslInformation, st.integers(0, 7), st.integers(0, 2**32 - 1), texts, texts, texts, texts, texts, st.just(())
)
extensions = st.builds(
    Extensions,
    st.none() | st.binary(max_size=20),
    texts,
    st.none() | st.binary(max_size=128),
    st.none() | ssl_information,
    texts,
    st.booleans(),
    st.lists(vendor_tlvs, max_size=3).map(tuple),
)
version2_headers = st.builds(
    ProxyHeader,
    st.just(2),
    st.just(Command.PROXY),
    tcp_addresses | st.builds(UnixAddresses, unix_endpoints, unix_endpoints),
    extensions,
)


@given(tcp_addresses)
def test_version_1_round_trip(addresses: TcpAddresses) -> None:
    octets = encode_version1(addresses)
    assert decode(octets) == Decoded(ProxyHeader(1, Command.PROXY, addresses), len(octets))


@given(version2_headers, st.binary(max_size=64))
def test_version_2_round_trip_whatever_follows(header: ProxyHeader, behind: bytes) -> None:
    octets = encode_version2(header)
    assert decode(octets + behind) == Decoded(header, len(octets))


@pytest.mark.parametrize("header", HEADERS)
def test_every_cut_is_incomplete_and_never_asks_for_too_much(header: bytes) -> None:
    for end in range(len(header)):
        so_far = decode(header[:end])
        assert isinstance(so_far, Incomplete)
        assert end < so_far.at_least <= len(header)


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("behind", [b"", b"\x16\x03\x01\x02\x00", b"EHLO x\r\n", b"PROXY UNKNOWN\r\n", V2_SIGNATURE])
def test_length_is_exact_whatever_follows(header: bytes, behind: bytes) -> None:
    decoded = decode(header + behind)
    assert isinstance(decoded, Decoded)
    assert decoded.length == len(header)


@given(st.binary(max_size=300))
def test_any_octets_give_a_documented_outcome(data: bytes) -> None:
    outcome_is_documented(data)


@given(st.sampled_from(HEADERS), st.integers(0, 400), st.binary(min_size=1, max_size=4))
def test_a_damaged_header_gives_a_documented_outcome(header: bytes, position: int, damage: bytes) -> None:
    position %= len(header)
    outcome_is_documented(header[:position] + damage + header[position + len(damage) :])


def outcome_is_documented(data: bytes) -> None:
    try:
        outcome = decode(data)
    except MalformedHeader:
        return
    if isinstance(outcome, Incomplete):
        assert len(data) < outcome.at_least <= DEFAULT_LIMIT
    else:
        assert 0 < outcome.length <= len(data)


@pytest.mark.parametrize("data", [b"E", b"PR0", b"\x16", b"\n", b"\r\r", V2_SIGNATURE[:-1] + b"X", b"proxy TCP4"])
def test_what_begins_like_no_header_is_refused_at_once(data: bytes) -> None:
    with pytest.raises(MalformedHeader):
        decode(data)


@pytest.mark.parametrize(("length", "is_accepted"), [(DEFAULT_LIMIT - 1, True), (DEFAULT_LIMIT, True), (4097, False)])
def test_size_limit_of_version_2(length: int, is_accepted: bool) -> None:
    filling = length - 16 - 12 - 3
    octets = encode_version2(ProxyHeader(2, Command.PROXY, V4, Extensions(other=(Tlv(0xE0, bytes(filling)),))))
    assert len(octets) == length
    if is_accepted:
        assert isinstance(decode(octets), Decoded)
    else:
        with pytest.raises(MalformedHeader, match="4097 octets"):
            decode(octets[:16])
