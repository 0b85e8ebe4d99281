"""A real server whose processes fail when they are told to; see `faults/sitecustomize.py` for how."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from tests.integration import running_server as harness
from tests.integration.running_server import RunningServer, running_server
from tests.python_process import PACKAGE_PATH

_FAULTS = Path(__file__).parent / "faults"


class Saboteur:
    """Tells processes of the server when to fail."""

    def __init__(self, directory: Path, server: RunningServer) -> None:
        self._directory = directory
        self.server = server

    def order(self, pid: int, moment: str, deed: str) -> None:
        """Have the process do this when it comes to that moment, once."""
        part = self._directory / f"{pid}.part"
        part.write_text(f"{moment} {deed}")
        part.rename(self._directory / str(pid))

    def cancel(self, pid: int) -> None:
        """If it has not come to it yet."""
        (self._directory / str(pid)).unlink(missing_ok=True)

    def break_tls(self, protocol: str) -> None:
        """From now on nobody can build TLS for listeners of this protocol; who has it keeps it."""
        (self._directory / "no-tls").write_text(protocol)

    def mend_tls(self) -> None:
        """It can be built again."""
        (self._directory / "no-tls").unlink(missing_ok=True)

    def has_struck(self, pid: int) -> bool:
        """Whether it has come to it."""
        return not (self._directory / str(pid)).exists()

    def pid(self, role: str) -> int:
        """`supervisor`; `api`, the worker that serves the test's calls; or the `other` worker."""
        if role == "supervisor":
            return self.server.process.pid
        api = worker_of_the_api(self.server)
        return api if role == "api" else next(pid for pid in self.server.worker_pids() if pid != api)


def worker_of_the_api(server: RunningServer) -> int:
    """Who serves the connection that the test's calls go through."""
    server.http.get("/healthz/live")
    output = subprocess.check_output(["ss", "-Htnp", f"sport = :{server.ports['http']}"], text=True)
    (pid,) = set(re.findall(r"pid=(\d+)", output))
    return int(pid)


@contextmanager
def sabotaged_server(directory: Path) -> Iterator[Saboteur]:
    """A server of two workers that fails on demand."""
    orders = directory / "faults"
    orders.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(harness, "PACKAGE_PATH", os.pathsep.join((str(_FAULTS), PACKAGE_PATH)))
        patch.setenv("GATEPOST_FAULTS", str(orders))
        stack = ExitStack()
        server = stack.enter_context(running_server(directory))
    with stack:
        yield Saboteur(orders, server)
