"""What must hold between objects, and who is blamed where it does not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.registry.rule_changes import HTTP, Objects, account, blamed, certificate, change, listener

from gatepost.registry.account import Role
from gatepost.registry.configuration import ObjectRef
from gatepost.registry.domain import Domain
from gatepost.registry.network_listener import NetworkListener, NetworkListenerProtocol
from gatepost.registry.rules import bind_clashes
from gatepost.registry.rules.finding import Forbidden, Linked, NameTaken, Unfit
from gatepost.registry.rules.listener_count import MOST_ADDRESSES, MOST_LISTENERS
from gatepost.registry.system_settings import SystemSettings
from gatepost.registry.tls import KeyType, TlsCipherSuite, TlsVersion
from gatepost.transport.counter_page import MAX_SLOTS
from gatepost.values.ids import Id

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


def test_the_own_certificate_may_be_chosen_as_the_default_one() -> None:
    before: Objects = {
        "Certificate": {"own": certificate(is_self_signed=True)},
        "NetworkListener": {"a": listener("a", "[::]:25", use_tls=True)},
    }
    chosen = SystemSettings(default_certificate_id=Id("own"))
    assert change(before, {"SystemSettings": {"singleton": chosen}}) == []


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


def many_addresses(name: str, host: int, count: int, **fields: Any) -> NetworkListener:
    addresses = [f"127.{host}.{number // 250}.{number % 250 + 1}:25" for number in range(count)]
    return listener(name, *addresses, **fields)


def test_there_are_no_more_addresses_than_can_be_bound_while_others_wait() -> None:
    full = {f"l{host}": many_addresses(f"l{host}", host, 1024) for host in range(MOST_ADDRESSES // 1024)}
    before: Objects = {"NetworkListener": full}
    found = change(before, {"NetworkListener": {"a": listener("a", "[::1]:26"), "b": listener("b", "[::1]:27")}})
    assert blamed(found) == [("a", "bind"), ("b", "bind")]
    fewer = many_addresses("l0", 0, 1023)
    assert change(before, {"NetworkListener": {"l0": fewer, "a": listener("a", "[::1]:26")}}) == []
    too_full: Objects = {"NetworkListener": {**full, "a": listener("a", "[::1]:26")}}
    assert change(too_full, {"NetworkListener": {"a": listener("a", "[::1]:26", max_connections=5)}}) == []


# --- names, links, addresses of accounts ------------------------------------------------------------------------------


def test_names_are_unique_whatever_the_case() -> None:
    before: Objects = {"NetworkListener": {"a": listener("SMTP", "[::]:25")}}
    (found,) = change(before, {"NetworkListener": {"b": listener("smtp", "[::]:26")}})
    ref = ObjectRef("NetworkListener", Id("b"))
    assert found == NameTaken(ref, Id("a"), ("name",), "another listener has this name")


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
    assert "in use by SystemSettings:" in found.description


def test_what_is_linked_is_told_by_whom_in_their_names() -> None:
    users = {f"a{number}": account(f"user{number}") for number in range(7)}
    (found,) = change({"Domain": {"d1": Domain(name="example.org")}, "Account": users}, {"Domain": {"d1": None}})
    assert isinstance(found, Linked)
    assert "in use by Account user0, Account user1, " in found.description
    assert "Account user4 and 2 more: change or destroy those first" in found.description


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
