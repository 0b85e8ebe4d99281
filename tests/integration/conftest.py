"""One running server for the tests that only use it, and a fresh one for those that change or break it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.running_server import RunningServer, running_server


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that tests leave as they found it."""
    with running_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """A server of the test's own."""
    with running_server(tmp_path) as running:
        yield running


@pytest.fixture
def public_directory() -> Iterator[Path]:
    """A directory that other users get into; pytest's own are for nobody else."""
    with tempfile.TemporaryDirectory(prefix="gatepost-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)
