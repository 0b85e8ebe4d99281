"""Addresses, networks, durations, ids and secrets: what is accepted, the canonical form, what never shows."""

from __future__ import annotations

import copy
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gatepost.values.duration import format_duration, parse_duration
from gatepost.values.ids import id_from_random, is_id
from gatepost.values.ip_mask import IpMask, unmapped
from gatepost.values.secret import Secret
from gatepost.values.socket_address import SocketAddress

# --- SocketAddress --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("192.0.2.1:25", "192.0.2.1:25"),
        ("0.0.0.0:1", "0.0.0.0:1"),
        ("192.0.2.1:00025", "192.0.2.1:25"),
        ("[::]:65535", "[::]:65535"),
        ("[2001:DB8:0:0::1]:25", "[2001:db8::1]:25"),
        ("[::ffff:192.0.2.1]:25", "192.0.2.1:25"),
        ("[fe80::1%eth0]:25", "[fe80::1%eth0]:25"),
    ],
)
def test_a_socket_address_has_one_canonical_form(text: str, canonical: str) -> None:
    address = SocketAddress.parse(text)
    assert str(address) == canonical
    assert SocketAddress.parse(canonical) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "25",
        "192.0.2.1",
        "192.0.2.1:",
        "192.0.2.1:0",
        "192.0.2.1:65536",
        "192.0.2.1:-1",
        "192.0.2.1:+25",
        "192.0.2.1: 25",
        "192.0.2.1:25\n",
        " 192.0.2.1:25",
        "192.0.2.1:٢٥",
        "192.0.2:25",
        "192.0.2.01:25",
        "192.0.2.256:25",
        "localhost:25",
        "2001:db8::1:25",
        "[192.0.2.1]:25:",
        "[2001:db8::1]",
        "[2001:db8::1%eth0]:25",
        "[fe80::1%]:25",
        "[fe80::1%a b]:25",
        "[fe80::1%sixteen-letters-x]:25",
        "[::1]:25x",
    ],
)
def test_what_is_no_socket_address_is_refused_with_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"^") as refused:
        SocketAddress.parse(text)
    assert repr(text) in str(refused.value)


@given(st.ip_addresses(), st.integers(1, 65535))
def test_every_address_and_port_makes_the_round_trip(ip: IPv4Address | IPv6Address, port: int) -> None:
    meant = unmapped(ip)  # ::ffff:255.255.255.255 is the broadcast address too
    assume(not meant.is_multicast and not ip.is_link_local and str(meant) != "255.255.255.255")
    text = f"[{ip}]:{port}" if ":" in str(ip) else f"{ip}:{port}"
    address = SocketAddress.parse(text)
    assert SocketAddress.parse(str(address)) == address


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        address = SocketAddress.parse(text)
    except ValueError:
        return
    assert SocketAddress.parse(str(address)) == address


@pytest.mark.parametrize(
    ("one", "other", "do_clash"),
    [
        ("192.0.2.1:25", "192.0.2.1:25", True),
        ("192.0.2.1:25", "192.0.2.1:26", False),
        ("192.0.2.1:25", "192.0.2.2:25", False),
        ("0.0.0.0:25", "192.0.2.1:25", True),
        ("[::]:25", "192.0.2.1:25", True),
        ("[::]:25", "0.0.0.0:25", True),
        ("[::]:25", "[::1]:25", True),
        ("0.0.0.0:25", "[::1]:25", False),
        ("[fe80::1%eth0]:25", "[fe80::1%eth1]:25", False),
        ("[::]:25", "[fe80::1%eth0]:25", True),
    ],
)
def test_addresses_clash_as_they_do_in_the_kernel(one: str, other: str, do_clash: bool) -> None:
    first, second = SocketAddress.parse(one), SocketAddress.parse(other)
    assert first.clashes_with(second) is do_clash
    assert second.clashes_with(first) is do_clash


def test_a_wildcard_is_told_from_a_dual_stack_one() -> None:
    assert SocketAddress.parse("0.0.0.0:1").is_wildcard
    assert not SocketAddress.parse("0.0.0.0:1").is_dual_stack
    assert SocketAddress.parse("[::]:1").is_dual_stack
    assert not SocketAddress.parse("[::1]:1").is_wildcard


# --- IpMask ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("10.1.2.3/8", "10.0.0.0/8"),
        ("10.1.2.3", "10.1.2.3"),
        ("10.1.2.3/32", "10.1.2.3"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("::/0", "::/0"),
        ("2001:DB8::1/33", "2001:db8::/33"),
        ("::ffff:10.1.2.3/104", "10.0.0.0/8"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
    ],
)
def test_a_network_has_one_canonical_form(text: str, canonical: str) -> None:
    assert str(IpMask.parse(text)) == canonical
    assert IpMask.parse(canonical) == IpMask.parse(text)


@pytest.mark.parametrize("text", ["", "10.0.0.0/33", "10.0.0", "::/129", "host", "10.0.0.0/-1", "10.0.0.0/8/8"])
def test_what_is_no_network_is_refused_with_words(text: str) -> None:
    with pytest.raises(ValueError, match="neither an IP address nor a network"):
        IpMask.parse(text)


@pytest.mark.parametrize(
    ("network", "inside", "outside"),
    [
        ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
        ("10.0.0.0/8", "::ffff:10.0.0.1", "::ffff:11.0.0.1"),
        ("0.0.0.0/0", "192.0.2.1", "::1"),
        ("::/0", "::1", "192.0.2.1"),
        ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
    ],
)
def test_an_address_lies_in_a_network_or_not(network: str, inside: str, outside: str) -> None:
    assert IpMask.parse(network).contains(ip_address(inside))
    assert not IpMask.parse(network).contains(ip_address(outside))


def test_an_ipv4_mapped_address_counts_as_ipv4() -> None:
    assert unmapped(ip_address("::ffff:192.0.2.1")) == ip_address("192.0.2.1")
    assert unmapped(ip_address("2001:db8::1")) == ip_address("2001:db8::1")


# --- Duration -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("0s", 0), ("500ms", 500), ("90s", 90_000), ("1m", 60_000), ("1h30m", 5_400_000), ("2d", 172_800_000)],
)
def test_a_duration_is_read(text: str, milliseconds: int) -> None:
    assert parse_duration(text) == milliseconds


@pytest.mark.parametrize("text", ["", "5", "m", "-1s", "1.5s", "1s ", " 1s", "1x", "1s2", "\u0661s", "1S"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@given(st.integers(0, 10**12))
def test_every_duration_makes_the_round_trip(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds)) == milliseconds


# --- Id -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["a", "A-Z_09", "x" * 255])
def test_an_id_is_what_rfc_8620_section_1_2_says(text: str) -> None:
    assert is_id(text)


@pytest.mark.parametrize("text", ["", "x" * 256, "a b", "a\n", "ä", "a/b", "#a"])
def test_what_is_no_id_by_rfc_8620_section_1_2_is_not_taken_for_one(text: str) -> None:
    assert not is_id(text)


@given(st.binary(min_size=10, max_size=10))
def test_an_id_made_of_random_octets_is_one_and_begins_with_a_letter(octets: bytes) -> None:
    made = id_from_random(octets)
    assert is_id(made)
    assert made[0].isalpha()
    assert len(made) == 17


@given(st.binary(min_size=10, max_size=10), st.binary(min_size=10, max_size=10))
def test_different_random_octets_make_different_ids(one: bytes, other: bytes) -> None:
    assert (id_from_random(one) == id_from_random(other)) == (one == other)


# --- Secret ---------------------------------------------------------------------------------------------------------------


def test_a_secret_never_prints() -> None:
    secret = Secret("hunter2")
    for shown in (
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>20}",
        repr([secret]),
        repr({"password": secret}),
    ):
        assert "hunter2" not in shown
    assert secret.reveal() == "hunter2"
    assert not hasattr(secret, "__dict__")


def test_secrets_are_equal_when_their_texts_are() -> None:
    assert Secret("grüße") == Secret("grüße")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert copy.deepcopy(Secret("a")) == Secret("a")
