"""What get, query and changes share: the objects that a caller may see, with the state that they are at."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from gatepost.management.access import Caller, Scope, Verb, permission_name, scope
from gatepost.management.jmap.failure import MethodError
from gatepost.registry.declaration import SINGLETON_ID, ObjectType
from gatepost.store.interface import ConfigurationStore
from gatepost.values.ids import Id


@dataclass(frozen=True, slots=True)
class TypeReader:
    """The objects of one type in a store."""

    object_type: ObjectType[Any]
    store: ConfigurationStore

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

    async def objects(self, ids: Collection[Id] | None = None) -> dict[Id, Any]:
        """The objects in order of creation; a singleton that was never stored has its defaults."""
        stored = await self.store.read_objects(self.object_type.name, ids)
        objects = {each.id: self.object_type.from_stored(each.value) for each in stored}
        if self.object_type.is_singleton and not objects and (ids is None or SINGLETON_ID in ids):
            objects[SINGLETON_ID] = self.object_type.struct()
        return objects
