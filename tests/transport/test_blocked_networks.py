"""Which clients are refused because of the network that they come from."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.plan.plan import NetworkPlan
from gatepost.transport.blocked_networks import BlockTable, address_octets, next_expiry, table_at
from gatepost.values.ip_mask import unmapped


def table(*blocked: str, allowed: tuple[str, ...] = ()) -> BlockTable:
    return BlockTable([NetworkPlan(each) for each in blocked], [NetworkPlan(each) for each in allowed])


def refuses(rules: BlockTable, *hosts: str) -> list[bool]:
    return [rules.refuses(address_octets(host)) for host in hosts]


def test_the_first_and_the_last_address_of_a_network_are_in_it_and_their_neighbours_are_not() -> None:
    rules = table("192.0.2.64/26", "2001:db8:0:8::/61", "198.51.100.7")
    assert refuses(rules, "192.0.2.63", "192.0.2.64", "192.0.2.127", "192.0.2.128") == [False, True, True, False]
    assert refuses(rules, "2001:db8:0:7:ffff::", "2001:db8:0:8::", "2001:db8:0:f:ffff::", "2001:db8:0:10::") == [
        False,
        True,
        True,
        False,
    ]
    assert refuses(rules, "198.51.100.6", "198.51.100.7", "198.51.100.8") == [False, True, False]


def test_everything_can_be_blocked_one_family_at_a_time() -> None:
    assert refuses(table("0.0.0.0/0"), "192.0.2.1", "2001:db8::1") == [True, False]
    assert refuses(table("::/0"), "192.0.2.1", "2001:db8::1") == [False, True]


def test_an_allowed_network_wins_whichever_is_the_larger_one() -> None:
    assert refuses(table("192.0.2.0/24", allowed=("192.0.2.9",)), "192.0.2.8", "192.0.2.9") == [True, False]
    assert refuses(table("192.0.2.9", allowed=("192.0.2.0/24",)), "192.0.2.9") == [False]


def test_a_client_of_a_dual_stack_socket_counts_as_the_ipv4_client_that_it_is() -> None:
    assert refuses(table("192.0.2.0/24"), "::ffff:192.0.2.1", "::ffff:192.0.3.1") == [True, False]


def test_a_scope_is_no_part_of_an_address() -> None:
    assert refuses(table("fe80::/10"), "fe80::1%eth0") == [True]


def test_only_networks_that_say_so_end_open_connections() -> None:
    rules = BlockTable(
        [NetworkPlan("192.0.2.0/24"), NetworkPlan("192.0.2.0/28", None, ends_connections=True)],
        [NetworkPlan("192.0.2.2")],
    )
    ended = [rules.ends(address_octets(host)) for host in ("192.0.2.1", "192.0.2.2", "192.0.2.99")]
    assert (rules.ends_any, ended) == (True, [True, False, False])
    assert not table("192.0.2.0/24").ends_any


def test_where_nobody_is_blocked_there_is_no_table() -> None:
    assert table_at(100.0, [], [NetworkPlan("192.0.2.0/24")]) is None
    assert table_at(100.0, [NetworkPlan("192.0.2.0/24", 100.0)], []) is None


def test_a_network_counts_until_its_time_is_over() -> None:
    blocked, allowed = [NetworkPlan("192.0.2.0/24", 100.0)], [NetworkPlan("192.0.2.9", 50.0)]
    early, later = table_at(49.9, blocked, allowed), table_at(50.0, blocked, allowed)
    assert early is not None
    assert later is not None
    assert refuses(early, "192.0.2.9") == [False]
    assert refuses(later, "192.0.2.9") == [True]
    assert [next_expiry(now, [*blocked, *allowed]) for now in (49.9, 50.0, 100.0)] == [50.0, 100.0, None]


@given(
    st.lists(st.ip_addresses(v=4).flatmap(lambda ip: st.integers(0, 32).map(lambda n: f"{ip}/{n}")), max_size=8),
    st.lists(st.ip_addresses(v=6).flatmap(lambda ip: st.integers(0, 128).map(lambda n: f"{ip}/{n}")), max_size=8),
    st.ip_addresses(),
)
def test_it_is_what_the_standard_library_says(v4: list[str], v6: list[str], client: object) -> None:
    networks = [ip_network(each, strict=False) for each in (*v4, *v6)]
    address = unmapped(ip_address(str(client)))
    expected = any(address in network for network in networks)
    assert refuses(table(*(str(network) for network in networks)), str(address)) == [expected]


@pytest.mark.parametrize("host", ["127.0.0.1", "255.255.255.255", "::1", "2001:db8::ffff"])
def test_octets_are_those_of_the_address(host: str) -> None:
    assert address_octets(host) == ip_address(host).packed
