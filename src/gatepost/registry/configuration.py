"""A snapshot of all configuration objects, and a change of it that is being considered. Plain values. Pure.

The rules between objects and the derivation of plans read these; /set makes them from what the store holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, TypeVar

import msgspec

from gatepost.registry.catalogue import OBJECT_TYPES
from gatepost.registry.certificate import CERTIFICATE, Certificate
from gatepost.registry.declaration import SINGLETON_ID, ObjectType
from gatepost.registry.network_listener import NETWORK_LISTENER, NetworkListener
from gatepost.registry.requester import Requester
from gatepost.registry.system_settings import SYSTEM_SETTINGS, SystemSettings
from gatepost.values.ids import Id

T = TypeVar("T", bound=msgspec.Struct)

NOBODY = Requester()  # a change that the server makes by itself
BEFORE_ALL_TIME = datetime.min.replace(tzinfo=UTC)  # nothing has expired


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """Which object: `object_type` is the name without `x:`."""

    object_type: str
    id: Id


@dataclass(frozen=True, slots=True)
class Configuration:
    """All objects by type and id, each type in order of creation."""

    objects: Mapping[str, Mapping[Id, Any]]

    @classmethod
    def load(cls, stored: Iterable[tuple[str, Id, Mapping[str, object]]]) -> Configuration:
        """From stored values. Types that are not known are passed over; the settings are there even when never stored.
        Raises UnfitValueError for a value that cannot be read."""
        objects: dict[str, dict[Id, Any]] = {name: {} for name in OBJECT_TYPES}
        for type_name, object_id, value in stored:
            if (object_type := OBJECT_TYPES.get(type_name)) is not None:
                objects[type_name][object_id] = object_type.from_stored(value)
        objects[SYSTEM_SETTINGS.name].setdefault(SINGLETON_ID, SystemSettings())
        return cls(objects)

    def of(self, object_type: ObjectType[T]) -> Mapping[Id, T]:
        """The objects of one type."""
        return self.objects[object_type.name]

    def find(self, ref: ObjectRef) -> Any | None:
        """The object, where there is one."""
        return self.objects[ref.object_type].get(ref.id)

    def replace(self, ref: ObjectRef, value: Any | None) -> Configuration:
        """The configuration with one object added, replaced, or (None) taken away."""
        of_type = dict(self.objects[ref.object_type])
        if value is None:
            of_type.pop(ref.id, None)
        else:
            of_type[ref.id] = value
        return Configuration({**self.objects, ref.object_type: of_type})

    def belongings(self, account_id: Id) -> list[ObjectRef]:
        """What belongs to an account, and goes with it."""
        return [
            ObjectRef(name, object_id)
            for name, object_type in OBJECT_TYPES.items()
            if object_type.owner_property not in (None, "id")
            for object_id, value in self.objects[name].items()
            if object_type.owner(object_id, value) == account_id
        ]

    @property
    def settings(self) -> SystemSettings:
        return self.of(SYSTEM_SETTINGS)[SINGLETON_ID]

    @property
    def listeners(self) -> Mapping[Id, NetworkListener]:
        return self.of(NETWORK_LISTENER)

    @property
    def certificates(self) -> Mapping[Id, Certificate]:
        return self.of(CERTIFICATE)


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A change that is being considered. `touched`: what is created, updated or destroyed, in the order of the request.

    `requester`: who asks for it, and how the request came."""

    before: Configuration
    after: Configuration
    touched: tuple[ObjectRef, ...]
    requester: Requester = NOBODY
    may_lock_out: bool = False
    now: datetime = BEFORE_ALL_TIME

    @cached_property
    def _positions(self) -> Mapping[ObjectRef, int]:
        return {ref: position for position, ref in enumerate(self.touched)}

    def touched_of(self, object_type: ObjectType[Any]) -> list[Id]:
        """The touched objects of one type."""
        return [ref.id for ref in self.touched if ref.object_type == object_type.name]

    def later_of(self, one: ObjectRef, other: ObjectRef) -> ObjectRef | None:
        """Of two objects that do not go together the one that came later: that one is to blame. None: neither is touched."""
        positions = self._positions
        if one not in positions and other not in positions:
            return None
        return max(one, other, key=lambda ref: positions.get(ref, -1))
