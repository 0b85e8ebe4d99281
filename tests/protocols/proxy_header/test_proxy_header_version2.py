"""The binary header, octet by octet, by proxy-protocol.txt section 2.2."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from gatepost.protocols.proxy_header.crc32c import crc32c
from gatepost.protocols.proxy_header.decode import decode
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
)
from gatepost.protocols.proxy_header.version2 import encode_version2

V4 = TcpAddresses(Endpoint.of(IPv4Address("192.0.2.7"), 4001), Endpoint.of(IPv4Address("198.51.100.1"), 25))
V4_BLOCK = bytes((192, 0, 2, 7, 198, 51, 100, 1, 0x0F, 0xA1, 0, 25))


def header(command: int, family: int, block: bytes) -> bytes:
    return V2_SIGNATURE + bytes((command, family)) + len(block).to_bytes(2, "big") + block


def decoded(data: bytes) -> ProxyHeader:
    outcome = decode(data)
    assert isinstance(outcome, Decoded)
    assert outcome.length == len(data)
    return outcome.header


def test_tcp_over_ipv4_octet_for_octet() -> None:
    assert decoded(header(0x21, 0x11, V4_BLOCK)) == ProxyHeader(2, Command.PROXY, V4)
    assert encode_version2(ProxyHeader(2, Command.PROXY, V4)) == header(0x21, 0x11, V4_BLOCK)


def test_ipv4_mapped_addresses_are_ipv4() -> None:
    mapped = bytes(10) + b"\xff\xff"
    block = mapped + V4_BLOCK[:4] + mapped + V4_BLOCK[4:8] + V4_BLOCK[8:]
    assert decoded(header(0x21, 0x21, block)).addresses == V4


@pytest.mark.parametrize("family", [0x00, 0x11, 0x12, 0x31, 0xFF])
@pytest.mark.parametrize("block", [b"", b"\x03", bytes(12), b"\x03\x00\x04wrng"])
def test_local_discards_the_block_and_the_family(family: int, block: bytes) -> None:
    assert decoded(header(0x20, family, block)) == ProxyHeader(2, Command.LOCAL)


def test_proxy_of_an_unspecified_family_leaves_the_addresses_of_the_connection() -> None:
    assert decoded(header(0x21, 0x00, b"whatever")) == ProxyHeader(2, Command.PROXY)


@pytest.mark.parametrize("family", [0x12, 0x22, 0x32])
def test_datagram_flows_are_refused(family: int) -> None:
    with pytest.raises(MalformedHeader, match="datagram"):
        decode(header(0x21, family, bytes(216)))


@pytest.mark.parametrize("family", [0x01, 0x10, 0x13, 0x20, 0x30, 0x41, 0xFF])
def test_unassigned_families_are_refused(family: int) -> None:
    with pytest.raises(MalformedHeader, match="not known"):
        decode(header(0x21, family, bytes(216)))


@pytest.mark.parametrize("octet", [0x00, 0x11, 0x31, 0x22, 0x2F, 0xFF])
def test_other_versions_and_commands_are_refused_with_their_first_octet(octet: int) -> None:
    with pytest.raises(MalformedHeader):
        decode(V2_SIGNATURE + bytes((octet,)))


@pytest.mark.parametrize(("family", "length"), [(0x11, 12), (0x21, 36), (0x31, 216)])
def test_a_block_shorter_than_its_addresses_is_refused(family: int, length: int) -> None:
    assert isinstance(decode(header(0x21, family, bytes(length))), Decoded)
    with pytest.raises(MalformedHeader, match="too short"):
        decode(header(0x21, family, bytes(length - 1)))


@pytest.mark.parametrize("tlvs", [b"\x01", b"\x01\x00", b"\x01\x00\x01", b"\x04\x00\x00\x01\x00\x05abcd"])
def test_a_tlv_that_is_cut_off_is_refused(tlvs: bytes) -> None:
    with pytest.raises(MalformedHeader, match="TLV"):
        decode(header(0x21, 0x11, V4_BLOCK + tlvs))


def test_a_checksum_is_verified() -> None:
    good = encode_version2(ProxyHeader(2, Command.PROXY, V4, Extensions(alpn=b"h2", has_checksum=True)))
    assert decoded(good).extensions.has_checksum
    for position in (13, 16, 27, 31, len(good) - 1):
        bad = bytearray(good)
        bad[position] ^= 0x01 if position != 13 else 0x30
        with pytest.raises(MalformedHeader):
            decode(bytes(bad))


def test_a_checksum_may_stand_anywhere_and_counts_as_zeros() -> None:
    zeroed = header(0x21, 0x11, V4_BLOCK + b"\x03\x00\x04" + bytes(4) + b"\x01\x00\x02h2")
    data = zeroed.replace(b"\x03\x00\x04" + bytes(4), b"\x03\x00\x04" + crc32c(zeroed).to_bytes(4, "big"))
    assert decoded(data).extensions == Extensions(alpn=b"h2", has_checksum=True)
    with pytest.raises(MalformedHeader, match="CRC32C is wrong"):
        decode(zeroed)


@pytest.mark.parametrize("tlv", [b"\x03\x00\x00", b"\x03\x00\x05abcde"])
def test_a_checksum_of_another_length_is_refused(tlv: bytes) -> None:
    with pytest.raises(MalformedHeader, match="4 octets"):
        decode(header(0x21, 0x11, V4_BLOCK + tlv))


@pytest.mark.parametrize("tlv", [b"\x01\x00\x02h2", b"\x02\x00\x01a", b"\x05\x00\x01u", b"\x30\x00\x01n"])
def test_a_tlv_that_has_one_meaning_is_refused_when_it_is_there_twice(tlv: bytes) -> None:
    with pytest.raises(MalformedHeader, match="twice"):
        decode(header(0x21, 0x11, V4_BLOCK + tlv + tlv))


@pytest.mark.parametrize(("length", "is_accepted"), [(0, True), (127, True), (128, True), (129, False)])
def test_unique_ids_have_at_most_128_octets(length: int, is_accepted: bool) -> None:
    data = header(0x21, 0x11, V4_BLOCK + b"\x05" + length.to_bytes(2, "big") + bytes(length))
    if is_accepted:
        assert decoded(data).extensions.unique_id == bytes(length)
    else:
        with pytest.raises(MalformedHeader, match="129 octets"):
            decode(data)


def test_ssl_with_its_sub_tlvs() -> None:
    subs = b"\x21\x00\x07TLSv1.3" + b"\x22\x00\x05alice" + b"\x23\x00\x02AE" + b"\x24\x00\x01S" + b"\x25\x00\x01R"
    value = b"\x05\x00\x00\x00\x00" + subs + b"\x26\x00\x01G"
    data = header(0x21, 0x11, V4_BLOCK + b"\x20" + len(value).to_bytes(2, "big") + value)
    ssl = decoded(data).extensions.ssl
    assert ssl == SslInformation(5, 0, "TLSv1.3", "alice", "AE", "S", "R", (Tlv(0x26, b"G"),))
    assert (ssl.is_tls, ssl.has_certificate_on_connection, ssl.has_certificate_in_session) == (True, False, True)


@pytest.mark.parametrize("value", [b"", b"\x01\x00\x00\x00", b"\x01\x00\x00\x00\x00\x21", b"\x01\0\0\0\0\x21\x00\x09T"])
def test_an_ssl_tlv_that_is_cut_off_is_refused(value: bytes) -> None:
    with pytest.raises(MalformedHeader, match=r"cut off|longer"):
        decode(header(0x21, 0x11, V4_BLOCK + b"\x20" + len(value).to_bytes(2, "big") + value))


def test_names_that_are_not_utf_8_stay_readable() -> None:
    assert decoded(header(0x21, 0x11, V4_BLOCK + b"\x02\x00\x03a\xffb")).extensions.authority == "a\\xffb"


def test_vendor_and_unknown_tlvs_are_kept_raw_and_noop_is_skipped() -> None:
    data = header(0x21, 0x11, V4_BLOCK + b"\xea\x00\x02\x01v" + b"\x04\x00\x03xxx" + b"\xea\x00\x00" + b"\x7f\x00\x01u")
    assert decoded(data).extensions.other == (Tlv(0xEA, b"\x01v"), Tlv(0xEA, b""), Tlv(0x7F, b"u"))


def test_incomplete_tells_the_whole_length_once_it_is_known() -> None:
    data = header(0x21, 0x11, V4_BLOCK + b"\xea\x00\x02\x01v")
    assert decode(data[:12]) == Incomplete(16)
    assert decode(data[:16]) == Incomplete(len(data))
    assert decode(data[:-1]) == Incomplete(len(data))
