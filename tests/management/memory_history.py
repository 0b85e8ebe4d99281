"""The history of configuration objects in memory, for the management API over fakes."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

from gatepost.store.history import (
    EVERYTHING,
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
from gatepost.store.interface import ObjectWrite
from gatepost.values.ids import Id


class MemoryHistory:
    """store.history.HistoryStore without a disk."""

    def __init__(self) -> None:
        self.rows: dict[int, HistoryEntry] = {}
        self.newest = 0

    def record(self, revision: int, writes: Sequence[ObjectWrite], retention: Retention | None) -> None:
        for write in writes:
            if write.record is not None:
                self.newest += 1
                row = HistoryEntry(entry_id(self.newest), revision, write.object_type, write.id, write.record)
                self.rows[self.newest] = row
        if retention is not None:
            while len(self.rows) > retention.most or self._is_outdated(retention):
                del self.rows[min(self.rows)]

    def _is_outdated(self, retention: Retention) -> bool:
        if not self.rows or retention.since is None:
            return False
        return self.rows[min(self.rows)].record.author.at < retention.since

    async def span(self) -> Span:
        return Span(min(self.rows, default=0), max(self.rows, default=0))

    async def entries(self, ids: Collection[str]) -> Sequence[HistoryEntry]:
        numbers = {entry_number(each) for each in ids}
        return [row for number, row in self.rows.items() if number in numbers]

    async def find(
        self, wanted: HistoryFilter = EVERYTHING, orders: Sequence[Order] = (), *, span: Span | None = None
    ) -> Sequence[Id]:
        rows = [row for number, row in self.rows.items() if span is None or number <= span.newest]
        found = [row for row in reversed(rows) if _matches(row, wanted)]
        for order in reversed(orders):
            keys = {row.id: _key(_value(row, order.field)) for row in found}
            found.sort(key=lambda row, keys=keys: keys[row.id], reverse=not order.is_ascending)  # type: ignore[misc]
        return [row.id for row in found]


def _key(value: Any) -> tuple[bool, Any]:
    return value is not None, value.casefold() if isinstance(value, str) else value or 0


def _value(row: HistoryEntry, field: HistoryField) -> Any:
    author = row.record.author
    match field:
        case HistoryField.AT:
            return author.at
        case HistoryField.CAUSE:
            return author.cause.value
        case HistoryField.TEXT:
            names = [row.object_type, row.record.object_name, author.account, author.source_address]
            return json.dumps([*names, row.record.before, row.record.after])
        case HistoryField.REVISION:
            return row.revision
        case HistoryField.OBJECT_TYPE:
            return row.object_type
        case HistoryField.OBJECT_ID:
            return row.object_id
    values = {
        HistoryField.KIND: row.record.kind,
        HistoryField.OBJECT_NAME: row.record.object_name,
        HistoryField.REVERT_OF: row.record.revert_of,
        HistoryField.ACCOUNT_ID: author.account_id,
        HistoryField.ACCOUNT: author.account,
        HistoryField.API_KEY: author.api_key,
        HistoryField.LISTENER_ID: author.listener_id,
        HistoryField.LISTENER: author.listener,
        HistoryField.SOURCE_ADDRESS: author.source_address,
    }
    return values[field]


def _matches(row: HistoryEntry, wanted: HistoryFilter) -> bool:
    if isinstance(wanted, Condition):
        return _compare(_value(row, wanted.field), wanted)
    results = [_matches(row, part) for part in wanted.parts]
    return {"AND": all(results), "OR": any(results), "NOT": not any(results)}[wanted.operator]


def _compare(value: Any, wanted: Condition) -> bool:
    if value is None or wanted.value is None:
        return value is wanted.value
    match wanted.relation:
        case Relation.IS:
            return bool(value == wanted.value)
        case Relation.CONTAINS:
            return str(wanted.value).lower() in value.lower()
        case Relation.AT_LEAST:
            return bool(value >= wanted.value)
        case Relation.BELOW:
            return bool(value < wanted.value)
