"""`gatepost serve`: which options become which ServeOptions, and the exit code."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Run

NAMES = ("DATA", "WORKERS", "LOG_FORMAT", "LOG_LEVEL", "RUN_AS")


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[SimpleNamespace]:
    """What the server was started with; it ends with 7."""
    calls: list[Any] = []
    compose = ModuleType("gatepost.compose.server")

    def serve(options: SimpleNamespace) -> int:
        calls.append(options)
        return 7

    compose.__dict__.update(ServeOptions=SimpleNamespace, serve=serve)
    monkeypatch.setitem(sys.modules, "gatepost.compose.server", compose)
    for name in NAMES:
        monkeypatch.delenv(f"GATEPOST_{name}", raising=False)
    return calls


def test_without_options_everything_has_its_default(run: Run, served: list[SimpleNamespace]) -> None:
    assert run("serve").exit_code == 7
    expected = {"data_directory": None, "plan_files": (), "workers": None, "is_demo": False, "run_as": None}
    assert vars(served[0]) == {**expected, "log_format": "text", "log_level": "info"}


def test_every_option_is_handed_on(run: Run, served: list[SimpleNamespace]) -> None:
    options = "--data /d --plan a --plan b --workers 3 --demo --log-format JSON --log-level debug --run-as mail"
    assert run("serve", *options.split()).exit_code == 7
    expected = {"data_directory": Path("/d"), "plan_files": (Path("a"), Path("b")), "workers": 3, "is_demo": True}
    assert vars(served[0]) == {**expected, "log_format": "json", "log_level": "debug", "run_as": "mail"}


def test_the_environment_stands_in_for_options(
    run: Run, served: list[SimpleNamespace], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in zip(NAMES, ("/e", "2", "json", "error", "mail"), strict=True):
        monkeypatch.setenv(f"GATEPOST_{name}", value)
    run("serve", "--workers", "4")
    expected = {"data_directory": Path("/e"), "plan_files": (), "workers": 4, "is_demo": False}
    assert vars(served[0]) == {**expected, "log_format": "json", "log_level": "error", "run_as": "mail"}


@pytest.mark.parametrize(
    "options", [["--workers", "0"], ["--workers", "x"], ["--log-format", "xml"], ["--log-level", "loud"], ["extra"]]
)
def test_wrong_usage_ends_with_two_and_names_the_option(
    run: Run, served: list[SimpleNamespace], options: list[str]
) -> None:
    result = run("serve", *options)
    assert result.exit_code == 2
    assert options[0] in result.stderr
    assert served == []
