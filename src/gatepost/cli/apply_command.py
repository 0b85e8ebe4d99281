"""apply: plan files sent to a running server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from gatepost.cli.client_command import AllowLockOut, DryRun, Invocation
from gatepost.cli.failure import FAILED, INTERRUPTED, CommandError
from gatepost.cli.given_plans import Files, plan_problems
from gatepost.cli.output import Output, counted
from gatepost.cli.progress import ProgressBar
from gatepost.cli.set_options import dry_run_lines, dry_run_report, refused, set_options
from gatepost.config.apply_plan import Outcome, apply_plan
from gatepost.config.plan_file import Operation
from gatepost.config.read_plans import read_plans
from gatepost.config.reconcile import Action

ContinueOnError = Annotated[
    bool,
    typer.Option(
        "--continue-on-error", help="Go on behind an operation that is refused, with all that do not need it."
    ),
]

_MARKS = {Action.CREATE: "+", Action.UPDATE: "~", Action.DESTROY: "-", Action.KEEP: "="}


def apply(
    invocation: Invocation,
    files: Files,
    is_dry_run: DryRun = False,
    may_lock_out: AllowLockOut = False,
    goes_on: ContinueOnError = False,
) -> None:
    """Bring a running server to what plan files say. Doing it again changes nothing."""
    output = invocation.output
    with plan_problems(), output.progress("applying") as bar:
        operations = read_plans(files)
        course = _Course(output, bar, is_dry_run)
        options = set_options(is_dry_run, may_lock_out)
        try:
            apply_plan(
                invocation.client,
                operations,
                course.report,
                options=options,
                begin=course.begin,
                stops_at_error=not goes_on,
            )
        except CommandError as error:
            course.failure = error
        except KeyboardInterrupt:
            course.failure = CommandError("interrupted", exit_code=INTERRUPTED)
    course.end(operations)


@dataclass(slots=True)
class _Course:
    """How far the plan has come. `failure` is why it went no further."""

    output: Output
    bar: ProgressBar
    is_dry_run: bool
    steps: int = 0
    outcomes: list[Outcome] = field(default_factory=list)
    failure: CommandError | None = None

    def begin(self, steps: int) -> None:
        """The server is known, and with it how much there is to do."""
        self.steps = steps
        self.bar.start(steps)

    def report(self, outcome: Outcome) -> None:
        """A step is done, or was refused."""
        self.outcomes.append(outcome)
        _print_outcome(self.output, outcome, self.is_dry_run)
        self.bar.advance()

    def end(self, operations: Sequence[Operation]) -> None:
        """What was done is told even where the server was lost half-way, or somebody lost patience."""
        failure = self.failure
        if failure is not None and not self.steps:  # nothing has been sent
            raise failure
        summary = _summary(operations, self.outcomes, self.is_dry_run)
        summary["isComplete"] = failure is None and summary["isComplete"]
        self.output.result(summary)
        self.output.line(_summary_line(summary))
        lines = [line for outcome in self.outcomes for line in outcome.problems()]
        lines += _lines_of_what_is_left(self.steps - len(self.outcomes), failure)
        if lines:
            raise refused(lines, failure.exit_code if failure else FAILED)


def _lines_of_what_is_left(steps: int, failure: CommandError | None) -> list[str]:
    """Why the end was not reached, and what to do. Who is lost on the way leaves it open what was done."""
    left = counted(steps, "more step")
    if failure is not None:
        return [*failure.lines, f"{left} may have been carried out or not: `gatepost diff` tells; apply the plan again"]
    if steps:
        return [f"{left} not carried out: mend the plan and apply it again, or add --continue-on-error"]
    return []


def _print_outcome(output: Output, outcome: Outcome, is_dry_run: bool) -> None:
    step = outcome.step
    verb = step.action.value
    if outcome.error is not None:
        verb = "refused"
    elif is_dry_run and step.action is not Action.KEEP:
        verb = f"would be {verb}"
    properties = f": {', '.join(step.value)}" if step.action is Action.UPDATE else ""
    note = "" if outcome.is_checked else " (not checked: it needs an object that this plan creates)"
    output.line(f"{_MARKS[step.action]} {step.title} {verb}{properties}{note}")
    for name, secret in outcome.secrets.items():
        output.line(f"    {name}: {secret} (shown this once)")
    if is_dry_run and outcome.answer is not None:
        for line in dry_run_lines(outcome.answer, outcome.key):
            output.line(f"    {line}")


def _summary(operations: Sequence[Operation], outcomes: Sequence[Outcome], is_dry_run: bool) -> dict[str, Any]:
    counts = Counter("refused" if outcome.error else outcome.step.action.value for outcome in outcomes)
    kinds = [*(action.value for action in Action), "refused"]
    return {
        "dryRun": is_dry_run,
        "isComplete": is_dry_run or not counts["refused"],
        "operations": len(operations),
        **{kind: counts[kind] for kind in kinds},
        "steps": [_step_as_json(outcome) for outcome in outcomes],
    }


def _step_as_json(outcome: Outcome) -> dict[str, Any]:
    step = outcome.step
    return {
        "file": step.line.file_name,
        "line": step.line.number,
        "object": step.object_type,
        "id": outcome.object_id,
        "name": step.label,
        "action": "refused" if outcome.error else step.action.value,
        "properties": list(step.value) if step.action is not Action.DESTROY else [],
        "error": outcome.error,
        "secrets": dict(outcome.secrets),
        "report": dry_run_report(outcome.answer or {}, outcome.key),
    }


def _summary_line(summary: dict[str, Any]) -> str:
    counts = ", ".join(f"{summary[action.value]} {action.value}" for action in Action)
    refused = f", {summary['refused']} refused" if summary["refused"] else ""
    return f"{'dry run, nothing was changed: ' if summary['dryRun'] else ''}{counts}{refused}"
