"""Objects found by the values of some of their properties, without a look at all the others. Pure.

A plan with thousands of objects matches each of them with thousands that exist. Called by `config.reconcile` alone.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator, Mapping
from typing import Any

Object = Mapping[str, Any]  # property → canonical wire value


class ObjectIndex:
    """The objects by id, and by the values of every choice of properties that was asked for once.

    Objects are not changed in place: what is put replaces what was there."""

    def __init__(self) -> None:
        self._objects: dict[str, Object] = {}
        self._by_values: dict[tuple[str, ...], dict[Hashable, dict[str, None]]] = {}

    def __contains__(self, object_id: object) -> bool:
        return object_id in self._objects

    def __getitem__(self, object_id: str) -> Object:
        return self._objects[object_id]

    def items(self) -> Iterator[tuple[str, Object]]:
        """Ids and objects, in the order in which they were put."""
        yield from self._objects.items()

    def put(self, object_id: str, value: Object) -> None:
        """Add the object, or replace it."""
        before = self._objects.get(object_id)
        self._objects[object_id] = value
        for names, by_key in self._by_values.items():
            if before is not None:
                by_key[_key(names, before)].pop(object_id, None)
            by_key.setdefault(_key(names, value), {})[object_id] = None

    def remove(self, object_id: str) -> None:
        """Take the object out."""
        before = self._objects.pop(object_id)
        for names, by_key in self._by_values.items():
            by_key[_key(names, before)].pop(object_id, None)

    def matching(self, wanted: Object) -> list[str]:
        """The ids of the objects with these values; texts match whatever their case, as the server's names do."""
        names = tuple(wanted)
        if names not in self._by_values:
            by_key: dict[Hashable, dict[str, None]] = {}
            for object_id, value in self._objects.items():
                by_key.setdefault(_key(names, value), {})[object_id] = None
            self._by_values[names] = by_key
        return list(self._by_values[names].get(_key(names, wanted), ()))


def _key(names: tuple[str, ...], value: Object) -> Hashable:
    return tuple(_folded(value.get(name)) for name in names)


def _folded(value: Any) -> Hashable:
    """The same for values that name the same thing; true is not 1."""
    match value:
        case str():
            return value.casefold()
        case None | bool() | int() | float():
            return type(value) is bool, value
        case _:
            return json.dumps(value, sort_keys=True), ()
