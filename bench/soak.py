"""`python -m bench.soak [--minutes N]`: bad clients of every kind at once, and what a good one notices of them.

Looked at from outside: the good client's latency before and meanwhile, memory and descriptors of the server before,
meanwhile and after, whether each bad client was closed by its deadline and counted under its reason, and whether the log
has nothing but what belongs there. The exit code is 1 where one of these is not so.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.abuse import PROXY_DEADLINE, Abuse, abuses
from bench.allowances import allow_descriptors
from bench.api import Api
from bench.idling import latency
from bench.load import Load, Script, Seen
from bench.ports import Port
from bench.processes import ServerProcess, running
from bench.rig import NotMeasurable, Rig, rig
from bench.servers import basic_operations, listener_operation, serving
from bench.table import Row, render

_WORKERS = 2
_SLACK = 2.5  # seconds that a deadline may be late by, on a machine that is full of work
_PROBES_BEFORE = 400
_PROBES_MEANWHILE = 200  # in one go, again and again
_EMPTY_WITHIN = 90.0  # seconds
_EXPECTED_EVENTS = frozenset(
    (
        "server.ready",
        "server.runs_as_root",
        "worker.started",
        "connection.closed",
        "connection.refused",
        "proxy_header.rejected",
        "plan.applied",
    )
)
_DIALOGUE: Script = (
    ("begin",),
    ("expect", "220"),
    ("send", "EHLO client.example.org\\r\\n"),
    ("expect", "250 ", "250-"),
    ("send", "QUIT\\r\\n"),
    ("expect", "221"),
    ("end",),
    ("pause", "5"),
)
_GREETED_IN_TLS: Script = (("begin",), ("expect", "* OK"), ("end",), ("pause", "5"))
_GOOD: Mapping[str, tuple[Port, Load]] = {
    "SMTP: connect to QUIT": (Port.SMTP, Load(_DIALOGUE, _PROBES_MEANWHILE, 1)),
    "IMAPS: connect to greeting": (Port.IMAPS, Load(_GREETED_IN_TLS, _PROBES_MEANWHILE, 1, is_tls=True)),
}


@dataclass(slots=True)
class Done:
    """What the clients of one kind did, over all rounds."""

    connections: int = 0
    errors: int = 0
    latest: float = 0.0  # seconds until the last one was closed
    first_error: str = ""

    def add(self, seen: Seen) -> None:
        """One round."""
        self.connections += seen.done + seen.errors
        self.errors += seen.errors
        self.latest = max(self.latest, seen.worst / 1e6)
        self.first_error = self.first_error or seen.first_error


@dataclass(slots=True)
class Watched:
    """The server before, meanwhile and after. Memory in KiB; `meanwhile` once a second."""

    memory_before: int
    descriptors_before: int
    memory_meanwhile: list[int] = field(default_factory=list)
    memory_after: int = 0
    descriptors_most: int = 0
    descriptors_after: int = 0


def main() -> int:
    """The exit code."""
    options = _options()
    allow_descriptors()
    try:
        kinds = _chosen(options.only, is_flood=options.flood)
        with rig(options.port_base, options.directory) as made, _server(made, kinds) as (server, log):
            rows = list(_soak(made, server, kinds, options.minutes * 60))
            rows.append(log_row(log))
    except NotMeasurable as reason:
        sys.stderr.write(f"soak: {reason}\n")
        return 1
    print(render(rows))
    return 1 if any(row.errors for row in rows) else 0


def _chosen(names: Sequence[str] | None, *, is_flood: bool) -> tuple[Abuse, ...]:
    chosen = (abuse for abuse in abuses() if not names or abuse.name in names)
    return tuple(replace(abuse, rest=0.0) if is_flood else abuse for abuse in chosen)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description="Bad clients of every kind at once.")
    parser.add_argument("--minutes", type=float, default=3.0, help="how long new ones come; the last ones end later")
    parser.add_argument("--flood", action="store_true", help="they do not rest: all cores are full of them")
    parser.add_argument("--only", nargs="+", choices=[abuse.name for abuse in abuses()], help="just these kinds")
    parser.add_argument("--port-base", type=int, default=21_000, help=f"the first of {Port.END} ports on 127.0.0.1")
    parser.add_argument("--directory", type=Path, default=Path("/var/tmp"), help="on a disk, not in memory")
    return parser.parse_args()


def _name(abuse: Abuse) -> str:
    return "".join(octet if octet.isalnum() else "-" for octet in abuse.name)


def _port(rig: Rig, number: int) -> int:
    return Port.MANY.of(rig) + number


@contextmanager
def _server(rig: Rig, kinds: Sequence[Abuse]) -> Iterator[tuple[ServerProcess, Path]]:
    good = (
        listener_operation("smtp", "smtp", Port.SMTP.of(rig), {}),
        listener_operation("imaps", "imap", Port.IMAPS.of(rig), {"tlsImplicit": True}),
        listener_operation("http", "http", Port.HTTP.of(rig), {"useTls": False}),
    )
    bad = (listener_operation(_name(a), a.protocol, _port(rig, n), a.listener) for n, a in enumerate(kinds))
    settings = basic_operations(rig, proxyHeaderTimeout=int(PROXY_DEADLINE * 1000))
    started = serving(rig, (*settings, *good, *bad), workers=_WORKERS, is_pinned=False, name="soak")
    command = (*started.command, "--log-format", "json")
    ports = [Port.SMTP.of(rig), Port.IMAPS.of(rig), Port.HTTP.of(rig), *(_port(rig, n) for n in range(len(kinds)))]
    with running(command, started.log, started.environment, ports) as server:
        server.wait_for_line("ready")
        yield server, started.log


def _soak(rig: Rig, server: ServerProcess, kinds: Sequence[Abuse], seconds: float) -> Iterator[Row]:
    before = {name: _probe(rig, name, 2) for name in _GOOD}
    watched = Watched(server.pss_kib(), server.open_descriptors())
    done = [Done() for _ in kinds]
    with _watching(server, watched), ThreadPoolExecutor(len(kinds)) as pool:
        stop = time.monotonic() + seconds
        bad = [pool.submit(_abuse, rig, abuse, _port(rig, n), done[n], stop) for n, abuse in enumerate(kinds)]
        meanwhile = _probe_until(rig, stop)
        for each in bad:
            each.result()
        statuses = _when_empty(rig)
    watched.memory_after, watched.descriptors_after = server.pss_kib(), server.open_descriptors()
    for name, seen in meanwhile.items():
        yield _latency_row(name, before[name], seen)
    yield from _server_rows(watched)
    for abuse, what in zip(kinds, done, strict=True):
        yield abuse_row(abuse, what, statuses[_name(abuse)])


def _probe_until(rig: Rig, stop: float) -> dict[str, list[Seen]]:
    seen: dict[str, list[Seen]] = {name: [] for name in _GOOD}
    while time.monotonic() < stop or not all(seen.values()):
        for name in _GOOD:
            seen[name].append(_probe(rig, name, 1))
    return seen


def _probe(rig: Rig, name: str, times: int) -> Seen:
    port, load = _GOOD[name]
    return Load(load.script, load.connections * times, 1, is_tls=load.is_tls).run(rig, port.of(rig))


def _abuse(rig: Rig, abuse: Abuse, port: int, done: Done, stop: float) -> None:
    while time.monotonic() < stop:
        done.add(abuse.run(rig, port))
        time.sleep(abuse.rest)


@contextmanager
def _watching(server: ServerProcess, watched: Watched) -> Iterator[None]:
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(1.0):
            watched.memory_meanwhile.append(server.pss_kib_now())
            watched.descriptors_most = max(watched.descriptors_most, server.open_descriptors())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _when_empty(rig: Rig) -> dict[str, dict[str, object]]:
    """The status when all bad clients are gone; NotMeasurable when they do not go."""
    deadline = time.monotonic() + _EMPTY_WITHIN
    with Api(Port.HTTP.of(rig)) as api:
        while True:
            statuses = api.statuses()
            left = {name: status["connections"] for name, status in statuses.items() if status["connections"]}
            left.pop("http", None)
            if not left:
                return statuses
            if time.monotonic() > deadline:
                raise NotMeasurable(f"connections are still open {_EMPTY_WITHIN:g} s after the last client: {left}")
            time.sleep(0.5)


def _latency_row(name: str, before: Seen, meanwhile: Sequence[Seen]) -> Row:
    worst = max(meanwhile, key=lambda seen: seen.worst)
    middle = sorted(meanwhile, key=lambda seen: seen.p50)[len(meanwhile) // 2]
    late = sorted(meanwhile, key=lambda seen: seen.p99)[len(meanwhile) // 2]
    words = f"{middle.p50 / 1e3:.2f}/{late.p99 / 1e3:.2f}/{worst.worst / 1e3:.2f}"
    errors = before.errors + sum(seen.errors for seen in meanwhile)
    return Row(f"{name}: p50/p99/worst ms", words, f"before {latency(before)}", "", errors)


def _server_rows(watched: Watched) -> Iterator[Row]:
    half = len(watched.memory_meanwhile) // 2
    most = [max(part, default=0) for part in (watched.memory_meanwhile[:half], watched.memory_meanwhile[half:])]
    words = [f"{kib / 1024:.0f}" for kib in (watched.memory_before, *most, watched.memory_after)]
    yield Row("Memory of the server: before, most in each half, after: MiB", ", ".join(words))
    counts = (watched.descriptors_before, watched.descriptors_most, watched.descriptors_after)
    is_leaking = watched.descriptors_after > watched.descriptors_before + _WORKERS
    yield Row("Descriptors of the server: before, most, after", ", ".join(map(str, counts)), errors=int(is_leaking))


def abuse_row(abuse: Abuse, done: Done, status: Mapping[str, object]) -> Row:
    """An error is: a client that did not get what it had to get, a deadline missed, a connection not counted, or counted
    as something else."""
    ended = status["ended"]
    assert isinstance(ended, dict)
    counted = {reason: count for reason, count in ended.items() if count}
    others = sum(count for reason, count in counted.items() if reason not in abuse.endings)
    uncounted = done.connections - sum(counted.values())
    if abuse.may_go_unseen:
        uncounted = min(uncounted, 0)
    is_late = abuse.deadline is not None and done.latest > abuse.deadline + _SLACK
    errors = done.errors + others + abs(uncounted) + is_late
    reasons = ", ".join(f"{reason} {count}" for reason, count in counted.items())
    deadline = f"; the last closed after {done.latest:.1f} s" if abuse.deadline is not None else ""
    if errors:
        sys.stderr.write(f"{abuse.name}: {done}, {counted}\n")
    words = f"{done.connections} came{deadline}"
    return Row(abuse.name, words, f"counted as {reasons}", "", errors)


def log_row(log: Path) -> Row:
    """What events the log has; those that do not belong there are errors."""
    events = Counter(_event(line) for line in log.read_text(errors="replace").splitlines() if line)
    strangers = {event: count for event, count in events.items() if event not in _EXPECTED_EVENTS}
    for event in strangers:
        sys.stderr.write(f"in the log: {event}\n")
    words = ", ".join(f"{event} {count}" for event, count in events.most_common())
    return Row("Lines of the log", words, errors=sum(strangers.values()))


def _event(line: str) -> str:
    try:
        return str(json.loads(line)["event"])
    except (ValueError, KeyError, TypeError):
        return f"not an event: {line[:200]}"


if __name__ == "__main__":
    sys.exit(main())
