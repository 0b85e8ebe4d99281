"""Sorting of a query (RFC 8620 section 5.5) by the properties of an object's wire form. Pure, but for `Turns`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from gatepost.management.jmap.failure import MethodError, invalid_arguments
from gatepost.management.methods.turns import Turns
from gatepost.values.collation import COLLATIONS, UNICODE_CASEMAP, collation_key
from gatepost.values.ids import Id

_MOST_COMPARATORS = 32


@dataclass(frozen=True, slots=True)
class Comparator:
    """One key to sort by."""

    property_name: str
    is_ascending: bool
    collation: str


def parse_sort(wire: object, sortable: Collection[str]) -> list[Comparator]:
    """Raises MethodError unsupportedSort, invalidArguments."""
    if wire is None:
        return []
    if not isinstance(wire, list):
        raise invalid_arguments("sort must be an array of comparators, or null")
    if len(wire) > _MOST_COMPARATORS:
        raise MethodError("unsupportedSort", f"a sort may have {_MOST_COMPARATORS} comparators")
    return [_comparator(each, sortable) for each in wire]


def _comparator(wire: Any, sortable: Collection[str]) -> Comparator:
    if not isinstance(wire, dict) or not isinstance(wire.get("property"), str):
        raise invalid_arguments("a comparator is an object with the member property")
    is_ascending = wire.get("isAscending", True)
    collation = wire.get("collation", UNICODE_CASEMAP)
    if (
        not isinstance(is_ascending, bool)
        or not isinstance(collation, str)
        or wire.keys() - {"property", "isAscending", "collation"}
    ):
        raise invalid_arguments("a comparator has the members property, isAscending and collation")
    if wire["property"] not in sortable:
        raise MethodError("unsupportedSort", f"cannot be sorted by {wire['property'][:64]!r}")
    if collation not in COLLATIONS:
        raise MethodError("unsupportedSort", f"there is no such collation; there are {', '.join(COLLATIONS)}")
    return Comparator(wire["property"], is_ascending, collation)


async def sorted_ids(
    objects: Mapping[Id, Mapping[str, object]], comparators: list[Comparator], turns: Turns
) -> list[Id]:
    """The ids in the order asked for; objects that are equal in it stand in order of creation."""
    ids = list(objects)
    for comparator in reversed(comparators):
        keys: dict[Id, tuple[int, float, str]] = {}
        for each in ids:
            keys[each] = _key(objects[each][comparator.property_name], comparator)
            await turns.spend(1)
        ids.sort(key=keys.__getitem__, reverse=not comparator.is_ascending)
    return ids


def _key(value: object, comparator: Comparator) -> tuple[int, float, str]:
    """Unset values first, then false and true, numbers, text; sets by their members."""
    match value:
        case None:
            return 0, 0, ""
        case bool() | int() | float():
            return 1, value, ""
        case str():
            return 2, 0, collation_key(comparator.collation, value)
    members = ", ".join(str(member) for member in value) if isinstance(value, Mapping) else str(value)
    return 2, 0, collation_key(comparator.collation, members)
