"""NetworkListener: one way in. Which addresses are bound, what is spoken there, under which TLS policy and limits.

The declaration, and what must hold between the properties of one listener. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import Annotated

import msgspec

from gatepost.registry.declaration import (
    Effect,
    FormSection,
    ListView,
    MenuPlace,
    ObjectType,
    Property,
    Update,
    declared_properties,
)
from gatepost.registry.file_path import FileTexts
from gatepost.registry.kinds import (
    Boolean,
    Choice,
    DurationMs,
    SetOf,
    Text,
    UnsignedInt,
    ip_mask_kind,
    socket_address_kind,
)
from gatepost.registry.problem import Problem, ProblemType
from gatepost.registry.tls import SUITE_ALIASES, SUITE_LABELS, SUITES, VERSION_LABELS, TlsCipherSuite, TlsVersion
from gatepost.values.ip_mask import IpMask
from gatepost.values.socket_address import SocketAddress

MAX_INT32 = 2**31 - 1  # what listen(2) and setsockopt(2) take
DEFAULT_BACKLOG = 1024


class NetworkListenerProtocol(Enum):
    """What a listener speaks, by its wire name."""

    SMTP = "smtp"
    LMTP = "lmtp"
    HTTP = "http"
    IMAP = "imap"
    POP3 = "pop3"
    MANAGESIEVE = "manageSieve"


PROTOCOL_LABELS = {
    NetworkListenerProtocol.SMTP: "SMTP",
    NetworkListenerProtocol.LMTP: "LMTP",
    NetworkListenerProtocol.HTTP: "HTTP",
    NetworkListenerProtocol.IMAP: "IMAP4",
    NetworkListenerProtocol.POP3: "POP3",
    NetworkListenerProtocol.MANAGESIEVE: "ManageSieve",
}


class NetworkListener(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A listener as it is configured. None: the kernel's own value, or no limit of its own."""

    name: Annotated[
        str,
        Property(
            kind=Text(1, 64, re.compile(r"[A-Za-z0-9._-]+"), "may have letters, digits, and the characters - _ . only"),
            label="Name",
            help="Identifies the listener in logs, metrics and the API. Unique, whatever the case of its letters.",
            update=Update.IMMUTABLE,
        ),
    ]
    bind: Annotated[
        tuple[SocketAddress, ...],
        Property(
            kind=SetOf(socket_address_kind(), min_items=1, max_items=256),
            label="Bind addresses",
            help="Addresses and ports to accept connections on: 192.0.2.1:25, [2001:db8::1]:25, or [::]:25 for every "
            "address, IPv4 too. Addresses that stay in the set are not touched when others come or go.",
            effect=Effect.REBIND,
        ),
    ]
    protocol: Annotated[
        NetworkListenerProtocol,
        Property(
            kind=Choice(NetworkListenerProtocol, PROTOCOL_LABELS),
            label="Protocol",
            help="What is spoken with clients that connect here.",
            effect=Effect.NEXT,
        ),
    ] = NetworkListenerProtocol.SMTP
    override_proxy_trusted_networks: Annotated[
        tuple[IpMask, ...],
        Property(
            kind=SetOf(ip_mask_kind()),
            label="Trusted proxy networks",
            help="Peers in these networks must send a PROXY protocol header (version 1 or 2) first. When not empty, the "
            "list replaces the server-wide one for this listener.",
            effect=Effect.NEXT,
        ),
    ] = ()
    socket_backlog: Annotated[
        int | None,
        Property(
            kind=UnsignedInt(1, MAX_INT32),
            label="Backlog",
            help="How many connections may wait to be accepted. The kernel cuts it to net.core.somaxconn. Empty: 1024.",
            unit="connections",
            effect=Effect.NOW,
        ),
    ] = DEFAULT_BACKLOG
    socket_no_delay: Annotated[
        bool,
        Property(
            kind=Boolean(),
            label="No delay",
            help="Send small segments at once (TCP_NODELAY: the Nagle algorithm is off).",
            effect=Effect.NOW,
        ),
    ] = True
    socket_receive_buffer_size: Annotated[
        int | None,
        Property(
            kind=UnsignedInt(1, MAX_INT32, format="size"),
            label="Receive buffer",
            help="SO_RCVBUF of the sockets. The kernel doubles it and cuts it to net.core.rmem_max. Empty: the kernel's own.",
            unit="octets",
            effect=Effect.NOW,
        ),
    ] = None
    socket_reuse_address: Annotated[
        bool,
        Property(
            kind=Boolean(),
            label="Reuse address",
            help="Bind although old connections of the address are in TIME_WAIT (SO_REUSEADDR).",
            effect=Effect.NOW,
        ),
    ] = True
    socket_reuse_port: Annotated[
        bool,
        Property(
            kind=Boolean(),
            label="Reuse port",
            help="One listening socket for each worker (SO_REUSEPORT), so that the kernel spreads connections. Off: one "
            "socket that all workers share, and no second process can bind the address.",
            effect=Effect.REBIND,
        ),
    ] = True
    socket_send_buffer_size: Annotated[
        int | None,
        Property(
            kind=UnsignedInt(1, MAX_INT32, format="size"),
            label="Send buffer",
            help="SO_SNDBUF of the sockets. The kernel doubles it and cuts it to net.core.wmem_max. Empty: the kernel's own.",
            unit="octets",
            effect=Effect.NOW,
        ),
    ] = None
    socket_tos_v4: Annotated[
        int | None,
        Property(
            kind=UnsignedInt(1, 255),
            label="Type of service",
            help="TOS octet of IPv4 packets (IP_TOS); IPv6 packets carry it as their traffic class. Empty: the kernel's own.",
            effect=Effect.NOW,
        ),
    ] = None
    socket_ttl: Annotated[
        int | None,
        Property(
            kind=UnsignedInt(1, 255),
            label="Time to live",
            help="How many hops a packet may take (IP_TTL, and the hop limit of IPv6). Empty: the kernel's own.",
            unit="hops",
            effect=Effect.NOW,
        ),
    ] = None
    use_tls: Annotated[
        bool,
        Property(
            kind=Boolean(),
            label="Offer TLS",
            help="Whether TLS can be had here: from the first byte, or by STARTTLS where the protocol has it.",
            effect=Effect.NEXT,
        ),
    ] = True
    tls_disable_cipher_suites: Annotated[
        tuple[TlsCipherSuite, ...],
        Property(
            kind=SetOf(Choice(TlsCipherSuite, SUITE_LABELS, SUITE_ALIASES)),
            label="Disabled cipher suites",
            help="Suites that are not offered. At least one must be left for every version that is on.",
            effect=Effect.NEXT,
        ),
    ] = ()
    tls_disable_protocols: Annotated[
        tuple[TlsVersion, ...],
        Property(
            kind=SetOf(Choice(TlsVersion, VERSION_LABELS)),
            label="Disabled TLS versions",
            help="Versions that are not offered. To have no TLS at all, switch TLS off instead.",
            effect=Effect.NEXT,
        ),
    ] = ()
    tls_ignore_client_order: Annotated[
        bool,
        Property(
            kind=Boolean(),
            label="Server chooses the suite",
            help="The server's order of suites decides. Off: the client's.",
            effect=Effect.NEXT,
        ),
    ] = True
    tls_implicit: Annotated[
        bool,
        Property(
            kind=Boolean(),
            label="Implicit TLS",
            help="TLS from the first byte, as on ports 465, 993, 995 and 443. Needs TLS to be on.",
            effect=Effect.NEXT,
        ),
    ] = False
    tls_timeout: Annotated[
        int | None,
        Property(
            kind=DurationMs(1),
            label="Handshake timeout",
            help="A TLS handshake must end within this time, or the connection is closed. Empty: no limit.",
            unit="milliseconds",
            effect=Effect.NEXT,
        ),
    ] = 60_000
    max_connections: Annotated[
        int | None,
        Property(
            kind=UnsignedInt(1),
            label="Connections at most",
            help="Exact over all workers and addresses of the listener, from accept on. Who comes beyond is told so in the "
            "protocol. Empty: only the server-wide limit counts.",
            unit="connections",
            effect=Effect.NOW,
        ),
    ] = 8192


def usable_suites(listener: NetworkListener, version: TlsVersion) -> tuple[TlsCipherSuite, ...]:
    """The suites that the listener offers for a version, in server order; empty for a version that is off."""
    if version in listener.tls_disable_protocols:
        return ()
    return tuple(
        suite
        for suite, names in SUITES.items()
        if names.version is version and suite not in listener.tls_disable_cipher_suites
    )


def _examine(listener: NetworkListener, _now: datetime, _files: FileTexts) -> tuple[NetworkListener, Sequence[Problem]]:
    return listener, [*_tls_problems(listener), *_port_problems(listener)]


def _port_problems(listener: NetworkListener) -> list[Problem]:
    if listener.protocol is not NetworkListenerProtocol.LMTP:
        return []
    words = "LMTP must not be spoken on port 25 (RFC 2033 section 5): choose another port, like 24"
    return [
        Problem("bind", ProblemType.CONFLICT, words, str(address)) for address in listener.bind if address.port == 25
    ]


def _tls_problems(listener: NetworkListener) -> list[Problem]:
    problems: list[Problem] = []
    if listener.tls_implicit and not listener.use_tls:
        words = "implicit TLS needs TLS: set useTls to true, or tlsImplicit to false"
        problems.append(Problem("tlsImplicit", ProblemType.CONFLICT, words, "true"))
    enabled = [version for version in TlsVersion if version not in listener.tls_disable_protocols]
    if not enabled:
        words = "all TLS versions are disabled: leave one enabled, or set useTls to false to have no TLS"
        problems.append(Problem("tlsDisableProtocols", ProblemType.CONFLICT, words))
    for version in enabled:
        if not usable_suites(listener, version):
            words = f"no cipher suite is left for {VERSION_LABELS[version]}: enable one, or disable that version"
            problems.append(Problem("tlsDisableCipherSuites", ProblemType.CONFLICT, words))
    return problems


NETWORK_LISTENER = ObjectType(
    name="NetworkListener",
    struct=NetworkListener,
    properties=declared_properties(NetworkListener),
    description="A network listener: addresses on which connections are accepted, and what is spoken there.",
    form=(
        FormSection("Listener", ("name", "protocol", "bind", "maxConnections")),
        FormSection(
            "TLS",
            (
                "useTls",
                "tlsImplicit",
                "tlsTimeout",
                "tlsDisableProtocols",
                "tlsDisableCipherSuites",
                "tlsIgnoreClientOrder",
            ),
        ),
        FormSection("PROXY protocol", ("overrideProxyTrustedNetworks",)),
        FormSection(
            "Socket",
            (
                "socketBacklog",
                "socketNoDelay",
                "socketReuseAddress",
                "socketReusePort",
                "socketReceiveBufferSize",
                "socketSendBufferSize",
                "socketTtl",
                "socketTosV4",
            ),
        ),
    ),
    list_view=ListView(
        title="Listeners",
        subtitle="Where connections are accepted, and what is spoken there",
        singular="listener",
        plural="listeners",
        label_property="name",
        columns=("name", "protocol", "bind", "useTls", "tlsImplicit", "maxConnections"),
        filters=("name", "bind", "protocol", "useTls", "tlsImplicit", "maxConnections"),
    ),
    menu=MenuPlace("Settings", "settings", "Network", "network", "Listeners"),
    unique_key=lambda listener: listener.name.casefold(),
    examine=_examine,
)
