"""How long a start takes until `ready`, and what of it."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.ports import Port
from bench.processes import ServerProcess, running
from bench.rig import Rig
from bench.servers import Operation, basic_operations, listener_operation, serving
from bench.table import Row, percentile

_LOOK_EVERY = 0.003  # seconds
_KINDS: tuple[tuple[str, Mapping[str, object]], ...] = (
    ("smtp", {}),
    ("imap", {}),
    ("imap", {"tlsImplicit": True}),
    ("pop3", {"tlsDisableProtocols": {"tls12": True}}),
    ("manageSieve", {}),
    ("http", {"useTls": False}),
)


@dataclass(slots=True)
class _Start:
    """Seconds from exec until the boot process runs, until the first worker runs, until `ready`; and the CPU seconds that
    all of them had used by then."""

    boot: float = 0.0
    worker: float = 0.0
    ready: float = 0.0
    cpu: float = 0.0


def starting(rig: Rig, *, listeners: int, starts: int) -> Iterator[Row]:
    """With a store that has it all, which is how a server starts every time but the first; and with an empty directory and
    a plan file."""
    stored, first = [], []
    for _ in range(starts):
        first.append(_start(rig, list(_operations(rig, listeners)), listeners))
        stored.append(_start(rig, None, listeners))
    for kind, starts_seen in (("stored", stored), ("a plan file, nothing stored", first)):
        ready = [each.ready for each in starts_seen]
        seconds = f"{percentile(ready, 0.5):.2f} ({min(ready):.2f}-{max(ready):.2f})"
        yield Row(f"Start until ready, {listeners} listeners ({kind}), 2 workers: s", seconds, _parts(starts_seen))


def _parts(starts: Sequence[_Start]) -> str:
    middle = [
        statistics.median(values) for values in zip(*((s.boot, s.worker, s.ready, s.cpu) for s in starts), strict=True)
    ]
    boot, worker, ready, cpu = middle
    parts = {
        "supervisor": boot,
        "boot process and loading": worker - boot,
        "binding and workers": ready - worker,
        "CPU of all": cpu,
    }
    return ", ".join(f"{name} {seconds:.2f}" for name, seconds in parts.items())


def _start(rig: Rig, operations: list[Operation] | None, listeners: int) -> _Start:
    started = serving(rig, operations, workers=2, is_pinned=False, name="starting")
    environment = {name: value for name, value in started.environment.items() if name != "GATEPOST_ADMIN"}
    ports = (Port.MANY.of(rig) + number for number in range(listeners))
    seen, began = _Start(), time.monotonic()
    with running(started.command, started.log, environment, ports) as server:
        watch = threading.Thread(target=_note_children, args=(server, seen, began), daemon=True)
        watch.start()
        server.wait_for_line("ready")
        seen.ready = time.monotonic() - began
        seen.cpu = server.cpu_seconds()
        watch.join(_LOOK_EVERY * 10)
    return seen


def _note_children(server: ServerProcess, seen: _Start, began: float) -> None:
    """The supervisor first starts the fork server and the boot process, later the workers, which have a name."""
    while not seen.worker and not seen.ready:
        children = server.pids()[1:]
        if children and not seen.boot:
            seen.boot = time.monotonic() - began
        if any(_name(pid) == "gatepost-worker" for pid in children):
            seen.worker = time.monotonic() - began
        time.sleep(_LOOK_EVERY)


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _operations(rig: Rig, listeners: int) -> Iterator[Operation]:
    yield from basic_operations(rig)
    for number in range(listeners):
        protocol, more = _KINDS[number % len(_KINDS)]
        yield listener_operation(f"listener-{number}", protocol, Port.MANY.of(rig) + number, more)
