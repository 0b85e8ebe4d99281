"""The steps of a plan carried out in order: one /set for each operation, or for several in a row that only create objects of
one type.

`gatepost apply` gives a running server to carry them out on, `serve --plan` the store. Whatever is asked of either goes
through the port `ConfiguredServer`; nothing here does I/O itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Protocol

from gatepost.config.object_shape import ObjectShape, ObjectShapes, PropertyShape
from gatepost.config.plan_file import Operation
from gatepost.config.portions import RequestLimits, portions
from gatepost.config.reconcile import Action, ResolvedOperation, Step, object_types_of, resolve
from gatepost.config.set_answer import SetAnswer, set_error_lines
from gatepost.config.wire_values import join_pointer, split_pointer


class ConfiguredServer(Protocol):
    """What applying a plan needs of a server; JmapClient is one."""

    @property
    def shapes(self) -> ObjectShapes:
        """The object types."""

    def get_all(self, shape: ObjectShape) -> list[dict[str, Any]]:
        """Every object of the type."""

    def set(self, shape: ObjectShape, **arguments: Any) -> Mapping[str, Any]:
        """A /set and its answer."""

    def limit(self, name: str, otherwise: int) -> int:
        """A limit that the server announces, as `maxObjectsInSet`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a step. `object_id` is the real id, also of an object that was created; None after a dry run.

    `error` is the SetError. `answer` is the whole answer to the /set, for what a dry run tells. `is_checked` is False for
    a step of a dry run that the server could not be asked about, because it needs an object that the plan creates.
    `secrets` are those that the server made for a new object and gives out this once.
    """

    step: Step
    object_id: str | None
    error: Mapping[str, Any] | None = None
    answer: Mapping[str, Any] | None = None
    is_checked: bool = True
    secrets: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Under which the answer to the /set speaks of the object: its creation id, or its id."""
        if self.step.action is Action.CREATE:
            return self.step.object_id[1:]
        return self.object_id or self.step.object_id

    def problems(self) -> list[str]:
        """What was refused: the place of the operation and the object, then what is wrong, line by line."""
        if self.error is None:
            return []
        title = f"{self.step.line}: {self.step.title} was refused:"
        return [title, *(f"  {line}" for line in set_error_lines(self.error))]


def apply_plan(
    server: ConfiguredServer,
    operations: Sequence[Operation],
    report: Callable[[Outcome], None],
    *,
    options: Mapping[str, bool] = MappingProxyType({}),
    begin: Callable[[int], None] = lambda _: None,
    stops_at_error: bool = True,
) -> list[Outcome]:
    """Carry out the operations; `begin` is told how many steps there are, `report` is called for each as soon as it is done.

    `options` are arguments of every /set: `dryRun`, `allowLockOut`.

    With `stops_at_error` it stops behind the first /set in which something was refused; what else was in that one is done. A
    /set that destroys beside what it creates or updates (a reconcile) is tried first, and not carried out at all where
    something of it is refused: who cannot have the new keeps the old.
    Without, as in a dry run, it goes on, and a step that needs an object that was refused is refused too.
    Raises PlanError before anything is sent where the plan does not fit the server, and what the server's port raises where
    it cannot be asked.
    """
    shapes = server.shapes
    current = {shape.name: server.get_all(shape) for shape in object_types_of(operations, shapes)}
    run = _Run(server, options)
    must_stop = stops_at_error and not options.get("dryRun")
    outcomes: list[Outcome] = []
    resolved = resolve(operations, current, shapes)
    begin(sum(len(operation.steps) for operation in resolved))
    limits = RequestLimits.told_by(server.limit)
    for batch in _batches(resolved):
        for steps in portions(batch.steps, limits):
            done = (must_stop and run.refused_of_a_replacement(batch.shape, steps)) or run.batch(batch.shape, steps)
            for outcome in done:
                report(outcome)
            outcomes += done
            if must_stop and any(outcome.error for outcome in done):
                return outcomes
    return outcomes


@dataclass(slots=True)
class _Batch:
    """One operation, or several in a row that only create objects of one type: nothing is lost where some of them are
    refused, whereas an update or a destroy may rely on what comes before it."""

    shape: ObjectShape
    steps: list[Step]
    created: set[str] = field(default_factory=set)  # `#creation-id`s
    only_creates: bool = True

    def add(self, operation: ResolvedOperation) -> None:
        self.steps += operation.steps
        self.created.update(step.object_id for step in operation.steps)
        self.only_creates = self.only_creates and _only_creates(operation)

    def takes(self, operation: ResolvedOperation) -> bool:
        if operation.shape is not self.shape or not (self.only_creates and _only_creates(operation)):
            return False
        return not any(_creation_ids_in(self.shape, step.value) & self.created for step in operation.steps)


def _only_creates(operation: ResolvedOperation) -> bool:
    return all(step.action in (Action.CREATE, Action.KEEP) for step in operation.steps)


def _batches(operations: Iterable[ResolvedOperation]) -> Iterator[_Batch]:
    """A hundred lines that create a listener each are one change of the server, not a hundred."""
    batch: _Batch | None = None
    for operation in operations:
        if batch is not None and not batch.takes(operation):
            yield batch
            batch = None
        batch = batch or _Batch(operation.shape, [])
        batch.add(operation)
    if batch is not None:
        yield batch


class _Run:
    """One pass over the steps; knows the real ids of what it created."""

    def __init__(self, server: ConfiguredServer, options: Mapping[str, bool]) -> None:
        self._server = server
        self._options = options
        self._real_ids: dict[str, str] = {}  # "#creation-id" → id

    def refused_of_a_replacement(self, shape: ObjectShape, steps: Sequence[Step]) -> list[Outcome]:
        """What would be refused of steps that destroy some objects and create or update others; nothing of other steps."""
        kinds = {step.action for step in steps}
        if Action.DESTROY not in kinds or not kinds & {Action.CREATE, Action.UPDATE}:
            return []
        sent = [step for step in steps if step.action is not Action.KEEP]
        answer = SetAnswer(self._server.set(shape, **self._arguments(shape, sent), dryRun=True))
        outcomes = (self._outcome(shape, step, answer, ()) for step in sent)
        return [outcome for outcome in outcomes if outcome.error]

    def batch(self, shape: ObjectShape, steps: Sequence[Step]) -> list[Outcome]:
        own = {step.object_id for step in steps if step.action is Action.CREATE}
        missing = {step.object_id: self._missing(shape, step) - own for step in steps}
        sent = [step for step in steps if step.action is not Action.KEEP and not missing[step.object_id]]
        answer = SetAnswer(self._server.set(shape, **self._arguments(shape, sent)) if sent else {})
        for step in sent:
            if step.action is Action.CREATE and "id" in answer.created(step.object_id[1:]):
                self._real_ids[step.object_id] = str(answer.created(step.object_id[1:])["id"])
        return [self._outcome(shape, step, answer, missing[step.object_id]) for step in steps]

    def _outcome(self, shape: ObjectShape, step: Step, answer: SetAnswer, missing: Collection[str]) -> Outcome:
        object_id = self._real_ids.get(step.object_id, step.object_id)
        known_id = None if object_id.startswith("#") else object_id
        if step.action is Action.KEEP:
            return Outcome(step, known_id)
        if missing and self._options.get("dryRun"):
            return Outcome(step, known_id, is_checked=False)
        if missing:
            words = f"needs {', '.join(sorted(missing))}, which was refused"
            return Outcome(step, known_id, {"type": "notSent", "description": words})
        if step.action is Action.UPDATE and answer.changed_nothing and not self._options.get("dryRun"):
            return Outcome(replace(step, action=Action.KEEP, value={}), known_id)  # the password was that one already
        key = step.object_id[1:] if step.action is Action.CREATE else object_id
        created = answer.created(key)
        secrets = {name: created[name] for name, each in shape.properties.items() if each.is_secret and name in created}
        return Outcome(step, known_id, answer.error(key), answer.arguments, secrets=secrets)

    def _missing(self, shape: ObjectShape, step: Step) -> set[str]:
        """The `#creation-id`s that the step needs and that stand for nothing: in a dry run, or because they were refused."""
        needed = _creation_ids_in(shape, step.value)
        needed |= {step.object_id} if step.object_id.startswith("#") else set()
        return needed - self._real_ids.keys()

    def _arguments(self, shape: ObjectShape, steps: Sequence[Step]) -> dict[str, Any]:
        arguments: dict[str, Any] = {"create": {}, "update": {}, "destroy": []}
        for step in steps:
            object_id = self._real_ids.get(step.object_id, step.object_id)
            value = map_references(shape, step.value, lambda text: self._real_ids.get(text, text))
            match step.action:
                case Action.CREATE:
                    arguments["create"][step.object_id[1:]] = value
                case Action.UPDATE:
                    arguments["update"][object_id] = value
                case Action.DESTROY:
                    arguments["destroy"].append(object_id)
                case Action.KEEP:
                    pass
        wanted = {name: value for name, value in arguments.items() if value}
        return {**wanted, **self._options}


def _creation_ids_in(shape: ObjectShape, value: Mapping[str, Any]) -> set[str]:
    """The `#creation-id`s that a value refers to."""
    found: set[str] = set()

    def note(text: str) -> str:
        if text.startswith("#"):
            found.add(text)
        return text

    map_references(shape, value, note)
    return found


def map_references(shape: ObjectShape, value: Mapping[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """The value with `change` applied to every id in it, in values, members of sets and pointers."""
    changed: dict[str, Any] = {}
    for key, item in value.items():
        root, *path = split_pointer(key)
        declared: PropertyShape | None = shape.properties.get(root)
        if declared is None or not declared.is_reference:
            changed[key] = item
        else:
            changed[join_pointer([root, *(change(part) for part in path)])] = _changed(item, change)
    return changed


def _changed(item: Any, change: Callable[[str], str]) -> Any:
    match item:
        case str():
            return change(item)
        case list():
            return [_changed(member, change) for member in item]
        case dict():
            return {change(member): present for member, present in item.items()}
        case _:
            return item
