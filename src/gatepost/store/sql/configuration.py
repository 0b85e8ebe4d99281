"""Configuration objects in the SQL store, of every registry type in the same two tables. Called by the management API.

The state of a type is the number of its newest row in the log of changes, which is never cut. What was read is remembered as
long as nobody commits anything (`data_version`), the objects of a type as long as its state is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import bindparam, delete, func, insert, null, select, update

from gatepost.store.history import HistoryStore, Retention
from gatepost.store.interface import (
    ConfigurationSnapshot,
    Moved,
    ObjectChanges,
    ObjectWrite,
    StoredObject,
    Taken,
    TypeSnapshot,
)
from gatepost.store.sql.connection import Row, SqlConnection, Statement
from gatepost.store.sql.data_version import DataVersion
from gatepost.store.sql.history import SqlHistory, forget_old, record_change
from gatepost.store.sql.object_changes import KnownState, changes_from, parse_state
from gatepost.store.sql.readers import Readers
from gatepost.store.sql.schema import configuration_change as change
from gatepost.store.sql.schema import configuration_object as stored
from gatepost.store.sql.writer import Writer, WriteTransaction
from gatepost.values.ids import Id

_REVISION = Statement(select(change.c.revision).order_by(change.c.sequence.desc()).limit(1))
_OF_TYPE = stored.c.type == bindparam("object_type")
_ONE = (_OF_TYPE, stored.c.id == bindparam("object_id"))
_WITH_KEY = (_OF_TYPE, stored.c.unique_key == bindparam("wanted"))
_ALL = Statement(select(stored.c.id, stored.c.value).where(_OF_TYPE).order_by(stored.c.position))
_READ = Statement(select(stored.c.value, stored.c.unique_key).where(*_ONE))
_FIND = Statement(select(stored.c.id, stored.c.value).where(*_WITH_KEY))
_INSERT = Statement(
    insert(stored).values(
        type=bindparam("type"), id=bindparam("id"), value=bindparam("value"), unique_key=bindparam("unique_key")
    )
)
_UPDATE = Statement(update(stored).where(*_ONE).values(value=bindparam("value"), unique_key=bindparam("unique_key")))
_GIVE_UP_KEY = Statement(update(stored).where(*_ONE).values(unique_key=null()))
_DELETE = Statement(delete(stored).where(*_ONE))
_LOG = Statement(
    insert(change).values(
        revision=bindparam("revision"), type=bindparam("type"), id=bindparam("id"), kind=bindparam("kind")
    )
)
_CHANGED_TYPE = change.c.type == bindparam("object_type")
_STATE = Statement(select(func.coalesce(func.max(change.c.sequence), 0)).where(_CHANGED_TYPE))
_IS_STATE = Statement(select(change.c.sequence).where(_CHANGED_TYPE, change.c.sequence == bindparam("since")))
_SINCE = Statement(
    select(change.c.sequence, change.c.id, change.c.kind)
    .where(_CHANGED_TYPE, change.c.sequence > bindparam("since"))
    .order_by(change.c.sequence)
)


class SqlConfigurationStore:
    """The port ConfigurationStore."""

    def __init__(self, readers: Readers, writer: Writer, data_version: DataVersion) -> None:
        self._readers = readers
        self._writer = writer
        self._data_version = data_version
        self._version: int | None = None
        self._known: dict[str, Any] = {}  # what was read at that version
        self._snapshots: dict[str, TypeSnapshot] = {}
        self.history: HistoryStore = SqlHistory(readers)

    async def revision(self) -> int:
        revision: int = await self._remembered("revision", _revision)
        return revision

    async def read_objects(self, object_type: str, ids: Collection[Id] | None = None) -> Sequence[StoredObject]:
        objects = (await self.snapshot(object_type)).objects
        if ids is None:
            return objects
        wanted = frozenset(ids)
        return [each for each in objects if each.id in wanted]

    async def find_object(self, object_type: str, unique_key: str) -> StoredObject | None:
        row = await self._readers.run(
            lambda connection: connection.row(_FIND, object_type=object_type, wanted=unique_key)
        )
        return _stored_object(object_type, row) if row else None

    async def state(self, object_type: str) -> str:
        state: str = await self._remembered(
            f"state of {object_type}", lambda connection: str(_state(connection, object_type))
        )
        return state

    async def snapshot(self, object_type: str) -> TypeSnapshot:
        return (await self.snapshots((object_type,))).types[object_type]

    async def snapshots(self, object_types: Collection[str]) -> ConfigurationSnapshot:
        known = dict(self._snapshots)
        read: ConfigurationSnapshot = await self._remembered(
            f"snapshots of {' '.join(object_types)}", lambda connection: _snapshots(connection, object_types, known)
        )
        self._snapshots.update(read.types)
        return read

    async def _remembered(self, name: str, read: Callable[[SqlConnection], Any]) -> Any:
        """What `read` gives, or gave since the last commit of anybody. The version is asked first: what is committed between is
        seen as a change by the next call."""
        self._readers.refuse_if_closed()
        version = self._data_version.now()
        if version is None or version != self._version:
            self._known.clear()
            self._version = version
        elif name in self._known:
            return self._known[name]
        value = await self._readers.run(read)
        if version is not None and version == self._version:
            self._known[name] = value
        return value

    async def changes(self, object_type: str, since_state: str, max_changes: int | None = None) -> ObjectChanges | None:
        known = parse_state(since_state)
        if known is None:
            return None
        return await self._readers.run(lambda connection: _changes(connection, object_type, known, max_changes))

    async def commit(
        self, writes: Sequence[ObjectWrite], *, if_revision: int | None = None, retention: Retention | None = None
    ) -> int:
        return await self._writer.run(lambda transaction: _commit(transaction, writes, if_revision, retention))


def _revision(connection: SqlConnection) -> int:
    row = connection.row(_REVISION)
    return int(row[0]) if row else 0


def _state(connection: SqlConnection, object_type: str) -> int:
    ((sequence,),) = connection.rows(_STATE, object_type=object_type)
    return int(sequence)


def _snapshots(
    connection: SqlConnection, object_types: Collection[str], known: Mapping[str, TypeSnapshot]
) -> ConfigurationSnapshot:
    """`known`: those of before. What has not changed since is taken from them."""
    with connection.snapshot():
        types = {name: _snapshot(connection, name, known.get(name)) for name in object_types}
        return ConfigurationSnapshot(_revision(connection), types)


def _snapshot(connection: SqlConnection, object_type: str, known: TypeSnapshot | None) -> TypeSnapshot:
    state = str(_state(connection, object_type))
    if known is not None and known.state == state:
        return known
    rows = connection.rows(_ALL, object_type=object_type)
    before = {} if known is None else {each.id: each for each in known.objects}
    objects = [_stored_object(object_type, row) for row in rows]
    return TypeSnapshot(state, [old if (old := before.get(new.id)) == new else new for new in objects])


def _changes(
    connection: SqlConnection, object_type: str, known: KnownState, max_changes: int | None
) -> ObjectChanges | None:
    if known.since and connection.row(_IS_STATE, object_type=object_type, since=known.since) is None:
        return None
    rows = connection.rows(_SINCE, object_type=object_type, since=known.since)
    return changes_from(known, [(sequence, object_id, kind) for sequence, object_id, kind in rows], max_changes)


def _commit(
    transaction: WriteTransaction,
    writes: Sequence[ObjectWrite],
    if_revision: int | None,
    retention: Retention | None,
) -> int:
    """Keys are given up before any is taken, so that objects of one commit may hand them on in any order."""
    connection = transaction.connection
    revision = _revision(connection)
    if if_revision not in (None, revision):
        raise Moved(f"the configuration is at revision {revision}, not {if_revision} any more")
    before: dict[tuple[str, Id], Row | None] = {}
    for write in writes:
        row = connection.row(_READ, object_type=write.object_type, object_id=write.id)
        before.setdefault((write.object_type, write.id), row)
        if row is not None and row[1] is not None and row[1] != write.unique_key:
            connection.run(_GIVE_UP_KEY, object_type=write.object_type, object_id=write.id)
    is_changed = False
    for write in writes:
        kind = _write(connection, write, before.pop((write.object_type, write.id), None))
        if kind is not None:
            is_changed = True
            transaction.changed_types.add(write.object_type)
            connection.run(_LOG, revision=revision + 1, type=write.object_type, id=write.id, kind=kind)
            if write.record is not None:
                record_change(connection, revision + 1, write.object_type, write.id, write.record)
    if is_changed and retention is not None:
        forget_old(connection, retention)
    return revision + is_changed


def _write(connection: SqlConnection, write: ObjectWrite, before: Row | None) -> str | None:
    """What has happened to the object; None when it is as it was. Raises Taken."""
    if write.value is None:
        is_there = connection.run(_DELETE, object_type=write.object_type, object_id=write.id)
        return "destroyed" if is_there else None
    value = msgspec.json.encode(dict(write.value)).decode()
    if write.unique_key is not None:
        holder = connection.row(_FIND, object_type=write.object_type, wanted=write.unique_key)
        if holder is not None and holder[0] != write.id:
            raise Taken(f"another {write.object_type} has {write.unique_key!r} already", holder[0])
    if before == (value, write.unique_key):
        return None
    if connection.run(
        _UPDATE, object_type=write.object_type, object_id=write.id, value=value, unique_key=write.unique_key
    ):
        return "updated"
    connection.run(_INSERT, type=write.object_type, id=write.id, value=value, unique_key=write.unique_key)
    return "created"


def _stored_object(object_type: str, row: Row) -> StoredObject:
    object_id, value = row
    return StoredObject(object_type, Id(object_id), msgspec.json.decode(value))
