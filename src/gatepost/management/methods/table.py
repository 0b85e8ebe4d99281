"""The method table: every method of every object type by its wire name. The one place that says what the API can do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from gatepost.management.jmap.capabilities import CONFIGURATION, CORE, GATEPOST
from gatepost.management.jmap.engine import Method, MethodContext, RunMethod
from gatepost.management.methods.blob_copy import copy_blobs
from gatepost.management.methods.changes import changes, no_changes
from gatepost.management.methods.connections import ConnectionMethods
from gatepost.management.methods.get import get
from gatepost.management.methods.history import HistoryMethods
from gatepost.management.methods.listener_status import StatusMethods
from gatepost.management.methods.query import query, query_changes
from gatepost.management.methods.reading import TypeReader
from gatepost.management.methods.revert import RevertMethod
from gatepost.management.methods.set_flow import SetMethod, SetParts
from gatepost.management.open_connections import OpenConnections
from gatepost.management.stored_revision import StoredRevision
from gatepost.registry.catalogue import OBJECT_TYPES
from gatepost.registry.change import CHANGE
from gatepost.registry.connection import CONNECTION
from gatepost.registry.declaration import ObjectType
from gatepost.registry.listener_status import LISTENER_STATUS
from gatepost.store.interface import ConfigurationStore

ReadingMethod = Callable[[TypeReader, Mapping[str, Any], MethodContext], Awaitable[dict[str, Any]]]

_READING: Mapping[str, ReadingMethod] = {
    "get": get,
    "changes": changes,
    "query": query,
    "queryChanges": query_changes,
}


def method_table(parts: SetParts, connections: OpenConnections) -> dict[str, Method]:
    """All methods but Core/echo, which the engine has itself."""
    table = {"Blob/copy": Method(CORE, copy_blobs)}
    sets: dict[str, SetMethod] = {}
    for object_type in OBJECT_TYPES.values():
        reader = TypeReader(object_type, parts.store)
        sets[object_type.name] = SetMethod(reader, parts)
        for verb, run in _READING.items():
            table[f"{object_type.wire_name}/{verb}"] = Method(CONFIGURATION, partial(run, reader))
        table[f"{object_type.wire_name}/set"] = Method(CONFIGURATION, sets[object_type.name].run)
    status = StatusMethods(parts.applier, StoredRevision(parts.store, parts.now))
    open_connections = ConnectionMethods(connections)
    table |= _of_the_moment(LISTENER_STATUS, {"get": status.get, "query": status.query, "set": status.set})
    table |= _of_the_moment(
        CONNECTION, {"get": open_connections.get, "query": open_connections.query, "set": open_connections.set}
    )
    return table | _of_history(parts.store, sets)


def _of_the_moment(object_type: ObjectType[Any], methods: Mapping[str, RunMethod]) -> dict[str, Method]:
    """Of objects that the running server makes when it is asked: nothing is kept of how they were."""
    changes: RunMethod = partial(no_changes, object_type.name)
    every_method = {**methods, "changes": changes, "queryChanges": changes}
    return {f"{object_type.wire_name}/{verb}": Method(GATEPOST, run) for verb, run in every_method.items()}


def _of_history(store: ConfigurationStore, sets: Mapping[str, SetMethod]) -> dict[str, Method]:
    history = HistoryMethods(store.history)
    methods: dict[str, RunMethod] = {
        "get": history.get,
        "changes": history.changes,
        "query": history.query,
        "queryChanges": history.query_changes,
        "set": RevertMethod(store, sets).run,
    }
    return {f"{CHANGE.wire_name}/{verb}": Method(GATEPOST, run) for verb, run in methods.items()}
