"""Plan files: NDJSON text parsed into operations. Called by `gatepost apply` and by `serve --plan`.

Every non-blank line is one operation, except lines that begin with `#`, which are remarks. The form of an operation is
checked here, its object types and properties in `config.reconcile`, where the schema is known. Pure: the caller reads
the file.

    {"@type":"upsert","object":"Domain","matchOn":["name"],"value":{"d":{"name":"example.org"}}}
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gatepost.config.object_shape import bare_type_name, did_you_mean
from gatepost.values.i_json import UnfitJsonError, parse_i_json
from gatepost.values.ids import is_id


@dataclass(frozen=True, slots=True)
class PlanLine:
    """Where an operation stands; lines count from 1."""

    file_name: str
    number: int

    def __str__(self) -> str:
        return f"{self.file_name} line {self.number}"


@dataclass(frozen=True, slots=True)
class PlanProblem:
    """One thing that is wrong with a plan. `property_name` is the member of the operation or of an object in it."""

    line: PlanLine
    property_name: str | None
    description: str

    def __str__(self) -> str:
        place = f"{self.line}: {self.property_name}" if self.property_name else str(self.line)
        return f"{place}: {self.description}"


class PlanError(ValueError):
    """A plan that cannot be carried out; holds everything that is wrong with it."""

    def __init__(self, problems: Sequence[PlanProblem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Create:
    """Create objects. `values`: local name → wire values; `#local-name` refers to the object from later operations."""

    line: PlanLine
    object_name: str
    values: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Update:
    """Patch the object with that id (or `#local-name`, or name); None stands for the id of a singleton."""

    line: PlanLine
    object_name: str
    object_id: str | None
    patch: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Upsert:
    """For each value: update the object that has its `match_on` properties, or create it where there is none."""

    line: PlanLine
    object_name: str
    match_on: tuple[str, ...]
    values: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Reconcile:
    """An upsert that also destroys every object of the type that it does not list."""

    line: PlanLine
    object_name: str
    match_on: tuple[str, ...]
    values: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Destroy:
    """Destroy the objects that a filter (RFC 8620 section 5.5) matches; `{}` matches all of them."""

    line: PlanLine
    object_name: str
    filter: Mapping[str, Any]


Operation = Create | Update | Upsert | Reconcile | Destroy

_KEYS = {  # @type → the members that must stand there, and those that may
    "create": (("object", "value"), ()),
    "update": (("object", "value"), ("id",)),
    "upsert": (("object", "matchOn", "value"), ()),
    "reconcile": (("object", "matchOn", "value"), ()),
    "destroy": (("object", "value"), ()),
}


def parse_plan(text: str, file_name: str) -> list[Operation]:
    """The operations of a plan file in order. Raises PlanError with every problem of every line."""
    operations: list[Operation] = []
    problems: list[PlanProblem] = []
    for number, source in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        stripped = source.strip()
        if not stripped or stripped.startswith("#"):
            continue
        try:
            operations.append(_LineParser(PlanLine(file_name, number)).parse(stripped))
        except PlanError as error:
            problems.extend(error.problems)
    if problems:
        raise PlanError(problems)
    return operations


class _LineParser:
    """Parses one line. Its problems are raised together as one PlanError."""

    def __init__(self, line: PlanLine) -> None:
        self._line = line
        self._problems: list[PlanProblem] = []

    def parse(self, source: str) -> Operation:
        members = self._json_object(source)
        kind = self._kind(members)
        required, optional = _KEYS[kind]
        self._check_keys(kind, members, required, optional)
        object_name = self._object_name(members.get("object"))
        build = _BUILDERS[kind]
        operation = build(self, object_name, members)
        if self._problems:
            raise PlanError(self._problems)
        return operation

    def problem(self, property_name: str | None, description: str) -> None:
        self._problems.append(PlanProblem(self._line, property_name, description))

    def _fail(self, property_name: str | None, description: str) -> PlanError:
        self.problem(property_name, description)
        return PlanError(self._problems)

    def _json_object(self, source: str) -> dict[str, Any]:
        try:
            members = parse_i_json(source)
        except json.JSONDecodeError as error:
            raise self._fail(None, f"not JSON at column {error.colno}: {error.msg}; write one object a line") from None
        except UnfitJsonError as error:
            raise self._fail(None, f"not usable JSON: {error}{f': {error.found}' if error.found else ''}") from None
        if not isinstance(members, dict):
            raise self._fail(None, 'an operation is a JSON object, like {"@type":"create","object":…,"value":{…}}')
        return members

    def _kind(self, members: Mapping[str, Any]) -> str:
        kind = members.get("@type")
        known = ", ".join(_KEYS)
        if kind is None:
            raise self._fail("@type", f"is missing; it is one of {known}")
        if not isinstance(kind, str) or kind.casefold() not in _KEYS:
            raise self._fail("@type", f"{kind!r} is not an operation; it is one of {known}")
        return kind.casefold()

    def _check_keys(
        self, kind: str, members: Mapping[str, Any], required: Sequence[str], optional: Sequence[str]
    ) -> None:
        allowed = ("@type", *required, *optional)
        for key in members:
            if key not in allowed:
                hint = did_you_mean(key, allowed) or f"; {kind} takes {', '.join(allowed)}"
                self.problem(key, f"is not a member of {kind}{hint}")
        for key in required:
            if key not in members:
                example = ', for example "matchOn":["name"]' if key == "matchOn" else ""
                self.problem(key, f"is missing; {kind} needs it{example}")
        if self._problems:
            raise PlanError(self._problems)

    def _object_name(self, name: object) -> str:
        if not isinstance(name, str) or not bare_type_name(name):
            self.problem("object", f"{name!r} is not the name of an object type, like NetworkListener")
            return ""
        return bare_type_name(name)

    def _values(self, members: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
        values = members["value"]
        if not isinstance(values, dict):
            self.problem("value", 'is a map of objects, each under a name of its own: {"a":{"name":…}}')
            return {}
        for name, value in values.items():
            if not is_id(name):
                self.problem(f"value/{name}", "the name of an object in a plan is made of A-Z a-z 0-9 - _")
            if not isinstance(value, dict):
                self.problem(f"value/{name}", 'is not an object; each value stands under a name: {"a":{"name":…}}')
        return {name: value for name, value in values.items() if isinstance(value, dict)}

    def _match_on(self, members: Mapping[str, Any], values: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
        match_on = members["matchOn"]
        if not isinstance(match_on, list) or not match_on or not all(isinstance(name, str) for name in match_on):
            self.problem("matchOn", 'is a list of property names, like ["name"]')
            return ()
        for local_name, value in values.items():
            for name in match_on:
                if name not in value:
                    self.problem(f"value/{local_name}/{name}", "is missing; matchOn names it")
        return tuple(match_on)

    def create(self, object_name: str, members: Mapping[str, Any]) -> Operation:
        return Create(self._line, object_name, self._values(members))

    def update(self, object_name: str, members: Mapping[str, Any]) -> Operation:
        object_id = members.get("id")
        if object_id is not None and (not isinstance(object_id, str) or not object_id):
            self.problem("id", f"{object_id!r} is not an id; leave it out for a singleton")
        return Update(self._line, object_name, object_id, self._plain_value(members, '{"maxConnections":4096}'))

    def upsert(self, object_name: str, members: Mapping[str, Any]) -> Operation:
        values = self._values(members)
        return Upsert(self._line, object_name, self._match_on(members, values), values)

    def reconcile(self, object_name: str, members: Mapping[str, Any]) -> Operation:
        values = self._values(members)
        return Reconcile(self._line, object_name, self._match_on(members, values), values)

    def destroy(self, object_name: str, members: Mapping[str, Any]) -> Operation:
        return Destroy(self._line, object_name, self._plain_value(members, '{"name":"pop3s"}'))

    def _plain_value(self, members: Mapping[str, Any], example: str) -> Mapping[str, Any]:
        value = members["value"]
        if isinstance(value, dict):
            return value
        self.problem("value", f"is not an object, like {example}")
        return {}


_BUILDERS: dict[str, Callable[[_LineParser, str, Mapping[str, Any]], Operation]] = {
    "create": _LineParser.create,
    "update": _LineParser.update,
    "upsert": _LineParser.upsert,
    "reconcile": _LineParser.reconcile,
    "destroy": _LineParser.destroy,
}
