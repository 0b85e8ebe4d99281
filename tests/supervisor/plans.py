"""Plans for the tests of supervisor and worker: listeners that differ in little."""

from __future__ import annotations

from gatepost.plan.plan import CertificatePlan, ListenerPlan, NetworkPlan, Plan, ProtocolName, SocketPlan, TlsPlan
from gatepost.values.ids import Id

_SOCKET = SocketPlan(backlog=64, reuse_address=True, reuse_port=True, no_delay=True)
TLS = TlsPlan(
    tls13_suites=("TLS_AES_128_GCM_SHA256",),
    tls12_suites=("ECDHE-ECDSA-AES128-GCM-SHA256",),
    is_tls13_enabled=True,
    is_tls12_enabled=True,
    prefer_server_order=True,
)


def listener(
    name: str,
    *addresses: str,
    reuse_port: bool = True,
    receive_buffer: int | None = None,
    tls: TlsPlan | None = None,
    is_tls_implicit: bool = False,
    max_connections: int | None = None,
    proxy_networks: tuple[str, ...] = (),
    protocol: ProtocolName = ProtocolName.SMTP,
) -> ListenerPlan:
    return ListenerPlan(
        id=Id(name),
        name=name,
        protocol=protocol,
        addresses=addresses,
        socket=SocketPlan(
            backlog=_SOCKET.backlog,
            reuse_address=_SOCKET.reuse_address,
            reuse_port=reuse_port,
            no_delay=_SOCKET.no_delay,
            receive_buffer=receive_buffer,
        ),
        tls=tls,
        is_tls_implicit=is_tls_implicit,
        tls_timeout=15.0,
        proxy_networks=proxy_networks,
        max_connections=max_connections,
    )


def plan(
    *listeners: ListenerPlan,
    revision: int = 1,
    max_connections: int = 1000,
    max_connections_per_address: int | None = None,
    certificates: tuple[CertificatePlan, ...] = (),
    drain_timeout: float | None = None,
    proxy_header_timeout: float = 15.0,
    blocked_networks: tuple[NetworkPlan, ...] = (),
    allowed_networks: tuple[NetworkPlan, ...] = (),
) -> Plan:
    return Plan(
        revision=revision,
        hostname="mail.example.org",
        max_connections=max_connections,
        max_connections_per_address=max_connections_per_address,
        proxy_header_timeout=proxy_header_timeout,
        drain_timeout=drain_timeout,
        may_log_in_over_clear_http=True,
        max_message_size=10_000_000,
        listeners=listeners,
        certificates=certificates,
        blocked_networks=blocked_networks,
        allowed_networks=allowed_networks,
    )
