"""Addresses, networks and durations as people write them: what is taken, in which form it is kept, what is refused."""

from __future__ import annotations

import pytest

from gatepost.values.duration import parse_duration
from gatepost.values.ip_mask import IpMask
from gatepost.values.socket_address import SocketAddress


@pytest.mark.parametrize(
    ("spelled", "kept"),
    [
        ("[0:0::0]:25", "[::]:25"),
        ("[2001:DB8::0:1]:1", "[2001:db8::1]:1"),
        ("[::ffff:192.0.2.1]:65535", "192.0.2.1:65535"),
        ("[FE80::1%eth0]:25", "[fe80::1%eth0]:25"),
    ],
)
def test_a_socket_address_is_kept_in_its_canonical_form(spelled: str, kept: str) -> None:
    assert str(SocketAddress.parse(spelled)) == kept
    assert str(SocketAddress.parse(kept)) == kept


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("192.0.2.1:0", "from 1 to 65535"),
        ("192.0.2.1:65536", "from 1 to 65535"),
        ("[fe80::1]:25", "needs its interface"),
        ("[::1%lo]:25", "only a link-local"),
        ("224.0.0.1:25", "multicast"),
        ("[ff02::1]:25", "multicast"),
        ("255.255.255.255:25", "broadcast"),
    ],
)
def test_an_address_that_no_client_could_connect_to_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        SocketAddress.parse(text)


def test_a_network_has_no_scope() -> None:
    with pytest.raises(ValueError, match="leave '%eth0' out"):
        IpMask.parse("fe80::%eth0/64")


@pytest.mark.parametrize("text", ["\N{ARABIC-INDIC DIGIT THREE}s", f"{'9' * 5000}s", "1.5s", "-1s", " 1s", "1", ""])
def test_a_duration_is_ascii_digits_with_units(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)
