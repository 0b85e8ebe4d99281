"""What somebody sees whose server does not start: one line that says what to do, the exit code, and nothing touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.free_port import free_port
from tests.integration.running_server import ADMIN, RunningServer


def plan_of(port: int, plan: Path) -> Path:
    """A plan file with one listener there, that no other process may join."""
    listener = {
        "name": "http",
        "protocol": "http",
        "bind": [f"127.0.0.1:{port}"],
        "useTls": False,
        "socketReusePort": False,
    }
    plan.write_text(json.dumps({"@type": "create", "object": "NetworkListener", "value": {"http": listener}}))
    return plan


def start(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gatepost", "serve", *map(str, arguments)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in finished.stderr
    assert "\nready\n" not in finished.stdout
    return finished


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    directory, port = tmp_path_factory.mktemp("refused"), free_port()
    plan = plan_of(port, directory / "plan.ndjson")
    arguments = ["--data", str(directory / "data"), "--plan", str(plan), "--workers", "1"]
    server = RunningServer(directory, arguments, {"http": port}, ADMIN)
    yield server
    assert server.stop() == 0


def test_a_second_server_on_a_data_directory_ends_before_it_touches_anything(
    server: RunningServer, tmp_path: Path
) -> None:
    data = server.directory / "data"
    before = server.call("x:NetworkListener/get", ids=None)
    second = start("--data", data, "--plan", plan_of(free_port(), tmp_path / "plan.ndjson"))
    assert second.returncode == 1
    assert f"another server runs on the data directory {data}" in second.stderr
    assert "gatepost upgrade" in second.stderr
    assert server.call("x:NetworkListener/get", ids=None) == before


def test_a_server_that_can_bind_nothing_says_what_to_do_about_each_address(
    server: RunningServer, tmp_path: Path
) -> None:
    plan = plan_of(server.ports["http"], tmp_path / "plan.ndjson")
    refused = start("--data", tmp_path / "data", "--plan", plan, "--workers", "1")
    assert refused.returncode == 1
    assert "failed: EADDRINUSE" in refused.stdout
    assert "Another process listens there: stop it, or take another port." in refused.stderr
    assert "no listener could be bound" in refused.stderr


@pytest.mark.parametrize("below", ["", "data"])
def test_a_file_in_the_place_of_the_data_directory_is_named(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("mine")
    refused = start("--data", tmp_path / "file" / below)
    assert refused.returncode == 1
    assert f"{tmp_path / 'file'}" in refused.stderr and "a file is in its place" in refused.stderr


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    command = ["sh", "-c", 'ulimit -f 0; trap "" XFSZ; exec "$@"', "sh", sys.executable, "-m", "gatepost", "serve"]
    command += ["--data", str(tmp_path / "data")]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=dict(os.environ))
    assert refused.returncode == 1
    assert "the store cannot be used" in refused.stderr
    assert "Traceback" not in refused.stderr
