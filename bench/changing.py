"""How long a change takes from the call of `/set` to its answer, which says that every worker runs it, while thousands of
connections are open. That the answer is true is looked at from outside, on new connections."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

from bench.api import Api
from bench.load import Load
from bench.ports import Port
from bench.rig import Rig
from bench.servers import api, gatepost
from bench.table import Row, percentile

_AT_A_TIME = 64
_WARM_UP = 5
_LOOKED_AT_EVERY = 10  # changes
_CONNECTIONS_LOOKED_AT = 8  # to a socket per worker: that all go to the same one of two workers has odds of 1 to 128


def changing(rig: Rig, *, open_connections: int, changes: int) -> Iterator[Row]:
    """One field of one listener at a time: a limit (in force now), and whether TLS is offered (next connection)."""
    held = Load((("expect", "* OK"), ("hold",)), open_connections, _AT_A_TIME)
    with (
        gatepost(rig, workers=2),
        api(rig) as calls,
        held.held(rig, Port.IMAP.of(rig)) as seen,
    ):
        limits = _limit_changes(calls, changes)
        offers, false_answers = _offer_changes(rig, calls, changes)
    errors = seen[0].errors
    where = f"until true in 2 workers, {open_connections} connections open: p50/p99/worst ms"
    yield Row(f"/set maxConnections {where}", _latency(limits), f"{changes} changes", "", errors)
    yield Row(f"/set useTls {where}", _latency(offers), f"{changes} changes", "", errors + false_answers)


def _limit_changes(calls: Api, changes: int) -> list[float]:
    listener_id = calls.listener_id("smtp")
    taken = [_seconds(calls, listener_id, maxConnections=10_000 + number % 2) for number in range(_WARM_UP + changes)]
    return taken[_WARM_UP:]


def _offer_changes(rig: Rig, calls: Api, changes: int) -> tuple[list[float], int]:
    listener_id = calls.listener_id("pop3")
    taken, false_answers = [], 0
    for number in range(_WARM_UP + changes):
        is_offered = bool(number % 2)
        taken.append(_seconds(calls, listener_id, useTls=is_offered))
        if number % _LOOKED_AT_EVERY < 2:  # one change of each direction
            seen = [_offers_tls(Port.POP3.of(rig)) for _ in range(_CONNECTIONS_LOOKED_AT)]
            false_answers += seen.count(not is_offered)
    return taken[_WARM_UP:], false_answers


def _seconds(calls: Api, listener_id: str, **patch: object) -> float:
    began = time.perf_counter()
    calls.update_listener(listener_id, **patch)
    return time.perf_counter() - began


def _offers_tls(port: int) -> bool:
    """Whether a new POP3 connection lists STLS (RFC 2595 section 4)."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection, connection.makefile("rwb") as lines:
        lines.readline()
        lines.write(b"CAPA\r\n")
        lines.flush()
        offered = []
        while (line := lines.readline().strip()) not in (b".", b""):
            offered.append(line)
        return b"STLS" in offered


def _latency(seconds: list[float]) -> str:
    return "/".join(f"{percentile(seconds, share) * 1e3:.1f}" for share in (0.5, 0.99, 1.0))
