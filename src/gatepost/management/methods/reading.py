"""What get, query and changes share: the objects that a caller may see, with the state that they are at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import msgspec

from gatepost.management.access import Caller, demand
from gatepost.management.jmap.failure import MethodError
from gatepost.registry.declaration import SINGLETON_ID, ObjectType
from gatepost.registry.permissions import Scope, Verb
from gatepost.store.interface import ConfigurationStore, ObjectChanges, StoredObject, TypeSnapshot
from gatepost.values.ids import Id

WireObjects = Mapping[Id, Mapping[str, object]]


@dataclass(frozen=True)  # without slots: `encoded` is kept in the instance
class Snapshot:
    """All objects of a type as clients see them, in order of creation, and the state that they are at."""

    state: str
    objects: WireObjects

    @cached_property
    def encoded(self) -> msgspec.Raw:
        """The objects as a JSON array: made once for as long as none of them changes."""
        return msgspec.Raw(msgspec.json.encode(list(self.objects.values())))


class TypeReader:
    """The objects of one type in a store. The wire form of an object is made once for as long as the object is the same."""

    def __init__(self, object_type: ObjectType[Any], store: ConfigurationStore) -> None:
        self.object_type = object_type
        self.store = store
        self._seen: tuple[TypeSnapshot, Snapshot] | None = None
        self._made: dict[Id, tuple[StoredObject, Mapping[str, object]]] = {}

    def allow(self, caller: Caller, verb: Verb) -> Scope:
        """Where the caller may use the verb. Raises MethodError forbidden."""
        return demand(caller, self.object_type.name, verb)

    async def state(self) -> str:
        """The state of the type, which changes exactly when one of its objects does."""
        return await self.store.state(self.object_type.name)

    async def changes(self, since_state: str, max_changes: int | None = None) -> ObjectChanges | None:
        """What the store says. A singleton was there before it was ever stored, so it is never created."""
        found = await self.store.changes(self.object_type.name, since_state, max_changes)
        if found is None or not self.object_type.is_singleton:
            return found
        return replace(found, created=(), updated=(*found.created, *found.updated))

    async def snapshot(self) -> Snapshot:
        """The objects; a singleton that was never stored has its defaults."""
        stored = await self.store.snapshot(self.object_type.name)
        if self._seen is None or self._seen[0] is not stored:
            self._seen = stored, Snapshot(stored.state, self._objects(stored))
        return self._seen[1]

    def _objects(self, stored: TypeSnapshot) -> WireObjects:
        made = {each.id: (each, self._wire(each)) for each in stored.objects}
        self._made = made
        objects = {object_id: wire for object_id, (_, wire) in made.items()}
        if self.object_type.is_singleton and not objects:
            objects[SINGLETON_ID] = {"id": SINGLETON_ID, **self.object_type.to_wire(self.object_type.struct())}
        return objects

    def _wire(self, stored: StoredObject) -> Mapping[str, object]:
        before = self._made.get(stored.id)
        if before is not None and before[0] is stored:
            return before[1]
        return {"id": stored.id, **self.object_type.to_wire(self.object_type.from_stored(stored.value))}

    async def visible(self, caller: Caller, allowed: Scope) -> Snapshot:
        """The objects that the caller may see: all, or those that are the caller's own."""
        snapshot = await self.snapshot()
        if allowed is Scope.ALL:
            return snapshot
        return Snapshot(
            snapshot.state, {each: wire for each, wire in snapshot.objects.items() if self._is_of(caller, each, wire)}
        )

    async def visible_changes(self, caller: Caller, allowed: Scope, found: ObjectChanges) -> set[Id]:
        """Which of the objects that changed the caller may know of. Raises MethodError cannotCalculateChanges where that
        cannot be told: whose an object was that is gone."""
        changed = {*found.created, *found.updated, *found.destroyed}
        if allowed is Scope.ALL:
            return changed
        if self.object_type.owner_property == "id":
            return changed & {caller.account_id}
        if found.destroyed:
            raise MethodError("cannotCalculateChanges", "objects were removed since that state: get everything again")
        return changed & (await self.visible(caller, allowed)).objects.keys()

    def _is_of(self, caller: Caller, object_id: Id, wire: Mapping[str, object]) -> bool:
        owner_property = self.object_type.owner_property
        owner = object_id if owner_property == "id" else wire.get(str(owner_property))
        return owner == caller.account_id
