"""Filters of a query (RFC 8620 section 5.5): AND, OR, NOT over conditions on properties. Pure.

A condition is an object of properties and what is looked for: text is contained, whatever its case; an enum, a number, a
boolean, an id equals; networks and addresses are compared as such (`address_filter`), numbers and dates also by a relation that
stands behind the name (`comparison_filter`); of a set, one of the members does. `text` is contained in any of the columns of the
list.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from gatepost.management.jmap.failure import MethodError, invalid_arguments

Wire = Mapping[str, object]
Predicate = Callable[[Wire], bool]
ValueTest = Callable[[object], bool]
ValueTests = Mapping[str, Callable[[object], ValueTest]]  # by condition: makes a test of what is looked for
Holds = Callable[[Any, Any, Any], bool]  # a relation of a value to the first and the last of what is looked for

_OPERATORS: Mapping[str, Callable[[list[bool]], bool]] = {
    "AND": all,
    "OR": any,
    "NOT": lambda results: not any(results),
}
_DEEPEST = 16
_MOST_CONDITIONS = 256  # each is looked at for each object, on the event loop
ANY_COLUMN = "text"
RELATIONS: Mapping[str, Holds] = {
    "IsGreaterThanOrEqual": lambda value, first, _last: bool(value >= first),
    "IsGreaterThan": lambda value, _first, last: bool(value > last),
    "IsLessThanOrEqual": lambda value, _first, last: bool(value <= last),
    "IsLessThan": lambda value, first, _last: bool(value < first),
}
NO_VALUE_TESTS: ValueTests = {}


def compile_filter(
    wire: object,
    properties: Collection[str],
    exact: Collection[str],
    columns: Collection[str],
    depth: int = 0,
    *,
    value_tests: ValueTests = NO_VALUE_TESTS,
) -> Predicate:
    """Whether an object in its wire form matches. `exact`: text properties that are compared as a whole (enums, ids);
    `value_tests`: those that are compared in a way of their own, which makes a test of what is looked for.

    Raises MethodError unsupportedFilter, invalidArguments."""
    if wire is None:
        return lambda _: True
    if not isinstance(wire, dict):
        raise invalid_arguments("filter must be an object")
    if depth == 0:
        check_filter_size(wire)
    if "operator" not in wire:
        return _condition(wire, properties, exact, columns, value_tests)
    combine = _OPERATORS.get(str(wire["operator"]))
    conditions = wire.get("conditions")
    if combine is None or not isinstance(conditions, list) or wire.keys() != {"operator", "conditions"}:
        raise invalid_arguments("a filter operator has the members operator (AND, OR, NOT) and conditions (an array)")
    if any(condition is None for condition in conditions):
        raise invalid_arguments("a condition must be an object")
    parts = [
        compile_filter(condition, properties, exact, columns, depth + 1, value_tests=value_tests)
        for condition in conditions
    ]
    return lambda value: combine([part(value) for part in parts])


def properties_in(wire: object, columns: Collection[str]) -> set[str]:
    """The properties that a filter, which `compile_filter` has taken, looks at."""
    if not isinstance(wire, dict):
        return set()
    if "operator" in wire:
        return set[str]().union(*(properties_in(condition, columns) for condition in wire["conditions"]))
    return {each for name in wire for each in (columns if name == ANY_COLUMN else [_property_of(name)])}


def check_filter_size(wire: Mapping[str, Any]) -> None:
    """Raises MethodError unsupportedFilter for a filter of too many conditions, or nested too deeply."""
    if not 0 <= conditions_of(wire) <= _MOST_CONDITIONS:
        words = f"a filter may have {_MOST_CONDITIONS} conditions, nested {_DEEPEST} deep: ask several queries"
        raise MethodError("unsupportedFilter", words)


def conditions_of(wire: object) -> int:
    """How much there is to compare with each object; -1 where that is nested too deeply to be counted."""
    level: list[Any] = [wire]
    conditions = 0
    for _ in range(_DEEPEST + 1):
        conditions += sum(1 if "operator" in each else len(each) for each in level if isinstance(each, dict))
        below = [each.get("conditions") for each in level if isinstance(each, dict)]
        level = [each for inner in below if isinstance(inner, list) for each in inner]
        if not level or conditions > _MOST_CONDITIONS:
            return conditions
    return -1


def _condition(
    wire: Mapping[str, Any],
    properties: Collection[str],
    exact: Collection[str],
    columns: Collection[str],
    value_tests: ValueTests,
) -> Predicate:
    tests: list[Predicate] = []
    for name, wanted in wire.items():
        if name == ANY_COLUMN and name not in properties:
            tests.append(_any_column(wanted, columns))
        elif name in value_tests:
            tests.append(_own_test(_property_of(name), value_tests[name](wanted)))
        elif name in properties:
            tests.append(_property_test(name, wanted, is_exact=name in exact))
        else:
            raise MethodError("unsupportedFilter", f"there is no filter on {name[:64]!r}")
    return lambda value: all(test(value) for test in tests)


def _property_of(condition: str) -> str:
    """What a condition is about: its name without the relation."""
    return condition.removesuffix(next((each for each in RELATIONS if condition.endswith(each)), ""))


def _own_test(name: str, test: ValueTest) -> Predicate:
    return lambda value: test(value.get(name))


def _any_column(wanted: object, columns: Collection[str]) -> Predicate:
    if not isinstance(wanted, str):
        raise invalid_arguments(f"{ANY_COLUMN} must be text")
    folded = wanted.casefold()
    return lambda value: any(_matches(value.get(name), folded, is_exact=False) for name in columns)


def _property_test(name: str, wanted: object, *, is_exact: bool) -> Predicate:
    if isinstance(wanted, list | dict):
        raise invalid_arguments(f"the condition on {name} must be a text, a number, true, false or null")
    sought = wanted.casefold() if isinstance(wanted, str) and not is_exact else wanted
    return lambda value: _matches(value.get(name), sought, is_exact=is_exact)


def _matches(value: object, wanted: object, *, is_exact: bool) -> bool:
    """`wanted` is text without case unless it is compared as a whole."""
    if isinstance(value, Mapping):
        return not value if wanted is None else any(_matches(member, wanted, is_exact=is_exact) for member in value)
    if isinstance(value, str) and isinstance(wanted, str) and not is_exact:
        return wanted in value.casefold()
    return type(value) is type(wanted) and value == wanted
