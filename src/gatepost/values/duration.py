"""Durations: integer milliseconds inside and on the wire, words like `1m` or `1h30m` accepted as input."""

from __future__ import annotations

import re

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_PART = re.compile(r"(\d{1,18})(ms|s|m|h|d)", re.ASCII)


def parse_duration(text: str) -> int:
    """Milliseconds of a text like `500ms`, `90s`, `1m`, `1h30m`. Raises ValueError for anything else.

    >>> parse_duration("1h30m")
    5400000
    """
    position, total = 0, 0
    for part in _PART.finditer(text):
        if part.start() != position:
            break
        total += int(part[1]) * _UNITS_MS[part[2]]
        position = part.end()
    if position != len(text) or not text:
        raise ValueError(f"{text!r} is not a duration; write a number and a unit, like 500ms, 90s, 1m or 1h30m")
    return total


def format_duration(milliseconds: int) -> str:
    """The shortest text that `parse_duration` reads back.

    >>> format_duration(90_000)
    '1m30s'
    """
    parts: list[str] = []
    for unit in ("d", "h", "m", "s", "ms"):
        count, milliseconds = divmod(milliseconds, _UNITS_MS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
