"""history: who has changed what (object type Change), one change in full, and undoing one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gatepost.cli.client_command import AllowLockOut, DryRun, Invocation
from gatepost.cli.completion import complete_object_type
from gatepost.cli.failure import CommandError, refuse_ignored, usage_error
from gatepost.cli.named_objects import find_shape
from gatepost.cli.output import Output, value_text
from gatepost.cli.set_options import dry_run_lines, refused, set_options
from gatepost.config.object_shape import bare_type_name
from gatepost.config.set_answer import SetAnswer
from gatepost.values.duration import parse_duration

if TYPE_CHECKING:
    from gatepost.cli.jmap_client import JmapClient

_MOST = 50

OfName = Annotated[
    str | None, typer.Argument(metavar="NAME", help="Of objects with this in their name, or with this id.")
]
OfType = Annotated[
    str | None,
    typer.Option("--object", metavar="OBJECT", help="Of this object type.", autocompletion=complete_object_type),
]
ByAccount = Annotated[str | None, typer.Option("--by", metavar="ACCOUNT", help="By accounts with this in their name.")]
Since = Annotated[
    str | None, typer.Option("--since", metavar="WHEN", help="Not before: 2h or 7d ago, or a date, 2030-01-31T12:00Z.")
]
Until = Annotated[str | None, typer.Option("--until", metavar="WHEN", help="Before this time.")]
WithText = Annotated[
    str | None, typer.Option("--text", metavar="TEXT", help="With this in a name, an address or a value.")
]
Limit = Annotated[
    int | None, typer.Option("--limit", min=1, help=f"Show so many, the newest first: {_MOST} if not given.")
]
Show = Annotated[str | None, typer.Option("--show", metavar="ID", help="This change in full.")]
RevertId = Annotated[str | None, typer.Option("--revert", metavar="ID", help="Undo this change.")]
Force = Annotated[bool, typer.Option("--force", help="Undo it even where somebody has changed the same since.")]

_CAUSES = {
    "planFile": "(plan file)",
    "firstStart": "(first start)",
    "start": "(start)",
    "certificateFile": "(certificate file)",
    "program": "(program)",
}
_LONGEST_CELL = 60  # characters of a value in the table
_STYLES = {"-": "red", "+": "green"}

Change = Mapping[str, Any]


def history(  # noqa: PLR0913 - each is an option
    invocation: Invocation,
    *,
    name: OfName = None,
    object_type: OfType = None,
    account: ByAccount = None,
    since: Since = None,
    until: Until = None,
    text: WithText = None,
    limit: Limit = None,
    show: Show = None,
    revert: RevertId = None,
    is_dry_run: DryRun = False,
    may_lock_out: AllowLockOut = False,
    is_forced: Force = False,
) -> None:
    """Show who has changed what, or undo a change."""
    choice = {
        "NAME": name,
        "--object": object_type,
        "--by": account,
        "--since": since,
        "--until": until,
        "--text": text,
        "--limit": limit,
    }
    if revert is not None:
        refuse_ignored({"--show": show, **choice}, "chooses what is shown; --revert takes the id of one change")
        _revert(invocation, revert, {**set_options(is_dry_run, may_lock_out), **({"force": True} if is_forced else {})})
        return
    refuse_ignored(
        {"--dry-run": is_dry_run, "--allow-lock-out": may_lock_out, "--force": is_forced}, "goes with --revert alone"
    )
    if show is not None:
        refuse_ignored(choice, "chooses what is listed; --show takes the id of one change")
        _show(invocation, show)
    else:
        type_name = find_shape(invocation.client, object_type).wire_name if object_type is not None else None
        times = {"after": _moment("--since", since), "before": _moment("--until", until)}
        conditions = {"account": account, "text": text, "objectType": type_name, **times}
        _list(invocation, {key: each for key, each in conditions.items() if each is not None}, name, limit or _MOST)


def _list(invocation: Invocation, conditions: Mapping[str, str], name: str | None, limit: int) -> None:
    parts: list[Mapping[str, Any]] = [conditions]
    if name is not None:
        parts.append({"operator": "OR", "conditions": [{"objectName": name}, {"objectId": name}]})
    found, total = invocation.client.find("x:Change", {"filter": {"operator": "AND", "conditions": parts}}, limit)
    output = invocation.output
    output.result(found)
    if not found:
        output.line("no changes")
        return
    output.table(
        ["Id", "When (UTC)", "Who", "From", "What", "Change"], [_cells(invocation.client, each) for each in found]
    )
    if len(found) < total:
        output.line(f"{len(found)} of {total} changes; narrow the choice, or raise --limit")


def _show(invocation: Invocation, change_id: str) -> None:
    change = _one(invocation.client, change_id)
    invocation.output.result(change)
    _print_in_full(invocation.client, invocation.output, change)


def _one(client: JmapClient, change_id: str) -> Change:
    for change in client.call("x:Change/get", {"ids": [change_id]}).get("list", ()):
        return dict(change)
    raise CommandError(f"there is no change {change_id!r}, or not any more; `gatepost history` lists them")


def _cells(client: JmapClient, change: Change) -> list[str]:
    lines = list(_difference(client, change, _LONGEST_CELL)) if change.get("kind") == "updated" else []
    if change.get("revertOf"):
        lines.insert(0, f"revert of {change['revertOf']}")
    return [
        str(change.get("id")),
        str(change.get("at", "")).replace("T", " ").removesuffix("Z"),
        _who(change),
        str(change.get("sourceAddress") or "-"),
        f"{change.get('kind')} {_object(change)}",
        "\n".join(lines),
    ]


def _who(change: Change) -> str:
    account = change.get("account")
    if not account:
        return _CAUSES.get(str(change.get("cause")), str(change.get("cause")))
    return f"{account} (key {change['apiKey']})" if change.get("apiKey") else str(account)


def _object(change: Change) -> str:
    type_name, object_id = bare_type_name(str(change.get("objectType"))), change.get("objectId")
    return type_name if object_id == "singleton" else f"{type_name} {change.get('objectName') or object_id}"


def _difference(client: JmapClient, change: Change, longest: int) -> Iterator[str]:
    """One line for each property: members that come and go for a set, both values for anything else."""
    shape = client.shapes.by_name.get(bare_type_name(str(change.get("objectType"))))
    before, after = change.get("before") or {}, change.get("after") or {}
    for name in dict.fromkeys((*before, *after)):
        declared = None if shape is None else shape.properties.get(name)
        old, new = before.get(name), after.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping) and declared is not None and declared.is_set:
            gone, come = [each for each in old if each not in new], [each for each in new if each not in old]
            moved = [*(f"-{each}" for each in gone), *(f"+{each}" for each in come)]
            yield f"{name}: {' '.join(moved) or 'in another order'}"
        elif change.get("kind") == "updated":
            yield f"{name}: {_short(value_text(declared, old), longest)} → {_short(value_text(declared, new), longest)}"
        elif (value := new if change.get("kind") == "created" else old) not in (None, {}):
            yield f"{name}: {_short(value_text(declared, value), longest)}"
    yield from (f"{name}: secret, not kept" for name in change.get("redacted") or ())


def _short(text: str, longest: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def _print_in_full(client: JmapClient, output: Output, change: Change) -> None:
    came = [str(change[name]) for name in ("sourceAddress", "listener") if change.get(name)]
    facts = [
        ("change", str(change.get("id"))),
        ("what", f"{change.get('kind')} {_object(change)} (id {change.get('objectId')})"),
        ("when", str(change.get("at"))),
        ("who", _who(change)),
        ("from", " through ".join(came)),
        ("revision", str(change.get("revision"))),
        ("revert of", str(change.get("revertOf") or "")),
    ]
    output.pairs([(name, value) for name, value in facts if value])
    output.line("")
    mark = {"created": "+ ", "destroyed": "- "}.get(str(change.get("kind")), "")
    for line in _difference(client, change, longest=2000):
        output.line(f"{mark}{line}", style=_STYLES.get(mark.strip(), ""))


def _revert(invocation: Invocation, change_id: str, options: Mapping[str, bool]) -> None:
    client, output = invocation.client, invocation.output
    answer = client.call("x:Change/set", {"create": {"revert": {"revertOf": change_id}}, **options})
    refusals = SetAnswer(answer).refusals({"revert": f"change {change_id} was not reverted"})
    output.result(answer)
    if refusals:
        raise refused([*refusals, *_hint(answer)])
    if options.get("dryRun"):
        output.line(f"{change_id} would be reverted: {_object(_one(client, change_id))}")
        for line in dry_run_lines(answer, "revert"):
            output.line(f"  {line}")
        return
    made = answer["created"]["revert"]
    output.line(f"reverted {change_id}: {made.get('kind')} {_object(made)} (change {made.get('id')})", style="green")
    if made.get("kind") == "updated":
        for line in _difference(client, made, _LONGEST_CELL):
            output.line(f"  {line}")


def _hint(answer: Mapping[str, Any]) -> Sequence[str]:
    error = (answer.get("notCreated") or {}).get("revert") or {}
    return ["  the option is --force"] if '"force"' in str(error.get("description")) else []


def _moment(option: str, text: str | None) -> str | None:
    """A time as the server takes it. Without a zone it is UTC, as everything that is shown."""
    if text is None:
        return None
    try:
        moment = datetime.now(UTC) - timedelta(milliseconds=parse_duration(text))
    except (ValueError, OverflowError):
        try:
            moment = datetime.fromisoformat(text)
            moment = (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).astimezone(UTC)
        except (ValueError, OverflowError):
            raise usage_error(f"{option}: {text!r} is neither a time that has gone by (2h, 7d) nor a date") from None
    return f"{moment.replace(tzinfo=None).isoformat(timespec='seconds')}Z"
