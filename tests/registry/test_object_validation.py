"""A create is checked as a whole: defaults are filled in, and every problem is reported at once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from gatepost.registry.account import ACCOUNT
from gatepost.registry.certificate import CERTIFICATE
from gatepost.registry.domain import DOMAIN
from gatepost.registry.network_listener import NETWORK_LISTENER, NetworkListener, NetworkListenerProtocol
from gatepost.registry.problem import ProblemType
from gatepost.registry.system_settings import SYSTEM_SETTINGS, SystemSettings
from gatepost.registry.tls import TlsCipherSuite, TlsVersion
from gatepost.registry.validation import Candidate, candidate_of_create

SMTP = {"name": "smtp", "bind": {"[::]:25": True}}


def found(candidate: Candidate[Any]) -> set[tuple[str, str]]:
    return {(problem.property, problem.type.value) for problem in candidate.problems}


def test_a_listener_needs_a_name_and_an_address_and_gets_the_rest(now: datetime) -> None:
    candidate = candidate_of_create(NETWORK_LISTENER, SMTP, now)
    assert candidate.problems == ()
    assert NETWORK_LISTENER.to_wire(candidate.object) == {
        "name": "smtp",
        "bind": {"[::]:25": True},
        "protocol": "smtp",
        "overrideProxyTrustedNetworks": {},
        "socketBacklog": 1024,
        "socketNoDelay": True,
        "socketReceiveBufferSize": None,
        "socketReuseAddress": True,
        "socketReusePort": True,
        "socketSendBufferSize": None,
        "socketTosV4": None,
        "socketTtl": None,
        "useTls": True,
        "tlsDisableCipherSuites": {},
        "tlsDisableProtocols": {},
        "tlsIgnoreClientOrder": True,
        "tlsImplicit": False,
        "tlsTimeout": 60_000,
        "maxConnections": 8192,
    }


def test_all_problems_are_reported_at_once(now: datetime) -> None:
    wire = {
        "name": "two words",
        "protocol": "gopher",
        "socketTtl": 256,
        "socketTosV4": 0,
        "socketBacklog": 2**31,
        "socketReceiveBufferSize": 1024.0,
        "socketNoDelay": 1,
        "useTls": False,
        "tlsImplicit": True,
        "tlsDisableProtocols": ["tls12", "tls13"],
        "tlsTimeout": 0,
        "maxConnections": "many",
        "color": "red",
        "id": "abc",
    }
    assert found(candidate_of_create(NETWORK_LISTENER, wire, now)) == {
        ("name", "Invalid"),
        ("bind", "Required"),
        ("protocol", "Invalid"),
        ("socketTtl", "MaxValue"),
        ("socketTosV4", "MinValue"),
        ("socketBacklog", "MaxValue"),
        ("socketReceiveBufferSize", "Invalid"),
        ("socketNoDelay", "Invalid"),
        ("tlsImplicit", "Conflict"),
        ("tlsDisableProtocols", "Conflict"),
        ("tlsTimeout", "MinValue"),
        ("maxConnections", "Invalid"),
        ("color", "Unknown"),
        ("id", "ServerSet"),
    }


@pytest.mark.parametrize("name", ["", "a" * 65, "two words", "a/b", "ä"])
def test_a_listener_name_of_the_wrong_form_is_refused(name: str, now: datetime) -> None:
    assert {each for each, _ in found(candidate_of_create(NETWORK_LISTENER, {**SMTP, "name": name}, now))} == {"name"}


@pytest.mark.parametrize("name", ["a", "a" * 64, "smtp-1_x.Y"])
def test_a_listener_name_of_the_right_form_is_taken(name: str, now: datetime) -> None:
    assert candidate_of_create(NETWORK_LISTENER, {**SMTP, "name": name}, now).problems == ()


def test_optional_properties_are_cleared_by_null_and_others_are_not(now: datetime) -> None:
    cleared = {"socketBacklog": None, "socketTtl": None, "tlsTimeout": None, "maxConnections": None}
    assert candidate_of_create(NETWORK_LISTENER, {**SMTP, **cleared}, now).object.max_connections is None
    assert found(candidate_of_create(NETWORK_LISTENER, {**SMTP, "useTls": None}, now)) == {("useTls", "Required")}


@pytest.mark.parametrize("version", list(TlsVersion))
def test_a_version_that_is_on_needs_a_suite(version: TlsVersion, now: datetime) -> None:
    prefix = "tls13" if version is TlsVersion.TLS13 else "tlsEcdhe"
    disabled = [suite.value for suite in TlsCipherSuite if suite.value.startswith(prefix)]
    wire = {**SMTP, "tlsDisableCipherSuites": disabled}
    assert found(candidate_of_create(NETWORK_LISTENER, wire, now)) == {("tlsDisableCipherSuites", "Conflict")}
    assert candidate_of_create(NETWORK_LISTENER, {**wire, "tlsDisableProtocols": [version.value]}, now).problems == ()


def test_lmtp_is_never_spoken_on_port_25_rfc2033_section_5(now: datetime) -> None:
    assert found(candidate_of_create(NETWORK_LISTENER, {**SMTP, "protocol": "lmtp"}, now)) == {("bind", "Conflict")}


def test_an_account_is_folded_and_its_password_does_not_show(now: datetime) -> None:
    wire = {"name": "Alice", "password": "hunter2", "aliases": ["Sales@Example.ORG"]}
    candidate = candidate_of_create(ACCOUNT, wire, now)
    assert candidate.problems == ()
    shown = ACCOUNT.to_wire(candidate.object)
    assert (shown["name"], shown["aliases"], shown["role"]) == ("alice", {"sales@example.org": True}, "user")
    assert "password" not in shown
    assert "hunter2" not in repr(candidate)
    assert ACCOUNT.to_stored(candidate.object)["password"] == "hunter2"


@pytest.mark.parametrize("name", ["alice+x", "a b", "alice@example.org", ".alice", "a..b", ""])
def test_an_account_name_is_a_local_part_without_detail(name: str, now: datetime) -> None:
    assert found(candidate_of_create(ACCOUNT, {"name": name, "password": "x"}, now))


@pytest.mark.parametrize("name", ["example.org", "xn--mller-kva.example", "localhost", "A.EXAMPLE"])
def test_a_domain_name_is_kept_lower_case(name: str, now: datetime) -> None:
    assert candidate_of_create(DOMAIN, {"name": name}, now).object.name == name.lower()


@pytest.mark.parametrize("name", ["müller.example", "-a.example", "a..example", "a_b.example", "example.org.", ""])
def test_a_domain_name_of_the_wrong_form_is_refused(name: str, now: datetime) -> None:
    assert found(candidate_of_create(DOMAIN, {"name": name}, now))


def test_every_setting_has_a_default() -> None:
    settings = SystemSettings()
    assert SYSTEM_SETTINGS.from_stored(SYSTEM_SETTINGS.to_stored(settings)) == settings
    assert (settings.max_connections, settings.proxy_header_timeout, settings.drain_timeout) == (8192, 5000, None)


def test_what_the_server_sets_cannot_be_given(now: datetime) -> None:
    wire = {"certificate": "x", "privateKey": "x", "issuer": "me", "isSelfSigned": True}
    assert {("issuer", "ServerSet"), ("isSelfSigned", "ServerSet")} <= found(
        candidate_of_create(CERTIFICATE, wire, now)
    )


def test_an_object_comes_back_from_its_stored_form(now: datetime) -> None:
    listener = candidate_of_create(NETWORK_LISTENER, {**SMTP, "protocol": "imap"}, now).object
    stored = NETWORK_LISTENER.to_stored(listener)
    assert NETWORK_LISTENER.from_stored(stored) == listener
    del stored["maxConnections"]  # stored by a version that did not have it
    older = NETWORK_LISTENER.from_stored({**stored, "fromTheFuture": 1})
    assert isinstance(older, NetworkListener)
    assert (older.max_connections, older.protocol) == (8192, NetworkListenerProtocol.IMAP)


def test_a_problem_shows_the_value_and_the_limit(now: datetime) -> None:
    (problem,) = candidate_of_create(NETWORK_LISTENER, {**SMTP, "socketTtl": 256}, now).problems
    assert (problem.type, problem.value, problem.limit) == (ProblemType.MAX_VALUE, "256", 255)
