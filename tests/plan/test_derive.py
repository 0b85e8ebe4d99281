"""From configuration objects to the plan that workers run."""

from __future__ import annotations

from typing import Any

import msgspec

from gatepost.plan.derive import derive
from gatepost.plan.plan import Plan, ProtocolName
from gatepost.registry.certificate import CERTIFICATE, Certificate
from gatepost.registry.configuration import Configuration
from gatepost.registry.declaration import SINGLETON_ID
from gatepost.registry.ip_network import ALLOWED_IP, BLOCKED_IP
from gatepost.registry.network_listener import NETWORK_LISTENER, NetworkListener, NetworkListenerProtocol
from gatepost.registry.system_settings import SYSTEM_SETTINGS, SystemSettings
from gatepost.registry.tls import KeyType, TlsCipherSuite, TlsVersion
from gatepost.values.ids import Id
from gatepost.values.ip_mask import IpMask
from gatepost.values.secret import Secret
from gatepost.values.socket_address import SocketAddress


def listener(name: str = "smtp", **fields: Any) -> NetworkListener:
    return NetworkListener(name=name, bind=(SocketAddress.parse("[::]:25"),), **fields)


def plan_with(
    *listeners: NetworkListener,
    settings: SystemSettings | None = None,
    certificates: dict[str, Certificate] | None = None,
) -> Plan:
    configuration = Configuration(
        {
            SYSTEM_SETTINGS.name: {SINGLETON_ID: settings or SystemSettings()},
            NETWORK_LISTENER.name: {Id(f"i{number}"): each for number, each in enumerate(listeners)},
            CERTIFICATE.name: {Id(name): each for name, each in (certificates or {}).items()},
            BLOCKED_IP.name: {},
            ALLOWED_IP.name: {},
        }
    )
    return derive(configuration, 7)


def certificate(*names: str, is_self_signed: bool = False) -> Certificate:
    return Certificate(
        certificate="chain", private_key=Secret("key"), subject_alternative_names=names, is_self_signed=is_self_signed
    )


def test_an_empty_configuration_makes_an_empty_plan() -> None:
    plan = plan_with()
    assert (plan.revision, plan.listeners, plan.certificates) == (7, (), ())
    assert (plan.max_connections, plan.proxy_header_timeout, plan.drain_timeout) == (8192, 5.0, None)


def test_settings_reach_the_plan_in_seconds_and_octets() -> None:
    settings = SystemSettings(
        default_hostname="mail.example.org",
        max_connections=5,
        max_connections_per_address=3,
        proxy_header_timeout=1500,
        drain_timeout=0,
        max_message_size=70_000,
        allow_clear_http_login=True,
    )
    plan = plan_with(settings=settings)
    assert (plan.hostname, plan.max_connections, plan.max_connections_per_address) == ("mail.example.org", 5, 3)
    assert (plan.proxy_header_timeout, plan.drain_timeout, plan.max_message_size) == (1.5, 0.0, 70_000)
    assert plan.may_log_in_over_clear_http


def test_listeners_stand_by_name() -> None:
    assert [each.name for each in plan_with(listener("b"), listener("a")).listeners] == ["a", "b"]


def test_every_protocol_of_the_registry_is_one_of_the_plan() -> None:
    for protocol in NetworkListenerProtocol:
        (planned,) = plan_with(listener(protocol=protocol)).listeners
        assert planned.protocol is ProtocolName(protocol.value)


def test_socket_options_reach_the_plan() -> None:
    (planned,) = plan_with(
        listener(
            socket_backlog=None,
            socket_no_delay=False,
            socket_receive_buffer_size=1,
            socket_send_buffer_size=2,
            socket_reuse_address=False,
            socket_reuse_port=False,
            socket_tos_v4=3,
            socket_ttl=4,
            tls_timeout=None,
            max_connections=None,
        )
    ).listeners
    socket = planned.socket
    assert (socket.backlog, socket.no_delay, socket.receive_buffer, socket.send_buffer) == (1024, False, 1, 2)
    assert (socket.reuse_address, socket.reuse_port, socket.tos, socket.ttl) == (False, False, 3, 4)
    assert (planned.addresses, planned.tls_timeout, planned.max_connections) == (("[::]:25",), None, None)


def test_all_suites_stand_in_server_order() -> None:
    tls = plan_with(listener()).listeners[0].tls
    assert tls is not None
    assert tls.tls13_suites == ("TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256")
    assert tls.tls12_suites == (
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-RSA-CHACHA20-POLY1305",
    )
    assert (tls.is_tls12_enabled, tls.is_tls13_enabled, tls.prefer_server_order) == (True, True, True)


def test_disabled_suites_and_versions_are_taken_out() -> None:
    disabled = (TlsCipherSuite.TLS13_AES_256_GCM_SHA384, TlsCipherSuite.ECDHE_RSA_AES_256_GCM_SHA384)
    tls = plan_with(listener(tls_disable_cipher_suites=disabled, tls_ignore_client_order=False)).listeners[0].tls
    assert tls is not None
    assert tls.tls13_suites == ("TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256")
    assert len(tls.tls12_suites) == 5
    assert not tls.prefer_server_order
    tls = plan_with(listener(tls_disable_protocols=(TlsVersion.TLS12,))).listeners[0].tls
    assert tls is not None
    assert (tls.tls12_suites, tls.is_tls12_enabled, tls.is_tls13_enabled) == ((), False, True)


def test_without_tls_there_is_no_policy() -> None:
    assert plan_with(listener(use_tls=False)).listeners[0].tls is None


def test_a_list_of_proxies_of_its_own_replaces_the_server_wide_one() -> None:
    settings = SystemSettings(proxy_trusted_networks=(IpMask.parse("10.0.0.0/8"),))
    own = listener("own", override_proxy_trusted_networks=(IpMask.parse("192.0.2.1"),))
    plan = plan_with(listener("general"), own, settings=settings)
    assert [each.proxy_networks for each in plan.listeners] == [("10.0.0.0/8",), ("192.0.2.1",)]


def test_a_certificate_of_the_defaults_names_with_another_kind_of_key_is_served_beside_it() -> None:
    certificates = {
        name: msgspec.structs.replace(certificate(*names), key_type=kind)
        for name, kind, names in (
            ("default", KeyType.ECDSA, ("Mail.example", "mx.example")),
            ("twin", KeyType.RSA, ("mx.example", "mail.example")),
            ("another-ecdsa", KeyType.ECDSA, ("mail.example", "mx.example")),
            ("another-name", KeyType.RSA, ("mail.example",)),
        )
    }
    plan = plan_with(settings=SystemSettings(default_certificate_id=Id("default")), certificates=certificates)
    assert [each.id for each in plan.certificates if each.is_fallback] == ["default", "twin"]


def test_the_self_signed_certificate_never_stands_in_for_one_that_an_operator_has_given() -> None:
    certificates = {
        "a": certificate("mail.example", is_self_signed=True),
        "b": certificate("b.example"),
        "wanted": certificate("Mail.Example", "*.example"),
    }
    chosen = plan_with(settings=SystemSettings(default_certificate_id=Id("wanted")), certificates=certificates)
    assert [(each.id, each.is_fallback, each.names) for each in chosen.certificates] == [
        ("a", False, ()),
        ("b", False, ("b.example",)),
        ("wanted", True, ("mail.example", "*.example")),
    ]
    unchosen = plan_with(certificates=certificates)
    assert [each.id for each in unchosen.certificates if each.is_fallback] == ["a"]


def test_a_plan_survives_the_way_to_a_worker_and_shows_no_key() -> None:
    plan = plan_with(listener(), certificates={"c": certificate("a.example")})
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(plan), type=Plan) == plan
    assert "key" not in repr(plan.certificates[0])
