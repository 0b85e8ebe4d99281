"""snapshot: the configuration of a running server as a plan file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from gatepost.cli.client_command import Invocation
from gatepost.cli.completion import complete_object_type
from gatepost.cli.failure import CommandError, usage_error
from gatepost.cli.named_objects import find_shape
from gatepost.config.object_shape import ObjectShape, ObjectShapes
from gatepost.config.snapshot import Snapshot, take_snapshot

ObjectNames = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="OBJECT",
        help="Only objects of these types and what they refer to. None: all.",
        autocompletion=complete_object_type,
    ),
]
Exact = Annotated[
    bool, typer.Option("--exact", help="Say too that nothing else shall be there: applying it destroys the rest.")
]
OutputFile = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it there instead of standard output.")
]


def snapshot(
    invocation: Invocation, object_names: ObjectNames = None, is_exact: Exact = False, output_file: OutputFile = None
) -> None:
    """Write the whole configuration as a plan file, which makes the same configuration on an empty server."""
    client, output = invocation.client, invocation.output
    named = [find_shape(client, name) for name in object_names or ()]
    shapes = client.shapes.configuration()
    for shape in named:
        if shape not in shapes:
            raise usage_error(f"OBJECT: {shape.name} is no configuration: no plan can bring it about")
    shapes = _with_referenced(client.shapes, named) if named else shapes
    taken = take_snapshot(client.shapes, {shape.name: client.get_all(shape) for shape in shapes}, is_exact=is_exact)
    if output_file is not None:
        _write(output_file, taken)
    elif output.is_json:
        operations = [json.loads(line) for line in taken.text.split("\n") if line.startswith("{")]
        output.result({"operations": operations, "missing": list(taken.missing)})
    else:
        output.plain(taken.text)
    for words in taken.missing:
        output.warning(f"not in the snapshot, because the server does not give it back: {words}")


def _with_referenced(shapes: ObjectShapes, named: Sequence[ObjectShape]) -> list[ObjectShape]:
    found = {shape.name: shape for shape in named}
    waiting = list(named)
    while waiting:
        for declared in waiting.pop().properties.values():
            other = shapes.by_name.get(declared.referenced_type or "")
            if declared.is_written and other is not None and other.name not in found:
                found[other.name] = other
                waiting.append(other)
    return list(found.values())


def _write(file: Path, taken: Snapshot) -> None:
    try:
        file.write_text(taken.text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"--output: {file} cannot be written: {error.strerror}") from None
