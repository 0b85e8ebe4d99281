"""What must hold between objects, and who is blamed where it does not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

import msgspec
import pytest

from gatepost.registry.account import Account, Role
from gatepost.registry.api_key import ApiKey
from gatepost.registry.catalogue import OBJECT_TYPES
from gatepost.registry.certificate import Certificate
from gatepost.registry.configuration import Configuration, ObjectRef, Proposal
from gatepost.registry.domain import Domain
from gatepost.registry.ip_network import AllowedIp, BlockedIp
from gatepost.registry.network_listener import NetworkListener, NetworkListenerProtocol
from gatepost.registry.requester import Requester, RequestWay
from gatepost.registry.rules import bind_clashes
from gatepost.registry.rules.every_rule import findings
from gatepost.registry.rules.finding import Finding, Forbidden, Linked, NameTaken, Unfit
from gatepost.registry.rules.listener_count import MOST_LISTENERS
from gatepost.registry.system_settings import SystemSettings
from gatepost.registry.tls import KeyType, TlsCipherSuite, TlsVersion
from gatepost.transport.counter_page import MAX_SLOTS
from gatepost.values.ids import Id
from gatepost.values.ip_mask import IpMask
from gatepost.values.secret import Secret
from gatepost.values.socket_address import SocketAddress

HTTP = NetworkListenerProtocol.HTTP
Objects = Mapping[str, Mapping[str, Any]]


def listener(name: str, *addresses: str, **fields: Any) -> NetworkListener:
    bind = tuple(SocketAddress.parse(address) for address in addresses)
    return NetworkListener(**{"name": name, "bind": bind, "use_tls": False, **fields})


def certificate(key_type: KeyType = KeyType.ECDSA, **fields: Any) -> Certificate:
    return Certificate(certificate="chain", private_key=Secret("key"), key_type=key_type, **fields)


def account(name: str, domain: str | None = "d1", **fields: Any) -> Account:
    return Account(name=name, domain_id=Id(domain) if domain else None, password=Secret("hash"), **fields)


def configuration(objects: Objects) -> Configuration:
    by_type = {name: {Id(each): value for each, value in objects.get(name, {}).items()} for name in OBJECT_TYPES}
    by_type["SystemSettings"].setdefault(Id("singleton"), SystemSettings())
    return Configuration(by_type)


def change(before: Objects, changes: Objects, **more: Any) -> list[Finding]:
    """What is found about a change; None as the new value destroys."""
    old = configuration(before)
    new, touched = old, []
    for type_name, objects in changes.items():
        for object_id, value in objects.items():
            ref = ObjectRef(type_name, Id(object_id))
            new = new.replace(ref, value)
            touched.append(ref)
    return findings(Proposal(before=old, after=new, touched=tuple(touched), **more))


def blamed(found: list[Finding]) -> list[tuple[str, str]]:
    return [(str(each.ref.id), each.problem.property) for each in found if isinstance(each, Unfit)]


# --- addresses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("127.0.0.1:25", "127.0.0.1:25"),
        ("0.0.0.0:25", "127.0.0.1:25"),
        ("[::]:25", "[::1]:25"),
        ("[::]:25", "127.0.0.1:25"),
        ("[::]:25", "0.0.0.0:25"),
    ],
)
@pytest.mark.parametrize("reuse", [True, False])
def test_two_listeners_cannot_have_one_address(one: str, other: str, reuse: bool) -> None:
    before: Objects = {"NetworkListener": {"a": listener("a", one, protocol=NetworkListenerProtocol.IMAP)}}
    added = {"NetworkListener": {"b": listener("b", other, socket_reuse_port=reuse)}}
    (found,) = change(before, added)
    assert isinstance(found, Unfit)
    assert (found.ref.id, found.problem.property, found.problem.value) == ("b", "bind", other)
    assert "'a'" in found.problem.description


@pytest.mark.parametrize(("one", "other"), [("127.0.0.1:25", "127.0.0.2:25"), ("[::]:25", "[::]:26")])
def test_different_addresses_go_together(one: str, other: str) -> None:
    assert (
        change({"NetworkListener": {"a": listener("a", one)}}, {"NetworkListener": {"b": listener("b", other)}}) == []
    )


def test_equals_may_share_an_address_when_both_reuse_the_port() -> None:
    before: Objects = {"NetworkListener": {"a": listener("a", "[::]:25")}}
    assert change(before, {"NetworkListener": {"b": listener("b", "0.0.0.0:25", max_connections=9)}}) == []
    for different in (
        listener("b", "[::]:25", socket_reuse_port=False),
        listener("b", "[::]:25", socket_ttl=9),
        listener("b", "[::]:25", protocol=NetworkListenerProtocol.LMTP),
    ):
        assert blamed(change(before, {"NetworkListener": {"b": different}})) == [("b", "bind")]


def test_who_changes_one_of_two_that_share_an_address_hears_what_keeps_them_from_sharing_it() -> None:
    before: Objects = {"NetworkListener": {name: listener(name, "[::]:25") for name in ("a", "b")}}
    changed = listener("a", "[::]:25", socket_ttl=9, tls_timeout=5)
    (found,) = change(before, {"NetworkListener": {"a": changed}})
    assert isinstance(found, Unfit)
    assert found.problem.description.endswith(
        "choose another address or port. Equals may share it, but these differ in socketTtl, tlsTimeout: change that of "
        "both in one request"
    )
    assert change(before, {"NetworkListener": {"a": changed, "b": msgspec.structs.replace(changed, name="b")}}) == []


def test_within_a_listener_a_wildcard_covers_other_addresses_unless_the_port_is_reused() -> None:
    alone = listener("a", "[::]:25", "127.0.0.1:25", socket_reuse_port=False)
    assert blamed(change({}, {"NetworkListener": {"a": alone}})) == [("a", "bind")]
    assert change({}, {"NetworkListener": {"a": listener("a", "[::]:25", "127.0.0.1:25")}}) == []


def test_of_two_new_listeners_the_later_is_blamed() -> None:
    both = {"b": listener("b", "[::]:25"), "a": listener("a", "[::]:25", socket_ttl=5)}
    assert blamed(change({}, {"NetworkListener": both})) == [("a", "bind")]


def test_hundreds_of_listeners_on_one_port_are_compared_only_where_they_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[str, str]] = []
    may_share = bind_clashes._may_share

    def counted(one: NetworkListener, other: NetworkListener) -> bool:
        compared.append((one.name, other.name))
        return may_share(one, other)

    monkeypatch.setattr(bind_clashes, "_may_share", counted)
    many = {f"l{number}": listener(f"l{number}", f"127.0.{number}.1:25") for number in range(250)}
    assert change({}, {"NetworkListener": many}) == []
    assert compared == []
    wide = listener("wide", "0.0.0.0:25", "127.0.7.1:26", protocol=HTTP)
    found = change({"NetworkListener": many}, {"NetworkListener": {"wide": wide}})
    assert blamed(found) == [("wide", "bind")]
    assert compared == [(name, "wide") for name in many]


def test_an_address_that_is_given_up_in_the_same_request_is_free() -> None:
    before: Objects = {"NetworkListener": {"a": listener("a", "[::]:25")}}
    assert change(before, {"NetworkListener": {"b": listener("b", "[::]:25", socket_ttl=5), "a": None}}) == []


# --- TLS ------------------------------------------------------------------------------------------------------------

ECDSA_SUITES = tuple(suite for suite in TlsCipherSuite if "Ecdsa" in suite.value)


def test_a_listener_with_tls_needs_a_certificate() -> None:
    assert blamed(change({}, {"NetworkListener": {"a": listener("a", "[::]:25", use_tls=True)}})) == [("a", "useTls")]


def test_the_suites_left_must_work_with_the_keys_at_hand() -> None:
    before: Objects = {"Certificate": {"c": certificate(is_self_signed=True)}}
    policy = listener("a", "[::]:25", use_tls=True, tls_disable_cipher_suites=ECDSA_SUITES)
    assert blamed(change(before, {"NetworkListener": {"a": policy}})) == [("a", "tlsDisableCipherSuites")]
    without_tls12 = msgspec.structs.replace(policy, tls_disable_protocols=(TlsVersion.TLS12,))
    assert change(before, {"NetworkListener": {"a": without_tls12}}) == []
    of_rsa: Objects = {"Certificate": {"c": certificate(KeyType.RSA, is_self_signed=True)}}
    assert change(of_rsa, {"NetworkListener": {"a": policy}}) == []


def test_some_certificate_is_for_clients_that_name_no_host() -> None:
    offering = listener("a", "[::]:25", use_tls=True)
    before: Objects = {"Certificate": {"c": certificate()}, "NetworkListener": {"a": listener("a", "[::]:25")}}
    assert blamed(change(before, {"NetworkListener": {"a": offering}})) == [("a", "useTls")]
    chosen: Objects = {"SystemSettings": {"singleton": SystemSettings(default_certificate_id=Id("c"))}}
    served: Objects = {"Certificate": {"c": certificate()}, "NetworkListener": {"a": offering}, **chosen}
    assert change({**before, **chosen}, {"NetworkListener": {"a": offering}}) == []
    unset = change(served, {"SystemSettings": {"singleton": SystemSettings()}})
    assert blamed(unset) == [("singleton", "defaultCertificateId")]


def test_a_certificate_tells_all_listeners_that_need_it() -> None:
    listeners = {name: listener(name, f"[::]:{port}", use_tls=True) for name, port in (("a", 25), ("b", 26))}
    before: Objects = {"Certificate": {"own": certificate(is_self_signed=True)}, "NetworkListener": listeners}
    (found,) = change(before, {"Certificate": {"own": None}})
    assert isinstance(found, Linked)
    assert [ref.id for ref in found.linked] == ["a", "b"]
    assert "'a', 'b'" in found.description


def test_a_certificate_that_a_listener_cannot_do_without_stays() -> None:
    before: Objects = {
        "Certificate": {"c": certificate(KeyType.RSA), "d": certificate(), "own": certificate(is_self_signed=True)},
        "NetworkListener": {"a": listener("a", "[::]:25", use_tls=True, tls_disable_cipher_suites=ECDSA_SUITES)},
    }
    (found,) = change(before, {"Certificate": {"c": None}})
    assert isinstance(found, Linked)
    assert found.linked == (ObjectRef("NetworkListener", Id("a")),)
    assert blamed(change(before, {"Certificate": {"c": certificate()}})) == [("c", "certificate")]
    assert change(before, {"Certificate": {"d": None}}) == []


def test_a_default_certificate_that_a_listener_cannot_use_is_not_chosen() -> None:
    rsa_suites = tuple(suite for suite in TlsCipherSuite if "Rsa" in suite.value)
    before: Objects = {
        "Certificate": {"c": certificate(KeyType.RSA), "own": certificate(is_self_signed=True)},
        "NetworkListener": {"a": listener("a", "[::]:25", use_tls=True, tls_disable_cipher_suites=rsa_suites)},
    }
    chosen = SystemSettings(default_certificate_id=Id("c"))
    found = change(before, {"SystemSettings": {"singleton": chosen}})
    assert blamed(found) == [("singleton", "defaultCertificateId")]


def test_there_are_no_more_listeners_than_the_workers_can_count_for() -> None:
    assert MOST_LISTENERS < MAX_SLOTS - 1
    there: Objects = {
        "NetworkListener": {
            f"l{number}": listener(f"l{number}", f"[::]:{number}") for number in range(1, MOST_LISTENERS)
        }
    }
    two: Objects = {
        "NetworkListener": {each: listener(each, f"[::]:{port}") for each, port in (("a", 5001), ("b", 5002))}
    }
    (found,) = change(there, two)
    assert isinstance(found, Forbidden)
    assert found.ref.id == "b"
    full: Objects = {"NetworkListener": {**there["NetworkListener"], "a": two["NetworkListener"]["a"]}}
    assert change(full, {"NetworkListener": {"a": listener("a", "[::]:5001", max_connections=5)}}) == []
    assert change(full, {"NetworkListener": {"a": None, "b": two["NetworkListener"]["b"]}}) == []


# --- lock-out -------------------------------------------------------------------------------------------------------

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


# --- names, links, addresses of accounts ------------------------------------------------------------------------------


def test_names_are_unique_whatever_the_case() -> None:
    before: Objects = {"NetworkListener": {"a": listener("SMTP", "[::]:25")}}
    (found,) = change(before, {"NetworkListener": {"b": listener("smtp", "[::]:26")}})
    assert found == NameTaken(ObjectRef("NetworkListener", Id("b")), Id("a"))


def test_certificates_without_a_name_are_many() -> None:
    assert change({"Certificate": {"a": certificate()}}, {"Certificate": {"b": certificate()}}) == []
    (found,) = change({"Certificate": {"a": certificate(name="X")}}, {"Certificate": {"b": certificate(name="x")}})
    assert isinstance(found, NameTaken)


def test_a_name_may_be_taken_once_in_each_domain() -> None:
    domains = {"d1": Domain(name="example.org"), "d2": Domain(name="example.net")}
    before: Objects = {"Domain": domains, "Account": {"a": account("alice")}}
    assert change(before, {"Account": {"b": account("alice", "d2")}}) == []
    assert any(isinstance(each, NameTaken) for each in change(before, {"Account": {"b": account("alice")}}))


def test_a_link_leads_to_an_object() -> None:
    settings = SystemSettings(default_certificate_id=Id("c"))
    assert blamed(change({}, {"SystemSettings": {"singleton": settings}})) == [("singleton", "defaultCertificateId")]


def test_what_is_linked_cannot_go() -> None:
    before: Objects = {
        "Certificate": {"c": certificate()},
        "SystemSettings": {"singleton": SystemSettings(default_certificate_id=Id("c"))},
    }
    (found,) = change(before, {"Certificate": {"c": None}})
    assert isinstance(found, Linked)
    assert found.linked == (ObjectRef("SystemSettings", Id("singleton")),)


ORG: Objects = {"Domain": {"d1": Domain(name="example.org")}}


def test_only_the_built_in_administrator_has_no_domain() -> None:
    assert blamed(change(ORG, {"Account": {"a": account("alice", None)}})) == [("a", "domainId")]
    before: Objects = {**ORG, "Account": {"a": account("admin", None, role=Role.ADMIN)}}
    renamed = account("root", None, role=Role.ADMIN)
    assert change(before, {"Account": {"a": renamed}}) == []


def test_an_alias_lies_in_a_domain_of_ours() -> None:
    assert change(ORG, {"Account": {"a": account("alice", aliases=("sales@example.org",))}}) == []
    assert blamed(change(ORG, {"Account": {"a": account("alice", aliases=("x@example.net",))}})) == [("a", "aliases")]


def test_an_address_leads_to_one_account() -> None:
    before: Objects = {**ORG, "Account": {"a": account("alice", aliases=("sales@example.org",))}}
    for aliases in (("alice@example.org",), ("sales@example.org",)):
        assert blamed(change(before, {"Account": {"b": account("bob", aliases=aliases)}})) == [("b", "aliases")]
    assert blamed(change(before, {"Account": {"b": account("sales")}})) == [("b", "name")]


def test_a_domain_in_use_cannot_go() -> None:
    before: Objects = {
        "Domain": {"d1": Domain(name="example.org"), "d2": Domain(name="example.net")},
        "Account": {"a": account("alice", aliases=("alice@example.net",))},
    }
    for domain_id in ("d1", "d2"):
        (found,) = change(before, {"Domain": {domain_id: None}})
        assert isinstance(found, Linked)
        assert found.linked == (ObjectRef("Account", Id("a")),)
