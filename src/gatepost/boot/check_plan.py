"""Plan files looked at without a server and without a store: `gatepost check`. What a /set would refuse is told with its line.

The operations are carried out in memory on what every server has, judged by the same validation and the same rules. A plan may
rely on objects of the server that it is for: what an update names is taken to be there, and what an upsert leaves out is
told as a note, not as a problem. Whether an address can be bound only the machine can say. Reads the files that
certificates name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, assert_never

import msgspec

from gatepost.boot.self_signed import make_self_signed
from gatepost.config.apply_plan import map_references
from gatepost.config.object_shape import shapes_of
from gatepost.config.plan_file import Create, Operation, PlanLine, PlanProblem, Reconcile, Update, Upsert
from gatepost.config.reconcile import Action, ResolvedOperation, Step, resolve
from gatepost.management.certificate_files import read_files
from gatepost.registry.account import ACCOUNT, Account, Role
from gatepost.registry.catalogue import OBJECT_TYPES
from gatepost.registry.certificate import CERTIFICATE
from gatepost.registry.configuration import Configuration, ObjectRef, Proposal
from gatepost.registry.declaration import ObjectType
from gatepost.registry.file_path import NO_FILES, FilePath, FileTexts, Unreadable, may_be_read
from gatepost.registry.patch import InvalidPatchError, candidate_of_update
from gatepost.registry.problem import Problem, ProblemType
from gatepost.registry.rules.every_rule import findings
from gatepost.registry.rules.finding import Finding, Forbidden, Linked, NameTaken, Unfit
from gatepost.registry.schema import schema_document
from gatepost.registry.validation import candidate_of_create
from gatepost.values.ids import Id, is_id
from gatepost.values.secret import Secret


@dataclass(frozen=True, slots=True)
class CheckedPlan:
    """What was found; `steps` is how many objects the plan is about. `notes` hold for some servers and not for others."""

    problems: tuple[PlanProblem, ...]
    notes: tuple[PlanProblem, ...]
    steps: int


def check_plan(operations: Sequence[Operation]) -> CheckedPlan:
    """Everything that is wrong with the operations. Raises PlanError where they do not fit the object types at all."""
    check = _Check(_Supposed(operations).objects)
    resolved = resolve(operations, check.wire_objects(), shapes_of(schema_document(OBJECT_TYPES.values())))
    check.files = asyncio.run(read_files(_files_named(resolved)))
    for operations_together in _together(resolved):
        check.carry_out(operations_together)
    steps = sum(len(operation.steps) for operation in resolved)
    return CheckedPlan(tuple(dict.fromkeys(check.problems)), tuple(dict.fromkeys(check.notes)), steps)


def _together(resolved: Sequence[ResolvedOperation]) -> Iterator[list[ResolvedOperation]]:
    """Operations in a row that only create objects of one type are judged at once: the rules look at every object there is."""
    found: list[ResolvedOperation] = []
    for operation in resolved:
        if found and not (operation.shape is found[0].shape and _only_creates(operation) and _only_creates(found[0])):
            yield found
            found = []
        found.append(operation)
    if found:
        yield found


def _only_creates(operation: ResolvedOperation) -> bool:
    return all(step.action is Action.CREATE for step in operation.steps)


def _base() -> Configuration:
    """What every server has made for itself, under names that nobody can give."""
    certificate = make_self_signed("localhost", datetime.now(UTC))
    admin = Account(name="\0", password=Secret("\0"), role=Role.ADMIN)
    base = Configuration.load(())
    base = base.replace(ObjectRef(CERTIFICATE.name, Id("own")), msgspec.structs.replace(certificate, name="\0"))
    return base.replace(ObjectRef(ACCOUNT.name, Id("first")), admin)


def _files_named(resolved: Sequence[ResolvedOperation]) -> set[str]:
    return {
        value
        for operation in resolved
        for step in operation.steps
        for name, value in step.value.items()
        if _is_path(operation.shape.name, name) and may_be_read(value)
    }


def _is_path(type_name: str, property_name: str) -> bool:
    declared = OBJECT_TYPES[type_name].properties.get(property_name)
    return declared is not None and isinstance(declared.kind, FilePath)


class _Supposed:
    """Objects that a plan updates without having made them: they are there, and nothing else is known of them."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self.objects: dict[ObjectRef, Any] = {}
        self._made: set[tuple[str, str]] = set()
        by_folded = {name.casefold(): object_type for name, object_type in OBJECT_TYPES.items()}
        for number, operation in enumerate(operations):
            object_type = by_folded.get(operation.object_name.casefold())
            if object_type is not None and not object_type.is_singleton:
                self._look_at(operation, object_type, number)

    def _look_at(self, operation: Operation, object_type: ObjectType[Any], number: int) -> None:
        label = object_type.list_view.label_property or "name"
        match operation:
            case Create() | Upsert() | Reconcile():
                names = {str(value.get(label)).casefold() for value in operation.values.values()}
                self._made |= {(object_type.name, name) for name in names}
            case Update(object_id=str(named)) if not named.startswith("#"):
                if (object_type.name, named.casefold()) not in self._made:
                    self._made.add((object_type.name, named.casefold()))
                    ref = ObjectRef(object_type.name, Id(named if is_id(named) else f"supposed-{number}"))
                    self.objects[ref] = _stand_in(object_type, label, named)
            case _:
                pass


def _stand_in(object_type: ObjectType[Any], label: str, named: str) -> Any:
    """An object of that name with harmless values."""
    values = {
        declared.field_name: declared.default
        if declared.has_default
        else None
        if declared.is_nullable
        else declared.kind.stand_in
        for declared in object_type.properties.values()
    }
    return object_type.struct(**{**values, object_type.properties[label].field_name: named})


class _Check:
    """One pass over the operations. `supposed` are objects that are not known in full."""

    def __init__(self, supposed: Mapping[ObjectRef, Any]) -> None:
        self.problems: list[PlanProblem] = []
        self.notes: list[PlanProblem] = []
        self.files: FileTexts = NO_FILES
        self._now = datetime.now(UTC)
        self._supposed = set(supposed)
        self._configuration = _base()
        for ref, value in supposed.items():
            self._configuration = self._configuration.replace(ref, value)

    def wire_objects(self) -> dict[str, list[dict[str, Any]]]:
        """By type, as a server would give them."""
        return {
            name: [
                {"id": key, **object_type.to_wire(value)} for key, value in self._configuration.of(object_type).items()
            ]
            for name, object_type in OBJECT_TYPES.items()
        }

    def carry_out(self, operations: Sequence[ResolvedOperation]) -> None:
        """Judge the steps of the operations by themselves, then together with all that is there."""
        before = self._configuration
        judged: dict[ObjectRef, _Judged] = {}
        for resolved in operations:
            for step, place in zip(resolved.steps, _places(resolved), strict=True):
                ref = ObjectRef(step.object_type, Id(step.object_id.removeprefix("#")))
                is_partial = isinstance(resolved.operation, Upsert | Reconcile) or ref in self._supposed
                judged[ref] = _Judged(step.line, place, is_partial)
                if step.action is Action.DESTROY:
                    self._configuration = self._configuration.replace(ref, None)
                elif step.action is not Action.KEEP:
                    self._judge(resolved, step, ref, judged[ref])
        proposal = Proposal(before=before, after=self._configuration, touched=tuple(judged), may_lock_out=True)
        for finding in findings(proposal):
            about = judged.get(finding.ref)
            if about is not None and not about.is_unfit and finding.ref not in self._supposed:
                self._tell(finding, about, is_given=True)

    def _judge(self, resolved: ResolvedOperation, step: Step, ref: ObjectRef, judged: _Judged) -> None:
        value = map_references(resolved.shape, step.value, lambda text: text.removeprefix("#"))
        object_type: ObjectType[Any] = OBJECT_TYPES[ref.object_type]
        current = self._configuration.find(ref)
        try:
            if current is None:
                candidate = candidate_of_create(object_type, value, self._now, self.files)
            else:
                candidate = candidate_of_update(object_type, ref.id, current, value, self._now, self.files)
        except InvalidPatchError as error:
            judged.is_unfit = True
            self.problems.append(PlanProblem(step.line, judged.place, str(error)))
            return
        self._configuration = self._configuration.replace(ref, candidate.object)
        for problem in candidate.problems:
            is_pointer = problem.property in candidate.given and problem.property not in value
            if is_pointer and problem.type is ProblemType.MIN_LENGTH and ref in self._supposed:
                continue  # a member is added to, or taken from, a set that nobody here has seen
            self._tell(Unfit(ref, problem), judged, is_given=problem.property in candidate.given)

    def _tell(self, finding: Finding, judged: _Judged, *, is_given: bool) -> None:
        """As a problem, or, where it may be right on the server that the plan is for, as a note."""
        told = judged.problem_of(finding)
        note = None
        if isinstance(finding, Unfit):
            note = self._note_for(finding.problem, is_partial=judged.is_partial, is_given=is_given)
        if note is None:
            judged.is_unfit = True
            self.problems.append(told)
        else:
            self._supposed.add(finding.ref)
            self.notes.append(PlanProblem(told.line, told.property_name, note))

    def _note_for(self, problem: Problem, *, is_partial: bool, is_given: bool) -> str | None:
        """Words for what is wrong here and may be right on the server that the plan is for."""
        for path, text in self.files.items():
            if isinstance(text, Unreadable) and path in problem.description:
                return f"not looked at, because this machine does not have it: {problem.description}"
        if is_partial and (problem.type is ProblemType.REQUIRED or not is_given):
            return f"{problem.description} where the server does not have this object yet"
        return None


@dataclass(slots=True)
class _Judged:
    """One object of an operation, and where it stands in the plan."""

    line: PlanLine
    place: str
    is_partial: bool  # the server may have the rest of it
    is_unfit: bool = False

    def problem_of(self, finding: Finding) -> PlanProblem:
        match finding:
            case Unfit(problem=problem):
                return PlanProblem(self.line, f"{self.place}/{problem.property}", problem.description)
            case NameTaken() | Linked() | Forbidden():
                return PlanProblem(self.line, self.place, finding.description)
            case _:
                assert_never(finding)


def _places(resolved: ResolvedOperation) -> Iterator[str]:
    """Where the object of each step stands in its line; what a reconcile or a filter destroys stands nowhere."""
    match resolved.operation:
        case Create(values=values) | Upsert(values=values) | Reconcile(values=values):
            named = [f"value/{name}" for name in values]
        case _:
            named = []
    kept = [step for step in resolved.steps if step.action is not Action.DESTROY]
    for position, _ in enumerate(resolved.steps):
        yield named[position] if named and position < len(kept) else "value"
