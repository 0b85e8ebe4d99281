"""From configuration objects to the plan that workers run. Pure: the same objects give the same plan.

Called by /set before a change is prepared, by the reconciliation, by the boot process, and by `embedding`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from gatepost.plan.certificate_files import NO_PAIRS, NamedPair, files_of
from gatepost.plan.plan import CertificatePlan, ListenerPlan, NetworkPlan, Plan, ProtocolName, SocketPlan, TlsPlan
from gatepost.registry.certificate import Certificate
from gatepost.registry.configuration import Configuration
from gatepost.registry.ip_network import ALLOWED_IP, BLOCKED_IP
from gatepost.registry.network_listener import DEFAULT_BACKLOG, NetworkListener, usable_suites
from gatepost.registry.system_settings import SystemSettings
from gatepost.registry.tls import SUITES, TlsVersion
from gatepost.values.ids import Id


def derive(configuration: Configuration, revision: int, pairs: Mapping[Id, NamedPair] = NO_PAIRS) -> Plan:
    """The plan of a configuration that has passed the rules. `pairs`: of the certificates that are in files; one that is not
    there is not served."""
    settings, certificates = configuration.settings, configuration.certificates
    blocked, allowed = configuration.of(BLOCKED_IP).values(), configuration.of(ALLOWED_IP).values()
    by_name = sorted(configuration.listeners.items(), key=lambda entry: entry[1].name)
    return Plan(
        revision=revision,
        hostname=settings.default_hostname,
        workers=settings.workers,
        max_connections=settings.max_connections,
        max_connections_per_address=settings.max_connections_per_address,
        proxy_header_timeout=settings.proxy_header_timeout / 1000,
        drain_timeout=_seconds(settings.drain_timeout),
        may_log_in_over_clear_http=settings.allow_clear_http_login,
        max_message_size=settings.max_message_size,
        listeners=tuple(_listener_plan(listener_id, listener, settings) for listener_id, listener in by_name),
        certificates=_certificate_plans(settings.default_certificate_id, certificates, pairs),
        blocked_networks=_by_network(
            NetworkPlan(str(each.network), _epoch(each.expires_at), each.end_connections) for each in blocked
        ),
        allowed_networks=_by_network(NetworkPlan(str(each.network), _epoch(each.expires_at)) for each in allowed),
        hsts_max_age=None if (age := settings.http_strict_transport_security) is None else age // 1000,
        http_allowed_origins=settings.http_allowed_origins,
        http_forwarded_networks=tuple(str(network) for network in settings.http_forwarded_networks),
        watched_files=tuple(sorted(files_of(certificates.values()))),
    )


def _listener_plan(listener_id: Id, listener: NetworkListener, settings: SystemSettings) -> ListenerPlan:
    proxies = listener.override_proxy_trusted_networks or settings.proxy_trusted_networks
    return ListenerPlan(
        id=listener_id,
        name=listener.name,
        protocol=ProtocolName(listener.protocol.value),
        addresses=tuple(str(address) for address in listener.bind),
        socket=socket_plan(listener),
        tls=_tls_plan(listener) if listener.use_tls else None,
        is_tls_implicit=listener.tls_implicit,
        tls_timeout=_seconds(listener.tls_timeout),
        proxy_networks=tuple(str(network) for network in proxies),
        max_connections=listener.max_connections,
    )


def socket_plan(listener: NetworkListener) -> SocketPlan:
    """How its listening sockets are made."""
    return SocketPlan(
        backlog=DEFAULT_BACKLOG if listener.socket_backlog is None else listener.socket_backlog,
        reuse_address=listener.socket_reuse_address,
        reuse_port=listener.socket_reuse_port,
        no_delay=listener.socket_no_delay,
        receive_buffer=listener.socket_receive_buffer_size,
        send_buffer=listener.socket_send_buffer_size,
        tos=listener.socket_tos_v4,
        ttl=listener.socket_ttl,
    )


def _tls_plan(listener: NetworkListener) -> TlsPlan:
    return TlsPlan(
        tls13_suites=tuple(SUITES[suite].openssl for suite in usable_suites(listener, TlsVersion.TLS13)),
        tls12_suites=tuple(SUITES[suite].openssl for suite in usable_suites(listener, TlsVersion.TLS12)),
        is_tls13_enabled=TlsVersion.TLS13 not in listener.tls_disable_protocols,
        is_tls12_enabled=TlsVersion.TLS12 not in listener.tls_disable_protocols,
        prefer_server_order=listener.tls_ignore_client_order,
    )


def _certificate_plans(
    default_id: Id | None, certificates: Mapping[Id, Certificate], pairs: Mapping[Id, NamedPair]
) -> tuple[CertificatePlan, ...]:
    """By id, so that the order in which they were made does not matter. The self-signed certificate goes by no name: it is
    served where no other fits and no default is set (or can be served), and never in the place of one that an operator has
    given."""
    usable = {
        certificate_id: (certificate, pair)
        for certificate_id, certificate in sorted(certificates.items())
        if (pair := _named_pair(certificate, pairs.get(certificate_id))) is not None
    }
    has_default = default_id in usable
    twins = _twins(default_id, usable)
    return tuple(
        CertificatePlan(
            id=certificate_id,
            chain_pem=pair.chain_pem,
            private_key_pem=pair.private_key_pem,
            names=() if certificate.is_self_signed else tuple(map(str.lower, pair.names)),
            is_fallback=certificate_id == default_id
            or certificate_id in twins
            or (certificate.is_self_signed and not has_default),
        )
        for certificate_id, (certificate, pair) in usable.items()
    )


def _twins(default_id: Id | None, usable: Mapping[Id, tuple[Certificate, NamedPair]]) -> frozenset[Id]:
    """Certificates of the same names as the default one, with a key of another type: who names no host (other mail servers
    seldom do) may be able to verify only one of them."""
    if default_id is None or default_id not in usable:
        return frozenset()
    default, pair = usable[default_id]
    return frozenset(
        certificate_id
        for certificate_id, (other, other_pair) in usable.items()
        if other.key_type is not default.key_type and _folded(other_pair) == _folded(pair) and not other.is_self_signed
    )


def _folded(pair: NamedPair) -> frozenset[str]:
    return frozenset(name.lower() for name in pair.names)


def _named_pair(certificate: Certificate, in_files: NamedPair | None) -> NamedPair | None:
    if certificate.certificate is None or certificate.private_key is None:
        return in_files
    return NamedPair(certificate.certificate, certificate.private_key.reveal(), certificate.subject_alternative_names)


def _by_network(networks: Iterable[NetworkPlan]) -> tuple[NetworkPlan, ...]:
    """So that the order in which they were made does not matter."""
    return tuple(sorted(networks, key=lambda each: each.network))


def _epoch(time: datetime | None) -> float | None:
    return None if time is None else time.timestamp()


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
