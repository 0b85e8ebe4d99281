"""How much server CPU a connection costs that is accepted, greeted and closed by its client; in clear and with a TLS
handshake in between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from bench.load import Load
from bench.pairs import Contestant, Measured, interleave
from bench.processes import ServerProcess
from bench.rig import Rig
from bench.servers import Port, gatepost, greeting_floor, nginx
from bench.table import Row, comparison

_AT_A_TIME = 32
_GREETINGS = {Port.SMTP: "220", Port.POP3: "+OK", Port.IMAP: "* OK"}


def accepting(rig: Rig, *, protocols: tuple[Port, ...], connections: int, rounds: int) -> Iterator[Row]:
    """Against nginx, which closes by itself after its greeting, and the C floor, which waits for the client as we do."""
    with ExitStack() as stack:
        us = stack.enter_context(gatepost(rig, workers=1))
        nginx_server = stack.enter_context(nginx(rig))
        floor = stack.enter_context(greeting_floor(rig))
        for protocol in protocols:
            load = Load((("expect", _GREETINGS[protocol]),), connections, _AT_A_TIME)
            peers_load = Load((("expect", "220"),), connections, _AT_A_TIME)
            ours = Contestant("gatepost", cpu_per_connection(rig, us, load, protocol))
            peers = (
                Contestant("nginx stream", cpu_per_connection(rig, nginx_server, peers_load, Port.NGINX_GREETING)),
                Contestant("C epoll", cpu_per_connection(rig, floor, peers_load, Port.FLOOR)),
            )
            interleave((ours, *peers), rounds)
            yield from comparison(f"{protocol.name}: accept, greet, close; server CPU", "µs", ours, peers)


def handshaking(rig: Rig, *, connections: int, rounds: int) -> Iterator[Row]:
    """A full TLS 1.3 handshake (X25519, P-256 certificate, no tickets on either side), the greeting under it, close."""
    load = Load((("expect", "* OK"),), connections, _AT_A_TIME, is_tls=True)
    with gatepost(rig, workers=1) as us, nginx(rig) as nginx_server:
        ours = Contestant("gatepost", cpu_per_connection(rig, us, load, Port.IMAPS))
        peer = Contestant("nginx stream", cpu_per_connection(rig, nginx_server, load, Port.NGINX_TLS))
        interleave((ours, peer), rounds)
        yield from comparison("IMAPS: TLS 1.3 handshake, greet, close; server CPU", "µs", ours, (peer,))


def cpu_per_connection(rig: Rig, server: ServerProcess, load: Load, port: Port) -> Measured:
    """Measures microseconds of server CPU per connection."""

    def measure() -> tuple[float, int]:
        before = server.settled_cpu_seconds()
        seen = load.run(rig, port.of(rig))
        return (server.settled_cpu_seconds() - before) / load.connections * 1e6, seen.errors

    return measure
