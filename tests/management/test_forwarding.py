"""Whom an HTTP proxy speaks for: read from the right, as far as proxies are trusted."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.management.forwarding import ContradictingHeaders, ForwardedClient, forwarded_client
from gatepost.values.ip_mask import IpAddress, IpMask

PROXIES = [IpMask.parse("10.0.0.0/8"), IpMask.parse("2001:db8:1::/48")]


def is_trusted(address: IpAddress) -> bool:
    return any(network.contains(address) for network in PROXIES)


def client(peer: str, **headers: str | list[str]) -> ForwardedClient | None:
    values = {name.replace("_", "-"): [value] if isinstance(value, str) else value for name, value in headers.items()}
    return forwarded_client(ip_address(peer), lambda name: values.get(name, []), is_trusted)


def address(peer: str, **headers: str | list[str]) -> str:
    found = client(peer, **headers)
    assert found is not None
    return str(found.address)


def test_who_is_not_trusted_speaks_for_nobody_else() -> None:
    assert client("192.0.2.1", x_forwarded_for="198.51.100.1", forwarded="for=198.51.100.1") is None


def test_a_proxy_that_adds_nothing_speaks_for_itself() -> None:
    assert client("10.0.0.1") is None
    assert client("10.0.0.1", x_forwarded_for=" , ", x_forwarded_proto="https") is None


@pytest.mark.parametrize(
    ("chain", "expected"),
    [
        ("198.51.100.1", "198.51.100.1"),
        ("203.0.113.9, 198.51.100.1", "198.51.100.1"),  # what the client made up stands to the left
        ("203.0.113.9, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("203.0.113.9, unknown, 10.0.0.2", "10.0.0.2"),
        ("nonsense", "10.0.0.1"),
        ("198.51.100.1:4711", "198.51.100.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("::ffff:198.51.100.1", "198.51.100.1"),
    ],
)
def test_the_client_is_the_last_that_a_trusted_proxy_tells_of(chain: str, expected: str) -> None:
    assert address("10.0.0.1", x_forwarded_for=chain) == expected
    assert address("10.0.0.1", x_forwarded_for=chain.split(",")) == expected


@pytest.mark.parametrize(
    ("field", "expected", "is_https"),
    [
        ("for=198.51.100.1", "198.51.100.1", False),
        ("For=198.51.100.1;Proto=HTTPS;by=10.0.0.1", "198.51.100.1", True),
        ('for="[2001:db8::1]:4711";proto=https', "2001:db8::1", True),
        ('for="198.51.100.1:80", for=10.0.0.2;proto=https', "198.51.100.1", False),
        ('for=198.51.100.1;proto=https, for="10.0.0.2"', "198.51.100.1", True),
        ("for=_hidden;proto=https", "10.0.0.1", True),
        ('for="_a,b;c", for=198.51.100.1', "198.51.100.1", False),
        ('for="unclosed', "10.0.0.1", False),
        (r'for="198.51.\100.1"', "198.51.100.1", False),
    ],
)
def test_the_field_of_rfc7239_is_understood(field: str, expected: str, is_https: bool) -> None:
    assert client("10.0.0.1", forwarded=field) == ForwardedClient(ip_address(expected), is_https)


@pytest.mark.parametrize(
    ("chain", "schemes", "is_https"),
    [
        ("198.51.100.1", "https", True),
        ("198.51.100.1", "http", False),
        ("198.51.100.1", "", False),
        ("198.51.100.1, 10.0.0.2", "https", True),
        ("198.51.100.1, 10.0.0.2", "https, http", True),
        ("198.51.100.1, 10.0.0.2", "http, https", False),
        ("203.0.113.9, 198.51.100.1", "https, http", False),
    ],
)
def test_it_came_by_https_where_the_proxy_that_it_came_to_says_so(chain: str, schemes: str, is_https: bool) -> None:
    found = client("10.0.0.1", x_forwarded_for=chain, x_forwarded_proto=schemes)
    assert found is not None
    assert found.is_https == is_https


def test_two_fields_that_contradict_each_other_are_refused() -> None:
    """A proxy that writes one of them passes on the other as the client has made it up."""
    with pytest.raises(ContradictingHeaders):
        client("10.0.0.1", x_forwarded_for="198.51.100.1", forwarded="for=127.0.0.1")
    assert address("10.0.0.1", x_forwarded_for="198.51.100.1", forwarded="for=198.51.100.1") == "198.51.100.1"


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=20))
def test_whatever_stands_there_gives_an_address_or_a_contradiction(forwarded: str, chain: str, scheme: str) -> None:
    try:
        client("10.0.0.1", forwarded=forwarded, x_forwarded_for=chain, x_forwarded_proto=scheme)
    except ContradictingHeaders:
        pass
