"""From what a client sent to an object, with everything that is wrong with it, all at once.

Called for every create of a /set, for plan files and for the objects of the first start; `patch.py` uses it for updates.
Pure: the time is handed in. Rules between objects are in `rules/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec

from gatepost.registry.declaration import DeclaredProperty, ObjectType, Update
from gatepost.registry.file_path import NO_FILES, FileTexts
from gatepost.registry.problem import Problem, ProblemType, UnfitValueError, as_text

T = TypeVar("T", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Candidate(Generic[T]):
    """What an object would be. Where there are problems, unfit values have been replaced by harmless ones, so that the
    rules between objects can still be checked; such a candidate must not be stored. `given`: the wire names of the
    properties that the client wrote."""

    object: T
    problems: tuple[Problem, ...]
    given: frozenset[str]


def candidate_of_create(
    object_type: ObjectType[T], wire: Mapping[str, object], now: datetime, files: FileTexts = NO_FILES
) -> Candidate[T]:
    """The object that a create asks for, with defaults filled in. `files`: what was read of those that it names."""
    problems = [_unknown(name) for name in wire if name not in object_type.properties]
    values: dict[str, Any] = {}
    for name, declared in object_type.properties.items():
        if name not in wire:
            if not declared.has_default:
                problems.append(Problem(name, ProblemType.REQUIRED, "must be given"))
            continue
        if declared.declaration.update is Update.SERVER_SET:
            problems.append(Problem(name, ProblemType.SERVER_SET, "is set by the server: leave it out"))
            continue
        if wire[name] is None and not declared.is_nullable:
            words = "must not be null" + ("; leave it out for the default" if declared.has_default else "")
            problems.append(Problem(name, ProblemType.REQUIRED, words))
            continue
        parse_property(declared, wire[name], values, problems)
    return complete(object_type, values, problems, frozenset(wire), now, files)


def parse_property(declared: DeclaredProperty, wire: object, values: dict[str, Any], problems: list[Problem]) -> None:
    """Put the value of one property into `values`, or what is wrong with it into `problems`."""
    try:
        values[declared.name] = None if wire is None else declared.kind.parse(wire)
    except UnfitValueError as error:
        problems += [Problem.of(declared.name, fault) for fault in error.faults]


def complete(
    object_type: ObjectType[T],
    values: Mapping[str, Any],
    problems: list[Problem],
    given: frozenset[str],
    now: datetime,
    files: FileTexts,
) -> Candidate[T]:
    """The candidate made of parsed values: the rest filled in, what the server sets computed, and what is wrong between
    properties added, as far as it is not a consequence of a property that is wrong by itself."""
    fields = {
        declared.field_name: values[name] if name in values else _fill_in(declared)
        for name, declared in object_type.properties.items()
    }
    candidate, between = object_type.examine(object_type.struct(**fields), now, files)
    faulty = {problem.property for problem in problems}
    return Candidate(candidate, (*problems, *(each for each in between if each.property not in faulty)), given)


def _fill_in(declared: DeclaredProperty) -> Any:
    if declared.has_default:
        return declared.default
    return None if declared.is_nullable else declared.kind.stand_in


def _unknown(name: str) -> Problem:
    if name == "id":
        return Problem("id", ProblemType.SERVER_SET, "is set by the server: leave it out")
    return Problem(name, ProblemType.UNKNOWN, "there is no property of this name", as_text(name))
