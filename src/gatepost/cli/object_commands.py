"""get, query, create, update, delete: the verbs of every object type. What they know of a type is in the schema."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gatepost.cli.client_command import AllowLockOut, DryRun, Invocation
from gatepost.cli.completion import (
    complete_columns,
    complete_condition,
    complete_field,
    complete_object_name,
    complete_object_type,
    complete_sort,
)
from gatepost.cli.failure import usage_error
from gatepost.cli.field_values import find_property, parse_fields, whole_values
from gatepost.cli.named_objects import (
    conditions,
    find_matching,
    find_object,
    find_shape,
    label_of,
    reference_labels,
    selected,
    what_comes_near,
    with_reference_ids,
)
from gatepost.cli.output import Output, object_rows, value_text
from gatepost.cli.set_options import dry_run_lines, refused, set_options
from gatepost.config.object_shape import SINGLETON_ID, ObjectShape
from gatepost.config.set_answer import SetAnswer

if TYPE_CHECKING:
    from gatepost.cli.jmap_client import JmapClient

ObjectName = Annotated[
    str,
    typer.Argument(metavar="OBJECT", help="Object type, as NetworkListener.", autocompletion=complete_object_type),
]
Id = Annotated[
    str | None,
    typer.Argument(metavar="ID", help="Id or name; none for a singleton.", autocompletion=complete_object_name),
]
Ids = Annotated[
    list[str] | None, typer.Argument(metavar="ID", help="Ids or names.", autocompletion=complete_object_name)
]
Fields = Annotated[
    list[str] | None,
    typer.Option(
        "--field",
        "-f",
        metavar="KEY=VALUE",
        autocompletion=complete_field,
        help="A property; may be repeated. A set: a,b. Nothing: null. Text in a file: @FILE.",
    ),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        "-w",
        metavar="KEY=VALUE",
        autocompletion=complete_condition,
        help="Objects with exactly that value, in any spelling of it, or in their set; may be repeated.",
    ),
]
WithText = Annotated[
    str | None,
    typer.Option("--text", metavar="WORDS", help="Objects with these words as a part of any column of the list."),
]
Columns = Annotated[
    str | None,
    typer.Option("--columns", metavar="NAME,...", help="Properties to show.", autocompletion=complete_columns),
]
Sort = Annotated[
    str | None,
    typer.Option(
        "--sort", metavar="NAME", help="Property to sort by; -NAME: descending.", autocompletion=complete_sort
    ),
]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="At most so many objects.")]

_TEXTS = ("text", "secretText")


def get(invocation: Invocation, object_name: ObjectName, object_id: Id = None) -> None:
    """Show one object with all its properties, or all objects of a type."""
    shape = find_shape(invocation.client, object_name)
    if object_id is None and not shape.is_singleton:
        _print_list(invocation, shape, invocation.client.get_all(shape))
        return
    item = find_object(invocation.client, shape, SINGLETON_ID if object_id is None else object_id)
    invocation.output.result(item)
    _print_object(invocation, shape, item)


def query(
    invocation: Invocation,
    object_name: ObjectName,
    *,
    where: Where = None,
    text: WithText = None,
    columns: Columns = None,
    sort: Sort = None,
    limit: Limit = None,
) -> None:
    """List the objects that match."""
    shape = find_shape(invocation.client, object_name)
    if shape.is_singleton:
        raise usage_error(f"OBJECT: {shape.name} is a singleton; use `gatepost get {shape.name}`")
    names = [_column(shape, name.strip()) for name in columns.split(",")] if columns else None
    comparator = [_comparator(shape, sort)] if sort else []
    filter_ = conditions(invocation.client, shape, where or ())
    if filter_:
        found = find_matching(invocation.client, shape, filter_, comparator, text=text)[:limit]
    else:
        wanted = {"text": text} if text else None
        found = invocation.client.get(shape, invocation.client.query(shape, wanted, comparator, limit))
    if where and not found and not invocation.output.is_json:
        invocation.output.line(f"nothing matches{what_comes_near(invocation.client, shape, where)}")
        return
    _print_list(invocation, shape, found, names)


def _column(shape: ObjectShape, name: str) -> str:
    return name if name == "id" else find_property(shape, "--columns", name).name


def _comparator(shape: ObjectShape, sort: str) -> dict[str, Any]:
    """A Comparator of RFC 8620 section 5.5; `-name` is descending."""
    declared = find_property(shape, "--sort", sort.removeprefix("-"))
    return {"property": declared.name, "isAscending": not sort.startswith("-")}


def create(
    invocation: Invocation,
    object_name: ObjectName,
    fields: Fields = None,
    is_dry_run: DryRun = False,
    may_lock_out: AllowLockOut = False,
) -> None:
    """Create an object; what is not given has its default."""
    client, output = invocation.client, invocation.output
    shape = find_shape(client, object_name)
    if shape.is_singleton:
        raise usage_error(f"OBJECT: {shape.name} is a singleton: it is always there; use `gatepost update`")
    value = with_reference_ids(client, shape, whole_values(parse_fields(shape, fields or (), _read_text)))
    answer = SetAnswer(client.set(shape, create={"new": value}, **set_options(is_dry_run, may_lock_out)))
    label = label_of(shape, value)
    refusals = answer.refusals({"new": f"{label} was not created"})
    if refusals:
        output.result({"notCreated": answer.error("new")})
        raise refused([*refusals, *_forgotten_at_signs(shape, value)])
    if is_dry_run:
        _print_dry_run(output, answer, {"new": f"{label} would be created"})
        return
    echoed = answer.created("new")
    stored = client.get(shape, [str(echoed.get("id"))])
    item = {**(stored[0] if stored else value), **echoed}  # a secret of a new API key stands in the echo alone
    output.result(item)
    output.line(f"created {label}", style="green")
    _print_object(invocation, shape, item)


def update(
    invocation: Invocation,
    object_name: ObjectName,
    object_ids: Ids = None,
    *,
    fields: Fields = None,
    where: Where = None,
    is_dry_run: DryRun = False,
    may_lock_out: AllowLockOut = False,
) -> None:
    """Change properties of objects, live. A key like bind/[::]:25 with true or null adds or takes out one member."""
    client = invocation.client
    shape = find_shape(client, object_name)
    if not fields:
        raise usage_error("--field: is missing; say what to change: --field maxConnections=100")
    patch = with_reference_ids(client, shape, parse_fields(shape, fields, _read_text))
    labels = _selected_labels(client, shape, object_ids, where)
    answer = SetAnswer(client.update(shape, dict.fromkeys(labels, patch), **set_options(is_dry_run, may_lock_out)))
    refusals = answer.refusals({key: f"{label} was not updated" for key, label in labels.items()})
    _report(invocation.output, answer, "updated", labels, is_dry_run)
    if refusals:
        raise refused([*refusals, *_forgotten_at_signs(shape, patch)])


def delete(
    invocation: Invocation,
    object_name: ObjectName,
    object_ids: Ids = None,
    where: Where = None,
    is_dry_run: DryRun = False,
    may_lock_out: AllowLockOut = False,
) -> None:
    """Destroy objects. The open connections of a listener go on."""
    client = invocation.client
    shape = find_shape(client, object_name)
    if shape.is_singleton:
        raise usage_error(f"OBJECT: {shape.name} is a singleton and cannot be deleted")
    labels = _selected_labels(client, shape, object_ids, where)
    answer = SetAnswer(client.destroy(shape, list(labels), **set_options(is_dry_run, may_lock_out)))
    refusals = answer.refusals({key: f"{label} was not deleted" for key, label in labels.items()})
    _report(invocation.output, answer, "destroyed", labels, is_dry_run)
    if refusals:
        raise refused(refusals)


def _selected_labels(
    client: JmapClient, shape: ObjectShape, object_ids: Sequence[str] | None, where: Sequence[str] | None
) -> dict[str, str]:
    """By id, what people call the objects that are meant."""
    return {item["id"]: label_of(shape, item) for item in selected(client, shape, object_ids or (), where or ())}


def _read_text(name: str) -> str:
    """What stands in a file, or on standard input."""
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except OSError as error:
        raise usage_error(f"--field: {name}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise usage_error(f"--field: {name}: is not UTF-8 text") from None


def _forgotten_at_signs(shape: ObjectShape, values: Mapping[str, Any]) -> list[str]:
    """For what was refused: long texts that are names of files here."""
    return [
        f"  {value} is a file here: {name}=@{value} takes what is in it"
        for name, value in values.items()
        if isinstance(value, str)
        and name in shape.properties
        and shape.properties[name].format in _TEXTS
        and os.path.isfile(value)  # noqa: PTH113 - a Path raises OSError for a text that is too long for a name
    ]


def _report(output: Output, answer: SetAnswer, verb: str, labels: Mapping[str, str], is_dry_run: bool) -> None:
    done = {key: label for key, label in labels.items() if key in answer.ids(verb)}
    if is_dry_run:
        _print_dry_run(output, answer, {key: f"{label} would be {verb}" for key, label in done.items()})
        return
    refused_ones = {key: error for key in labels if (error := answer.error(key)) is not None}
    output.result({verb: list(done), **({f"not{verb.capitalize()}": refused_ones} if refused_ones else {})})
    for label in done.values():
        output.line(f"{verb} {label}", style="green")


def _print_dry_run(output: Output, answer: SetAnswer, titles: Mapping[str, str]) -> None:
    output.result({"dryRun": True, **answer.arguments})
    for key, title in titles.items():
        output.line(title)
        for line in dry_run_lines(answer.arguments, key):
            output.line(f"  {line}")


def _print_object(invocation: Invocation, shape: ObjectShape, item: Mapping[str, Any]) -> None:
    """All its properties; beside the ids of other objects what people call these."""
    if invocation.output.is_json:
        return
    labels = reference_labels(invocation.client, shape, [item], list(shape.properties))
    rows = object_rows(shape, item)
    invocation.output.pairs((name, f"{value} ({labels[value]})" if value in labels else value) for name, value in rows)


def _print_list(
    invocation: Invocation,
    shape: ObjectShape,
    items: Sequence[Mapping[str, Any]],
    names: Sequence[str] | None = None,
) -> None:
    output = invocation.output
    if output.is_json:
        kept = ["id", *names] if names else None
        output.result([{name: item[name] for name in kept if name in item} if kept else item for item in items])
        return
    if not items:
        output.line("nothing matches")
        return
    columns = [(name, name) for name in names or ()] or [*(shape.columns or _every_property(shape)), ("id", "Id")]
    known = reference_labels(invocation.client, shape, items, [name for name, _ in columns])
    rows = [
        [
            known.get(str(item.get(name))) or value_text(shape.properties.get(name), item.get(name))
            for name, _ in columns
        ]
        for item in items
    ]
    output.table([label for _, label in columns], rows)


def _every_property(shape: ObjectShape) -> list[tuple[str, str]]:
    return [(name, name) for name in shape.properties]
