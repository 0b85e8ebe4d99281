"""Foo/query and Foo/queryChanges (RFC 8620 sections 5.5 and 5.6) for every object type.

The state of a query is the state of its type: any change of an object may change the result.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gatepost.management.jmap.arguments import Arguments
from gatepost.management.jmap.engine import MethodContext
from gatepost.management.jmap.failure import MethodError
from gatepost.management.methods.address_filter import network_test, socket_address_test
from gatepost.management.methods.comparison_filter import comparison_tests
from gatepost.management.methods.filter import (
    NO_VALUE_TESTS,
    Predicate,
    ValueTests,
    compile_filter,
    conditions_of,
    properties_in,
)
from gatepost.management.methods.reading import TypeReader, WireObjects
from gatepost.management.methods.sort import Comparator, parse_sort, sorted_ids
from gatepost.management.methods.turns import Turns
from gatepost.registry.declaration import ObjectType, Update
from gatepost.registry.given_out import GivenOut
from gatepost.registry.kinds import Choice, Kind, ObjectId, ParsedText, SetOf
from gatepost.registry.permissions import Scope, Verb
from gatepost.store.interface import ObjectChanges
from gatepost.values.ids import Id

_ADDRESS_TESTS = {"ipNetwork": network_test, "socketAddress": socket_address_test}  # by format


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects, in which order. `conditions`: how many of them `matches` goes through. `is_settled`: no property that it
    looks at ever changes, so that an object that is in the result stays in it, and at its place among the others."""

    matches: Predicate
    conditions: int
    comparators: list[Comparator]
    is_settled: bool = False

    async def ids(self, objects: Mapping[Id, Mapping[str, object]]) -> list[Id]:
        """The ids of the objects (in wire form) that match, in order. Others have their turn while there are many."""
        turns, found = Turns(), dict[Id, Mapping[str, object]]()
        for each, wire in objects.items():
            if self.matches(wire):
                found[each] = wire
            await turns.spend(self.conditions)
        return await sorted_ids(found, self.comparators, turns)


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of the result is asked for."""

    position: int
    anchor: str | None
    anchor_offset: int
    limit: int | None
    has_total: bool


@dataclass(frozen=True, slots=True)
class QueryChangesWanted:
    """Since when changes are asked for, how many at most, whether the length of the result too, and behind which object the
    client knows nothing of the result."""

    since_state: str
    max_changes: int | None
    has_total: bool
    up_to_id: str | None


def read_window(arguments: Arguments) -> Window:
    """The arguments of a query that say which part of the result is wanted."""
    return Window(
        position=arguments.integer("position"),
        anchor=arguments.optional_text("anchor"),
        anchor_offset=arguments.integer("anchorOffset"),
        limit=arguments.optional_integer("limit", minimum=0),
        has_total=arguments.boolean("calculateTotal"),
    )


def read_selection(
    arguments: Arguments,
    object_type: ObjectType[Any],
    *,
    names: Collection[str] = (),
    value_tests: ValueTests = NO_VALUE_TESTS,
) -> Selection:
    """Filter and sort over all properties that can be read, but for maps and objects within. `names`: texts that are
    compared as a whole; `value_tests`: properties that are compared in a way of the type's own."""
    readable = {
        name: each
        for name, each in object_type.properties.items()
        if not (each.is_secret or isinstance(each.kind, GivenOut))
    }
    kinds = {name: _innermost(each.kind) for name, each in readable.items()}
    exact = [name for name, kind in kinds.items() if isinstance(kind, Choice | ObjectId) or name in names]
    addresses = {
        name: _ADDRESS_TESTS[kind.format]
        for name, kind in kinds.items()
        if isinstance(kind, ParsedText) and kind.format in _ADDRESS_TESTS
    }
    tests = {**comparison_tests(kinds), **addresses, **value_tests}
    columns, wire = object_type.list_view.columns, arguments.anything("filter")
    matches = compile_filter(wire, readable, exact, columns, value_tests=tests)
    comparators = parse_sort(arguments.anything("sort"), readable)
    looked_at = properties_in(wire, columns) | {each.property_name for each in comparators}
    immutable = {name for name, each in readable.items() if each.declaration.update is Update.IMMUTABLE}
    return Selection(matches, conditions_of(wire), comparators, is_settled=looked_at <= immutable)


def _innermost(kind: Kind[Any]) -> Kind[Any]:
    return kind.member if isinstance(kind, SetOf) else kind


async def query(reader: TypeReader, values: Mapping[str, Any], context: MethodContext) -> dict[str, Any]:
    """The ids of the objects that match."""
    allowed = reader.allow(context.caller, Verb.QUERY)
    arguments = Arguments(values)
    arguments.account(context.caller.account_id)
    selection, window = read_selection(arguments, reader.object_type), read_window(arguments)
    arguments.finish()
    snapshot = await reader.visible(context.caller, allowed)
    return answer_query(
        context, snapshot.state, await selection.ids(snapshot.objects), window, can_calculate_changes=True
    )


def answer_query(
    context: MethodContext, state: str, ids: Sequence[Id], window: Window, *, can_calculate_changes: bool
) -> dict[str, Any]:
    """The answer, given all matching ids in order. Raises MethodError anchorNotFound."""
    start = _start(ids, window)
    most = context.limits.max_objects_in_get
    limit = most if window.limit is None else min(window.limit, most)
    answer: dict[str, Any] = {
        "accountId": context.caller.account_id,
        "queryState": state,
        "canCalculateChanges": can_calculate_changes,
        "position": start,
        "ids": list(ids[start : start + limit]),
    }
    if window.has_total:
        answer["total"] = len(ids)
    if limit != window.limit:
        answer["limit"] = limit  # RFC 8620 section 5.5: told where the server sets it, or another than was asked for
    return answer


def _start(ids: Sequence[Id], window: Window) -> int:
    if window.anchor is not None:
        if window.anchor not in ids:
            raise MethodError("anchorNotFound", "the anchor is not among the results")
        return max(0, ids.index(Id(window.anchor)) + window.anchor_offset)
    if window.position < 0:
        return max(0, len(ids) + window.position)
    return window.position


async def query_changes(reader: TypeReader, values: Mapping[str, Any], context: MethodContext) -> dict[str, Any]:
    """What has changed in the result of a query since a state. Where it is filtered or sorted by what may change, every object
    that was updated is given as removed, and as added where it matches now."""
    allowed = reader.allow(context.caller, Verb.QUERY)
    arguments = Arguments(values)
    arguments.account(context.caller.account_id)
    selection = read_selection(arguments, reader.object_type)
    wanted = read_query_changes(arguments)
    arguments.finish()
    found, objects = await _changes_and_objects(reader, wanted.since_state, context, allowed)
    visible = await reader.visible_changes(context.caller, allowed, found)
    ids = await selection.ids(objects)
    moved = found.remade if selection.is_settled else found.updated
    changed = {*found.created, *moved}
    removed = [each for each in (*moved, *found.destroyed) if each in visible]
    if not selection.is_settled:
        wanted = replace(wanted, up_to_id=None)  # RFC 8620 section 5.6: it is ignored then
    return answer_query_changes(context, found.new_state, wanted, removed, ids, changed.__contains__)


def read_query_changes(arguments: Arguments) -> QueryChangesWanted:
    """Raises MethodError invalidArguments."""
    return QueryChangesWanted(
        since_state=arguments.text("sinceQueryState"),
        max_changes=arguments.optional_integer("maxChanges", minimum=0),
        has_total=arguments.boolean("calculateTotal"),
        up_to_id=arguments.optional_text("upToId"),
    )


def answer_query_changes(
    context: MethodContext,
    new_state: str,
    wanted: QueryChangesWanted,
    removed: Sequence[Id],
    ids: Sequence[Id],
    is_added: Callable[[Id], bool],
) -> dict[str, Any]:
    """The answer, given what is no longer in the result, or not at its place, and all ids that are in it now, in order.
    Raises MethodError tooManyChanges."""
    last = wanted.up_to_id
    end = ids.index(Id(last)) + 1 if last is not None and last in ids else len(ids)
    added = [{"id": each, "index": index} for index, each in enumerate(ids[:end]) if is_added(each)]
    most = wanted.max_changes
    if most is not None and len(removed) + len(added) > most:
        raise MethodError("tooManyChanges", f"there are more than {most} changes: query again")
    answer: dict[str, Any] = {
        "accountId": context.caller.account_id,
        "oldQueryState": wanted.since_state,
        "newQueryState": new_state,
        "removed": removed,
        "added": added,
    }
    return answer | ({"total": len(ids)} if wanted.has_total else {})


async def _changes_and_objects(
    reader: TypeReader, since_state: str, context: MethodContext, allowed: Scope
) -> tuple[ObjectChanges, WireObjects]:
    """Of one state: else an object that came in between would be at a place where the client does not expect it."""
    while True:
        found = await reader.changes(since_state)
        if found is None or found.has_more:
            raise MethodError("cannotCalculateChanges", "the changes since that state are not known: query again")
        snapshot = await reader.visible(context.caller, allowed)
        if snapshot.state == found.new_state:
            return found, snapshot.objects
