"""The command line: how long somebody waits for `gatepost status`, with the start of Python and everything."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence

from bench.api import ADMIN, ADMIN_PASSWORD
from bench.pairs import Contestant, interleave
from bench.ports import Port
from bench.rig import NotMeasurable, Rig
from bench.servers import ENTRY_POINT, SOURCE, gatepost
from bench.table import Row, comparison

# What the command line is made of, and nothing of ours: it parses an option, asks once, prints a table.
_ITS_LIBRARIES = """
import httpx, rich.console, rich.table, typer
def main(url: str):
    table = rich.table.Table("Answer")
    table.add_row(httpx.Client(verify=False).get(url + "/healthz/live").text)
    rich.console.Console().print(table)
typer.run(main)
"""
_HTTPX = "import sys, httpx; print(httpx.Client(verify=False).get(sys.argv[1] + '/healthz/live').text)"


def commanding(rig: Rig, *, rounds: int) -> Iterator[Row]:
    """The time that passes, which somebody waits for, and CPU time, which other work on the machine changes less. Not pinned.
    Python may keep what it has compiled, as `pip install` leaves it."""
    environment = command_environment(rig)
    url = environment["GATEPOST_URL"]
    ours = _Command("gatepost status", ("-c", ENTRY_POINT, "status"), environment)
    peers = [
        _Command("a program of typer, rich and httpx", ("-c", _ITS_LIBRARIES, url), environment),
        _Command("a program of httpx", ("-c", _HTTPX, url), environment),
        _Command("Python alone", ("-c", "pass"), environment),
    ]
    with gatepost(rig, workers=2):
        contestants = [Contestant(each.name, each.measure) for each in (ours, *peers)]
        interleave(contestants, rounds)
    yield from comparison("gatepost status: CPU until its end", "s", contestants[0], contestants[1:])
    others = ", ".join(f"{each.name} {each.waited}" for each in peers)
    yield Row("  how long one waits: s", ours.waited, others)


def command_environment(rig: Rig) -> dict[str, str]:
    """What a command of ours needs to know of the server."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {
        **inherited,
        "PYTHONPATH": os.pathsep.join(filter(None, (SOURCE, os.environ.get("PYTHONPATH")))),
        "GATEPOST_URL": f"http://127.0.0.1:{Port.HTTP.of(rig)}",
        "GATEPOST_USER": ADMIN,
        "GATEPOST_PASSWORD": ADMIN_PASSWORD,
    }


class _Command:
    """A program that is started, and ends."""

    def __init__(self, name: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self.name = name
        self._command = (sys.executable, *arguments)
        self._environment = dict(environment)
        self._seconds: list[float] = []

    def measure(self) -> tuple[float, int]:
        """CPU seconds. Raises NotMeasurable where it fails."""
        began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(self._command, capture_output=True, text=True, check=False, env=self._environment)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self._seconds.append(time.perf_counter() - began)
        if done.returncode != 0:
            raise NotMeasurable(f"{self.name} failed:\n{done.stderr[-2000:]}")
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 0

    @property
    def waited(self) -> str:
        """Median and range, without the warm-up."""
        seconds = self._seconds[1:]
        return f"{statistics.median(seconds):.2f} ({min(seconds):.2f}-{max(seconds):.2f})"
