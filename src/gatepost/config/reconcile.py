"""Which operation of a plan means which create, update and destroy, given the objects that exist. Pure.

    resolved = resolve(parse_plan(text, "plan.ndjson"), current, shapes)

`gatepost apply` carries the steps out over JMAP, `serve --plan` on the store. Both give `current` as plain wire values
and carry the steps out in order, the steps of one operation in one /set (or transaction): a step may name an object that an earlier
one creates as `#creation-id`, in `object_id` and in every property that holds ids.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gatepost.config.object_index import ObjectIndex
from gatepost.config.object_shape import (
    SINGLETON_ID,
    ObjectShape,
    ObjectShapes,
    PropertyShape,
    UnknownObjectTypeError,
    did_you_mean,
)
from gatepost.config.plan_file import (
    Create,
    Destroy,
    Operation,
    PlanError,
    PlanLine,
    PlanProblem,
    Reconcile,
    Update,
    Upsert,
)
from gatepost.config.wire_values import (
    canonical_text,
    canonical_value,
    is_made_by_server,
    join_pointer,
    matches_filter,
    patched,
    split_pointer,
)

_FILTER_OPERATOR_KEYS = {"operator", "conditions"}


class Action(enum.Enum):
    """What a step does to its object."""

    CREATE = "created"
    UPDATE = "updated"
    DESTROY = "destroyed"
    KEEP = "unchanged"


@dataclass(frozen=True, slots=True)
class Step:
    """One object of one operation.

    `object_id` is an id, or `#creation-id` for an object that the plan creates. `value` is the whole object for CREATE,
    the PatchObject for UPDATE (only what differs), empty otherwise. `label` is what people call the object.
    """

    action: Action
    line: PlanLine
    object_type: str
    object_id: str
    label: str
    value: Mapping[str, Any]

    @property
    def title(self) -> str:
        """Type and label: `NetworkListener imap`; of a singleton the type alone."""
        return self.object_type if self.label == self.object_type else f"{self.object_type} {self.label}"


@dataclass(frozen=True, slots=True)
class ResolvedOperation:
    """The steps of one operation, which belong into one /set."""

    operation: Operation
    shape: ObjectShape
    steps: tuple[Step, ...]


def object_types_of(operations: Iterable[Operation], shapes: ObjectShapes) -> list[ObjectShape]:
    """The object types whose current objects `resolve` needs, each once. Raises PlanError for unknown names and for
    what is no configuration, as the history and open connections."""
    configuration = shapes.configuration()
    found: dict[str, ObjectShape] = {}
    problems: list[PlanProblem] = []
    for operation in operations:
        try:
            shape = shapes.find(operation.object_name)
        except UnknownObjectTypeError as error:
            problems.append(PlanProblem(operation.line, "object", str(error)))
        else:
            found[shape.name] = shape
            if shape not in configuration:
                words = f"{shape.name} is no configuration: no plan can bring it about"
                problems.append(PlanProblem(operation.line, "object", words))
    if problems:
        raise PlanError(problems)
    return list(found.values())


def resolve(
    operations: Sequence[Operation], current: Mapping[str, Sequence[Mapping[str, Any]]], shapes: ObjectShapes
) -> list[ResolvedOperation]:
    """The steps that bring `current` (type name without `x:` → objects with their `id`) to what the plan says.

    What a `reconcile` destroys of a type that others link to goes last, behind the operations that unlink it.

    Raises PlanError with every problem: unknown types, properties and references, a match that is not unique.
    """
    types = object_types_of(operations, shapes)
    views = {shape.name: _View(shape, current.get(shape.name, ())) for shape in types}
    resolution = _Resolution(views, shapes.linked_types())
    resolved = [resolution.operation(operation, shapes.find(operation.object_name)) for operation in operations]
    resolved += resolution.put_off()
    if resolution.problems:
        raise PlanError(resolution.problems)
    return resolved


class _View:
    """The objects of one type as they will be after the steps so far, in canonical wire values, by id."""

    def __init__(self, shape: ObjectShape, objects: Iterable[Mapping[str, Any]]) -> None:
        self.shape = shape
        self.objects = ObjectIndex()
        for item in objects:
            self.objects.put(str(item["id"]), self.canonical(item))
        if shape.is_singleton and SINGLETON_ID not in self.objects:
            self.objects.put(SINGLETON_ID, {})

    def canonical(self, value: Mapping[str, Any]) -> dict[str, Any]:
        properties = self.shape.properties
        return {
            name: canonical_value(properties[name], item) if name in properties else item
            for name, item in value.items()
        }

    def matching(self, match_on: Iterable[str], value: Mapping[str, Any]) -> list[str]:
        return self.objects.matching(self.canonical({name: value.get(name) for name in match_on}))

    def label(self, object_id: str, value: Mapping[str, Any] | None = None) -> str:
        if self.shape.is_singleton:
            return self.shape.name
        named = value if value is not None else self.objects[object_id]
        return str(named.get(self.shape.label_property or "name") or object_id)

    def difference(self, object_id: str, patch: Mapping[str, Any]) -> dict[str, Any]:
        """The part of the patch that changes something; the view has it from now on. Secrets always count as changed."""
        present = dict(self.objects[object_id])
        changes: dict[str, Any] = {}
        for key, item in patch.items():
            root, *path = split_pointer(key)
            shape = self.shape.properties.get(root, PropertyShape(root, "string"))
            if shape.is_set:
                path = [canonical_text(shape, member) for member in path]
            means_default = item is None and not path and shape.has_default and not shape.is_nullable
            wanted = shape.default if means_default else patched(present.get(root), path, item)
            after = canonical_value(shape, wanted)
            if shape.is_secret or after != present.get(root):
                changes[key] = item
                present[root] = after
        if changes:
            self.objects.put(object_id, present)
        return changes


class _Resolution:
    """One pass over the operations. Problems are gathered, so that an operator sees all of them at once."""

    def __init__(self, views: Mapping[str, _View], linked_types: Collection[str]) -> None:
        self._views = views
        self._linked_types = linked_types
        self._put_off: list[tuple[Operation, ObjectShape, dict[str, None]]] = []  # what is destroyed at the end
        self._references: dict[str, tuple[str, str]] = {}  # local name → object type, object id
        self._creation_ids: set[str] = set()
        self.problems: list[PlanProblem] = []

    def operation(self, operation: Operation, shape: ObjectShape) -> ResolvedOperation:
        view = self._views[shape.name]
        if shape.is_singleton and not isinstance(operation, Update):
            self._problem(operation.line, "@type", f"{shape.name} is a singleton: it is always there; use update")
            return ResolvedOperation(operation, shape, ())
        match operation:
            case Create():
                steps = [self._create(operation.line, view, name, value) for name, value in operation.values.items()]
            case Update():
                steps = self._update(operation, view)
            case Upsert():
                steps = self._upsert(operation, view)
            case Reconcile():
                steps = self._upsert(operation, view)
                steps += self._destroy(operation.line, view, self._unlisted(operation, view, steps))
            case Destroy():
                steps = self._destroy(operation.line, view, self._filtered(operation, view))
        return ResolvedOperation(operation, shape, tuple(steps))

    def put_off(self) -> list[ResolvedOperation]:
        """The destroys that had to wait, the last ones first: what refers to others stands behind them in a plan."""
        return [
            ResolvedOperation(
                operation, shape, tuple(self._destroy(operation.line, self._views[shape.name], list(object_ids)))
            )
            for operation, shape, object_ids in reversed(self._put_off)
        ]

    def _unlisted(self, operation: Operation, view: _View, steps: Sequence[Step]) -> list[str]:
        """The objects that a reconcile destroys now."""
        kept = {step.object_id for step in steps}
        unlisted = [key for key, item in view.objects.items() if key not in kept and not is_made_by_server(item)]
        if view.shape.name not in self._linked_types:
            return unlisted
        self._put_off.append((operation, view.shape, dict.fromkeys(unlisted)))
        return []

    def _problem(self, line: PlanLine, property_name: str | None, description: str) -> None:
        self.problems.append(PlanProblem(line, property_name, description))

    def _create(self, line: PlanLine, view: _View, local_name: str, value: Mapping[str, Any]) -> Step:
        ready = self._with_references(line, view.shape, f"value/{local_name}", value)
        return self._create_ready(line, view, local_name, ready)

    def _create_ready(self, line: PlanLine, view: _View, local_name: str, value: Mapping[str, Any]) -> Step:
        creation_id = local_name
        if creation_id in self._creation_ids:
            creation_id = f"{local_name}-{line.number}-{len(self._creation_ids)}"
        self._creation_ids.add(creation_id)
        object_id = f"#{creation_id}"
        view.objects.put(object_id, view.canonical(value))
        self._references[local_name] = (view.shape.name, object_id)
        return Step(Action.CREATE, line, view.shape.name, object_id, view.label(object_id, value), value)

    def _update(self, operation: Update, view: _View) -> list[Step]:
        patch = self._with_references(operation.line, view.shape, "value", operation.patch)
        object_id = self._target(operation, view)
        return [] if object_id is None else [self._changed(operation.line, view, object_id, patch)]

    def _changed(self, line: PlanLine, view: _View, object_id: str, patch: Mapping[str, Any]) -> Step:
        for _, _, unlisted in self._put_off:
            unlisted.pop(object_id, None)  # a later operation wants it after all
        changes = view.difference(object_id, patch)
        action = Action.UPDATE if changes else Action.KEEP
        return Step(action, line, view.shape.name, object_id, view.label(object_id), changes)

    def _target(self, operation: Update, view: _View) -> str | None:
        wanted = operation.object_id
        if wanted is None and not view.shape.is_singleton:
            self._problem(operation.line, "id", f"is missing; {view.shape.name} is not a singleton")
            return None
        if wanted is not None and wanted.startswith("#"):
            return self._reference(operation.line, "id", wanted, view.shape.name)
        wanted = wanted or SINGLETON_ID
        if wanted in view.objects:
            return wanted
        named = view.matching((view.shape.label_property or "name",), {view.shape.label_property or "name": wanted})
        if len(named) == 1:
            return named[0]
        self._problem(operation.line, "id", f"there is no {view.shape.name} with the id or name {wanted!r}")
        return None

    def _upsert(self, operation: Upsert | Reconcile, view: _View) -> list[Step]:
        self._check_match_on(operation, view.shape)
        steps: list[Step] = []
        taken: dict[str, str] = {}
        for local_name, value in operation.values.items():
            step = self._upsert_one(operation, view, local_name, value)
            if step is None:
                continue
            if step.object_id in taken:
                other = taken[step.object_id]
                self._problem(
                    operation.line, f"value/{local_name}", f"is the same object as {other!r}; keep one of them"
                )
            taken[step.object_id] = local_name
            steps.append(step)
        return steps

    def _upsert_one(
        self, operation: Upsert | Reconcile, view: _View, local_name: str, value: Mapping[str, Any]
    ) -> Step | None:
        ready = self._with_references(operation.line, view.shape, f"value/{local_name}", value)
        matching = view.matching(operation.match_on, ready)
        if len(matching) > 1 and view.shape.properties.keys() >= set(operation.match_on):
            found = f"{len(matching)} objects have these values of {', '.join(operation.match_on)}"
            self._problem(operation.line, f"value/{local_name}", f"{found}; name more properties in matchOn")
            return None
        if not matching:
            return self._create_ready(operation.line, view, local_name, ready)
        self._references[local_name] = (view.shape.name, matching[0])
        rest = {name: item for name, item in ready.items() if name not in operation.match_on}
        return self._changed(operation.line, view, matching[0], rest)

    def _check_match_on(self, operation: Upsert | Reconcile, shape: ObjectShape) -> None:
        for name in operation.match_on:
            if name not in shape.properties:
                self._unknown(operation.line, "matchOn", name, shape)

    def _filtered(self, operation: Destroy, view: _View) -> list[str]:
        problems_before = len(self.problems)
        ready = self._filter(operation.line, view.shape, operation.filter)
        if len(self.problems) > problems_before:
            return []
        properties = view.shape.properties
        return [key for key, item in view.objects.items() if matches_filter(properties, ready, {**item, "id": key})]

    def _filter(self, line: PlanLine, shape: ObjectShape, filter_: Mapping[str, Any]) -> dict[str, Any]:
        if not _FILTER_OPERATOR_KEYS & set(filter_):
            wanted = {name: item for name, item in filter_.items() if name != "id"}
            ready = self._with_references(line, shape, "value", wanted)
            return {**ready, "id": filter_["id"]} if "id" in filter_ else ready
        conditions = filter_.get("conditions")
        if filter_.get("operator") not in ("AND", "OR", "NOT") or not isinstance(conditions, list):
            self._problem(line, "value/operator", "is AND, OR or NOT, with a list of filters in conditions")
            return {}
        inner = [self._filter(line, shape, condition) for condition in conditions if isinstance(condition, dict)]
        return {"operator": filter_["operator"], "conditions": inner}

    def _destroy(self, line: PlanLine, view: _View, object_ids: Sequence[str]) -> list[Step]:
        steps = [Step(Action.DESTROY, line, view.shape.name, each, view.label(each), {}) for each in object_ids]
        for object_id in object_ids:
            view.objects.remove(object_id)
        return steps

    def _with_references(
        self, line: PlanLine, shape: ObjectShape, place: str, value: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The value with `#name` replaced by what it stands for; properties that the type does not have are problems."""
        ready: dict[str, Any] = {}
        for key, item in value.items():
            root, *path = split_pointer(key)
            declared = shape.properties.get(root)
            if declared is None and key != "@type":  # @type chooses a variant of the object
                self._unknown(line, f"{place}/{key}", root, shape)
            elif declared is None or not declared.is_reference:
                ready[key] = item
            else:
                parts = [self._reference_or_text(line, f"{place}/{key}", part, declared) for part in path]
                ready[join_pointer([root, *parts])] = self._referenced(line, f"{place}/{key}", item, declared)
        return ready

    def _referenced(self, line: PlanLine, place: str, item: Any, declared: PropertyShape) -> Any:
        if isinstance(item, list):
            return [self._reference_or_text(line, place, member, declared) for member in item]
        if isinstance(item, dict):
            return {self._reference_or_text(line, place, key, declared): present for key, present in item.items()}
        return self._reference_or_text(line, place, item, declared)

    def _reference_or_text(self, line: PlanLine, place: str, item: Any, declared: PropertyShape) -> Any:
        if not isinstance(item, str) or not item.startswith("#"):
            return item
        return self._reference(line, place, item, declared.referenced_type) or item

    def _reference(self, line: PlanLine, place: str, reference: str, wanted_type: str | None) -> str | None:
        found = self._references.get(reference[1:])
        if found is None:
            hint = did_you_mean(reference[1:], self._references)
            self._problem(line, place, f"{reference} is not the name of an object of an operation before this{hint}")
            return None
        object_type, object_id = found
        if wanted_type is not None and object_type != wanted_type:
            self._problem(line, place, f"{reference} is of type {object_type}; this property takes {wanted_type}")
            return None
        return object_id

    def _unknown(self, line: PlanLine, place: str, name: str, shape: ObjectShape) -> None:
        hint = did_you_mean(name, shape.properties) or f"; see `gatepost describe {shape.name}`"
        self._problem(line, place, f"{shape.name} has no property {name!r}{hint}")
