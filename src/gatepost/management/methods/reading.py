"""What get, query and changes share: the objects that a caller may see, with the state that they are at."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from gatepost.management.access import Caller, Scope, Verb, permission_name, scope
from gatepost.management.jmap.failure import MethodError
from gatepost.registry.declaration import SINGLETON_ID, ObjectType
from gatepost.store.interface import ConfigurationStore, StoredObject, TypeSnapshot
from gatepost.values.ids import Id

WireObjects = Mapping[Id, Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All objects of a type as clients see them, in order of creation, and the state that they are at."""

    state: str
    objects: WireObjects


class TypeReader:
    """The objects of one type in a store. The wire form of an object is made once for as long as the object is the same."""

    def __init__(self, object_type: ObjectType[Any], store: ConfigurationStore) -> None:
        self.object_type = object_type
        self.store = store
        self._seen: tuple[TypeSnapshot, Snapshot] | None = None
        self._made: dict[Id, tuple[StoredObject, Mapping[str, object]]] = {}

    def allow(self, caller: Caller, verb: Verb) -> Scope:
        """Where the caller may use the verb. Raises MethodError forbidden."""
        allowed = scope(caller.role, self.object_type.name, verb)
        if allowed is Scope.NONE:
            name = permission_name(self.object_type.name, verb)
            raise MethodError("forbidden", f"the permission {name} is needed, and the account does not have it")
        return allowed

    async def state(self) -> str:
        """The state of the type, which changes exactly when one of its objects does."""
        return await self.store.state(self.object_type.name)

    async def snapshot(self, only: Collection[Id] | None = None) -> Snapshot:
        """The objects, or those of them with these ids; a singleton that was never stored has its defaults."""
        stored = await self.store.snapshot(self.object_type.name)
        if self._seen is None or self._seen[0] is not stored:
            self._seen = stored, Snapshot(stored.state, self._objects(stored))
        snapshot = self._seen[1]
        if only is None:
            return snapshot
        return Snapshot(snapshot.state, {each: wire for each, wire in snapshot.objects.items() if each in only})

    def _objects(self, stored: TypeSnapshot) -> WireObjects:
        made = {each.id: (each, self._wire(each)) for each in stored.objects}
        self._made = made
        objects = {object_id: wire for object_id, (_, wire) in made.items()}
        if self.object_type.is_singleton and not objects:
            objects[SINGLETON_ID] = self.object_type.to_wire(self.object_type.struct())
        return objects

    def _wire(self, stored: StoredObject) -> Mapping[str, object]:
        before = self._made.get(stored.id)
        if before is not None and before[0] is stored:
            return before[1]
        return self.object_type.to_wire(self.object_type.from_stored(stored.value))
