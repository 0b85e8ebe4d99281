"""The fork server: loads what a worker needs, once, and forks workers. Does nothing else; opens nothing."""

from __future__ import annotations

import gc
import os
import socket
from pathlib import Path

from gatepost.compose.worker_process import run_worker
from gatepost.control.forking import ENVIRONMENT_VARIABLE, serve_requests
from gatepost.supervisor.early_signals import leave_signals_to_the_supervisor
from gatepost.telemetry import events


def run_fork_server() -> None:
    """Serve until the supervisor is gone."""
    Path("/proc/self/comm").write_text("gatepost-forks")  # what ps(1) and top(1) show
    leave_signals_to_the_supervisor()
    events.preload()
    gc.freeze()  # what is shared with workers stays shared: the collector does not write to it
    gc.enable()
    serve_requests(socket.socket(fileno=int(os.environ.pop(ENVIRONMENT_VARIABLE))), run_worker)
