"""How much server CPU a connection costs that is accepted, greeted and closed by its client; in clear and with a TLS
handshake in between; with one worker and with two."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from bench.load import Load
from bench.pairs import Contestant, Measured, interleave
from bench.peer_servers import greeting_floor, nginx
from bench.ports import Port
from bench.processes import ServerProcess
from bench.rig import Rig
from bench.servers import gatepost, second
from bench.table import Row, comparison

AT_A_TIME = 32
GREETINGS = {Port.SMTP: "220", Port.POP3: "+OK", Port.IMAP: "* OK"}


def accepting(rig: Rig, *, protocols: tuple[Port, ...], connections: int, rounds: int) -> Iterator[Row]:
    """Against nginx, which closes by itself after its greeting, and the C floor, which waits for the client as we do."""
    with ExitStack() as stack:
        us = stack.enter_context(gatepost(rig, workers=1))
        nginx_server = stack.enter_context(nginx(rig))
        floor = stack.enter_context(greeting_floor(rig))
        for protocol in protocols:
            load = greeted(GREETINGS[protocol], connections)
            peers_load = greeted("220", connections)
            ours = Contestant("gatepost", cpu_per_connection(rig, us, load, protocol))
            peers = (
                Contestant("nginx stream", cpu_per_connection(rig, nginx_server, peers_load, Port.NGINX_GREETING)),
                Contestant("C epoll", cpu_per_connection(rig, floor, peers_load, Port.FLOOR)),
            )
            interleave((ours, *peers), rounds)
            yield from comparison(f"{protocol.name}: accept, greet, close; server CPU", "µs", ours, peers)


def handshaking(rig: Rig, *, connections: int, rounds: int) -> Iterator[Row]:
    """A full TLS 1.3 handshake (X25519, P-256 certificate, no tickets on either side), the greeting under it, close."""
    load = greeted("* OK", connections, is_tls=True)
    with gatepost(rig, workers=1) as us, nginx(rig) as nginx_server:
        ours = Contestant("gatepost", cpu_per_connection(rig, us, load, Port.IMAPS))
        peer = Contestant("nginx stream", cpu_per_connection(rig, nginx_server, load, Port.NGINX_TLS))
        interleave((ours, peer), rounds)
        yield from comparison("IMAPS: TLS 1.3 handshake, greet, close; server CPU", "µs", ours, (peer,))


def sharing(rig: Rig, *, connections: int, held: int, rounds: int) -> Iterator[Row]:
    """Two workers against one. Neither is pinned, the client is: the second worker may use what the client leaves of its
    core. Who got how many connections is counted from outside, by the descriptors of each worker."""
    load, beside = greeted("220", connections), second(rig)
    with gatepost(beside, workers=1, is_pinned=False, name="one-worker") as one, gatepost(rig, workers=2) as two:
        ours = Contestant("2 workers", cpu_per_connection(rig, two, load, Port.SMTP))
        alone = Contestant("1 worker", cpu_per_connection(beside, one, load, Port.SMTP))
        interleave((ours, alone), rounds)
        yield from comparison("SMTP: accept, greet, close, 2 workers; server CPU", "µs", ours, (alone,))
        before = _sockets_by_worker(two)
        with Load((("expect", "220"), ("hold",)), held, AT_A_TIME).held(rig, Port.SMTP.of(rig)) as seen:
            shares = [after - before[pid] for pid, after in _sockets_by_worker(two).items()]
        words = ":".join(f"{100 * share / held:.0f}" for share in sorted(shares, reverse=True) if share)
        yield Row(f"  balance of {held} connections, percent", words, errors=seen[0].errors)


def greeted(greeting: str, connections: int, *, is_tls: bool = False) -> Load:
    """Connect, read the greeting, close."""
    return Load((("expect", greeting),), connections, AT_A_TIME, is_tls=is_tls)


def cpu_per_connection(rig: Rig, server: ServerProcess, load: Load, port: Port) -> Measured:
    """Measures microseconds of server CPU per connection."""

    def measure() -> tuple[float, int]:
        before = server.settled_cpu_seconds()
        seen = load.run(rig, port.of(rig))
        return (server.settled_cpu_seconds() - before) / load.connections * 1e6, seen.errors

    return measure


def _sockets_by_worker(server: ServerProcess) -> dict[int, int]:
    """Open sockets of each process, as the kernel lists them."""
    return {pid: sum(map(_is_socket, Path(f"/proc/{pid}/fd").iterdir())) for pid in server.pids()}


def _is_socket(path: Path) -> bool:
    try:
        return str(path.readlink()).startswith("socket:")
    except FileNotFoundError:
        return False
