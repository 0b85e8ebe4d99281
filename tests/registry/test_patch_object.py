"""PatchObject of RFC 8620 section 5.3."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from gatepost.registry.account import ACCOUNT, Account
from gatepost.registry.network_listener import NETWORK_LISTENER, NetworkListener
from gatepost.registry.patch import InvalidPatchError, candidate_of_update
from gatepost.registry.validation import Candidate
from gatepost.values.ids import Id
from gatepost.values.ip_mask import IpMask
from gatepost.values.secret import Secret
from gatepost.values.socket_address import SocketAddress

LISTENER = NetworkListener(
    name="smtp",
    bind=(SocketAddress.parse("[::]:25"), SocketAddress.parse("127.0.0.1:2525")),
    override_proxy_trusted_networks=(IpMask.parse("10.0.0.0/8"),),
    socket_ttl=64,
    max_connections=5,
)


def patched(now: datetime, **patch: object) -> Candidate[NetworkListener]:
    return candidate_of_update(NETWORK_LISTENER, Id("i1"), LISTENER, patch, now)


def wire(now: datetime, patch: dict[str, object]) -> dict[str, Any]:
    candidate = patched(now, **patch)
    assert candidate.problems == ()
    return NETWORK_LISTENER.to_wire(candidate.object)


def found(now: datetime, patch: dict[str, object]) -> list[tuple[str, str]]:
    return [(problem.property, problem.type.value) for problem in patched(now, **patch).problems]


def test_an_empty_patch_changes_nothing(now: datetime) -> None:
    assert patched(now).object == LISTENER


def test_members_of_a_set_come_and_go_by_pointer(now: datetime) -> None:
    bind = wire(now, {"bind/[::]:2525": True, "bind/[::]:25": None})["bind"]
    assert list(bind) == ["127.0.0.1:2525", "[::]:2525"]


def test_a_pointer_names_the_member_in_any_spelling(now: datetime) -> None:
    assert list(wire(now, {"bind/[0:0::0]:25": None})["bind"]) == ["127.0.0.1:2525"]


def test_a_slash_in_a_member_is_escaped_rfc6901_section_3(now: datetime) -> None:
    patch: dict[str, object] = {
        "overrideProxyTrustedNetworks/10.0.0.0~18": None,
        "overrideProxyTrustedNetworks/192.0.2.0~124": True,
    }
    assert wire(now, patch)["overrideProxyTrustedNetworks"] == {"192.0.2.0/24": True}


def test_adding_what_is_there_and_removing_what_is_not_does_nothing(now: datetime) -> None:
    assert patched(now, **{"bind/[::]:25": True, "bind/[::]:99": None}).object == LISTENER


def test_a_whole_property_replaces_a_set(now: datetime) -> None:
    assert wire(now, {"bind": {"[::]:99": True}})["bind"] == {"[::]:99": True}
    assert wire(now, {"bind": ["[::]:99"]})["bind"] == {"[::]:99": True}


def test_null_clears_what_is_optional_and_gives_other_defaults_back(now: datetime) -> None:
    after = wire(now, {"socketTtl": None, "maxConnections": None, "overrideProxyTrustedNetworks": None, "useTls": None})
    assert (after["socketTtl"], after["maxConnections"]) == (None, None)
    assert (after["overrideProxyTrustedNetworks"], after["useTls"]) == ({}, True)
    assert found(now, {"bind": None}) == [("bind", "Required")]


def test_the_last_address_cannot_be_taken_away(now: datetime) -> None:
    assert found(now, {"bind/[::]:25": None, "bind/127.0.0.1:2525": None}) == [("bind", "MinLength")]


@pytest.mark.parametrize(
    "patch",
    [
        {"socketTtl/x": True},  # not a set
        {"color/red": True},  # no such property
        {"bind/[::]:25/x": True},  # deeper than a set goes
        {"/bind": {}},  # RFC 8620: the slash in front is implicit
        {"bind/10.0.0.0~2": True},  # no such escape
        {"bind": ["[::]:99"], "bind/[::]:25": None},  # one pointer is the prefix of the other
        {"bind/[::]:25": None, "bind/[0::]:25": True},  # the same member twice
    ],
)
def test_patches_that_make_no_sense_are_invalid_patches(patch: dict[str, object], now: datetime) -> None:
    with pytest.raises(InvalidPatchError):
        patched(now, **patch)


def test_who_forgets_to_escape_a_network_hears_how_it_is_written(now: datetime) -> None:
    with pytest.raises(InvalidPatchError) as refused:
        patched(now, **{"overrideProxyTrustedNetworks/10.0.0.0/8": True})
    assert "'overrideProxyTrustedNetworks/10.0.0.0~18'" in str(refused.value)


def test_all_problems_of_a_patch_are_reported_at_once(now: datetime) -> None:
    patch: dict[str, object] = {
        "name": "other",
        "bind/nonsense": True,
        "bind/[::]:98": False,
        "socketTtl": 0,
        "tlsImplicit": True,
        "useTls": False,
        "color": "red",
    }
    assert sorted(found(now, patch)) == [
        ("bind", "Invalid"),
        ("bind", "Invalid"),
        ("color", "Unknown"),
        ("name", "Immutable"),
        ("socketTtl", "MinValue"),
        ("tlsImplicit", "Conflict"),
    ]


def test_what_cannot_be_changed_may_be_given_back_unchanged(now: datetime) -> None:
    assert patched(now, name="smtp", id="i1").object == LISTENER
    assert found(now, {"id": "i2"}) == [("id", "ServerSet")]
    assert found(now, {"name": 5}) == [("name", "Immutable")]


def test_a_secret_stays_until_it_is_replaced(now: datetime) -> None:
    account = Account(name="alice", password=Secret("old"))
    kept = candidate_of_update(ACCOUNT, Id("i1"), account, {"description": "x"}, now)
    assert (kept.object.password, kept.given) == (Secret("old"), frozenset({"description"}))
    replaced = candidate_of_update(ACCOUNT, Id("i1"), account, {"password": "new"}, now)
    assert (replaced.object.password, replaced.given) == (Secret("new"), frozenset({"password"}))
    refused = candidate_of_update(ACCOUNT, Id("i1"), account, {"password": None}, now)
    assert [problem.type.value for problem in refused.problems] == ["Required"]


def test_far_too_many_members_are_refused_by_their_number(now: datetime) -> None:
    """Without comparing each with all others."""
    added = {f"overrideProxyTrustedNetworks/10.{n >> 8 & 255}.{n & 255}.{n >> 16}": True for n in range(100_000)}
    (problem,) = patched(now, **added).problems
    assert (problem.property, problem.limit) == ("overrideProxyTrustedNetworks", 1024)
