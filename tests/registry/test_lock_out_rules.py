"""Nobody takes the own way in away by accident, nor the last of anybody."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

import msgspec
import pytest
from tests.registry.rule_changes import HTTP, Objects, account, blamed, certificate, change, listener

from gatepost.registry.account import Role
from gatepost.registry.api_key import ApiKey
from gatepost.registry.domain import Domain
from gatepost.registry.ip_network import AllowedIp, BlockedIp
from gatepost.registry.network_listener import NetworkListener
from gatepost.registry.requester import Requester, RequestWay
from gatepost.registry.rules.finding import Forbidden
from gatepost.registry.system_settings import SystemSettings
from gatepost.values.ids import Id
from gatepost.values.ip_mask import IpMask
from gatepost.values.socket_address import SocketAddress

TWO_HTTP: Objects = {
    "NetworkListener": {"a": listener("a", "[::]:80", protocol=HTTP), "b": listener("b", "[::]:81", protocol=HTTP)}
}


def through(listener_id: str, **way: Any) -> dict[str, Any]:
    return {"requester": Requester(way=RequestWay(Id(listener_id), **way))}


THROUGH_A = through("a", source_address=ip_address("192.0.2.7"))


@pytest.mark.parametrize(
    ("after", "property_name"),
    [
        (listener("a", "[::]:80"), "protocol"),
        (listener("a", "[::]:82", protocol=HTTP), "bind"),
        (listener("a", "[::]:80", protocol=HTTP, use_tls=True, tls_implicit=True), "tlsImplicit"),
        (
            listener("a", "[::]:80", protocol=HTTP, override_proxy_trusted_networks=(IpMask.parse("192.0.2.0/24"),)),
            "overrideProxyTrustedNetworks",
        ),
    ],
)
def test_the_listener_that_a_request_comes_through_is_not_broken(after: NetworkListener, property_name: str) -> None:
    before: Objects = {**TWO_HTTP, "Certificate": {"c": certificate(is_self_signed=True)}}
    assert blamed(change(before, {"NetworkListener": {"a": after}}, **THROUGH_A)) == [("a", property_name)]
    assert change(before, {"NetworkListener": {"a": after}}, **through("b")) == []
    assert change(before, {"NetworkListener": {"a": after}}, may_lock_out=True, **THROUGH_A) == []


def test_harmless_changes_of_that_listener_are_fine() -> None:
    after = listener("a", "[::]:80", "[::]:8080", protocol=HTTP, max_connections=5)
    assert change(TWO_HTTP, {"NetworkListener": {"a": after}}, **THROUGH_A) == []


def test_server_wide_proxies_do_not_swallow_who_makes_the_request() -> None:
    trusting = SystemSettings(proxy_trusted_networks=(IpMask.parse("192.0.2.0/24"),))
    settings: Objects = {"SystemSettings": {"singleton": trusting}}
    assert blamed(change(TWO_HTTP, settings, **THROUGH_A)) == [("singleton", "proxyTrustedNetworks")]
    assert change(TWO_HTTP, settings, may_lock_out=True, **THROUGH_A) == []
    assert change(TWO_HTTP, settings) == []
    assert change({**TWO_HTTP, **settings}, settings, **THROUGH_A) == []


def test_a_list_of_its_own_may_keep_a_listener_open_until_it_is_cleared() -> None:
    plain, own = TWO_HTTP["NetworkListener"]["a"], (IpMask.parse("203.0.113.0/24"),)
    listed = listener("a", "[::]:80", protocol=HTTP, override_proxy_trusted_networks=own)
    trusting = SystemSettings(proxy_trusted_networks=(IpMask.parse("192.0.2.0/24"),))
    before: Objects = {"NetworkListener": {"a": listed}}
    assert change(before, {"SystemSettings": {"singleton": trusting}}, **THROUGH_A) == []
    after = change(
        {**before, "SystemSettings": {"singleton": trusting}}, {"NetworkListener": {"a": plain}}, **THROUGH_A
    )
    assert blamed(after) == [("a", "overrideProxyTrustedNetworks")]


def test_the_address_that_a_request_came_to_is_kept_even_where_the_listener_has_others() -> None:
    before: Objects = {"NetworkListener": {"a": listener("a", "[::]:80", "127.0.0.1:8080", protocol=HTTP)}}
    here = through("a", destination=SocketAddress.parse("192.0.2.1:80"))
    local: Objects = {"NetworkListener": {"a": listener("a", "127.0.0.1:8080", protocol=HTTP)}}
    narrower: Objects = {"NetworkListener": {"a": listener("a", "192.0.2.1:80", protocol=HTTP)}}
    assert blamed(change(before, local, **here)) == [("a", "bind")]
    assert change(before, local, may_lock_out=True, **here) == []
    assert change(before, local, **through("a", destination=SocketAddress.parse("127.0.0.1:8080"))) == []
    assert change(before, narrower, **here) == []


def test_the_proxy_that_a_request_came_by_goes_on_being_understood() -> None:
    networks = (IpMask.parse("10.0.0.0/8"),)
    by_proxy = through("a", source_address=ip_address("192.0.2.7"), proxy_address=ip_address("10.0.0.1"))
    trusting: Objects = {**TWO_HTTP, "SystemSettings": {"singleton": SystemSettings(proxy_trusted_networks=networks)}}
    nobody: Objects = {"SystemSettings": {"singleton": SystemSettings()}}
    narrower: Objects = {
        "SystemSettings": {"singleton": SystemSettings(proxy_trusted_networks=(IpMask.parse("10.0.0.1"),))}
    }
    other = listener("a", "[::]:80", protocol=HTTP, override_proxy_trusted_networks=(IpMask.parse("192.0.2.0/24"),))
    assert blamed(change(trusting, nobody, **by_proxy)) == [("singleton", "proxyTrustedNetworks")]
    assert blamed(change(trusting, {"NetworkListener": {"a": other}}, **by_proxy)) == [
        ("a", "overrideProxyTrustedNetworks")
    ]
    assert change(trusting, narrower, **by_proxy) == []
    assert change(trusting, nobody, **THROUGH_A) == []


@pytest.mark.parametrize(("is_clear", "found"), [(True, [("singleton", "allowClearHttpLogin")]), (False, [])])
def test_signing_in_in_clear_is_not_ended_by_a_request_that_came_so(
    is_clear: bool, found: list[tuple[str, str]]
) -> None:
    before: Objects = {**TWO_HTTP, "SystemSettings": {"singleton": SystemSettings(allow_clear_http_login=True)}}
    after: Objects = {"SystemSettings": {"singleton": SystemSettings()}}
    assert blamed(change(before, after, **through("a", is_clear=is_clear))) == found
    assert change(before, after, may_lock_out=True, **through("a", is_clear=is_clear)) == []


def test_the_own_account_stays_what_it_is_unless_that_is_meant() -> None:
    root, other = account("root", role=Role.ADMIN), account("other", role=Role.ADMIN)
    before: Objects = {"Account": {"r": root, "o": other}, "Domain": {"d1": Domain(name="example.org")}}
    mine = {"requester": Requester(account_id=Id("r"))}
    demoted: Objects = {"Account": {"r": msgspec.structs.replace(root, role=Role.OPERATOR)}}
    (found,) = change(before, {"Account": {"r": None}}, **mine)
    assert isinstance(found, Forbidden)
    assert blamed(change(before, demoted, **mine)) == [("r", "role")]
    assert change(before, demoted, may_lock_out=True, **mine) == []
    assert change(before, {"Account": {"o": None}}, **mine) == []
    described: Objects = {"Account": {"r": msgspec.structs.replace(root, description="me")}}
    assert change(before, described, **mine) == []


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"expires_at": datetime(2029, 12, 31, tzinfo=UTC)}, [("k", "expiresAt")]),
        ({"expires_at": datetime(2030, 1, 2, tzinfo=UTC)}, []),
        ({"allowed_networks": (IpMask.parse("198.51.100.0/24"),)}, [("k", "allowedNetworks")]),
        ({"allowed_networks": (IpMask.parse("192.0.2.0/24"),)}, []),
    ],
)
def test_the_key_of_a_request_stays_good_unless_that_is_meant(
    fields: dict[str, Any], found: list[tuple[str, str]]
) -> None:
    key = ApiKey(name="robot", account_id=Id("r"))
    before: Objects = {"ApiKey": {"k": key, "other": msgspec.structs.replace(key, name="other")}, "Account": {}}
    before = {**before, "Account": {"r": account("root", None, role=Role.ADMIN)}}
    way = RequestWay(client_address=ip_address("192.0.2.7"))
    mine = {"requester": Requester(Id("r"), Id("k"), None, way), "now": datetime(2030, 1, 1, tzinfo=UTC)}
    after: Objects = {"ApiKey": {"k": msgspec.structs.replace(key, **fields)}}
    assert blamed(change(before, after, **mine)) == found
    assert change(before, {"ApiKey": {"other": None}}, **mine) == []
    (refused,) = change(before, {"ApiKey": {"k": None}}, **mine)
    assert isinstance(refused, Forbidden)
    assert change(before, {"ApiKey": {"k": None}}, may_lock_out=True, **mine) == []


def blocked(network: str, **fields: Any) -> BlockedIp:
    return BlockedIp(network=IpMask.parse(network), **fields)


def allowed(network: str, **fields: Any) -> AllowedIp:
    return AllowedIp(network=IpMask.parse(network), **fields)


@pytest.mark.parametrize("network", ["192.0.2.7", "192.0.2.0/24", "0.0.0.0/0"])
def test_nobody_blocks_the_own_address_unless_that_is_meant(network: str) -> None:
    block: Objects = {"BlockedIp": {"x": blocked(network), "y": blocked("198.51.100.0/24")}}
    assert blamed(change(TWO_HTTP, block, **THROUGH_A)) == [("x", "network")]
    assert change(TWO_HTTP, block, may_lock_out=True, **THROUGH_A) == []
    assert change(TWO_HTTP, block) == []
    assert change({**TWO_HTTP, "AllowedIp": {"z": allowed("192.0.2.7")}}, block, **THROUGH_A) == []
    assert change({**TWO_HTTP, **block}, block, **THROUGH_A) == []


def test_nobody_takes_away_what_lets_the_own_address_in() -> None:
    before: Objects = {
        **TWO_HTTP,
        "BlockedIp": {"x": blocked("192.0.2.0/24")},
        "AllowedIp": {"z": allowed("192.0.2.7")},
    }
    before = {**before, "AllowedIp": {**before["AllowedIp"], "other": allowed("198.51.100.1")}}
    (found,) = change(before, {"AllowedIp": {"z": None, "other": None}}, **THROUGH_A)
    assert isinstance(found, Forbidden)
    assert blamed(change(before, {"AllowedIp": {"z": allowed("192.0.2.8")}}, **THROUGH_A)) == [("z", "network")]
    assert change(before, {"AllowedIp": {"z": None}, "BlockedIp": {"x": None}}, **THROUGH_A) == []


def test_what_has_expired_neither_locks_out_nor_lets_in() -> None:
    past, now = datetime(2029, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
    expired: Objects = {"BlockedIp": {"x": blocked("192.0.2.7", expires_at=past)}}
    assert change(TWO_HTTP, expired, now=now, **THROUGH_A) == []
    before: Objects = {**TWO_HTTP, "AllowedIp": {"z": allowed("192.0.2.7", expires_at=past)}}
    block: Objects = {"BlockedIp": {"x": blocked("192.0.2.7", expires_at=datetime(2031, 1, 1, tzinfo=UTC))}}
    assert blamed(change(before, block, now=now, **THROUGH_A)) == [("x", "network")]


def test_the_listener_that_a_request_comes_through_is_not_destroyed() -> None:
    (found,) = change(TWO_HTTP, {"NetworkListener": {"a": None}}, **THROUGH_A)
    assert isinstance(found, Forbidden)
    assert "allowLockOut" in found.description
    assert change(TWO_HTTP, {"NetworkListener": {"b": None}}, **THROUGH_A) == []


def test_the_last_http_listener_stays_whoever_asks() -> None:
    (found,) = change({"NetworkListener": {"a": TWO_HTTP["NetworkListener"]["a"]}}, {"NetworkListener": {"a": None}})
    assert isinstance(found, Forbidden)
    assert len(change(TWO_HTTP, {"NetworkListener": {"a": None, "b": None}})) == 2
    assert change(TWO_HTTP, {"NetworkListener": {"a": None, "b": None}}, may_lock_out=True) == []


def test_the_last_administrator_stays() -> None:
    root = account("root", None, role=Role.ADMIN)
    before: Objects = {"Account": {"r": root}, "Domain": {"d1": Domain(name="example.org")}}
    demoted = msgspec.structs.replace(root, role=Role.USER)
    assert blamed(change(before, {"Account": {"r": demoted}}, may_lock_out=True)) == [("r", "role")]
    (found,) = change(before, {"Account": {"r": None}})
    assert isinstance(found, Forbidden)
    assert (
        change({**before, "Account": {"r": root, "s": account("s", role=Role.ADMIN)}}, {"Account": {"r": None}}) == []
    )
