"""What a /set would make of the configuration: candidates, rules, and which operations must be dropped. Pure, but for `Turns`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from gatepost.management.methods.set_error import NOT_FOUND, WILL_DESTROY, SetError, error_of
from gatepost.management.methods.set_request import Item, Operation, SetRequest
from gatepost.management.methods.turns import Turns
from gatepost.plan.certificate_files import pairs_in_use
from gatepost.plan.derive import derive
from gatepost.plan.plan import Plan
from gatepost.registry.account import ACCOUNT
from gatepost.registry.catalogue import OBJECT_TYPES
from gatepost.registry.configuration import Configuration, ObjectRef, Proposal
from gatepost.registry.declaration import ObjectType
from gatepost.registry.file_path import FilePath, FileTexts, may_be_read
from gatepost.registry.patch import InvalidPatchError, candidate_of_update
from gatepost.registry.requester import Requester
from gatepost.registry.rules.every_rule import findings
from gatepost.registry.rules.finding import Finding
from gatepost.registry.validation import candidate_of_create

_OBJECT = 10  # pieces of work


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a change is judged by beside the objects: the time, in UTC, what was read of the files that it names, and what
    runs."""

    now: datetime
    files: FileTexts
    running_plan: Plan


def files_named(request: SetRequest, before: Configuration) -> set[str]:
    """The paths that objects have before or after an operation of the request, as far as they can be paths."""
    named: set[str] = set()
    for item in request.items:
        current = before.find(item.ref)
        for name, declared in OBJECT_TYPES[item.ref.object_type].properties.items():
            if isinstance(declared.kind, FilePath):
                present = None if current is None else msgspec.structs.asdict(current)[declared.field_name]
                given = item.wire.get(name, present)
                if may_be_read(given):
                    named.add(given)
    return named


async def settle(
    request: SetRequest, before: Configuration, requester: Requester, surroundings: Surroundings
) -> Proposal:
    """The change that is left when every operation that cannot be done has its error. Others have their turn meanwhile.

    Dropping one may make another impossible (a create that relied on a destroy), so it goes on until nothing is found.
    """
    _refuse_what_never_was(request, before)
    while True:
        proposal = await _propose(request, before, requester, surroundings)
        found = findings(proposal)
        unfit = [item for item in request.items if item.error is None and item.problems]
        if not _drop(unfit or [item for item in request.items if item.error is None], found):
            return proposal


def _refuse_what_never_was(request: SetRequest, before: Configuration) -> None:
    """RFC 8620 section 5.3: what is not there is not found, even where the same request would destroy it."""
    created = {item.ref for item in request.items if item.operation is Operation.CREATE}
    for item in request.items:
        if item.error is WILL_DESTROY and item.ref not in created and before.find(item.ref) is None:
            item.error = NOT_FOUND


def _drop(items: list[Item], found: list[Finding]) -> bool:
    """Give an error to each of the items that something was found about; whether there was any. Where some are unfit by
    themselves only those are judged: what is left must not suffer from values that only stand in."""
    dropped = False
    for item in items:
        about: list[Finding] = [finding for finding in found if finding.ref == item.ref]
        item.error = error_of(item.problems, about)
        dropped = dropped or item.error is not None
    return dropped


async def _propose(
    request: SetRequest, before: Configuration, requester: Requester, surroundings: Surroundings
) -> Proposal:
    turns, after = Turns(), before
    touched: dict[ObjectRef, None] = {}
    for item in request.items:
        if item.error is None:
            after = _apply(item, after, surroundings)
            await turns.spend(work_of(item))
        if item.error is None:
            touched |= dict.fromkeys((item.ref, *_taken_along(item, before)))
    return Proposal(
        before=before,
        after=after,
        touched=tuple(touched),
        requester=requester,
        may_lock_out=request.may_lock_out,
        now=surroundings.now,
    )


def work_of(item: Item) -> int:
    """As `Turns` counts: what an object costs by itself, and its values with the members of sets one by one."""
    sizes = (len(value) if isinstance(value, list | Mapping) else 1 for value in item.wire.values())
    return _OBJECT + sum(sizes)


def _apply(item: Item, configuration: Configuration, surroundings: Surroundings) -> Configuration:
    now, files = surroundings.now, surroundings.files
    object_type: ObjectType[Any] = OBJECT_TYPES[item.ref.object_type]
    current = configuration.find(item.ref)
    if item.operation is Operation.CREATE:
        item.candidate = candidate_of_create(object_type, item.resolved, now, files)
    elif current is None or not _is_own(item, object_type, current):
        item.error = NOT_FOUND
        return configuration
    elif item.operation is Operation.DESTROY:
        for ref in (item.ref, *_taken_along(item, configuration)):
            configuration = configuration.replace(ref, None)
        return configuration
    else:
        try:
            item.candidate = candidate_of_update(object_type, item.ref.id, current, item.resolved, now, files)
        except InvalidPatchError as error:
            item.error = SetError("invalidPatch", str(error))
            return configuration
    item.problems = item.candidate.problems
    return configuration.replace(item.ref, item.candidate.object)


def _is_own(item: Item, object_type: ObjectType[Any], current: Any) -> bool:
    return item.owner_id is None or object_type.owner(item.ref.id, current) == item.owner_id


def _taken_along(item: Item, configuration: Configuration) -> list[ObjectRef]:
    """What goes when the object goes: whatever belongs to an account."""
    is_removal = item.operation is Operation.DESTROY and item.ref.object_type == ACCOUNT.name
    return configuration.belongings(item.ref.id) if is_removal else []


def plan_of(configuration: Configuration, revision: int, surroundings: Surroundings) -> Plan:
    """The plan that a configuration makes. Certificates in files that were not read are served as they are now."""
    running = surroundings.running_plan.certificates
    pairs = pairs_in_use(configuration.certificates, surroundings.files, running, surroundings.now)
    return derive(configuration, revision, pairs)


def answer_of_create(item: Item, stored: Any, *, is_dry_run: bool) -> dict[str, object]:
    """What the server filled in: the id, and every property that is not as it was sent."""
    wire = OBJECT_TYPES[item.ref.object_type].to_wire(stored)
    filled_in = {name: value for name, value in wire.items() if name not in item.wire or item.wire[name] != value}
    issued = {name: secret.reveal() for name, secret in item.issued.items()}
    return filled_in if is_dry_run else {"id": item.ref.id, **filled_in, **issued}


def answer_of_update(item: Item, before: Any, stored: Any) -> dict[str, object] | None:
    """The properties that are now something else than what the client wrote or knew before; None where there are none,
    and for an object that the same request created: the answer of the create has them all."""
    if before is None:
        return None
    object_type = OBJECT_TYPES[item.ref.object_type]
    expected = object_type.to_wire(before)
    for key, value in item.wire.items():
        _expect(expected, key, value)
    changed = {
        name: value
        for name, value in object_type.to_wire(stored).items()
        if name not in expected or expected[name] != value
    }
    return changed or None


def _expect(expected: dict[str, object], key: str, value: object) -> None:
    """What a client that takes its patch by the letter thinks the object is now."""
    name, slash, pointer = key.partition("/")
    members = expected.get(name)
    if not slash:
        expected[name] = value
    elif isinstance(members, Mapping):
        member = pointer.replace("~1", "/").replace("~0", "~")
        rest = {each: True for each in members if each != member}
        expected[name] = rest if value is None else {**rest, member: True}
