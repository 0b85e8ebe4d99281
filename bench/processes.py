"""A server process with all its children: started, waited for, looked at by the kernel's accounts, ended by its id."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.rig import NotMeasurable

_START_DEADLINE = 60.0  # seconds
_STOP_DEADLINE = 40.0
_SETTLE_DEADLINE = 5.0
_STRAGGLE_DEADLINE = 5.0
_SCHEDULER_CLOCK = 2  # clock_getcpuclockid(3): a process's clock id is its inverted pid, shifted, and this
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@contextmanager
def running(
    command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None, ports: Iterable[int] = ()
) -> Iterator[ServerProcess]:
    """Start it, and end it by its id. Raises NotMeasurable where somebody listens on one of its ports already: with
    SO_REUSEPORT both would get a share of the clients, and nobody would notice."""
    for port in ports:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                raise NotMeasurable(f"something listens on port {port} already; choose another --port-base")
    server = ServerProcess(command, log, environment)
    try:
        yield server
    finally:
        server.stop()


class ServerProcess:
    """What was started and everything that it started."""

    def __init__(self, arguments: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=file,
                env={**os.environ, **(environment or {})},
                start_new_session=True,  # Postfix's master ends its process group with itself
            )
        self._log = log

    def wait_for_line(self, wanted: str) -> None:
        """Wait until it has printed this line. Raises NotMeasurable."""
        assert self._process.stdout is not None
        descriptor, seen, deadline = self._process.stdout.fileno(), b"", time.monotonic() + _START_DEADLINE
        while f"{wanted}\n".encode() not in seen:
            readable, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            octets = os.read(descriptor, 65536) if readable else b""
            if not octets:
                raise self._did_not_start()
            seen += octets

    def wait_for_port(self, port: int) -> None:
        """Wait until somebody listens there. Raises NotMeasurable."""
        deadline = time.monotonic() + _START_DEADLINE
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise self._did_not_start()

    def _did_not_start(self) -> NotMeasurable:
        self.stop()
        return NotMeasurable(f"the server did not start:\n{self._log.read_text(errors='replace')[-2000:]}")

    def pids(self) -> list[int]:
        """It and all its descendants, as of now."""
        found, unseen = [], [self._process.pid]
        while unseen:
            pid = unseen.pop()
            found.append(pid)
            try:
                unseen += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
            except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
                pass
        return found

    def cpu_seconds(self) -> float:
        """User and system time of all of them so far, those that have ended included: of the living what /proc/PID/stat has
        as utime and stime, but in nanoseconds; of the dead what their parents have as cutime and cstime, in ticks."""
        return sum(_cpu_seconds(pid) + _cpu_seconds_of_ended_children(pid) for pid in self.pids())

    def settled_cpu_seconds(self) -> float:
        """The same, when nothing is being worked on any more."""
        deadline, before = time.monotonic() + _SETTLE_DEADLINE, self.cpu_seconds()
        while time.monotonic() < deadline:
            time.sleep(0.1)
            after = self.cpu_seconds()
            if after - before < 0.002:
                return after
            before = after
        return before

    def pss_kib(self) -> int:
        """Proportional set size of all of them: what is shared counts once."""
        self.settled_cpu_seconds()
        return self.pss_kib_now()

    def pss_kib_now(self) -> int:
        """The same in the middle of its work."""
        return sum(_pss_kib(pid) for pid in self.pids())

    def open_descriptors(self) -> int:
        """Of all of them together."""
        return sum(_descriptors(pid) for pid in self.pids())

    def stop(self) -> None:
        """End it by its id; its children end with it, or are ended by theirs."""
        family = self.pids()
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_STOP_DEADLINE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        _end_stragglers(family[1:])


def _end_stragglers(pids: Sequence[int]) -> None:
    deadline = time.monotonic() + _STRAGGLE_DEADLINE
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def _cpu_seconds(pid: int) -> float:
    try:
        return time.clock_gettime((~pid << 3) | _SCHEDULER_CLOCK)
    except OSError:  # a child that has ended meanwhile: some peers have a process per connection
        return 0.0


def _cpu_seconds_of_ended_children(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    user, system = fields[
        13:15
    ]  # proc(5): cutime and cstime are the fields 16 and 17, and field 3 is the first one here
    return (int(user) + int(system)) / _TICKS_PER_SECOND


def _descriptors(pid: int) -> int:
    try:
        return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _pss_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):  # the same
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
