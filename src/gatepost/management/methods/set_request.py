"""The arguments of a Foo/set (RFC 8620 section 5.3), read into operations, with what can be refused at first sight."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from gatepost.management.jmap.arguments import Arguments
from gatepost.management.jmap.capabilities import GATEPOST
from gatepost.management.jmap.engine import MethodContext
from gatepost.management.jmap.failure import MethodError
from gatepost.management.methods.reading import TypeReader
from gatepost.management.methods.set_error import NOT_FOUND, NOT_OWN, SINGLETON, WILL_DESTROY, SetError
from gatepost.registry.configuration import ObjectRef
from gatepost.registry.declaration import SINGLETON_ID, ObjectType
from gatepost.registry.kinds import ObjectId, SetOf
from gatepost.registry.permissions import Scope, Verb
from gatepost.registry.problem import Problem
from gatepost.registry.validation import Candidate
from gatepost.values.ids import Id, is_id
from gatepost.values.secret import Secret


@dataclass(frozen=True, slots=True)
class Wanted:
    """The arguments that every /set has."""

    if_in_state: str | None
    creates: Mapping[str, Mapping[str, Any]]
    updates: Mapping[str, Mapping[str, Any]]
    destroys: Sequence[str]

    def check_size(self, context: MethodContext) -> None:
        """Raises MethodError requestTooLarge."""
        most = context.limits.max_objects_in_set
        if len(self.creates) + len(self.updates) + len(self.destroys) > most:
            raise MethodError("requestTooLarge", f"at most {most} objects can be set in one call")


def read_wanted(arguments: Arguments) -> Wanted:
    """Raises MethodError invalidArguments."""
    return Wanted(
        if_in_state=arguments.optional_text("ifInState"),
        creates=arguments.creations("create"),
        updates=arguments.objects("update"),
        destroys=arguments.optional_texts("destroy") or [],
    )


class Operation(Enum):
    """What is done to one object; they run in this order."""

    CREATE = "create"
    UPDATE = "update"
    DESTROY = "destroy"


@dataclass(slots=True)
class Item:
    """One operation. `key` is how the answer calls it: the creation id, or the id. `wire` is what was sent, `resolved` the
    same with the ids that creation ids stand for."""

    operation: Operation
    key: str
    ref: ObjectRef
    wire: Mapping[str, object]
    resolved: Mapping[str, object]
    error: SetError | None = None
    owner_id: Id | None = None  # only an object of this account may be updated or destroyed
    candidate: Candidate[Any] | None = None
    problems: tuple[Problem, ...] = ()
    issued: Mapping[str, Secret] = field(default_factory=dict)  # what the server made, and shows once


@dataclass(frozen=True, slots=True)
class SetRequest:
    """A /set as it was asked for. `revert_of`: the change that it undoes."""

    if_in_state: str | None
    items: tuple[Item, ...]
    is_dry_run: bool
    may_lock_out: bool
    revert_of: Id | None = None


_VERBS = {Operation.CREATE: Verb.CREATE, Operation.UPDATE: Verb.UPDATE, Operation.DESTROY: Verb.DESTROY}


def read_set(
    reader: TypeReader, values: Mapping[str, Any], context: MethodContext, make_id: Callable[[], Id]
) -> SetRequest:
    """Raises MethodError: forbidden, invalidArguments, accountNotFound, requestTooLarge. Nothing has been read then."""
    scopes = {
        operation: reader.allow(context.caller, _VERBS[operation])
        for operation in Operation
        if values.get(operation.value)
    }
    if not scopes:
        reader.allow(context.caller, Verb.GET)  # an empty /set still tells the state
    arguments = Arguments(values)
    arguments.account(context.caller.account_id)
    wanted = read_wanted(arguments)
    is_ours = GATEPOST in context.using
    is_dry_run = is_ours and arguments.boolean("dryRun")
    may_lock_out = is_ours and arguments.boolean("allowLockOut")
    arguments.finish()
    wanted.check_size(context)
    items = _items(reader.object_type, wanted, context, make_id)
    destroyed = {item.ref for item in items if item.operation is Operation.DESTROY}
    for item in items:
        if item.error is None:
            item.error = _refusal_at_sight(item, destroyed, reader.object_type, scopes[item.operation], context)
        if scopes[item.operation] is Scope.OWN:
            item.owner_id = context.caller.account_id
    return SetRequest(wanted.if_in_state, tuple(items), is_dry_run, may_lock_out)


def _items(
    object_type: ObjectType[Any], wanted: Wanted, context: MethodContext, make_id: Callable[[], Id]
) -> list[Item]:
    own_ids = {key: make_id() for key in wanted.creates}
    known_ids = {**context.created_ids, **own_ids}

    def item(operation: Operation, key: str, object_id: Id | None, wire: Mapping[str, object]) -> Item:
        resolved = _with_created_ids(object_type, wire, context.created_ids)
        if operation is Operation.CREATE:
            resolved = _with_owner(object_type, resolved, context.caller.account_id)
        if object_id is None:
            return Item(operation, key, ObjectRef(object_type.name, Id("")), wire, resolved, error=NOT_FOUND)
        answered_as = key if operation is Operation.CREATE else object_id
        return Item(operation, answered_as, ObjectRef(object_type.name, object_id), wire, resolved)

    def existing_id(key: str) -> Id | None:
        if key.startswith("#"):
            return known_ids.get(key[1:])
        return Id(key) if is_id(key) else None

    return [
        *(item(Operation.CREATE, key, own_ids[key], wire) for key, wire in wanted.creates.items()),
        *(item(Operation.UPDATE, key, existing_id(key), wire) for key, wire in wanted.updates.items()),
        *(item(Operation.DESTROY, key, existing_id(key), {}) for key in wanted.destroys),
    ]


def _with_created_ids(
    object_type: ObjectType[Any], wire: Mapping[str, object], known_ids: Mapping[str, Id]
) -> dict[str, object]:
    """The properties with `#creationId` replaced where an id is expected (RFC 8620 section 5.3), in sets and in the pointers of
    a patch too. Objects link to other types only, so it is always one of an earlier call, whatever this call names its own
    objects."""

    def real(text: object) -> object:
        return known_ids.get(text[1:], text) if isinstance(text, str) and text.startswith("#") else text

    resolved: dict[str, object] = {}
    for key, value in wire.items():
        name, slash, member = key.partition("/")
        declared = object_type.properties.get(name)
        match declared and declared.kind, value:
            case ObjectId(), _:
                resolved[key] = real(value)
            case SetOf(member=ObjectId()), _ if slash:
                resolved[f"{name}/{real(member)}"] = value
            case SetOf(member=ObjectId()), dict():
                resolved[key] = {real(each): is_member for each, is_member in value.items()}
            case SetOf(member=ObjectId()), list():
                resolved[key] = [real(each) for each in value]
            case _:
                resolved[key] = value
    return resolved


def _with_owner(object_type: ObjectType[Any], wire: dict[str, object], caller_id: Id) -> dict[str, object]:
    """What belongs to an account belongs to who creates it, unless it is said to be somebody else's."""
    name = object_type.owner_property
    if name in (None, "id") or wire.get(name) is not None:
        return wire
    return {**wire, name: caller_id}


def _refusal_at_sight(
    item: Item, destroyed: Collection[ObjectRef], object_type: ObjectType[Any], allowed: Scope, context: MethodContext
) -> SetError | None:
    if object_type.is_singleton:
        if item.operation is Operation.CREATE:
            return SINGLETON
        if item.ref.id != SINGLETON_ID:
            return NOT_FOUND
        return SINGLETON if item.operation is Operation.DESTROY else None
    if allowed is Scope.OWN and (refusal := _refusal_of_owner(item, object_type, context)) is not None:
        return refusal
    if item.operation is Operation.UPDATE and item.ref in destroyed:
        return WILL_DESTROY
    return None


def _refusal_of_owner(item: Item, object_type: ObjectType[Any], context: MethodContext) -> SetError | None:
    if object_type.owner_property != "id":
        is_foreign = item.operation is Operation.CREATE and (
            item.resolved[str(object_type.owner_property)] != context.caller.account_id
        )
        return NOT_OWN if is_foreign else None
    if item.ref.id != context.caller.account_id:
        return NOT_OWN
    allowed = {name for name, each in object_type.properties.items() if each.declaration.may_owner_change}
    foreign = [key for key in item.wire if key not in allowed]
    if not foreign:
        return None
    words = f"of the own account only {', '.join(sorted(allowed))} may be changed"
    return SetError("forbidden", words, {"properties": foreign})
