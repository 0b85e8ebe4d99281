"""Who asks for a change, and the way by which the request came: what the rules about locking oneself out, and about API keys,
need to know of it. Plain values. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gatepost.registry.api_key import ApiKey
from gatepost.registry.tls import TlsVersion
from gatepost.values.ids import Id
from gatepost.values.ip_mask import IpAddress
from gatepost.values.socket_address import SocketAddress


@dataclass(frozen=True, slots=True)
class RequestWay:
    """How a request came. Nothing is known of one that did not come through the network.

    `destination`: what the client connected to. `source_address`: who has the connection, the client or its HTTP proxy.
    `client_address`: the client. `proxy_address`: who sent a PROXY header ahead of it. `tls_version`: of the connection.
    `is_clear`: it could be read on its way here."""

    listener_id: Id | None = None
    destination: SocketAddress | None = None
    source_address: IpAddress | None = None
    client_address: IpAddress | None = None
    proxy_address: IpAddress | None = None
    tls_version: TlsVersion | None = None
    is_clear: bool = False


@dataclass(frozen=True, slots=True)
class Requester:
    """Who makes a request; nobody where the server itself does. `key`: the API key that it came with, and its id."""

    account_id: Id | None = None
    key_id: Id | None = None
    key: ApiKey | None = None
    way: RequestWay = field(default_factory=RequestWay)
