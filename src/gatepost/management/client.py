"""What the HTTP server tells about the client of a request: address, listener, TLS.

The source address is the one that the transport found, from a trusted PROXY header where there was one, and that of the
proxy's client where `forwarded_requests` has put it in its place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address

from starlette.requests import HTTPConnection

from gatepost.plan.plan import Plan, ProtocolName
from gatepost.registry.requester import RequestWay
from gatepost.registry.tls import TlsVersion
from gatepost.session.link import Peer
from gatepost.values.ids import Id
from gatepost.values.ip_mask import IpAddress, unmapped
from gatepost.values.socket_address import SocketAddress

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d+)?\Z")
RELAY = "relay"  # where a Relay stands in the state of a scope
_TLS_VERSIONS = {"TLSv1.2": TlsVersion.TLS12, "TLSv1.3": TlsVersion.TLS13}
_NOWHERE: IpAddress = ip_address("0.0.0.0")


@dataclass(frozen=True, slots=True)
class Relay:
    """The connection by which a trusted HTTP proxy passed a request on."""

    peer: IpAddress
    is_tls: bool


def peer_of(connection: HTTPConnection) -> Peer:
    """Who is on the other side. An address that is not known is never taken for loopback."""
    client, server = connection.scope.get("client"), connection.scope.get("server")
    return Peer(
        source_address=_address(client[0]) if client else _NOWHERE,
        source_port=client[1] if client else 0,
        destination_address=_address(server[0]) if server else _NOWHERE,
        destination_port=(server[1] or 0) if server else 0,
    )


def is_tls(connection: HTTPConnection) -> bool:
    """Whether what is sent is protected on its way."""
    return connection.scope["scheme"] in ("https", "wss")


def is_protected(connection: HTTPConnection) -> bool:
    """Whether nobody can read what is sent: on the last stretch, and before a proxy too where there is one."""
    return not request_way(connection).is_clear


def is_asked_as_this_machine(connection: HTTPConnection) -> bool:
    """Whether the client calls the server by a loopback address or `localhost`. A web page of elsewhere that has its own name
    resolved to 127.0.0.1 calls it by that name (DNS rebinding)."""
    asked = _HOST.match(connection.headers.get("host", ""))
    name = asked[1].strip("[]").lower() if asked else ""
    return name == "localhost" or _address(name).is_loopback


def request_way(connection: HTTPConnection) -> RequestWay:
    """How the request came."""
    scope, peer = connection.scope, connection.scope.get("client")
    state = scope.get("state", {})
    return _way(
        state.get("listener_id"),
        peer[0] if peer else "",
        scope.get("server") or ("", 0),
        state.get(RELAY),
        state.get("proxy_address"),
        is_tls(connection),
        state.get("tls_version"),
    )


@lru_cache(maxsize=1024)  # clients ask many things by one connection
def _way(
    listener_id: Id | None,
    client: str,
    server: tuple[str, int | None],
    relay: Relay | None,
    proxy: IpAddress | None,
    is_tls: bool,
    tls_version: str | None,
) -> RequestWay:
    source, here = _address(client), _address(server[0])
    # That of a PROXY header is what the proxy was connected to, which need not be an address of this machine.
    is_ours = proxy is None and not here.is_unspecified
    is_last_stretch_safe = relay is None or relay.is_tls or relay.peer.is_loopback
    return RequestWay(
        listener_id=listener_id,
        destination=SocketAddress(here, server[1]) if is_ours and server[1] else None,
        source_address=source if relay is None else relay.peer,
        client_address=source,
        proxy_address=proxy,
        tls_version=_TLS_VERSIONS.get(tls_version or ""),
        is_clear=not (is_last_stretch_safe and (is_tls or source.is_loopback)),
    )


def https_url(connection: HTTPConnection, plan: Plan) -> str | None:
    """The address of an https listener, under the host name that the client used; None where there is none."""
    asked = _HOST.match(connection.headers.get("host", ""))
    host = asked[1] if asked else plan.hostname
    for listener in plan.listeners:
        if listener.protocol is ProtocolName.HTTP and listener.is_tls_implicit:
            addresses = [SocketAddress.parse(address) for address in listener.addresses]
            reachable = next((each for each in addresses if not each.ip.is_loopback), None)
            if reachable is not None:
                return f"https://{host}/" if reachable.port == 443 else f"https://{host}:{reachable.port}/"
    return None


@lru_cache(maxsize=4096)
def _address(text: str) -> IpAddress:
    try:
        return unmapped(ip_address(text.partition("%")[0]))
    except ValueError:
        return _NOWHERE
