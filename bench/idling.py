"""What an idle IMAP connection keeps in memory, in waves, and how quickly a server full of them answers others.

Memory is PSS over supervisor and workers. What the kernel keeps for a socket is not in it; it is the same for every server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from bench.delivering import delivery_script
from bench.load import IMAP_LOGIN, IMAP_LOGOUT, Load, Script, Seen
from bench.processes import ServerProcess
from bench.rig import Rig
from bench.servers import Port, dovecot, gatepost
from bench.table import Row

_AT_A_TIME = 32
_WARM_UP_CONNECTIONS = 100
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


def idling(rig: Rig, state: IdleState, *, connections: int, waves: int, peers_connections: int) -> Iterator[Row]:
    """Memory in waves, and answers to others while the last wave is open. `peers_connections`: 0 without a peer."""
    what = f"{state.name}, {connections} connections: KiB each"
    peers = ""
    if peers_connections:
        per_wave, _, errors, _ = _waves(rig, dovecot, state, state.peers_port, peers_connections, waves)
        peers = f"Dovecot ({peers_connections}) {_joined(per_wave)}" if not errors else f"Dovecot: {errors} errors"
    with_workers: Callable[[Rig], AbstractContextManager[ServerProcess]] = lambda rig: gatepost(rig, workers=2)  # noqa: E731
    per_wave, left, errors, probes = _waves(rig, with_workers, state, state.port, connections, waves)
    yield Row(what, f"{_joined(per_wave)} in waves", peers, errors=errors)
    yield Row("  kept after each wave: KiB each", _joined(left), errors=errors)
    for name, (alone, among) in probes.items():
        errors = alone.errors + among.errors
        yield Row(
            f"  {name} meanwhile: p50/p99/worst ms", _latency(among), f"without them {_latency(alone)}", "", errors
        )


_Probes = dict[str, tuple[Seen, Seen]]


def _waves(
    rig: Rig,
    server_of: Callable[[Rig], AbstractContextManager[ServerProcess]],
    state: IdleState,
    port: Port,
    connections: int,
    waves: int,
) -> tuple[list[float], list[float], int, _Probes]:
    load = Load(state.script, connections, _AT_A_TIME, is_tls=state.is_tls)
    per_wave, left, errors = [], [], 0
    probes: _Probes = {}
    with server_of(rig) as server:
        is_ours = port is state.port
        if is_ours:
            errors += Load(delivery_script(_MESSAGES), 1, 1).run(rig, Port.LMTP.of(rig)).errors
        warm_up = replace(load, script=load.script[:-1], connections=_WARM_UP_CONNECTIONS, at_a_time=4)
        errors += warm_up.run(rig, port.of(rig)).errors
        alone = {name: probe.run(rig, state.port.of(rig)) for name, probe in _probes(state, is_ours)}
        before = server.pss_kib()
        for wave in range(waves):
            with load.held(rig, port.of(rig)) as seen:
                per_wave.append((server.pss_kib() - before) / connections)
                if wave == waves - 1:
                    probes = {
                        name: (alone[name], probe.run(rig, state.port.of(rig)))
                        for name, probe in _probes(state, is_ours)
                    }
            errors += seen[0].errors
            left.append((server.pss_kib() - before) / connections)
    return per_wave, left, errors, probes


def _probes(state: IdleState, is_ours: bool) -> list[tuple[str, Load]]:
    return list(_PROBES.items()) if is_ours and state.is_tls else []


def _joined(figures: list[float]) -> str:
    return ", ".join(f"{figure:.1f}" for figure in figures)


def _latency(seen: Seen) -> str:
    return f"{seen.p50 / 1e3:.2f}/{seen.p99 / 1e3:.2f}/{seen.worst / 1e3:.2f}"
