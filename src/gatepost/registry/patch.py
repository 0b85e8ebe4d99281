"""PatchObject of RFC 8620 section 5.3: how an update changes an object.

A key is the name of a property, or a pointer to one member of a set: `bind/[::]:2525`, with `~1` for `/` and `~0` for
`~` (RFC 6901 section 3). Called for every update of a /set. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from gatepost.registry.declaration import DeclaredProperty, ObjectType, Update
from gatepost.registry.file_path import NO_FILES, FileTexts
from gatepost.registry.kinds import SetOf
from gatepost.registry.problem import Fault, Problem, ProblemType, UnfitValueError, as_text
from gatepost.registry.validation import Candidate, complete, parse_property
from gatepost.values.ids import Id

T = TypeVar("T", bound=msgspec.Struct)

_BAD_ESCAPE = re.compile(r"~(?![01])")


class InvalidPatchError(ValueError):
    """The patch itself makes no sense (SetError invalidPatch); the message says which key."""


def candidate_of_update(
    object_type: ObjectType[T],
    object_id: Id,
    current: T,
    patch: Mapping[str, object],
    now: datetime,
    files: FileTexts = NO_FILES,
) -> Candidate[T]:
    """The object that `patch` makes of `current`; `files`: what was read of those that it names. Raises InvalidPatchError."""
    whole, members = _split(object_type, patch)
    fields = msgspec.structs.asdict(current)
    values = {name: fields[declared.field_name] for name, declared in object_type.properties.items()}
    problems: list[Problem] = []
    for name, wire in whole.items():
        declared = object_type.properties.get(name)
        if declared is None:
            problems += _foreign(name, wire, object_id)
        else:
            _replace(declared, wire, values, problems)
    for name, changes in members.items():
        _change_members(object_type.properties[name], changes, values, problems)
    return complete(object_type, values, problems, frozenset(whole) | frozenset(members), now, files)


def _split(
    object_type: ObjectType[T], patch: Mapping[str, object]
) -> tuple[dict[str, object], dict[str, list[tuple[str, object]]]]:
    """Whole properties, and the changes of members by property. Raises InvalidPatchError."""
    whole: dict[str, object] = {}
    members: dict[str, list[tuple[str, object]]] = {}
    for key, value in patch.items():
        if _BAD_ESCAPE.search(key):
            raise InvalidPatchError(f"{key!r}: in a pointer, ~ is written ~0 and / is written ~1")
        name, *rest = (part.replace("~1", "/").replace("~0", "~") for part in key.split("/"))
        if not rest:
            whole[name] = value
            continue
        declared = object_type.properties.get(name)
        if declared is None or not isinstance(declared.kind, SetOf):
            raise InvalidPatchError(f"{key!r} points to nothing: only members of a set can be changed one by one")
        if len(rest) != 1:
            written = f"{name}/{'~1'.join(key.split('/')[1:])}"
            raise InvalidPatchError(f"{key!r}: a / in a member is written ~1, like {written!r}")
        members.setdefault(name, []).append((rest[0], value))
    if both := sorted(whole.keys() & members.keys()):
        raise InvalidPatchError(
            f"{both[0]!r} is replaced and its members are changed in the same patch: do one of them"
        )
    return whole, members


def _replace(declared: DeclaredProperty, wire: object, values: dict[str, Any], problems: list[Problem]) -> None:
    """A property given whole. Null gives the default back (RFC 8620 section 5.3), or clears an optional property."""
    if declared.declaration.update is not Update.MUTABLE:
        if not _is_same(declared, values[declared.name], wire):
            problems.append(_unchangeable(declared.name, declared.declaration.update))
    elif wire is not None or declared.is_nullable:
        parse_property(declared, wire, values, problems)
    elif declared.has_default:
        values[declared.name] = declared.default
    else:
        problems.append(Problem(declared.name, ProblemType.REQUIRED, "must not be null"))


def _is_same(declared: DeclaredProperty, value: Any, wire: object) -> bool:
    """Whether a client only gives back what it was given, which RFC 8620 section 5.3 allows."""
    if wire is None or value is None:
        return wire is value
    try:
        return bool(declared.kind.parse(wire) == value)
    except UnfitValueError:
        return False


def _unchangeable(name: str, update: Update) -> Problem:
    if update is Update.IMMUTABLE:
        return Problem(name, ProblemType.IMMUTABLE, "cannot be changed: create another object instead")
    return Problem(name, ProblemType.SERVER_SET, "is set by the server: leave it out")


def _change_members(
    declared: DeclaredProperty, changes: list[tuple[str, object]], values: dict[str, Any], problems: list[Problem]
) -> None:
    if declared.declaration.update is not Update.MUTABLE:
        problems.append(_unchangeable(declared.name, declared.declaration.update))
        return
    kind = declared.kind
    assert isinstance(kind, SetOf)  # noqa: S101 - _split has seen to it
    if values[declared.name] is None:
        raise InvalidPatchError(f"{declared.name!r} is null: give the whole set")
    if len(changes) > 2 * kind.max_items:  # all members removed, and as many added: not looked at one by one
        problems += [Problem.of(declared.name, fault) for fault in kind.count_faults(len(changes))]
        return
    members, seen = dict.fromkeys(values[declared.name]), set()
    for spelled, change in changes:
        try:
            member = kind.member.parse(spelled)
        except UnfitValueError as error:
            problems += [Problem.of(declared.name, fault) for fault in error.faults]
            continue
        if member in seen:
            raise InvalidPatchError(f"{declared.name}/{spelled}: this member is changed twice")
        seen.add(member)
        if change is True:
            members[member] = None
        elif change is None:
            members.pop(member, None)
        else:
            words = "the value of a member must be true, or null to remove it"
            problems.append(Problem(declared.name, ProblemType.INVALID, words, as_text(change)))
    values[declared.name] = tuple(members)
    problems += [Problem.of(declared.name, fault) for fault in kind.count_faults(len(members))]


def _foreign(name: str, wire: object, object_id: Id) -> list[Problem]:
    if name != "id":
        return [Problem.of(name, Fault(ProblemType.UNKNOWN, "there is no property of this name", as_text(name)))]
    return [] if wire == object_id else [_unchangeable("id", Update.SERVER_SET)]
