"""Plan files read from disk or standard input into one list of operations, so that names reach from file to file.

Called by `gatepost apply` and by the boot process. Does I/O; what the text means is in `plan_file`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

from gatepost.config.plan_file import Operation, PlanError, PlanProblem, parse_plan

STANDARD_INPUT = "-"


class UnreadablePlanError(ValueError):
    """A file that cannot be read; the message names it."""


def read_plans(names: Sequence[str], descriptors: Sequence[int | None] = ()) -> list[Operation]:
    """The operations of all files in order; `descriptors` are those of files that are open already, and are closed here.
    Raises UnreadablePlanError, and PlanError with the problems of every file."""
    operations: list[Operation] = []
    problems: list[PlanProblem] = []
    for name, descriptor in zip_longest(names, descriptors):
        try:
            operations += parse_plan(_text_of(name, descriptor), "standard input" if name == STANDARD_INPUT else name)
        except PlanError as error:
            problems += error.problems
    if problems:
        raise PlanError(problems)
    return operations


def _text_of(name: str, descriptor: int | None) -> str:
    try:
        if descriptor is not None:
            with os.fdopen(descriptor, encoding="utf-8") as file:
                return file.read()
        return sys.stdin.read() if name == STANDARD_INPUT else Path(name).read_text(encoding="utf-8")
    except OSError as error:
        raise UnreadablePlanError(f"{name}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UnreadablePlanError(f"{name}: is not UTF-8 text (octet {error.start})") from None
