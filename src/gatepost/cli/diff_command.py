"""diff: what plan files would change on a running server; nothing is sent but questions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import typer

from gatepost.cli.client_command import Invocation
from gatepost.cli.failure import WRONG_USAGE, CommandError
from gatepost.cli.given_plans import Files, plan_problems
from gatepost.cli.output import Output, value_text
from gatepost.config.differences import Change, Difference, differences
from gatepost.config.read_plans import read_plans
from gatepost.config.reconcile import Action, object_types_of, resolve

DIFFERENT = 1

_MARKS = {Action.CREATE: "+", Action.UPDATE: "~", Action.DESTROY: "-"}
_STYLES = {Action.CREATE: "green", Action.UPDATE: "yellow", Action.DESTROY: "red"}
_WORDS = {Action.CREATE: "create", Action.UPDATE: "update", Action.DESTROY: "destroy"}


def diff(invocation: Invocation, files: Files) -> None:
    """Show what plan files would change on the server. Exit code: 0 nothing, 1 something, 2 it cannot be told."""
    try:
        found = _compare(invocation, files)
    except CommandError as error:
        raise CommandError(*error.lines, exit_code=WRONG_USAGE) from None
    known = [each for each in found if each.is_known]
    output = invocation.output
    output.result(_as_json(found, is_same=not known))
    for each in known:
        _print(output, each)
    if not known:
        output.line("no differences")
    for each in found:
        if each.secrets and each.action is Action.UPDATE:
            words = f"{_title(each)}: {', '.join(each.secrets)}"
            output.warning(f"not compared, because the server does not give it back: {words}")
    if known:
        raise typer.Exit(DIFFERENT)


def _compare(invocation: Invocation, files: Sequence[str]) -> list[Difference]:
    client = invocation.client
    with plan_problems():
        operations = read_plans(files)
        shapes = object_types_of(operations, client.shapes)
        current = {shape.name: client.get_all(shape) for shape in shapes}
        return differences(resolve(operations, current, client.shapes), current)


def _print(output: Output, found: Difference) -> None:
    output.line(f"{_MARKS[found.action]} {_title(found)}", style=_STYLES[found.action])
    for change in found.changes:
        if found.action is Action.CREATE:
            output.line(f"    {change.declared.name}: {value_text(change.declared, change.after)}")
        else:
            for line in _change_lines(change):
                output.line(f"    {line}")


def _title(found: Difference) -> str:
    return found.shape.name if found.shape.is_singleton else f"{found.shape.name} {found.label}"


def _change_lines(change: Change) -> Iterator[str]:
    """Members that come and go for a set, both values for anything else."""
    before, after = change.before, change.after
    if change.declared.is_set and isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from (f"{change.declared.name}: - {member}" for member in before if member not in after)
        yield from (f"{change.declared.name}: + {member}" for member in after if member not in before)
    else:
        yield (f"{change.declared.name}: {value_text(change.declared, before)} -> {value_text(change.declared, after)}")


def _as_json(found: Sequence[Difference], *, is_same: bool) -> dict[str, Any]:
    return {"isSame": is_same, "differences": [_difference_as_json(each) for each in found]}


def _difference_as_json(found: Difference) -> dict[str, Any]:
    return {
        "file": found.line.file_name,
        "line": found.line.number,
        "object": found.shape.name,
        "id": None if found.action is Action.CREATE else found.object_id,
        "name": found.label,
        "action": _WORDS[found.action],
        "changes": {each.declared.name: {"before": each.before, "after": each.after} for each in found.changes},
        "notCompared": list(found.secrets),
    }
