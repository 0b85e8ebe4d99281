"""Commands for a running server start fast: they load nothing of the server."""

from __future__ import annotations

import subprocess
import sys

from tests.python_process import python_environment

CHECK = "import sys, gatepost.cli.main; print(*sorted(name for name in sys.modules if name.startswith('gatepost.')))"
ROOMS = {"cli", "config", "values", "telemetry"}


def test_client_commands_import_no_server_code() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", CHECK], capture_output=True, text=True, check=True, env=python_environment()
    ).stdout.split()
    assert {name.split(".")[1] for name in loaded} <= ROOMS
