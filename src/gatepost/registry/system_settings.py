"""SystemSettings: what holds for the whole server; there is exactly one. Declaration only. Pure."""

from __future__ import annotations

from typing import Annotated

import msgspec

from gatepost.registry.declaration import (
    Effect,
    FormSection,
    ListView,
    MenuPlace,
    ObjectType,
    Property,
    declared_properties,
)
from gatepost.registry.kinds import Boolean, DurationMs, ObjectId, SetOf, UnsignedInt, ip_mask_kind
from gatepost.registry.names import domain_name_kind, origin_kind
from gatepost.values.ids import Id
from gatepost.values.ip_mask import IpMask

MEBIBYTE = 1024 * 1024


class SystemSettings(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The settings of the server. Durations in milliseconds."""

    default_hostname: Annotated[
        str,
        Property(
            kind=domain_name_kind(),
            label="Host name",
            help="The name that the server greets with, and that stands in Received fields: its fully qualified name.",
            effect=Effect.NEXT,
        ),
    ] = "localhost"
    default_certificate_id: Annotated[
        Id | None,
        Property(
            kind=ObjectId("Certificate"),
            label="Default certificate",
            help="Served to clients that name no host, or one that no certificate is for. Empty: the self-signed one.",
            effect=Effect.NEXT,
        ),
    ] = None
    workers: Annotated[
        int | None,
        Property(
            kind=UnsignedInt(1, 64),
            label="Worker processes",
            help="How many processes serve clients. Connections of one that is not needed any more go on until they end. "
            "Empty: as many as the server was started with (--workers, else one for each usable core).",
            unit="processes",
            effect=Effect.NOW,
        ),
    ] = None
    max_connections: Annotated[
        int,
        Property(
            kind=UnsignedInt(1),
            label="Connections at most",
            help="A cap over all listeners together, exact over all workers. It holds besides the cap of each listener.",
            unit="connections",
            effect=Effect.NOW,
        ),
    ] = 8192
    max_connections_per_address: Annotated[
        int | None,
        Property(
            kind=UnsignedInt(1),
            label="Connections per address",
            help="How many connections one source address may have open. Empty: no limit of its own.",
            unit="connections",
            effect=Effect.NOW,
        ),
    ] = None
    proxy_trusted_networks: Annotated[
        tuple[IpMask, ...],
        Property(
            kind=SetOf(ip_mask_kind()),
            label="Trusted proxy networks",
            help="Peers in these networks must send a PROXY protocol header on every listener that has no list of its own.",
            effect=Effect.NEXT,
        ),
    ] = ()
    proxy_header_timeout: Annotated[
        int,
        Property(
            kind=DurationMs(1, 3_600_000),
            label="PROXY header timeout",
            help="A trusted proxy must have sent its header within this time.",
            unit="milliseconds",
            effect=Effect.NEXT,
        ),
    ] = 5_000
    drain_timeout: Annotated[
        int | None,
        Property(
            kind=DurationMs(0),
            label="Drain timeout",
            help="How long connections of a listener that was removed may go on. Empty: until they end.",
            unit="milliseconds",
            effect=Effect.NOW,
        ),
    ] = None
    max_message_size: Annotated[
        int,
        Property(
            kind=UnsignedInt(64 * 1024, 2**31 - 1, format="size"),  # RFC 5321 section 4.5.3.1.7: at least 64K octets
            label="Message size at most",
            help="Larger messages are refused by SMTP, LMTP and IMAP, which also announce it.",
            unit="octets",
            effect=Effect.NEXT,
        ),
    ] = 50 * MEBIBYTE
    allow_clear_http_login: Annotated[
        bool,
        Property(
            kind=Boolean(),
            label="Sign-in over clear HTTP",
            help="Accept passwords over unencrypted HTTP from other machines. Anyone on the way can read them.",
            effect=Effect.NEXT,
        ),
    ] = False
    http_strict_transport_security: Annotated[
        int | None,
        Property(
            kind=DurationMs(0),
            label="HTTPS only (HSTS)",
            help="How long browsers that were here over HTTPS use nothing else for this host name, at all its ports, and let "
            "nobody pass by a certificate that is not right. Not sent while the only certificate is the server's own. 0: "
            "browsers are told to forget it. Empty: nothing is said.",
            unit="milliseconds",
            effect=Effect.NOW,
        ),
    ] = 30 * 86_400_000
    http_allowed_origins: Annotated[
        tuple[str, ...],
        Property(
            kind=SetOf(origin_kind(), max_items=64),
            label="Pages of other origins",
            help="Web pages of these origins, like https://admin.example.org, may use the API with an API key or a password "
            "(CORS); never with the cookie of the web UI.",
            effect=Effect.NOW,
        ),
    ] = ()
    http_forwarded_networks: Annotated[
        tuple[IpMask, ...],
        Property(
            kind=SetOf(ip_mask_kind()),
            label="Trusted HTTP proxies",
            help="HTTP proxies in these networks are believed who their client is (Forwarded, or X-Forwarded-For) and whether "
            "it came by HTTPS (X-Forwarded-Proto). From anybody else these headers mean nothing.",
            effect=Effect.NOW,
        ),
    ] = ()
    history_retention: Annotated[
        int | None,
        Property(
            kind=DurationMs(3_600_000),
            label="History kept",
            help="Older changes are removed from the history when the next one is made. Empty: however old they are.",
            unit="milliseconds",
        ),
    ] = 365 * 86_400_000
    history_max_changes: Annotated[
        int,
        Property(
            kind=UnsignedInt(1, 10_000_000),
            label="Changes kept",
            help="How many changes the history holds; the oldest are removed when there are more.",
            unit="changes",
        ),
    ] = 100_000


SYSTEM_SETTINGS = ObjectType(
    name="SystemSettings",
    struct=SystemSettings,
    properties=declared_properties(SystemSettings),
    description="What holds for the whole server.",
    form=(
        FormSection("Server", ("defaultHostname", "defaultCertificateId", "workers")),
        FormSection("Connections", ("maxConnections", "maxConnectionsPerAddress", "drainTimeout")),
        FormSection("PROXY protocol", ("proxyTrustedNetworks", "proxyHeaderTimeout")),
        FormSection(
            "HTTP",
            ("allowClearHttpLogin", "httpStrictTransportSecurity", "httpAllowedOrigins", "httpForwardedNetworks"),
        ),
        FormSection("Mail", ("maxMessageSize",)),
        FormSection("History", ("historyRetention", "historyMaxChanges")),
    ),
    list_view=ListView(
        title="Server",
        subtitle="What holds for the whole server",
        singular="server settings",
        plural="server settings",
        label_property="defaultHostname",
        columns=("defaultHostname", "maxConnections"),
    ),
    menu=MenuPlace("Settings", "settings", "Network", "network", "Server"),
    is_singleton=True,
)
