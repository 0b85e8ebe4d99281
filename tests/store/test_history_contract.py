"""What every HistoryStore guarantees."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gatepost.registry.change import ChangeCause
from gatepost.store.history import (
    EVERYTHING,
    Author,
    ChangeRecord,
    Combination,
    Condition,
    HistoryEntry,
    HistoryField,
    HistoryFilter,
    Order,
    Relation,
    Retention,
    Span,
)
from gatepost.store.interface import ConfigurationStore, Moved, ObjectWrite, Taken
from gatepost.store.migrate import migrate
from gatepost.store.sql.dialect import DATABASE_FILE
from gatepost.store.sql_store import SqlStore
from gatepost.values.ids import Id

NOON = datetime(2030, 6, 1, 12, 0, 0, 250_000, tzinfo=UTC)
OLGA = Author(
    at=NOON,
    cause=ChangeCause.API,
    account_id=Id("i1"),
    account="Olga@example.org",
    api_key="deploy",
    listener_id=Id("i2"),
    listener="https",
    source_address="2001:db8::1",
)
START = Author(at=NOON, cause=ChangeCause.FIRST_START)


def change(name: str, *, author: Author = OLGA, number: int = 1, key: str | None = None) -> ObjectWrite:
    """An object of type Domain that says `number`, with its record."""
    record = ChangeRecord(author=author, object_name=name, before={"number": number - 1}, after={"number": number})
    return ObjectWrite("Domain", Id(name), {"number": number}, key, record)


async def newest(configuration: ConfigurationStore) -> HistoryEntry:
    ids = await configuration.history.find()
    (entry,) = await configuration.history.entries(ids[:1])
    return entry


async def test_an_empty_history_spans_nothing(configuration: ConfigurationStore) -> None:
    assert await configuration.history.span() == Span(0, 0)
    assert list(await configuration.history.find()) == []
    assert list(await configuration.history.entries(["h1", "x", "", "h-1", "h01", "h" + "9" * 40])) == []


async def test_a_record_is_read_back_as_it_was_written(configuration: ConfigurationStore) -> None:
    record = ChangeRecord(
        author=OLGA,
        object_name="é",
        before={"set": {"a": True}, "number": None, "text": 'quote " ß'},
        after={"set": {}, "number": 2**53 - 1, "text": ""},
        redacted=("password", "privateKey"),
        revert_of=Id("h7"),
    )
    revision = await configuration.commit([ObjectWrite("Account", Id("a"), {"x": 1}, None, record)])
    entry = await newest(configuration)
    assert (entry.revision, entry.object_type, entry.object_id) == (revision, "Account", "a")
    assert entry.record == record


async def test_unset_fields_stay_unset(configuration: ConfigurationStore) -> None:
    record = ChangeRecord(author=START, object_name=None, before=None, after={})
    await configuration.commit([ObjectWrite("Account", Id("a"), {"x": 1}, None, record)])
    assert (await newest(configuration)).record == record


@pytest.mark.parametrize(
    ("before", "after", "kind"), [(None, {}, "created"), ({}, {}, "updated"), ({"a": 1}, None, "destroyed")]
)
async def test_the_kind_of_a_change_is_what_can_be_searched_for(
    configuration: ConfigurationStore, before: dict[str, object] | None, after: dict[str, object] | None, kind: str
) -> None:
    record = ChangeRecord(author=START, object_name=None, before=before, after=after)
    await configuration.commit([ObjectWrite("Account", Id("a"), {"x": 1}, None, record)])
    assert record.kind == kind
    assert len(await configuration.history.find(Condition(HistoryField.KIND, Relation.IS, kind))) == 1


async def test_every_object_of_a_commit_has_a_row_of_its_own_with_the_same_revision(
    configuration: ConfigurationStore,
) -> None:
    await configuration.commit([change("a"), change("b")])
    await configuration.commit([change("c")])
    entries = await configuration.history.entries(await configuration.history.find())
    assert [(entry.object_id, entry.revision) for entry in entries] == [("a", 1), ("b", 1), ("c", 2)]
    assert await configuration.history.span() == Span(1, 3)


async def test_a_write_that_changes_nothing_leaves_no_row(configuration: ConfigurationStore) -> None:
    await configuration.commit([change("a")])
    await configuration.commit([change("a"), ObjectWrite("Domain", Id("gone"), None, None, change("gone").record)])
    assert len(await configuration.history.find()) == 1


async def test_what_has_no_record_leaves_no_row(configuration: ConfigurationStore) -> None:
    await configuration.commit([replace(change("a"), record=None)])
    assert await configuration.history.span() == Span(0, 0)


async def test_a_commit_that_fails_leaves_no_row(configuration: ConfigurationStore) -> None:
    await configuration.commit([change("a", key="name")])
    with pytest.raises(Taken):
        await configuration.commit([change("b", number=2), change("c", key="name")])
    with pytest.raises(Moved):
        await configuration.commit([change("d")], if_revision=17)
    assert len(await configuration.history.find()) == 1


async def fill(configuration: ConfigurationStore) -> None:
    """h1 by olga at noon, h2 by nobody an hour later, h3 by Omar two hours later."""
    omar = replace(OLGA, account_id=Id("i9"), account="omar", at=NOON + timedelta(hours=2), source_address="192.0.2.1")
    await configuration.commit([change("Edge")])
    await configuration.commit([change("mx_1", author=replace(START, at=NOON + timedelta(hours=1)), number=20)])
    await configuration.commit([change("mx%", author=omar, number=300)])


def contains(name: HistoryField, text: str) -> Condition:
    return Condition(name, Relation.CONTAINS, text)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (EVERYTHING, ["h3", "h2", "h1"]),
        (Combination("OR", ()), []),
        (Combination("NOT", ()), ["h3", "h2", "h1"]),
        (contains(HistoryField.ACCOUNT, "oLGA"), ["h1"]),
        (Combination("NOT", (contains(HistoryField.ACCOUNT, "olga"),)), ["h3", "h2"]),
        (contains(HistoryField.OBJECT_NAME, "mx"), ["h3", "h2"]),
        (contains(HistoryField.OBJECT_NAME, "%"), ["h3"]),
        (contains(HistoryField.OBJECT_NAME, "x_"), ["h2"]),
        (contains(HistoryField.TEXT, '"number":20'), ["h2"]),
        (contains(HistoryField.TEXT, "OLGA@example"), ["h1"]),
        (contains(HistoryField.TEXT, "2001:db8"), ["h1"]),
        (contains(HistoryField.TEXT, "edge"), ["h1"]),
        (Condition(HistoryField.ACCOUNT, Relation.IS, None), ["h2"]),
        (Condition(HistoryField.OBJECT_ID, Relation.IS, "Edge"), ["h1"]),
        (Condition(HistoryField.OBJECT_ID, Relation.IS, "edge"), []),
        (Condition(HistoryField.REVISION, Relation.IS, 2), ["h2"]),
        (Condition(HistoryField.CAUSE, Relation.IS, "firstStart"), ["h2"]),
        (Condition(HistoryField.AT, Relation.AT_LEAST, NOON + timedelta(hours=1)), ["h3", "h2"]),
        (Condition(HistoryField.AT, Relation.BELOW, NOON + timedelta(hours=1)), ["h1"]),
        (
            Combination("OR", (contains(HistoryField.ACCOUNT, "omar"), contains(HistoryField.OBJECT_NAME, "edge"))),
            ["h3", "h1"],
        ),
        (
            Combination("AND", (contains(HistoryField.OBJECT_NAME, "mx"), contains(HistoryField.ACCOUNT, "omar"))),
            ["h3"],
        ),
    ],
)
async def test_rows_are_found(configuration: ConfigurationStore, wanted: HistoryFilter, expected: list[str]) -> None:
    await fill(configuration)
    assert list(await configuration.history.find(wanted)) == expected


@pytest.mark.parametrize(
    ("collation", "expected"),
    [
        ("i;unicode-casemap", ["h1", "h3", "h2"]),
        ("i;ascii-casemap", ["h2", "h3", "h1"]),
        ("i;octet", ["h2", "h3", "h1"]),
    ],
)
async def test_rows_are_sorted_in_the_collation_that_is_asked_for_rfc4790(
    configuration: ConfigurationStore, collation: str, expected: list[str]
) -> None:
    for name in ("éb", "z", "Éc"):
        await configuration.commit([change(name)])
    orders = [Order(HistoryField.OBJECT_NAME, is_ascending=True, collation=collation)]
    assert list(await configuration.history.find(orders=orders)) == expected


async def test_what_has_come_since_a_span_was_asked_for_can_be_left_out(configuration: ConfigurationStore) -> None:
    await configuration.commit([change("a")])
    span = await configuration.history.span()
    await configuration.commit([change("b")])
    assert list(await configuration.history.find(span=span)) == ["h1"]


async def test_as_many_and_as_long_conditions_as_the_api_lets_through_are_no_trouble(
    configuration: ConfigurationStore,
) -> None:
    await fill(configuration)
    parts = [contains(HistoryField.TEXT, f"{number}{'x%' * 498}") for number in range(256)]
    assert list(await configuration.history.find(Combination("OR", parts))) == []
    assert list(await configuration.history.find(Combination("NOT", parts))) == ["h3", "h2", "h1"]


@pytest.mark.parametrize(
    ("orders", "expected"),
    [
        ([Order(HistoryField.AT, is_ascending=True)], ["h1", "h2", "h3"]),
        ([Order(HistoryField.OBJECT_NAME, is_ascending=True)], ["h1", "h3", "h2"]),
        ([Order(HistoryField.OBJECT_NAME, is_ascending=False, collation="i;octet")], ["h2", "h3", "h1"]),
        ([Order(HistoryField.KIND, is_ascending=True)], ["h3", "h2", "h1"]),
        ([Order(HistoryField.KIND, is_ascending=True), Order(HistoryField.AT, is_ascending=True)], ["h1", "h2", "h3"]),
    ],
)
async def test_rows_are_sorted(configuration: ConfigurationStore, orders: list[Order], expected: list[str]) -> None:
    await fill(configuration)
    assert list(await configuration.history.find(orders=orders)) == expected


async def test_nothing_is_removed_without_retention(configuration: ConfigurationStore) -> None:
    await fill(configuration)
    await configuration.commit([change("later", author=replace(OLGA, at=NOON + timedelta(days=9999)))])
    assert await configuration.history.span() == Span(1, 4)


@pytest.mark.parametrize(
    ("retention", "oldest"),
    [
        (Retention(None, 100), 1),
        (Retention(None, 4), 1),
        (Retention(None, 3), 2),
        (Retention(None, 1), 4),
        (Retention(NOON, 100), 1),
        (Retention(NOON + timedelta(microseconds=1), 100), 2),
        (Retention(NOON + timedelta(minutes=90), 100), 3),
        (Retention(NOON + timedelta(minutes=90), 1), 4),
    ],
)
async def test_a_commit_removes_what_is_too_old_or_too_much(
    configuration: ConfigurationStore, retention: Retention, oldest: int
) -> None:
    await fill(configuration)
    last = change("last", author=replace(OLGA, at=NOON + timedelta(hours=3)))
    await configuration.commit([last], retention=retention)
    assert await configuration.history.span() == Span(oldest, 4)
    assert len(await configuration.history.find()) == 5 - oldest


async def test_where_much_is_to_go_some_goes_with_each_commit(configuration: ConfigurationStore) -> None:
    await configuration.commit([change(f"n{number}") for number in range(2500)])
    await configuration.commit([change("a")], retention=Retention(None, 1))
    assert await configuration.history.span() == Span(2001, 2501)
    await configuration.commit([change("b")], retention=Retention(None, 1))
    assert await configuration.history.span() == Span(2502, 2502)


async def test_a_number_is_not_used_again_when_its_row_is_gone(
    configuration: ConfigurationStore, store: SqlStore
) -> None:
    await configuration.commit([change("a")])
    await configuration.commit([change("b")], retention=Retention(NOON + timedelta(days=1), 1))
    assert (await configuration.history.span()).newest == 2
    await configuration.commit([change("c")], retention=Retention(None, 1))
    assert await configuration.history.span() == Span(3, 3)


async def test_changes_can_be_calculated_whatever_history_is_gone(configuration: ConfigurationStore) -> None:
    await configuration.commit([change("a")])
    await configuration.commit([change("b")], retention=Retention(None, 1))
    changes = await configuration.changes("Domain", "0")
    assert changes is not None
    assert list(changes.created) == ["a", "b"]


async def test_a_store_of_the_first_schema_is_upgraded_and_keeps_its_objects(data_directory: Path) -> None:
    database = sqlite3.connect(data_directory / DATABASE_FILE)
    database.execute("DROP TABLE configuration_history")
    database.execute("UPDATE alembic_version SET version_num = '0001'")
    database.execute("INSERT INTO configuration_object (type, id, value) VALUES ('Domain', 'old', '{}')")
    database.execute("INSERT INTO configuration_change VALUES (1, 1, 'Domain', 'old', 'created')")
    database.commit()
    database.close()
    migrate(data_directory)
    store = SqlStore.open(data_directory)
    try:
        assert [each.id for each in await store.configuration.read_objects("Domain")] == ["old"]
        await store.configuration.commit([change("new")])
        assert await store.configuration.history.span() == Span(1, 1)
    finally:
        await store.close()
