"""What an idle IMAP connection keeps in memory, in waves, and how quickly a server full of them answers others.

Memory is PSS over supervisor and workers. What the kernel keeps for a socket is not in it; it is the same for every server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bench.delivering import delivery_script
from bench.load import IMAP_LOGIN, IMAP_LOGOUT, Load, Script, Seen
from bench.peer_servers import dovecot
from bench.ports import Port
from bench.processes import ServerProcess
from bench.rig import Rig
from bench.servers import gatepost
from bench.table import Row

_AT_A_TIME = 32
_MESSAGES = 100  # in the INBOX that is selected
_GREETED: Script = (("expect", "* OK"), ("hold",))
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


@dataclass(frozen=True, slots=True)
class IdleState:
    """A state in which connections wait."""

    name: str
    script: Script
    port: Port
    peers_port: Port
    is_tls: bool


IN_CLEAR = IdleState("IMAP idle before login", _GREETED, Port.IMAP, Port.DOVECOT_IMAP, False)
UNDER_TLS = IdleState("IMAPS idle before login", _GREETED, Port.IMAPS, Port.DOVECOT_IMAPS, True)
IN_IDLE = IdleState("IMAPS logged in, in IDLE", _IN_IDLE, Port.IMAPS, Port.DOVECOT_IMAPS, True)


@dataclass(slots=True)
class Waves:
    """What was seen of one server. Memory in KiB: of the whole server, or for each connection of a wave."""

    fresh: int = 0
    full: int = 0
    opened: list[float] = field(default_factory=list)
    closed: list[float] = field(default_factory=list)
    errors: int = 0
    alone: dict[str, Seen] = field(default_factory=dict)
    among: dict[str, Seen] = field(default_factory=dict)


def idling(rig: Rig, state: IdleState, *, connections: int, waves: int, peers_connections: int = 0) -> Iterator[Row]:
    """Memory in waves, and answers to others while the last wave is open. `peers_connections`: 0 without a peer."""
    peers = ""
    if peers_connections:
        with dovecot(rig) as server:
            load = Load(state.script, peers_connections, _AT_A_TIME, is_tls=state.is_tls)
            seen = _waves(rig, server, load, state.peers_port, waves, {})
        words = _joined(seen.opened) if not seen.errors else f"{seen.errors} errors"
        peers = f"Dovecot ({peers_connections}) {words}"
    with gatepost(rig, workers=2) as server:
        errors = Load(delivery_script(_MESSAGES), 1, 1).run(rig, Port.LMTP.of(rig)).errors
        load = Load(state.script, connections, _AT_A_TIME, is_tls=state.is_tls)
        seen = _waves(rig, server, load, state.port, waves, _PROBES if state.is_tls else {})
    errors += seen.errors
    yield Row(f"{state.name}, {connections} more, in waves: KiB each", _joined(seen.opened), peers, "", errors)
    yield Row("  kept when they are gone: KiB each", _joined(seen.closed), errors=errors)
    whole = f"{seen.fresh / 1024:.0f}, {seen.full / 1024:.0f}"
    yield Row(f"  the whole server, fresh and with {2 * connections}: MiB", whole, errors=errors)
    for name, among in seen.among.items():
        alone = seen.alone[name]
        without = f"without them {_latency(alone)}"
        yield Row(f"  {name} meanwhile: p50/p99/worst ms", _latency(among), without, "", among.errors + alone.errors)


def _waves(rig: Rig, server: ServerProcess, load: Load, port: Port, count: int, probes: Mapping[str, Load]) -> Waves:
    """As many connections as a wave has are open all the time: they take what the process had free already, so that what
    the waves add is what connections cost. Before login a server closes who is silent for long (here 60 s): all waves have
    to fit into that time, else there are errors."""
    seen = Waves(fresh=server.pss_kib())
    seen.alone = {name: probe.run(rig, port.of(rig)) for name, probe in probes.items()}
    with load.held(rig, port.of(rig)) as first:
        before = server.pss_kib()
        for wave in range(1, count + 1):
            with load.held(rig, port.of(rig)) as more:
                seen.full = server.pss_kib()
                seen.opened.append((seen.full - before) / load.connections)
                if wave == count:
                    seen.among = {name: probe.run(rig, port.of(rig)) for name, probe in probes.items()}
            seen.errors += more[0].errors
            seen.closed.append((server.pss_kib() - before) / load.connections)
    seen.errors += first[0].errors
    return seen


def _joined(figures: list[float]) -> str:
    return ", ".join(f"{figure:.1f}" for figure in figures)


def _latency(seen: Seen) -> str:
    return f"{seen.p50 / 1e3:.2f}/{seen.p99 / 1e3:.2f}/{seen.worst / 1e3:.2f}"
