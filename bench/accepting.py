"""How much server CPU a connection costs that is accepted, greeted and closed by its client; in clear and with a TLS
handshake in between; with one worker and with two."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.load import HybridLoad, Load, Seen
from bench.pairs import Contestant, Measured, interleave
from bench.peer_servers import aiosmtpd, dovecot, dovecot_default, greeting_floor, nginx, postfix
from bench.ports import Port
from bench.processes import ServerProcess
from bench.rig import NotMeasurable, Rig
from bench.servers import gatepost, second
from bench.table import Row, comparison, missing

AT_A_TIME = 32


@dataclass(frozen=True, slots=True)
class Peer:
    """A server that greets. `share` of the connections is enough for one that needs milliseconds for each."""

    name: str
    serve: Callable[[Rig], AbstractContextManager[ServerProcess]]
    port: Port
    greeting: str
    share: float = 1.0


SMTP_PEERS = (
    Peer("C epoll", greeting_floor, Port.FLOOR, "220"),
    Peer("nginx stream", nginx, Port.NGINX_GREETING, "220"),
    Peer("aiosmtpd", aiosmtpd, Port.AIOSMTPD, "220", 0.5),
    Peer("Postfix, Debian's", postfix, Port.POSTFIX, "220", 0.25),
)
IMAP_PEERS = (
    Peer("Dovecot, shared logins", dovecot, Port.DOVECOT_IMAP, "* OK"),
    Peer("Dovecot, Debian's", dovecot_default, Port.DOVECOT_DEFAULT_IMAP, "* OK", 0.02),
)
_PROTOCOLS = {Port.SMTP: ("220", SMTP_PEERS), Port.IMAP: ("* OK", IMAP_PEERS)}


class Greeted(Protocol):
    """What a client can be told to do so many times."""

    @property
    def connections(self) -> int:
        """How many times."""

    def run(self, rig: Rig, port: int, /) -> Seen:
        """Do it."""


def accepting(rig: Rig, *, connections: int, rounds: int) -> Iterator[Row]:
    """Against the floor, and against servers of the same protocol. The floor and gatepost wait for the client's end, nginx
    closes by itself after its greeting."""
    with gatepost(rig, workers=1) as us:
        for protocol, (greeting, peers) in _PROTOCOLS.items():
            what = f"{protocol.name}: accept, greet, close; server CPU"
            ours = Contestant("gatepost", cpu_per_connection(rig, us, greeted(greeting, connections), protocol))
            with ExitStack() as stack:
                contestants = []
                for peer in peers:
                    try:
                        server = stack.enter_context(peer.serve(rig))
                    except NotMeasurable as reason:
                        yield missing(what, peer.name, reason)
                        continue
                    load = greeted(peer.greeting, int(connections * peer.share))
                    contestants.append(Contestant(peer.name, cpu_per_connection(rig, server, load, peer.port)))
                interleave((ours, *contestants), rounds)
            yield from comparison(what, "µs", ours, contestants)


def handshaking(rig: Rig, *, connections: int, rounds: int) -> Iterator[Row]:
    """A full TLS 1.3 handshake (P-256 certificate, no tickets on either side), the greeting under it, close. Once with the
    only group that both have, X25519, and once by a client that would rather have X25519MLKEM768, as browsers do."""
    with gatepost(rig, workers=1) as us, nginx(rig) as nginx_server:
        forced = greeted("* OK", connections, is_tls=True)
        hybrid = HybridLoad(connections // 4)
        for words, load in (("X25519", forced), ("a client with X25519MLKEM768", hybrid)):
            ours = Contestant("gatepost", cpu_per_connection(rig, us, load, Port.IMAPS))
            peer = Contestant("nginx stream", cpu_per_connection(rig, nginx_server, load, Port.NGINX_TLS))
            interleave((ours, peer), rounds)
            yield from comparison(f"IMAPS: TLS 1.3 handshake, {words}, greet, close; server CPU", "µs", ours, (peer,))
        group, peers_group = (hybrid.group(rig, port.of(rig)) for port in (Port.IMAPS, Port.NGINX_TLS))
        yield Row("  the key exchange group of the latter", group, peers_group)


def sharing(rig: Rig, *, connections: int, held: int, rounds: int) -> Iterator[Row]:
    """Two workers against one. Neither is pinned, the client is: the second worker may use what the client leaves of its
    core. Who got how many connections is counted from outside, by the descriptors of each worker."""
    load, beside = greeted("220", connections), second(rig)
    with gatepost(beside, workers=1, is_pinned=False, name="one-worker") as one, gatepost(rig, workers=2) as two:
        ours = Contestant("2 workers", cpu_per_connection(rig, two, load, Port.SMTP))
        alone = Contestant("1 worker", cpu_per_connection(beside, one, load, Port.SMTP))
        interleave((ours, alone), rounds)
        yield from comparison("SMTP: accept, greet, close, 2 workers; server CPU", "µs", ours, (alone,))
        before = _sockets_by_process(two)
        with Load((("expect", "220"), ("hold",)), held, AT_A_TIME).held(rig, Port.SMTP.of(rig)) as seen:
            shares = [after - before[pid] for pid, after in _sockets_by_process(two).items()]
        workers = sorted(shares, reverse=True)[:2]
        words = ":".join(f"{100 * share / held:.0f}" for share in workers)
        yield Row(f"  balance of {held} connections, percent", words, errors=seen[0].errors)


def greeted(greeting: str, connections: int, *, is_tls: bool = False) -> Load:
    """Connect, read the greeting, close."""
    return Load((("expect", greeting),), connections, AT_A_TIME, is_tls=is_tls)


def cpu_per_connection(rig: Rig, server: ServerProcess, load: Greeted, port: Port) -> Measured:
    """Measures microseconds of server CPU per connection."""

    def measure() -> tuple[float, int]:
        before = server.settled_cpu_seconds()
        seen = load.run(rig, port.of(rig))
        return (server.settled_cpu_seconds() - before) / load.connections * 1e6, seen.errors

    return measure


def _sockets_by_process(server: ServerProcess) -> dict[int, int]:
    """Open sockets of each process, as the kernel lists them."""
    return {pid: sum(map(_is_socket, Path(f"/proc/{pid}/fd").iterdir())) for pid in server.pids()}


def _is_socket(path: Path) -> bool:
    try:
        return str(path.readlink()).startswith("socket:")
    except FileNotFoundError:
        return False
