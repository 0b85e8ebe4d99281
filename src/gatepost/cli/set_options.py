"""The options of a /set that go beyond RFC 8620, and how its answer tells of them: dry run, lock-out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from gatepost.cli.failure import FAILED, CommandError


def set_options(is_dry_run: bool, may_lock_out: bool = False) -> dict[str, bool]:
    """The arguments that ask for them."""
    return {**({"dryRun": True} if is_dry_run else {}), **({"allowLockOut": True} if may_lock_out else {})}


def refused(lines: Sequence[str], exit_code: int = FAILED) -> CommandError:
    """The error of a command whose /set was refused, with the option that would help."""
    hint = ["  the option is --allow-lock-out"] if any("allowLockOut" in line for line in lines) else []
    return CommandError(*lines, *hint, exit_code=exit_code)


def dry_run_report(arguments: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """What a dry run found for the object with that id or creation id: `steps` and `warnings`."""
    report = arguments.get("dryRun")
    found = report.get(key) if isinstance(report, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def dry_run_lines(arguments: Mapping[str, Any], key: str) -> list[str]:
    """The same for people, one line for each."""
    found = dry_run_report(arguments, key)
    steps = [_words(step) for step in found.get("steps") or ()]
    return [*steps, *(f"warning: {_words(warning)}" for warning in found.get("warnings") or ())]


def _words(entry: Any) -> str:
    if isinstance(entry, Mapping):
        return str(entry.get("description") or json.dumps(entry, ensure_ascii=False))
    return str(entry)
