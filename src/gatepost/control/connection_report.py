"""What a worker says of one of its connections, to the worker that was asked for the list; the supervisor does not read it."""

from __future__ import annotations

import msgspec

from gatepost.values.ids import Id


class ProxyFacts(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a PROXY header said besides the addresses. `unique_id` in hexadecimal; `tls_*`: between client and proxy."""

    version: int
    command: str
    authority: str | None
    unique_id: str | None
    alpn: str | None
    tls_version: str | None
    tls_cipher: str | None
    certificate_name: str | None


class ConnectionReport(msgspec.Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """One open connection. Addresses as `192.0.2.1:4321`; `since` in seconds since 1970; octets without TLS's own."""

    id: str
    listener_id: Id
    listener_name: str
    protocol: str
    source: str
    destination: str
    peer: str  # the kernel's other end: the proxy where there is one
    since: float
    state: str
    bytes_received: int
    bytes_sent: int
    tls_version: str | None
    cipher_suite: str | None
    key_exchange_group: str | None
    server_name: str | None
    proxy: ProxyFacts | None
    account_id: Id | None
    login_name: str | None
    worker: int  # the process that has it
