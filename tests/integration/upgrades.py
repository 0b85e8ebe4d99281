"""Upgrades of a running server, and the processes that have taken over."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from tests.integration.running_server import RunningServer, eventually


class Upgrades:
    """The server that runs, and the processes that have taken over from it."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        self.pids = [server.process.pid]
        self.connections = ExitStack()

    @property
    def pid(self) -> int:
        """The supervisor that serves."""
        return self.pids[-1]

    def run(self) -> subprocess.CompletedProcess[str]:
        """`gatepost upgrade`."""
        command = [sys.executable, "-m", "gatepost", "upgrade", "--data", str(self.server.directory / "data")]
        finished = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
        found = re.match(r"process (\d+) serves now", finished.stdout)
        if found:
            self.pids.append(int(found[1]))
        return finished

    def succeed(self) -> None:
        """The command says that it has worked."""
        finished = self.run()
        assert (finished.returncode, finished.stderr) == (0, ""), f"{finished.stderr}\n{self.server.log()}"

    def fail(self) -> str:
        """The command says that it has not; its words."""
        finished = self.run()
        assert (finished.returncode, finished.stdout) == (1, "")
        return finished.stderr

    def connect(self, name: str) -> socket.socket:
        """A client that has been greeted."""
        sock = socket.create_connection(self.server.address(name), timeout=30)
        self.connections.callback(sock.close)
        assert sock.recv(4096)
        return sock

    def end(self) -> None:
        """All of them."""
        self.connections.close()
        for pid in reversed(self.pids):
            if is_running(pid):
                os.kill(pid, signal.SIGTERM)
        eventually(lambda: not any(is_running(pid) for pid in self.pids), 45)


def is_running(pid: int) -> bool:
    """Whether there is such a process, and it has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
