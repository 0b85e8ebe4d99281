"""The listeners that a first start creates where no plan says otherwise, and those of the demonstration."""

from __future__ import annotations

from dataclasses import dataclass

from gatepost.registry.network_listener import NetworkListener, NetworkListenerProtocol
from gatepost.values.socket_address import SocketAddress

_P = NetworkListenerProtocol


@dataclass(frozen=True, slots=True)
class _First:
    name: str
    protocol: NetworkListenerProtocol
    port: int
    is_implicit: bool = False
    is_for_this_machine: bool = False


_FIRST = (
    _First("smtp", _P.SMTP, 25),
    _First("submission", _P.SMTP, 587),
    _First("submissions", _P.SMTP, 465, is_implicit=True),
    _First("imap", _P.IMAP, 143),
    _First("imaps", _P.IMAP, 993, is_implicit=True),
    _First("pop3", _P.POP3, 110),
    _First("pop3s", _P.POP3, 995, is_implicit=True),
    _First("sieve", _P.MANAGESIEVE, 4190),
    _First("https", _P.HTTP, 443, is_implicit=True),
    _First("http", _P.HTTP, 8080, is_for_this_machine=True),
    _First("lmtp", _P.LMTP, 24, is_for_this_machine=True),
)
_FIRST_UNPRIVILEGED_PORT = 1024
_DEMO_OFFSET = 10000


def first_listeners() -> list[NetworkListener]:
    """Mail and HTTPS for everybody; plain HTTP (the API, the web UI) and LMTP for this machine only."""
    return [_listener(first, _addresses(first)) for first in _FIRST]


def demo_listeners() -> list[NetworkListener]:
    """The same on 127.0.0.1, ports below 1024 moved up by 10000, so that no privilege is needed."""
    return [_listener(first, (f"127.0.0.1:{_demo_port(first.port)}",)) for first in _FIRST]


def _addresses(first: _First) -> tuple[str, ...]:
    if first.protocol is _P.LMTP:
        return (f"127.0.0.1:{first.port}",)
    if first.is_for_this_machine:
        return (f"127.0.0.1:{first.port}", f"[::1]:{first.port}")
    return (f"[::]:{first.port}",)


def _demo_port(port: int) -> int:
    return port + _DEMO_OFFSET if port < _FIRST_UNPRIVILEGED_PORT else port


def _listener(first: _First, addresses: tuple[str, ...]) -> NetworkListener:
    return NetworkListener(
        name=first.name,
        protocol=first.protocol,
        bind=tuple(SocketAddress.parse(address) for address in addresses),
        tls_implicit=first.is_implicit,
    )
