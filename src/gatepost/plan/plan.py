"""The values a plan is made of. Complete when built, immutable, and equal exactly when they ask for the same thing.

Supervisor and workers exchange plans as MessagePack; all fields are therefore plain.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from gatepost.values.ids import Id


class ProtocolName(StrEnum):
    """What a listener speaks; the wire names of the registry."""

    SMTP = "smtp"
    LMTP = "lmtp"
    HTTP = "http"
    IMAP = "imap"
    POP3 = "pop3"
    MANAGESIEVE = "manageSieve"


class SocketPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How the listening sockets of one listener are made. None: the kernel's own value is left alone."""

    backlog: int
    reuse_address: bool
    reuse_port: bool
    no_delay: bool
    receive_buffer: int | None = None  # octets, as asked for; the kernel doubles it
    send_buffer: int | None = None
    tos: int | None = None
    ttl: int | None = None  # hops


class TlsPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The TLS policy of one listener. Suites are OpenSSL names in server order."""

    tls13_suites: tuple[str, ...]
    tls12_suites: tuple[str, ...]
    is_tls13_enabled: bool
    is_tls12_enabled: bool
    prefer_server_order: bool


class CertificatePlan(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate chain with its key. `names` are the DNS names it is served for, lower-case, `*.` for wildcards."""

    id: Id
    chain_pem: str
    private_key_pem: str
    names: tuple[str, ...]
    is_fallback: bool  # served where no name matches; of several, the first of each key type

    def __repr__(self) -> str:
        return f"CertificatePlan(id={self.id!r}, names={self.names!r})"


class ListenerPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One listener. `tls=None`: TLS is not offered."""

    id: Id
    name: str
    protocol: ProtocolName
    addresses: tuple[str, ...]  # canonical socket addresses
    socket: SocketPlan
    tls: TlsPlan | None
    is_tls_implicit: bool
    tls_timeout: float | None  # seconds
    proxy_networks: tuple[str, ...]  # peers in these must send a PROXY header
    max_connections: int | None


class NetworkPlan(msgspec.Struct, frozen=True, array_like=True):
    """A network whose clients are refused, or never are. `until`: seconds of the epoch; None: for ever."""

    network: str  # canonical: an address, or address/length
    until: float | None = None
    ends_connections: bool = False  # of a blocked one: those that are open as well


DRAIN_TIMEOUT_AT_EXIT = 30.0  # seconds, where the plan gives none: a server that ends does not wait for ever


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a node has to run. `revision` is the store's; it does not count when plans are compared for work to do."""

    revision: int
    hostname: str
    workers: int | None = None  # None: as many as the server was started with
    max_connections: int
    max_connections_per_address: int | None = None  # of one source address; None: no limit of its own
    proxy_header_timeout: float  # seconds
    drain_timeout: float | None  # seconds; None: connections of what is removed live until they end
    may_log_in_over_clear_http: bool
    max_message_size: int  # octets
    listeners: tuple[ListenerPlan, ...]  # by name
    certificates: tuple[CertificatePlan, ...]
    blocked_networks: tuple[NetworkPlan, ...] = ()  # by network; those whose time is over included
    allowed_networks: tuple[NetworkPlan, ...] = ()  # win over blocked ones
    hsts_max_age: int | None = None  # seconds that browsers shall use HTTPS alone; None: nothing is said of it
    http_allowed_origins: tuple[str, ...] = ()  # whose pages may use the API
    http_forwarded_networks: tuple[str, ...] = ()  # HTTP proxies that are believed who their client is
    watched_files: tuple[str, ...] = ()  # paths that certificates are read from, those that could not be used included

    @property
    def drain_timeout_at_exit(self) -> float:
        """Seconds that clients have when the server ends."""
        return DRAIN_TIMEOUT_AT_EXIT if self.drain_timeout is None else self.drain_timeout

    def worker_count(self, default: int) -> int:
        """How many workers run it; `default` where the plan leaves that to the start of the server."""
        return default if self.workers is None else self.workers

    def listener(self, listener_id: Id) -> ListenerPlan | None:
        """The listener with this id."""
        return next((listener for listener in self.listeners if listener.id == listener_id), None)
