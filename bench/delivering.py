"""Durable deliveries over LMTP: how many a second, against a C program that syncs the same octets to the same disk."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

from bench.load import Load, Script
from bench.pairs import Contestant, interleave
from bench.ports import Port
from bench.processes import ServerProcess
from bench.rig import NotMeasurable, Rig
from bench.servers import ACCOUNT, gatepost
from bench.table import Row, comparison, figure

MESSAGE_OCTETS = 4096
_HEADER = "From: Bob <bob@example.org>\\r\\nTo: alice@example.org\\r\\nSubject: Measured\\r\\n\\r\\n"
_LINE = "0123456789" * 7 + "\\r\\n"  # 72 octets on the wire
_BODY = _HEADER + _LINE * ((MESSAGE_OCTETS - len(_HEADER) + 8) // 72)


def delivery_script(messages: int) -> Script:
    """One LMTP session; MAIL, RCPT and DATA are pipelined, as Postfix does."""
    envelope = f"MAIL FROM:<bob@example.org>\\r\\nRCPT TO:<{ACCOUNT}>\\r\\nDATA\\r\\n"
    transaction: Script = (
        ("begin",),
        ("send", envelope),
        ("expect", "250"),
        ("expect", "250"),
        ("expect", "354"),
        ("send", f"{_BODY}.\\r\\n"),
        ("expect", "250"),
        ("end",),
    )
    hello: Script = (("expect", "220"), ("send", "LHLO client.example.org\\r\\n"), ("expect", "250 ", "250-"))
    return (*hello, ("loop",), *transaction, ("again", str(messages)), ("send", "QUIT\\r\\n"), ("expect", "221"))


def delivering(rig: Rig, *, clients: int, messages: int, rounds: int) -> Iterator[Row]:
    """`clients` at a time, each delivering `messages`. The floor syncs once for each round of the clients: the best that
    grouping can reach."""
    load = Load(delivery_script(messages), clients, clients)
    with gatepost(rig, workers=1) as us:
        cpu: list[float] = []
        ours = Contestant("gatepost", lambda: _rate(rig, us, load, clients * messages, cpu))
        floor = Contestant("C append + fdatasync", lambda: (_floor_rate(rig, clients * messages, clients), 0))
        interleave((ours, floor), rounds)
        what = f"LMTP: durable deliveries of 4 KiB a second, {clients} client{'s' if clients > 1 else ''}"
        yield from comparison(what, "/s", ours, (floor,))
        used = sorted(cpu[1:])
        costs = f"{figure(used[len(used) // 2])} µs ({figure(used[0])}-{figure(used[-1])})"
        yield Row("  the same, server CPU for each", costs, errors=ours.errors)


def _rate(rig: Rig, server: ServerProcess, load: Load, count: int, cpu: list[float]) -> tuple[float, int]:
    before = server.settled_cpu_seconds()
    seen = load.run(rig, Port.LMTP.of(rig))
    cpu.append((server.settled_cpu_seconds() - before) / count * 1e6)
    return count / seen.seconds, seen.errors


def _floor_rate(rig: Rig, count: int, per_sync: int) -> float:
    path = rig.directory / "floor-appends"
    command = (rig.program("durable_appends"), str(path), str(MESSAGE_OCTETS), str(count), str(per_sync))
    finished = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    path.unlink(missing_ok=True)
    if finished.returncode != 0:
        raise NotMeasurable("the floor of deliveries failed")
    return count / float(finished.stdout)
