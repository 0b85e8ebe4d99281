"""Filter and sort of a query of the history (RFC 8620 section 5.5), as the store takes them. Pure.

`after` and `before` are times, as in RFC 8621 section 4.4.1; `text` is looked for in names, ids, the source address and the values
before and after. Names are contained, everything else is compared as a whole; null is an unset property.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gatepost.management.jmap.failure import MethodError, invalid_arguments
from gatepost.management.methods.filter import check_filter_size
from gatepost.management.methods.sort import parse_sort
from gatepost.registry.kinds import UtcDateTime
from gatepost.registry.problem import UnfitValueError
from gatepost.store.history import EVERYTHING, Combination, Condition, HistoryField, HistoryFilter, Order, Relation

_LONGEST_TEXT = 1000  # characters; databases have bounds of their own for what they compare with
_MOST_TEXTS = 16  # each is looked for in every value of the whole history
_OPERATORS = ("AND", "OR", "NOT")
_EXACT = {
    "objectType": HistoryField.OBJECT_TYPE,
    "objectId": HistoryField.OBJECT_ID,
    "kind": HistoryField.KIND,
    "cause": HistoryField.CAUSE,
    "accountId": HistoryField.ACCOUNT_ID,
    "listenerId": HistoryField.LISTENER_ID,
    "revertOf": HistoryField.REVERT_OF,
}
_CONTAINED = {
    "objectName": HistoryField.OBJECT_NAME,
    "account": HistoryField.ACCOUNT,
    "apiKey": HistoryField.API_KEY,
    "listener": HistoryField.LISTENER,
    "sourceAddress": HistoryField.SOURCE_ADDRESS,
}
_SORTABLE = {"at": HistoryField.AT, "revision": HistoryField.REVISION, **_EXACT, **_CONTAINED}


def history_filter(wire: object) -> HistoryFilter:
    """Raises MethodError unsupportedFilter, invalidArguments."""
    if wire is None:
        return EVERYTHING
    if isinstance(wire, dict):
        check_filter_size(wire)
    read = _read(wire)
    if _texts_in(read) > _MOST_TEXTS:
        raise MethodError("unsupportedFilter", f"a filter of the history may look for text {_MOST_TEXTS} times")
    return read


def _texts_in(read: HistoryFilter) -> int:
    if isinstance(read, Combination):
        return sum(map(_texts_in, read.parts))
    return read.field is HistoryField.TEXT


def _read(wire: object) -> HistoryFilter:
    if not isinstance(wire, dict):
        raise invalid_arguments("a filter, and each of its conditions, must be an object")
    if "operator" not in wire:
        return Combination("AND", [_condition(name, wanted) for name, wanted in wire.items()])
    conditions = wire.get("conditions")
    if wire["operator"] not in _OPERATORS or not isinstance(conditions, list) or len(wire) != 2:
        raise invalid_arguments("a filter operator has the members operator (AND, OR, NOT) and conditions (an array)")
    return Combination(wire["operator"], [_read(condition) for condition in conditions])


def history_orders(wire: object) -> list[Order]:
    """Raises MethodError unsupportedSort, invalidArguments."""
    return [
        Order(_SORTABLE[each.property_name], each.is_ascending, each.collation) for each in parse_sort(wire, _SORTABLE)
    ]


def _condition(name: str, wanted: Any) -> HistoryFilter:
    read = _READERS.get(name)
    if read is not None:
        return read(wanted)
    if name not in _EXACT and name not in _CONTAINED:
        raise MethodError("unsupportedFilter", f"there is no filter on {name[:64]!r}")
    if wanted is not None and not _is_text(wanted):
        raise invalid_arguments(f"the condition on {name} must be text of at most {_LONGEST_TEXT} characters, or null")
    if name in _EXACT:
        return Condition(_EXACT[name], Relation.IS, wanted)
    return Condition(_CONTAINED[name], Relation.CONTAINS, wanted)


def _is_text(wanted: Any) -> bool:
    return isinstance(wanted, str) and len(wanted) <= _LONGEST_TEXT


def _of_type(wanted: Any) -> HistoryFilter:
    if not isinstance(wanted, str):
        raise invalid_arguments("the condition on objectType must be text, as x:NetworkListener")
    return Condition(HistoryField.OBJECT_TYPE, Relation.IS, wanted.removeprefix("x:"))


def _of_revision(wanted: Any) -> HistoryFilter:
    if isinstance(wanted, bool) or not isinstance(wanted, int) or not 0 <= wanted < 2**53:
        raise invalid_arguments("the condition on revision must be a number")
    return Condition(HistoryField.REVISION, Relation.IS, wanted)


def _with_text(wanted: Any) -> HistoryFilter:
    if not _is_text(wanted):
        raise invalid_arguments(f"text must be text of at most {_LONGEST_TEXT} characters")
    return Condition(HistoryField.TEXT, Relation.CONTAINS, wanted)


def _at(relation: Relation, name: str) -> Callable[[Any], HistoryFilter]:
    def read(wanted: Any) -> HistoryFilter:
        try:
            return Condition(HistoryField.AT, relation, UtcDateTime().parse(wanted))
        except UnfitValueError as error:
            raise invalid_arguments(f"{name}: {error}") from None

    return read


_READERS: Mapping[str, Callable[[Any], HistoryFilter]] = {
    "objectType": _of_type,
    "revision": _of_revision,
    "text": _with_text,
    "after": _at(Relation.AT_LEAST, "after"),
    "before": _at(Relation.BELOW, "before"),
}
