"""What an idle IMAP connection keeps in memory, in waves, and how quickly a server full of them answers others.

Memory is PSS over all processes of a server. What the kernel keeps for a socket is not in it; it is the same for every
server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field

from bench.delivering import delivery_script
from bench.load import IMAP_LOGIN, IMAP_LOGOUT, Load, Script, Seen
from bench.peer_servers import asyncio_streams, dovecot, greeting_floor, nginx_held
from bench.ports import Port
from bench.processes import ServerProcess
from bench.rig import NotMeasurable, Rig
from bench.servers import gatepost
from bench.table import Row, missing

_AT_A_TIME = 32
_WARM_UP = 100  # connections, so that what every first connection takes is not counted
_MESSAGES = 100  # in the INBOX that is selected
_IN_IDLE: Script = (
    *IMAP_LOGIN,
    ("send", "b SELECT INBOX\\r\\n"),
    ("expect", "b OK", "* "),
    ("send", "c IDLE\\r\\n"),
    ("expect", "+ "),
    ("hold",),
)
_NOOPS: Script = (
    *IMAP_LOGIN,
    ("loop",),
    ("begin",),
    ("send", "n NOOP\\r\\n"),
    ("expect", "n OK", "* "),
    ("end",),
    ("pause", "2"),
    ("again", "500"),
    *IMAP_LOGOUT,
)
_LOGINS: Script = (("begin",), *IMAP_LOGIN, ("end",), *IMAP_LOGOUT)
_PROBES = {"NOOP": Load(_NOOPS, 1, 1, is_tls=True), "TLS and login": Load(_LOGINS, 200, 1, is_tls=True)}


def _greeted(greeting: str) -> Script:
    return (("expect", greeting), ("hold",))


@dataclass(frozen=True, slots=True)
class IdlePeer:
    """Another server whose clients wait in the same state. `share` of the connections is enough where each takes much."""

    name: str
    serve: Callable[[Rig], AbstractContextManager[ServerProcess]]
    port: Port
    script: Script
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class IdleState:
    """A state in which connections wait."""

    name: str
    script: Script
    port: Port
    is_tls: bool
    peers: tuple[IdlePeer, ...]


_IMAP = _greeted("* OK")
IN_CLEAR = IdleState(
    "IMAP idle before login",
    _IMAP,
    Port.IMAP,
    False,
    (
        IdlePeer("nginx mail", nginx_held, Port.NGINX_IMAP, _IMAP),
        IdlePeer("Dovecot, shared logins", dovecot, Port.DOVECOT_IMAP, _IMAP),
        IdlePeer("asyncio streams", asyncio_streams, Port.ASYNCIO, _IMAP),
    ),
)
UNDER_TLS = IdleState(
    "IMAPS idle before login",
    _IMAP,
    Port.IMAPS,
    True,
    (
        IdlePeer("nginx mail", nginx_held, Port.NGINX_IMAPS, _IMAP),
        IdlePeer("nginx stream", nginx_held, Port.NGINX_TLS_HELD, _greeted("220")),
        IdlePeer("Dovecot, shared logins", dovecot, Port.DOVECOT_IMAPS, _IMAP),
        IdlePeer("asyncio streams", asyncio_streams, Port.ASYNCIO_TLS, _IMAP, 0.4),
    ),
)
IN_IDLE = IdleState(
    "IMAPS logged in, in IDLE",
    _IN_IDLE,
    Port.IMAPS,
    True,
    (IdlePeer("Dovecot, Debian's", dovecot, Port.DOVECOT_IMAPS, _IN_IDLE, 0.1),),
)


@dataclass(slots=True)
class Waves:
    """What was seen of one server. Memory in KiB: of the whole server, or for each connection of a wave."""

    connections: int
    fresh: int = 0
    full: int = 0
    opened: list[float] = field(default_factory=list)
    closed: list[float] = field(default_factory=list)
    errors: int = 0
    alone: dict[str, Seen] = field(default_factory=dict)
    among: dict[str, Seen] = field(default_factory=dict)


def idling(rig: Rig, state: IdleState, *, connections: int, waves: int, peers_share: float = 1.0) -> Iterator[Row]:
    """Memory in waves, against each peer; and how quickly others are answered while the last wave is open."""
    with gatepost(rig, workers=1) as server:
        delivered = Load(delivery_script(_MESSAGES), 1, 1).run(rig, Port.LMTP.of(rig))
        load = Load(state.script, connections, _AT_A_TIME, is_tls=state.is_tls)
        ours = _waves(rig, server, load, state.port, waves, _PROBES if state.is_tls else {})
        ours.errors += delivered.errors
    what = f"{state.name}, {connections} in {waves} waves: KiB each"
    for peer in state.peers:
        try:
            theirs = _peers_waves(rig, peer, state, int(connections * peer.share * peers_share), waves)
        except NotMeasurable as reason:
            yield missing(what, peer.name, reason)
        else:
            number = "" if theirs.connections == connections else f" ({theirs.connections})"
            ratio = f"{ours.opened[-1] / theirs.opened[-1]:.2f}"
            words = f"{peer.name}{number} {_joined(theirs.opened)}"
            yield Row(what, _joined(ours.opened), words, ratio, ours.errors + theirs.errors)
    yield from _own_rows(ours)


def _own_rows(ours: Waves) -> Iterator[Row]:
    yield Row("  kept when they are gone: KiB each", _joined(ours.closed), errors=ours.errors)
    whole = f"{ours.fresh / 1024:.0f}, {ours.full / 1024:.0f}"
    yield Row("  the whole server, one worker, fresh and with all of them: MiB", whole, errors=ours.errors)
    for name, among in ours.among.items():
        alone = ours.alone[name]
        without = f"without them {latency(alone)}"
        yield Row(f"  {name} meanwhile: p50/p99/worst ms", latency(among), without, "", among.errors + alone.errors)


def _peers_waves(rig: Rig, peer: IdlePeer, state: IdleState, connections: int, waves: int) -> Waves:
    with ExitStack() as stack:
        if peer.port is Port.NGINX_TLS_HELD:
            stack.enter_context(greeting_floor(rig))
        server = stack.enter_context(peer.serve(rig))
        load = Load(peer.script, connections, _AT_A_TIME, is_tls=state.is_tls)
        return _waves(rig, server, load, peer.port, waves, {})


def _waves(rig: Rig, server: ServerProcess, load: Load, port: Port, count: int, probes: Mapping[str, Load]) -> Waves:
    """Open all, look, close all, look; and again. Before login a server closes who is silent for long (here 60 s): a wave
    has to fit into that time, else there are errors."""
    seen, number = Waves(load.connections), port.of(rig)
    with Load(load.script, _WARM_UP, _AT_A_TIME, is_tls=load.is_tls).held(rig, number) as first:
        pass
    seen.errors += first[0].errors
    seen.alone = {name: probe.run(rig, number) for name, probe in probes.items()}
    seen.fresh = server.pss_kib()
    for wave in range(1, count + 1):
        with load.held(rig, number) as held:
            seen.full = server.pss_kib()
            seen.opened.append((seen.full - seen.fresh) / load.connections)
            if wave == count:
                seen.among = {name: probe.run(rig, number) for name, probe in probes.items()}
        seen.errors += held[0].errors
        seen.closed.append((server.pss_kib() - seen.fresh) / load.connections)
    return seen


def _joined(figures: Sequence[float]) -> str:
    return ", ".join(f"{figure:.1f}" for figure in figures)


def latency(seen: Seen) -> str:
    """p50/p99/worst in milliseconds."""
    return f"{seen.p50 / 1e3:.2f}/{seen.p99 / 1e3:.2f}/{seen.worst / 1e3:.2f}"
