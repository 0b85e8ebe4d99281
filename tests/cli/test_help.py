"""The help teaches: every command says what it does and shows it, and the examples are what the command takes."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import pytest
import typer

from gatepost.cli.examples import EXAMPLES
from gatepost.cli.main import app

if TYPE_CHECKING:
    from tests.cli.conftest import Run

GROUP = typer.main.get_group(app)
LINES = [(command, line) for command, examples in EXAMPLES.items() for line, _ in examples]


@pytest.mark.parametrize("command", sorted(GROUP.commands))
def test_every_command_has_a_help_with_an_example(run: Run, command: str) -> None:
    printed = run(command, "--help").stdout
    assert "Examples:" in printed
    assert f"gatepost {command}" in printed.replace("\n", " ") or command == "completion"


@pytest.mark.parametrize(("command", "line"), LINES, ids=[line for _, line in LINES])
def test_an_example_is_what_the_command_takes(command: str, line: str) -> None:
    calls = [found.split("gatepost ", 1)[1] for found in re.split(r"&&|\$\(|\)", line) if "gatepost " in found]
    for call in calls:
        name, *arguments = shlex.split(call)
        GROUP.commands[name].make_context(name, arguments)
    assert any(call.startswith(command) for call in calls)


def test_the_help_of_gatepost_names_every_command(run: Run) -> None:
    printed = run("--help").stdout
    assert all(f" {name} " in printed for name in GROUP.commands)
