"""What a rule between objects reports: which object is to blame, and how /set answers for it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from gatepost.registry.configuration import ObjectRef
from gatepost.registry.problem import Problem
from gatepost.values.ids import Id


@dataclass(frozen=True, slots=True)
class Unfit:
    """A property of the object does not go together with something else (SetError invalidProperties)."""

    ref: ObjectRef
    problem: Problem


@dataclass(frozen=True, slots=True)
class NameTaken:
    """Another object of the type has the name (SetError alreadyExists). `properties`: what the name is made of, by wire name."""

    ref: ObjectRef
    existing_id: Id
    properties: tuple[str, ...]
    description: str


@dataclass(frozen=True, slots=True)
class Linked:
    """The object cannot go because others need it (SetError objectIsLinked)."""

    ref: ObjectRef
    linked: tuple[ObjectRef, ...]
    description: str


@dataclass(frozen=True, slots=True)
class Forbidden:
    """The object cannot go, or come (SetError forbidden)."""

    ref: ObjectRef
    description: str


Finding = Unfit | NameTaken | Linked | Forbidden
