"""What a PROXY protocol header (version 2) in front of a connection costs the server: each server is compared with itself
without the header, so that what it does besides does not matter."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import ExitStack

from bench.accepting import AT_A_TIME, cpu_per_connection, greeted
from bench.load import Load
from bench.pairs import Contestant, interleave
from bench.peer_servers import greeting_floor, haproxy, nginx
from bench.ports import Port
from bench.processes import ServerProcess
from bench.rig import Rig
from bench.servers import gatepost
from bench.table import Row, comparison

_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_SOURCE, _DESTINATION = "192.0.2.33", "198.51.100.25"


def version2_header() -> bytes:
    """PROXY protocol 2.2: a TCP connection over IPv4, no TLVs."""
    addresses = ipaddress.ip_address(_SOURCE).packed + ipaddress.ip_address(_DESTINATION).packed
    ports = (40_000).to_bytes(2, "big") + (25).to_bytes(2, "big")
    return _SIGNATURE + bytes((0x21, 0x11)) + len(addresses + ports).to_bytes(2, "big") + addresses + ports


def escaped(octets: bytes) -> str:
    """As `send` of a script takes them."""
    return "".join(f"\\x{octet:02x}" for octet in octets)


_Pair = tuple[Contestant, Contestant]  # with the header, and without


def relaying(rig: Rig, *, connections: int, rounds: int) -> Iterator[Row]:
    """gatepost and nginx greet by themselves; HAProxy relays to the C floor, whose own work is not counted."""
    with ExitStack() as stack:
        us = stack.enter_context(gatepost(rig, workers=1))
        stack.enter_context(greeting_floor(rig))
        nginx_server = stack.enter_context(nginx(rig))
        haproxy_server = stack.enter_context(haproxy(rig))
        ours = _pair(rig, "gatepost", us, (Port.SMTP_PROXIED, Port.SMTP), connections)
        peers = (
            _pair(rig, "nginx stream", nginx_server, (Port.NGINX_PROXIED, Port.NGINX_GREETING), connections),
            _pair(rig, "HAProxy", haproxy_server, (Port.HAPROXY_PROXIED, Port.HAPROXY), connections),
        )
        interleave([each for pair in (ours, *peers) for each in pair], rounds)
    yield _row("SMTP behind PROXY v2: accept, greet, close; server CPU", ours)
    for peer in peers:
        row = _row(f"  the same, {peer[0].name}", peer)
        yield Row(row.what, "", f"{row.ours}, {row.peers}", row.ratio, row.errors)


def _pair(rig: Rig, name: str, server: ServerProcess, ports: tuple[Port, Port], connections: int) -> _Pair:
    proxied, plain = ports
    load = Load((("send", escaped(version2_header())), ("expect", "220")), connections, AT_A_TIME)
    return (
        Contestant(name, cpu_per_connection(rig, server, load, proxied)),
        Contestant("without it", cpu_per_connection(rig, server, greeted("220", connections), plain)),
    )


def _row(what: str, pair: _Pair) -> Row:
    proxied, plain = pair
    (row,) = comparison(what, "µs", proxied, (plain,))
    return row
