"""Key exchange groups as a client of another configuration sees them, hybrid post-quantum ones included."""

from __future__ import annotations

import socket
from types import SimpleNamespace

import pytest
from OpenSSL import SSL
from tests.transport.tls_server import BOTH, Server, policy, serving

from gatepost.plan.plan import ProtocolName
from gatepost.transport import tls_groups
from gatepost.transport.tls_contexts import TlsContexts, UnusableTls
from gatepost.transport.tls_failure import TlsFailure

TLS12, TLS13 = SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION


def agreed_group(server: Server, groups: str, version: int = TLS13) -> str:
    """What client and server both say. The standard library's client cannot choose groups."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(version)
    context.set_max_proto_version(version)
    binding = SSL._lib  # type: ignore[attr-defined]  # pyOpenSSL has no call for it
    assert binding.SSL_CTX_set1_curves_list(context._context, groups.encode()) == 1
    with socket.create_connection(server.address, timeout=20) as sock:
        sock.settimeout(None)
        connection = SSL.Connection(context, sock)
        connection.set_connect_state()
        connection.do_handshake()
        said_by_server = connection.recv(1000).decode().split()[2]
        group = connection.get_group_name()
        connection.send(b"x")
        assert group == said_by_server
        return said_by_server


@pytest.mark.parametrize("prefers_own_order", [True, False])
@pytest.mark.parametrize(
    "offered",
    [
        "X25519MLKEM768:X25519",
        "*X25519:X25519MLKEM768",  # with a share of X25519 only: it is worth the round trip
        "P-256:X25519:X25519MLKEM768",
    ],
)
def test_the_hybrid_post_quantum_group_is_agreed_on_with_whoever_has_it(offered: str, prefers_own_order: bool) -> None:
    with serving(policy(prefer_server_order=prefers_own_order)) as server:
        assert agreed_group(server, offered) == "X25519MLKEM768"


@pytest.mark.parametrize("version", [TLS12, TLS13])
@pytest.mark.parametrize(
    ("offered", "agreed"),
    [("X25519:P-256", "x25519"), ("P-256", "secp256r1"), ("P-384", "secp384r1"), ("P-521", "secp521r1")],
)
def test_elliptic_curves_are_agreed_on_in_both_versions(offered: str, agreed: str, version: int) -> None:
    with serving(policy()) as server:
        assert agreed_group(server, offered, version) == agreed


@pytest.mark.parametrize("offered", ["ffdhe2048", "ffdhe3072", "X448"])
def test_groups_whose_cost_a_client_can_ask_for_almost_for_free_are_not_offered(offered: str) -> None:
    with serving(policy()) as server, pytest.raises(SSL.Error):
        agreed_group(server, offered)
    assert server.failures == [TlsFailure.NO_COMMON_GROUP]


def test_a_client_without_a_common_curve_in_tls_12_fails() -> None:
    with serving(policy()) as server, pytest.raises(SSL.Error):
        agreed_group(server, "X448", TLS12)
    assert server.failures == [TlsFailure.NO_COMMON_SUITE]  # so OpenSSL sees it: every suite needs a curve


def refuse_everything(*_: object) -> int:
    return 0


@pytest.mark.parametrize(
    "binding",
    [
        SimpleNamespace(),
        SimpleNamespace(SSL_CTX_set1_curves_list=refuse_everything, ERR_clear_error=lambda: None),
    ],
)
def test_without_a_way_to_set_groups_there_is_no_tls(binding: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_groups, "SSL", SimpleNamespace(_lib=binding))
    with pytest.raises(UnusableTls, match="key exchange"):
        TlsContexts(BOTH).of(policy(), ProtocolName.IMAP)


def test_an_openssl_without_the_hybrid_group_serves_the_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_groups, "_HYBRID", "not-a-group")
    with serving(policy()) as server:
        assert agreed_group(server, "X25519MLKEM768:X25519") == "x25519"
