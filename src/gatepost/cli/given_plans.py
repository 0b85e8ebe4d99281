"""Plan files as arguments of a command, and their problems told. Called by apply, diff and check."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from gatepost.cli.failure import usage_error
from gatepost.config.plan_file import PlanError
from gatepost.config.read_plans import UnreadablePlanError

Files = Annotated[list[str], typer.Argument(metavar="FILE", help="Plan files (NDJSON), in order; - is standard input.")]


@contextmanager
def plan_problems() -> Iterator[None]:
    """What is wrong with a plan becomes wrong usage: every problem with its file and line."""
    try:
        yield
    except UnreadablePlanError as error:
        raise usage_error(str(error)) from None
    except PlanError as error:
        raise usage_error(*(str(problem) for problem in error.problems)) from None
