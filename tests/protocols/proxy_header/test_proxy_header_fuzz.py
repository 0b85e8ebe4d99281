"""Headers made by an encoder that shares nothing with the product, decoded whole, cut and damaged.

The encoder follows proxy-protocol.txt section by section on plain values; so an error that encoder and decoder of the
product had in common would be found here.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.protocols.proxy_header.decode import DEFAULT_LIMIT, decode
from gatepost.protocols.proxy_header.header import (
    Decoded,
    Incomplete,
    MalformedHeader,
    ProxyFailure,
    TcpAddresses,
    UnixAddresses,
)

SIGNATURE = bytes.fromhex("0D0A0D0A000D0A515549540A")
CRC32C = 0x03
DECODER_FAILURES = {
    ProxyFailure.MISSING,
    ProxyFailure.MALFORMED,
    ProxyFailure.TOO_LARGE,
    ProxyFailure.BAD_CHECKSUM,
}


def castagnoli(data: bytes) -> int:
    """CRC-32C bit by bit, most significant bit first, as a polynomial division (RFC 3309, appendix)."""

    def reflected(value: int, width: int) -> int:
        return int(f"{value:0{width}b}"[::-1], 2)

    register = 0xFFFFFFFF
    for octet in data:
        register ^= reflected(octet, 8) << 24
        for _ in range(8):
            register = ((register << 1) ^ 0x1EDC6F41 if register & 0x80000000 else register << 1) & 0xFFFFFFFF
    return reflected(register, 32) ^ 0xFFFFFFFF


def test_this_files_checksum_gives_the_known_value() -> None:
    assert castagnoli(b"123456789") == 0xE3069283


@dataclass(frozen=True)
class Sent:
    """What a proxy says. `hosts` and `ports`: source, destination; paths instead of hosts for UNIX."""

    family: str  # TCP4, TCP6 or UNIX
    hosts: tuple[bytes, bytes]
    ports: tuple[int, int]
    tlvs: tuple[tuple[int, bytes], ...] = ()
    checksum_at: int | None = None  # before which vector the CRC32C stands; None: there is none

    def line(self) -> bytes:
        """Version 1, section 2.1."""
        family = {"TCP4": socket.AF_INET, "TCP6": socket.AF_INET6}[self.family]
        hosts = " ".join(socket.inet_ntop(family, host) for host in self.hosts)
        return f"PROXY {self.family} {hosts} {self.ports[0]} {self.ports[1]}\r\n".encode()

    def octets(self) -> bytes:
        """Version 2, section 2.2."""
        block = b"".join(host.ljust(108 if self.family == "UNIX" else 0, b"\0") for host in self.hosts)
        if self.family != "UNIX":
            block += struct.pack("!HH", *self.ports)
        vectors = list(self.tlvs)
        if self.checksum_at is not None:
            vectors.insert(self.checksum_at, (CRC32C, bytes(4)))
        places = []
        for kind, value in vectors:
            if kind == CRC32C:
                places.append(16 + len(block) + 3)
            block += struct.pack("!BH", kind, len(value)) + value
        family = {"TCP4": 0x11, "TCP6": 0x21, "UNIX": 0x31}[self.family]
        whole = SIGNATURE + struct.pack("!BBH", 0x21, family, len(block)) + block
        for place in places:
            whole = whole[:place] + struct.pack("!I", castagnoli(whole)) + whole[place + 4 :]
        return whole


ports = st.tuples(st.integers(0, 65535), st.integers(0, 65535))
hosts4 = st.tuples(st.binary(min_size=4, max_size=4), st.binary(min_size=4, max_size=4))
hosts6 = st.tuples(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))
paths = st.binary(min_size=1, max_size=108).filter(lambda path: b"\0" not in path)
ssl_values = st.builds(
    lambda flags, verify, version, others: (
        bytes([flags]) + struct.pack("!IBH", verify, 0x21, len(version)) + version + b"".join(others)
    ),
    st.integers(0, 7),
    st.integers(0, 2**32 - 1),
    st.binary(max_size=20),
    st.sets(st.integers(0x22, 0x2F), max_size=4).map(lambda kinds: [bytes([kind, 0, 1, 65]) for kind in kinds]),
)
singles = st.fixed_dictionaries(
    {},
    optional={
        0x01: st.binary(max_size=30),
        0x02: st.text(max_size=30).map(str.encode),
        0x05: st.binary(max_size=128),
        0x20: ssl_values,
        0x30: st.text(max_size=30).map(str.encode),
    },
)
others = st.lists(st.tuples(st.sampled_from([0x04, 0x06, 0x7F, 0xE0, 0xEF, 0xFF]), st.binary(max_size=40)), max_size=5)
vectors = st.tuples(singles, others).flatmap(lambda both: st.permutations([*both[0].items(), *both[1]]).map(tuple))
tcp = st.one_of(
    st.builds(Sent, st.just("TCP4"), hosts4, ports, vectors, st.none() | st.integers(0, 4)),
    st.builds(Sent, st.just("TCP6"), hosts6, ports, vectors, st.none() | st.integers(0, 4)),
)
unix = st.builds(
    Sent, st.just("UNIX"), st.tuples(paths, paths), st.just((0, 0)), vectors, st.none() | st.integers(0, 4)
)


def without_mapping(host: bytes) -> bytes:
    return host[12:] if len(host) == 16 and host[:12] == bytes(10) + b"\xff\xff" else host


def assert_is(decoded: object, sent: Sent, length: int) -> None:
    """The header says what was sent, and is as long as it was."""
    assert isinstance(decoded, Decoded)
    assert decoded.length == length
    addresses = decoded.header.addresses
    if sent.family == "UNIX":
        assert isinstance(addresses, UnixAddresses)
        assert (addresses.source.path, addresses.destination.path) == sent.hosts
        return
    assert isinstance(addresses, TcpAddresses)
    ends = (addresses.source, addresses.destination)
    assert tuple(end.address.packed for end in ends) == tuple(map(without_mapping, sent.hosts))
    assert tuple(end.port for end in ends) == sent.ports


@given(tcp)
def test_lines_of_a_stranger_are_understood(sent: Sent) -> None:
    assert_is(decode(sent.line()), sent, len(sent.line()))


@given(tcp | unix)
def test_binary_headers_of_a_stranger_are_understood_with_every_vector(sent: Sent) -> None:
    octets = sent.octets()
    decoded = decode(octets)
    assert_is(decoded, sent, len(octets))
    assert isinstance(decoded, Decoded)
    facts, told = decoded.header.extensions, dict(sent.tlvs)
    assert facts.alpn == told.get(0x01)
    assert (facts.authority or "").encode() == told.get(0x02, b"")
    assert facts.unique_id == told.get(0x05)
    assert (facts.network_namespace or "").encode() == told.get(0x30, b"")
    assert facts.has_checksum is (sent.checksum_at is not None)
    assert [(tlv.type, tlv.value) for tlv in facts.other] == [
        (kind, value) for kind, value in sent.tlvs if kind in (0x06, 0x7F, 0xE0, 0xEF, 0xFF)
    ]
    assert (facts.ssl is None) is (0x20 not in told)
    if facts.ssl is not None:
        assert facts.ssl.client_flags == told[0x20][0]
        assert facts.ssl.verify == int.from_bytes(told[0x20][1:5], "big")


@given(tcp | unix, st.booleans(), st.lists(st.integers(1, 60), max_size=30), st.binary(max_size=40))
def test_however_it_is_cut_a_header_is_waited_for_and_then_the_same(
    sent: Sent, is_text: bool, cuts: list[int], behind: bytes
) -> None:
    header = sent.line() if is_text and sent.family != "UNIX" else sent.octets()
    stream, seen = header + behind, b""
    for size in [*cuts, len(stream)]:
        seen = stream[: len(seen) + size]
        result = decode(seen)
        if len(seen) < len(header):
            assert isinstance(result, Incomplete)
            assert len(seen) < result.at_least <= len(header)
        else:
            assert_is(result, sent, len(header))


@given(tcp | unix, st.booleans(), st.data())
def test_damage_gives_documented_failures_only(sent: Sent, is_text: bool, data: st.DataObject) -> None:
    header = bytearray(sent.line() if is_text and sent.family != "UNIX" else sent.octets())
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(header) - 1))
        match data.draw(st.sampled_from(["flip", "cut out", "put in", "end here"])):
            case "flip":
                header[position] ^= data.draw(st.integers(1, 255))
            case "cut out":
                del header[position]
            case "put in":
                header.insert(position, data.draw(st.integers(0, 255)))
            case _:
                del header[position + 1 :]
        if not header:
            return
    try:
        result = decode(bytes(header))
    except MalformedHeader as error:
        assert error.failure in DECODER_FAILURES
        assert str(error).isprintable()
        return
    if isinstance(result, Incomplete):
        assert len(header) < result.at_least <= DEFAULT_LIMIT
    else:
        assert 0 < result.length <= len(header)


@given(tcp.filter(lambda sent: sent.checksum_at is not None), st.data())
def test_a_single_bit_that_is_wrong_does_not_pass_a_checksum(sent: Sent, data: st.DataObject) -> None:
    """Nor does it pass by hiding the checksum itself: then the header is another, or none."""
    octets = bytearray(sent.octets())
    start = 16 + (12 if sent.family == "TCP4" else 36)
    position = data.draw(st.integers(16, start - 1))  # of the addresses
    octets[position] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(MalformedHeader) as caught:
        decode(bytes(octets))
    assert caught.value.failure is ProxyFailure.BAD_CHECKSUM
