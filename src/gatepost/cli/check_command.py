"""check: plan files validated on this machine, without a server."""

from __future__ import annotations

from typing import Annotated

import typer

from gatepost.cli.client_command import ClientOptions
from gatepost.cli.failure import CommandError
from gatepost.cli.given_plans import Files, plan_problems
from gatepost.cli.output import Output, counted
from gatepost.cli.standard_streams import results_written
from gatepost.config.read_plans import read_plans

AsJson = Annotated[bool, typer.Option("--json", help="JSON on stdout, for programs.")]


def check(context: typer.Context, files: Files, is_json: AsJson = False) -> None:
    """Validate plan files without a server: form, types, properties, limits, and what does not go together."""
    in_front = context.obj if isinstance(context.obj, ClientOptions) else ClientOptions()
    output = Output(is_json=is_json or in_front.json, has_color=not in_front.no_color)
    with results_written():
        _check(output, files)


def _check(output: Output, files: Files) -> None:
    from gatepost.boot.check_plan import check_plan  # the server's own rules: more than other commands load

    try:
        with plan_problems():
            operations = read_plans(files)
            checked = check_plan(operations)
            problems = [str(problem) for problem in checked.problems]
            notes = [str(note) for note in checked.notes]
    except CommandError as error:
        problems, notes = list(error.lines), []
    output.result({"isFit": not problems, "problems": problems, "notes": notes})
    for note in notes:
        output.warning(note)
    if problems:
        output.error(problems)
        raise typer.Exit(2)
    output.line(f"{counted(len(operations), 'operation')} on {counted(checked.steps, 'object')}: no problem found")
