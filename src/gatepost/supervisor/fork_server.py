"""The fork server as the supervisor sees it: started before the first worker, and again should it have ended.

Loading what a worker needs takes most of a second; forking a process that has loaded it takes some milliseconds. So a
successor of a worker that died is there before its clients notice, and workers share the memory of what they load.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence

from gatepost.control.forking import ENVIRONMENT_VARIABLE, exit_status, request_worker
from gatepost.control.worker_start import WorkerStart
from gatepost.supervisor.early_signals import held_back

_ANSWER_DEADLINE = 30.0  # seconds; the first answer comes when everything is loaded


class ForkServer:
    """`arguments`: how it is started. `settings` reach workers unread by the supervisor."""

    def __init__(self, arguments: Sequence[str], settings: Mapping[str, object]) -> None:
        self.settings = settings
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        self._sock: socket.socket | None = None

    def start(self) -> None:
        """Start it; workers may be asked for at once. Raises OSError."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(_ANSWER_DEADLINE)
        with theirs:
            try:
                with held_back():
                    self._process = subprocess.Popen(  # noqa: S603 - the arguments are our own
                        list(self._arguments),
                        pass_fds=(theirs.fileno(),),
                        env={**os.environ, ENVIRONMENT_VARIABLE: str(theirs.fileno())},
                        stdin=subprocess.DEVNULL,
                    )
            except BaseException:
                ours.close()
                raise
        self._sock = ours

    def new_worker(self, start: WorkerStart) -> tuple[int, int]:
        """Process id and pidfd. Raises OSError."""
        if self._sock is not None:
            try:
                return request_worker(self._sock, start)
            except (ConnectionError, TimeoutError):
                self.close()
        self.start()
        assert self._sock is not None  # noqa: S101 - start() has set it
        return request_worker(self._sock, start)

    def exit_status(self, pid: int) -> int | None:
        """How a worker that has ended did so: its exit code, a signal as a negative number; None: nobody knows, because the
        fork server that made it is gone."""
        if self._sock is None:
            return None
        try:
            return exit_status(self._sock, pid)
        except (ConnectionError, TimeoutError):
            self.close()  # an answer that comes late must not be taken for the next one
        except OSError:
            pass  # it does not know the worker: one that was made by the fork server before this one
        return None

    def kill(self, ended: int) -> None:
        """End the worker of this pidfd now."""
        signal.pidfd_send_signal(ended, signal.SIGKILL)

    def close(self) -> None:
        """No more workers; those that it has forked are not touched."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
