"""The part of a /set answer that tells what a dry run found: steps and warnings for each object."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def dry_run_lines(arguments: Mapping[str, Any], key: str) -> list[str]:
    """The steps and warnings of the object with that id or creation id, one line each."""
    found = (arguments.get("dryRun") or {}).get(key) if isinstance(arguments.get("dryRun"), Mapping) else None
    if not isinstance(found, Mapping):
        return []
    steps = [_words(step) for step in found.get("steps") or ()]
    return [*steps, *(f"warning: {_words(warning)}" for warning in found.get("warnings") or ())]


def _words(entry: Any) -> str:
    if isinstance(entry, Mapping):
        words = entry.get("description") or entry.get("step") or entry.get("type")
        return str(words) if words else json.dumps(entry, ensure_ascii=False)
    return str(entry)
