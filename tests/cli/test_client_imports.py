"""Commands for a running server start fast: they load nothing of the server."""

from __future__ import annotations

import subprocess
import sys

from tests.python_process import python_environment

CHECK = "import sys, gatepost.cli.main; print(*sorted(sys.modules))"
ROOMS = {"cli", "config", "values", "telemetry"}


def loaded() -> list[str]:
    return subprocess.run(
        [sys.executable, "-c", CHECK], capture_output=True, text=True, check=True, env=python_environment()
    ).stdout.split()


def test_client_commands_import_no_server_code() -> None:
    rooms = {name.split(".")[1] for name in loaded() if name.startswith("gatepost.")}
    assert rooms <= ROOMS


def test_serving_does_not_wait_for_what_only_clients_need() -> None:
    assert "httpx" not in loaded()
