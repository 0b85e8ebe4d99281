"""RFC 8620 sections 5.5 and 5.6: who follows a query by what queryChanges says has the result that a new query gives; for
objects of every type, filters and sorts by whatever property, and whatever happens to the objects."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from functools import cache, partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.management.conftest import NOW, MemoryConfigurationStore, self_signed
from tests.management.memory_history import MemoryHistory

from gatepost.management.access import Caller
from gatepost.management.jmap.capabilities import OFFERED
from gatepost.management.jmap.engine import MethodContext
from gatepost.management.jmap.failure import MethodError
from gatepost.management.jmap.limits import Limits
from gatepost.management.methods.history import HistoryMethods
from gatepost.management.methods.query import query, query_changes
from gatepost.management.methods.reading import TypeReader
from gatepost.registry.account import Role
from gatepost.registry.catalogue import OBJECT_TYPES
from gatepost.registry.certificate import CERTIFICATE
from gatepost.registry.change import ChangeCause
from gatepost.registry.declaration import SINGLETON_ID, ObjectType, Update
from gatepost.registry.kinds import SetOf
from gatepost.registry.problem import UnfitValueError
from gatepost.store.history import Author, ChangeRecord, Retention
from gatepost.store.interface import ObjectWrite
from gatepost.values.ids import Id

CONTEXT = MethodContext(Caller(Id("me"), "me", Role.ADMIN), frozenset(OFFERED), {}, Limits())
IDS = ("a", "b", "c", "d", "e")
POOL: list[object] = [
    "a", "B", "a.example", "b.example", "Äpfel", "10.0.0.0/8", "192.0.2.1", "127.0.0.1:25", "[::]:26", True, False, 1, 2, 70,
    5000, 60_000, "2030-01-31T12:00:00Z", "2031-01-31T12:00:00Z", "/a", "/b", "a@example.org", "https://a.example",
    "smtp", "imap", "user", "admin", "tls12", "tls13", "sysDomainGet", "sysDomainQuery",
]  # fmt: skip
Call = Callable[..., Coroutine[Any, Any, dict[str, Any]]]
Operation = tuple[str, dict[str, object] | None]


@cache
def fit(type_name: str, name: str) -> list[object]:
    """Values of the pool that the property takes, in wire form."""
    declared = OBJECT_TYPES[type_name].properties[name]
    if isinstance(declared.kind, SetOf):
        members = fit_for(declared.kind.member.parse)
        sets = [list(each) for count in (0, 1, 2) for each in itertools.combinations(members[:3], count)]
        return [{str(member): True for member in each} for each in sets if fits(declared.kind.parse, each)]
    return [*([None] if declared.is_nullable else []), *fit_for(declared.kind.parse)]


def fit_for(parse: Callable[[object], object]) -> list[object]:
    return [each for each in POOL if fits(parse, each)]


def fits(parse: Callable[[object], object], wire: object) -> bool:
    try:
        parse(wire)
    except UnfitValueError:
        return False
    return True


def base_of(object_type: ObjectType[Any]) -> dict[str, object]:
    if object_type is CERTIFICATE:
        return CERTIFICATE.to_stored(self_signed())
    required = {
        name: fit(object_type.name, name)[-1]
        for name, each in object_type.properties.items()
        if not each.has_default or each.is_secret
    }
    return object_type.to_stored(object_type.from_stored(required))


def operations(object_type: ObjectType[Any]) -> st.SearchStrategy[list[Operation]]:
    """What is written: an object (made or changed), or None for one that goes. What never changes is of the id."""
    values = st.fixed_dictionaries({name: st.sampled_from(some) for name, some in seen(object_type).items()})
    if object_type.is_singleton:
        return st.lists(st.tuples(st.just(SINGLETON_ID), values), max_size=2)
    return st.lists(st.tuples(st.sampled_from(IDS), st.none() | values | values), max_size=6)


def seen(object_type: ObjectType[Any]) -> dict[str, list[object]]:
    """The values of each property that can have several, and that clients see."""
    named = {name: fit(object_type.name, name) for name, each in object_type.properties.items() if not each.is_secret}
    return {name: some for name, some in named.items() if len(some) > 1}


def conditions(object_type: ObjectType[Any]) -> st.SearchStrategy[Any]:
    fitting = [
        st.builds(lambda value, name=name: {name: value}, st.sampled_from([*some, None]))
        for name, some in seen(object_type).items()
    ]
    any_other = st.dictionaries(st.sampled_from(["text", "name"]), st.sampled_from(POOL), max_size=1)
    condition = st.one_of(any_other, *fitting)
    operator = st.sampled_from(["AND", "OR", "NOT"])
    combined = st.fixed_dictionaries({"operator": operator, "conditions": st.lists(condition, max_size=2)})
    return st.none() | condition | combined


def sorts(object_type: ObjectType[Any]) -> st.SearchStrategy[Any]:
    names = list(seen(object_type))
    comparator = st.fixed_dictionaries({"property": st.sampled_from(names), "isAscending": st.booleans()})
    return st.none() | st.lists(comparator, max_size=2)


def write(store: MemoryConfigurationStore, object_type: ObjectType[Any], operation: Operation) -> None:
    object_id, wire = operation
    row = (object_type.name, Id(object_id))
    if wire is None and row not in store.rows:
        return
    stored = None if wire is None else {**base_of(object_type), **settled(object_type, object_id, wire)}
    store._write(store.rows, store.log, ObjectWrite(*row, stored))
    store.revisions += 1


def settled(object_type: ObjectType[Any], object_id: str, wire: dict[str, object]) -> dict[str, object]:
    """The same, with what never changes as it always is of this object."""
    kept = {
        name: some[ord(object_id[0]) % len(some)]
        for name, some in seen(object_type).items()
        if object_type.properties[name].declaration.update is Update.IMMUTABLE
    }
    return {**wire, **kept}


class Follower:
    """A client that has read some of the result, and keeps it as section 5.6 says."""

    def __init__(self, query: Call, query_changes: Call, arguments: dict[str, Any], known: int | None) -> None:
        self._query = query
        self._query_changes = query_changes
        self._arguments = {"accountId": "me", **arguments}
        self._known = known
        self.result: list[str | None] = []
        self.state = ""

    async def call(self, method: Call, **more: Any) -> dict[str, Any]:
        return await method({**self._arguments, **more}, CONTEXT)

    async def begin(self) -> None:
        answer = await self.call(self._query, calculateTotal=True, limit=self._known)
        self.result = [*answer["ids"], *[None] * (answer["total"] - len(answer["ids"]))]
        self.state = answer["queryState"]

    async def follow(self) -> None:
        asked = {"sinceQueryState": self.state, "calculateTotal": True}
        known = [each for each in self.result if each is not None]
        if self._known is not None and known:
            asked["upToId"] = known[-1]
        answer = await self.call(self._query_changes, **asked)
        await self._check_max_changes(answer, asked)
        self.result = [each for each in self.result if each not in answer["removed"]]
        assert [each["index"] for each in answer["added"]] == sorted(each["index"] for each in answer["added"])
        for added in answer["added"]:
            self.result[added["index"] : added["index"]] = [added["id"]]
        total = answer["total"]
        assert self._known is not None or len(self.result) == total
        self.result = [*self.result[:total], *[None] * (total - len(self.result))]
        self.state = answer["newQueryState"]

    async def _check_max_changes(self, answer: dict[str, Any], asked: dict[str, Any]) -> None:
        count = len(answer["removed"]) + len(answer["added"])
        assert await self.call(self._query_changes, **asked, maxChanges=count) == answer
        if count:
            with pytest.raises(MethodError, match="more than"):
                await self.call(self._query_changes, **asked, maxChanges=count - 1)

    async def check(self) -> None:
        answer = await self.call(self._query)
        assert len(self.result) == len(answer["ids"])
        assert all(known in (None, right) for known, right in zip(self.result, answer["ids"], strict=True))
        assert self._known is not None or self.result == answer["ids"]
        assert self.state == answer["queryState"]
        assert answer["canCalculateChanges"]


async def follow_a_query(
    object_type: ObjectType[Any], arguments: dict[str, Any], known: int | None, batches: list[list[Operation]]
) -> None:
    store = MemoryConfigurationStore()
    reader = TypeReader(object_type, store)
    client = Follower(partial(query, reader), partial(query_changes, reader), arguments, known)
    for number, batch in enumerate(batches):
        for operation in batch:
            write(store, object_type, operation)
        if number == 0:
            try:
                await client.begin()
            except MethodError as error:
                assert error.kind in {"invalidArguments", "unsupportedFilter", "unsupportedSort"}
                return
        else:
            await client.follow()
        await client.check()


@pytest.mark.parametrize("type_name", OBJECT_TYPES)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_who_follows_a_query_always_has_its_result(type_name: str, data: st.DataObject) -> None:
    object_type = OBJECT_TYPES[type_name]
    arguments = {"filter": data.draw(conditions(object_type)), "sort": data.draw(sorts(object_type))}
    known = data.draw(st.none() | st.integers(1, 3))
    batches = data.draw(st.lists(operations(object_type), min_size=2, max_size=4))
    asyncio.run(follow_a_query(object_type, arguments, known, batches))


NAMES = st.sampled_from(["a", "B", "ä", None])
HISTORY_CONDITIONS = st.one_of(
    st.builds(lambda value: {"objectName": value}, NAMES),
    st.builds(lambda value: {"account": value}, NAMES),
    st.builds(lambda value: {"kind": value}, st.sampled_from(["created", "updated"])),
)
HISTORY_FILTERS = st.one_of(
    st.none(),
    HISTORY_CONDITIONS,
    st.fixed_dictionaries(
        {"operator": st.sampled_from(["AND", "OR", "NOT"]), "conditions": st.lists(HISTORY_CONDITIONS, max_size=2)}
    ),
)
HISTORY_SORTS = st.lists(
    st.fixed_dictionaries(
        {"property": st.sampled_from(["at", "objectName", "account", "kind", "objectId"]), "isAscending": st.booleans()}
    ),
    max_size=2,
)
ROWS = st.lists(st.tuples(st.sampled_from(IDS), NAMES, NAMES, st.booleans()), max_size=4)


@given(HISTORY_FILTERS, HISTORY_SORTS, st.none() | st.integers(1, 3), st.lists(st.tuples(ROWS, st.integers(1, 6))))
@settings(max_examples=100, deadline=None)
def test_who_follows_a_query_of_the_history_always_has_its_result_whatever_is_forgotten(
    filter_: Any, sort: Any, known: int | None, batches: list[tuple[list[tuple[str, Any, Any, bool]], int]]
) -> None:
    async def follow() -> None:
        history = MemoryHistory()
        methods = HistoryMethods(history)
        client = Follower(methods.query, methods.query_changes, {"filter": filter_, "sort": sort}, known)
        await client.begin()
        for revision, (rows, kept) in enumerate(batches):
            writes = [
                ObjectWrite("Domain", Id(object_id), {}, None, record_of(name, account, is_new))
                for object_id, name, account, is_new in rows
            ]
            history.record(revision, writes, Retention(None, kept))
            await client.follow()
            await client.check()

    asyncio.run(follow())


def record_of(name: str | None, account: str | None, is_new: bool) -> ChangeRecord:
    author = Author(at=NOW, cause=ChangeCause.API, account=account)
    return ChangeRecord(author=author, object_name=name, before=None if is_new else {}, after={})
