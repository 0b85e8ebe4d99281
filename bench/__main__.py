"""`python -m bench [--full]`: run the measurements and print one table."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench.accepting import accepting, handshaking, sharing
from bench.allowances import allow_descriptors
from bench.asking import asking
from bench.blocking import blocking
from bench.changing import changing
from bench.commanding import commanding
from bench.delivering import delivering
from bench.idling import IN_CLEAR, IN_IDLE, UNDER_TLS, idling
from bench.multiplying import multiplying
from bench.ports import Port
from bench.relaying import relaying
from bench.rig import NotMeasurable, Rig, rig
from bench.starting import starting
from bench.table import Row, render

Measurement = Callable[[Rig], Iterable[Row]]

QUICK: dict[str, Measurement] = {
    "accept": lambda rig: accepting(rig, connections=5_000, rounds=5),
    "tls": lambda rig: handshaking(rig, connections=600, rounds=15),
    "proxy": lambda rig: relaying(rig, connections=5_000, rounds=5),
    "workers": lambda rig: sharing(rig, connections=6_000, held=2_000, rounds=5),
    "blocked": lambda rig: blocking(rig, networks=10_000, connections=5_000, rounds=5),
    "set": lambda rig: changing(rig, open_connections=10_000, changes=200),
    "api": lambda rig: asking(rig, seconds=2, rounds=5),
    "many": lambda rig: multiplying(rig, listeners=1_000, rounds=3),
    "start": lambda rig: starting(rig, listeners=100, starts=3),
    "command": lambda rig: commanding(rig, rounds=9),
    "idle-clear": lambda rig: idling(rig, IN_CLEAR, connections=5_000, waves=3, peers_share=0.4),
    "idle-tls": lambda rig: idling(rig, UNDER_TLS, connections=5_000, waves=3, peers_share=0.3),
    "idle-login": lambda rig: idling(rig, IN_IDLE, connections=2_000, waves=2),
    "deliver-1": lambda rig: delivering(rig, clients=1, messages=200, rounds=5),
    "deliver-16": lambda rig: delivering(rig, clients=16, messages=50, rounds=5),
}
FULL: dict[str, Measurement] = {
    "accept": lambda rig: accepting(rig, connections=12_000, rounds=9),
    "tls": lambda rig: handshaking(rig, connections=4_000, rounds=9),
    "proxy": lambda rig: relaying(rig, connections=12_000, rounds=9),
    "workers": lambda rig: sharing(rig, connections=12_000, held=4_000, rounds=9),
    "blocked": lambda rig: blocking(rig, networks=10_000, connections=12_000, rounds=9),
    "set": lambda rig: changing(rig, open_connections=10_000, changes=1_000),
    "api": lambda rig: asking(rig, seconds=3, rounds=9),
    "many": lambda rig: multiplying(rig, listeners=1_000, rounds=9),
    "start": lambda rig: starting(rig, listeners=100, starts=9),
    "command": lambda rig: commanding(rig, rounds=25),
    "idle-clear": lambda rig: idling(rig, IN_CLEAR, connections=5_000, waves=3),
    "idle-tls": lambda rig: idling(rig, UNDER_TLS, connections=5_000, waves=3),
    "idle-login": lambda rig: idling(rig, IN_IDLE, connections=2_000, waves=3),
    "deliver-1": lambda rig: delivering(rig, clients=1, messages=500, rounds=9),
    "deliver-16": lambda rig: delivering(rig, clients=16, messages=200, rounds=9),
}
_ONLY_IN_FULL = ("blocked", "idle-login", "deliver-1", "deliver-16")  # or when named


def main() -> int:
    """The exit code: 1 when a line is no result."""
    options = _options()
    allow_descriptors()
    chosen = FULL if options.full else QUICK
    names = options.only or [name for name in chosen if options.full or name not in _ONLY_IN_FULL]
    rows: list[Row] = []
    missing = False
    started = time.monotonic()
    try:
        with rig(options.port_base, options.directory, is_real_time=options.real_time) as made:
            for name in names:
                try:
                    rows += _tell(name, chosen[name](made))
                except NotMeasurable as reason:
                    missing = True
                    sys.stderr.write(f"{name}: not measured: {reason}\n")
    except NotMeasurable as reason:
        sys.stderr.write(f"bench: {reason}\n")
        return 1
    if not rows:
        return 1
    how = ", with real-time priority" if options.real_time else ""
    print(f"\n{_circumstances()}{how}; {time.monotonic() - started:.0f} s\n\n{render(rows)}")
    return 1 if missing or any(row.errors or row.is_missing for row in rows) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure gatepost against its peers.")
    parser.add_argument("--full", action="store_true", help="more connections, more rounds, more peers")
    parser.add_argument("--only", nargs="+", choices=list(QUICK), help="just these measurements")
    parser.add_argument("--port-base", type=int, default=21_000, help=f"the first of {Port.END} ports on 127.0.0.1")
    parser.add_argument(
        "--real-time", action="store_true", help="servers and clients go before all other work of the machine"
    )
    parser.add_argument("--directory", type=Path, default=Path("/var/tmp"), help="on a disk, not in memory")
    return parser.parse_args()


def _tell(name: str, rows: Iterable[Row]) -> list[Row]:
    sys.stderr.write(f"{name} …\n")
    told = []
    for row in rows:
        sys.stderr.write("  ".join(filter(None, row.cells)) + "\n")
        told.append(row)
    return told


def _circumstances() -> str:
    parts = [
        f"{datetime.now(UTC):%Y-%m-%d}",
        f"{os.cpu_count()} cores",
        f"Linux {platform.release().split('-')[0]}",
        f"Python {platform.python_version()}",
        *(f"{package} {version(package)}" for package in ("uvloop", "pyOpenSSL", "cryptography")),
    ]
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    for program, option in (("nginx", "-v"), ("dovecot", "--version")):
        found = shutil.which(program, path=path)
        if found is not None:
            answer = subprocess.run((found, option), capture_output=True, text=True, check=False)
            words = (answer.stdout + answer.stderr).replace("nginx version: nginx/", "").split()
            parts.append(f"{program} {words[0]}")
    return ", ".join(parts)


if __name__ == "__main__":
    sys.exit(main())
