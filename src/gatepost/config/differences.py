"""What a plan would change on a server, property by property, without asking the server to try it. Pure.

`resolve` says which objects differ; this says how. Secrets cannot be compared, because no server gives them back: one that
stands in a plan is no difference, and is told apart. Called by `gatepost diff`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gatepost.config.object_shape import ObjectShape, PropertyShape
from gatepost.config.plan_file import PlanLine
from gatepost.config.reconcile import Action, ResolvedOperation, Step
from gatepost.config.wire_values import canonical_text, canonical_value, patched, split_pointer

Objects = Mapping[str, Sequence[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Change:
    """One property before and after, as the server writes it; `declared` for printing."""

    declared: PropertyShape
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Difference:
    """One object that is not as the plan wants it. `secrets` are properties that the plan gives and nobody can compare.

    Without `changes` in an update nothing but secrets was given, and the object counts as the same."""

    action: Action
    line: PlanLine
    shape: ObjectShape
    object_id: str
    label: str
    changes: tuple[Change, ...]
    secrets: tuple[str, ...]

    @property
    def is_known(self) -> bool:
        """Whether the object differs for certain."""
        return self.action is not Action.UPDATE or bool(self.changes)


def differences(resolved: Sequence[ResolvedOperation], current: Objects) -> list[Difference]:
    """One for every step that is not KEEP, in the order of the plan."""
    values = {(name, str(item["id"])): dict(item) for name, items in current.items() for item in items}
    return [
        _difference(operation.shape, step, values.setdefault((step.object_type, step.object_id), {}))
        for operation in resolved
        for step in operation.steps
        if step.action is not Action.KEEP
    ]


def _difference(shape: ObjectShape, step: Step, present: dict[str, Any]) -> Difference:
    """`present` is as the plan wants it afterwards: a later line may change it again."""
    changes = tuple(_changes(shape, step.value, present))
    known = tuple(change for change in changes if not change.declared.is_secret)
    secrets = tuple(change.declared.name for change in changes if change.declared.is_secret)
    return Difference(step.action, step.line, shape, step.object_id, step.label, known, secrets)


def _changes(shape: ObjectShape, patch: Mapping[str, Any], present: dict[str, Any]) -> Iterator[Change]:
    before: dict[str, Any] = {}
    for key, item in patch.items():
        root, *path = split_pointer(key)
        declared = shape.properties.get(root, PropertyShape(root, "string"))
        before.setdefault(root, present.get(root))
        if declared.is_set:
            path = [canonical_text(declared, member) for member in path]
        present[root] = canonical_value(declared, patched(present.get(root), path, item))
    for name, value in before.items():
        yield Change(shape.properties.get(name, PropertyShape(name, "string")), value, present[name])
