"""The history of the configuration in the SQL store: written by `configuration.py` within its commits, read from here."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import reduce
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Text, and_, bindparam, delete, func, insert, literal, not_, or_, select, true

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
    entry_id,
    entry_number,
)
from gatepost.store.sql.connection import Row, SqlConnection, Statement
from gatepost.store.sql.dialect import Among, Collated
from gatepost.store.sql.keys import json_numbers
from gatepost.store.sql.readers import Readers
from gatepost.store.sql.schema import configuration_history as history
from gatepost.store.sql.times import stored_time, time_of
from gatepost.values.collation import OCTET
from gatepost.values.ids import Id

_FORGOTTEN_AT_ONCE: Final = 2000  # more than a call can make; some 30 ms

_INSERT = Statement(
    insert(history).values({name: bindparam(name) for name in history.c.keys() if name != "number"})  # noqa: SIM118
)
_first_kept = (
    select(history.c.number)
    .where(
        history.c.number > select(func.max(history.c.number) - bindparam("most")).scalar_subquery(),
        history.c.at >= bindparam("since"),
    )
    .order_by(history.c.number)
    .limit(1)
    .scalar_subquery()
)
_oldest = select(func.min(history.c.number)).scalar_subquery()
_FORGET = Statement(
    delete(history).where(history.c.number < _first_kept, history.c.number < _oldest + bindparam("at_once"))
)
_SPAN = Statement(  # each by itself is looked up in the key
    select(select(func.min(history.c.number)).scalar_subquery(), select(func.max(history.c.number)).scalar_subquery())
)
_READ = Statement(select(history).where(Among(history.c.number, "numbers")).order_by(history.c.number))

_SEARCHED = ("type", "id", "name", "account", "api_key", "listener", "source_address", "before", "after")
# One expression, not an OR of many: the depth of what SQLite parses is limited.
_text: ColumnElement[Any] = reduce(
    lambda text, name: text + "\n" + func.coalesce(history.c[name], ""), _SEARCHED, literal("", Text)
)

_COLUMNS: Mapping[HistoryField, ColumnElement[Any]] = {
    HistoryField.AT: history.c.at,
    HistoryField.REVISION: history.c.revision,
    HistoryField.KIND: history.c.kind,
    HistoryField.CAUSE: history.c.cause,
    HistoryField.OBJECT_TYPE: history.c.type,
    HistoryField.OBJECT_ID: history.c.id,
    HistoryField.OBJECT_NAME: history.c.name,
    HistoryField.ACCOUNT_ID: history.c.account_id,
    HistoryField.ACCOUNT: history.c.account,
    HistoryField.API_KEY: history.c.api_key,
    HistoryField.LISTENER_ID: history.c.listener_id,
    HistoryField.LISTENER: history.c.listener,
    HistoryField.SOURCE_ADDRESS: history.c.source_address,
    HistoryField.REVERT_OF: history.c.revert_of,
    HistoryField.TEXT: _text,
}
_NUMBERS = (HistoryField.AT, HistoryField.REVISION)


class SqlHistory:
    """The port HistoryStore."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    async def span(self) -> Span:
        return await self._readers.run(_span)

    async def entries(self, ids: Collection[str]) -> Sequence[HistoryEntry]:
        numbers = [number for each in ids if (number := entry_number(each)) is not None]
        return await self._readers.run(lambda connection: _entries(connection, numbers))

    async def find(
        self, wanted: HistoryFilter = EVERYTHING, orders: Sequence[Order] = (), *, span: Span | None = None
    ) -> Sequence[Id]:
        keys = [_order(each) for each in orders]
        found = select(history.c.number).where(_matches(wanted)).order_by(*keys, history.c.number.desc())
        statement = Statement(found if span is None else found.where(history.c.number <= span.newest))
        return await self._readers.run(lambda connection: _ids(connection, statement))


def record_change(
    connection: SqlConnection, revision: int, object_type: str, object_id: Id, record: ChangeRecord
) -> None:
    """Add a row, in the transaction of the change that it tells of."""
    author = record.author
    connection.run(
        _INSERT,
        revision=revision,
        at=stored_time(author.at),
        type=object_type,
        id=object_id,
        name=record.object_name,
        kind=record.kind,
        cause=author.cause.value,
        account_id=author.account_id,
        account=author.account,
        api_key=author.api_key,
        listener_id=author.listener_id,
        listener=author.listener,
        source_address=author.source_address,
        before=_json(record.before),
        after=_json(record.after),
        redacted=_json(record.redacted) if record.redacted else None,
        revert_of=record.revert_of,
    )


def forget_old(connection: SqlConnection, retention: Retention) -> None:
    """Remove what is too old or too much, the oldest first: never a row between others. Cheap when nothing is."""
    since = 0 if retention.since is None else stored_time(retention.since)
    connection.run(_FORGET, most=retention.most, since=since, at_once=_FORGOTTEN_AT_ONCE)


def _span(connection: SqlConnection) -> Span:
    ((oldest, newest),) = connection.rows(_SPAN)
    return Span(oldest or 0, newest or 0)


def _entries(connection: SqlConnection, numbers: Sequence[int]) -> list[HistoryEntry]:
    return [_entry(row) for row in connection.rows(_READ, numbers=json_numbers(numbers))]


def _ids(connection: SqlConnection, statement: Statement) -> list[Id]:
    return [entry_id(number) for (number,) in connection.rows_once(statement)]


def _entry(row: Row) -> HistoryEntry:
    (number, revision, at, object_type, object_id, name, _, cause, *who, before, after, redacted, revert_of) = row
    account_id, account, api_key, listener_id, listener, source_address = who
    author = Author(
        at=time_of(at),
        cause=ChangeCause(cause),
        account_id=account_id,
        account=account,
        api_key=api_key,
        listener_id=listener_id,
        listener=listener,
        source_address=source_address,
    )
    record = ChangeRecord(
        author=author,
        object_name=name,
        before=None if before is None else msgspec.json.decode(before),
        after=None if after is None else msgspec.json.decode(after),
        redacted=() if redacted is None else tuple(msgspec.json.decode(redacted)),
        revert_of=revert_of,
    )
    return HistoryEntry(entry_id(number), revision, object_type, Id(object_id), record)


def _matches(wanted: HistoryFilter) -> ColumnElement[bool]:
    if isinstance(wanted, Condition):
        return _condition(wanted)
    parts = [_matches(part) for part in wanted.parts]
    match wanted:
        case Combination(operator="OR"):
            return or_(*parts) if parts else not_(true())
        case Combination(operator="NOT"):
            return not_(or_(*parts)) if parts else true()
    return and_(true(), *parts)


def _condition(wanted: Condition) -> ColumnElement[bool]:
    """Never NULL, which NOT would leave NULL: an unset field is like no value."""
    column = _COLUMNS[wanted.field]
    value = stored_time(wanted.value) if isinstance(wanted.value, datetime) else wanted.value
    if value is None:
        return column.is_(None)
    match wanted.relation:
        case Relation.IS:
            compared: ColumnElement[bool] = column == value
        case Relation.CONTAINS:
            compared = column.icontains(str(value), autoescape=True)
        case Relation.AT_LEAST:
            compared = column >= value
        case Relation.BELOW:
            compared = column < value
    return and_(column.is_not(None), compared)


def _order(order: Order) -> ColumnElement[Any]:
    column = _COLUMNS[order.field]
    if order.collation != OCTET and order.field not in _NUMBERS:
        column = Collated(column, order.collation)
    return column.asc() if order.is_ascending else column.desc()


def _json(value: object) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()
