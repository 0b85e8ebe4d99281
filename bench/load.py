"""Running the load client: what it is told to do, and what it saw."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.rig import NotMeasurable, Rig
from bench.servers import ACCOUNT, PASSWORD

_DEADLINE = 60  # seconds for one load
_HOLD_DEADLINE = 240
_numbers = itertools.count(1)

Script = tuple[tuple[str, ...], ...]

IMAP_LOGIN: Script = (
    ("expect", "* OK"),
    ("send", f"a LOGIN {ACCOUNT} {PASSWORD}\\r\\n"),
    ("expect", "a OK", "* "),
)
IMAP_LOGOUT: Script = (("send", "z LOGOUT\\r\\n"), ("expect", "z OK", "* "))


class Seen(msgspec.Struct, frozen=True):
    """What the load client answered: connections that ended as they should, and latencies in microseconds."""

    done: int
    errors: int
    seconds: float
    samples: int = 0
    p50: float = 0.0
    p99: float = 0.0
    worst: float = 0.0
    first_error: str = ""
    group: str = ""  # of the key exchange; only the hybrid client says it


@dataclass(frozen=True, slots=True)
class Load:
    """`connections` of them, `at_a_time`, each doing what the script says (`c/load_client.c`). `deadline` in seconds;
    `nice` lets other clients on the same core go first."""

    script: Script
    connections: int
    at_a_time: int
    is_tls: bool = False
    deadline: int = _DEADLINE
    nice: int = 0

    def run(self, rig: Rig, port: int) -> Seen:
        """Do it. Errors of single connections are counted in what comes back."""
        finished = subprocess.run(
            self._command(rig, port, self.deadline), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False
        )
        return _seen(finished.stdout)

    @contextmanager
    def held(self, rig: Rig, port: int) -> Iterator[list[Seen]]:
        """Open all, stay in the body of the `with`, close all; the list has what was seen when that is over."""
        client = subprocess.Popen(
            self._command(rig, port, _HOLD_DEADLINE), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert client.stdout is not None
        seen: list[Seen] = []
        try:
            first = client.stdout.readline()
            if first != b"held\n":
                raise NotMeasurable(f"not one connection could be held: {first.decode(errors='replace')}")
            yield seen
            answer, _ = client.communicate(b"close\n")
            seen.append(_seen(answer))
        finally:
            if client.poll() is None:
                client.kill()
            client.wait()

    def _command(self, rig: Rig, port: int, deadline: int) -> tuple[str, ...]:
        path = rig.directory / f"script-{next(_numbers)}.txt"
        path.write_text("".join("\t".join(step) + "\n" for step in self.script), encoding="ascii")
        options = ("-p", str(port), "-n", str(self.connections), "-c", str(self.at_a_time), "-d", str(deadline))
        is_tls = ("-t",) if self.is_tls else ()
        politely = ("nice", "-n", str(self.nice)) if self.nice else ()
        return (*rig.on_client_core(), *politely, rig.program("load_client"), *is_tls, *options, str(path))


@dataclass(frozen=True, slots=True)
class HybridLoad:
    """`connections` one after the other, with a TLS handshake that offers X25519MLKEM768 (`hybrid_client.py`)."""

    connections: int

    def run(self, rig: Rig, port: int) -> Seen:
        """Do it. Errors of single connections are counted in what comes back."""
        program = (sys.executable, str(Path(__file__).with_name("hybrid_client.py")))
        command = (*rig.on_client_core(), *program, str(port), str(self.connections))
        return _seen(subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False).stdout)

    def group(self, rig: Rig, port: int) -> str:
        """The key exchange group that such a client and the server agree upon."""
        return HybridLoad(1).run(rig, port).group


def _seen(answer: bytes) -> Seen:
    try:
        seen = msgspec.json.decode(answer, type=Seen)
    except msgspec.DecodeError as error:
        raise NotMeasurable(f"the load client failed: {answer.decode(errors='replace')}") from error
    if seen.errors:
        sys.stderr.write(f"{seen.errors} connections failed; the first at {seen.first_error or 'the deadline'}\n")
    return seen
