"""What undoes a change of the history, and what stands in the way of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gatepost.management.methods.set_error import SetError
from gatepost.registry.catalogue import OBJECT_TYPES
from gatepost.registry.declaration import Update
from gatepost.registry.problem import ProblemType
from gatepost.store.history import HistoryEntry

Wire = Mapping[str, object]


class CannotRevert(Exception):
    """Why a change is not undone, as a SetError."""

    def __init__(self, error: SetError) -> None:
        super().__init__(error.description)
        self.error = error


@dataclass(frozen=True, slots=True)
class Conflict:
    """A property that has got another value since. `by`: the newest change of it that the history has."""

    property_name: str
    by: HistoryEntry | None


def inverse_of(entry: HistoryEntry, current: Wire | None, key: str) -> dict[str, object]:
    """The arguments of a /set that undoes the change, given the object as it is now (in wire form; None: there is none) and
    the creation id for what is created. Raises CannotRevert where that does not make sense."""
    record = entry.record
    match record.kind:
        case "created":
            if current is None:
                raise _refusal("the object that it created is gone already")
            return {"destroy": [entry.object_id]}
        case "destroyed":
            if current is not None:
                raise _refusal("the object that it destroyed is there again")
            _refuse_secrets(entry, "create the object anew")
            return {"create": {key: _settable(entry, record.before or {})}}
    if current is None:
        raise _refusal("the object does not exist any more: revert the change that destroyed it first")
    _refuse_secrets(entry, "set it anew, and what else is to be as it was before")
    patch = _settable(entry, record.before or {})
    if not patch:
        raise _refusal("the server itself has set what it changed (facts read out of a file); there is nothing to undo")
    if all(name in current and current[name] == value for name, value in patch.items()):
        raise _refusal("the object is as it was before that change already")
    return {"update": {entry.object_id: patch}}


def conflicts(entry: HistoryEntry, current: Wire | None, later: Sequence[HistoryEntry]) -> list[Conflict]:
    """The properties of the change that are not as it left them. `later`: what the history has of the object since, the
    newest first."""
    left = _settable(entry, entry.record.after or {})
    if current is None or not left:
        return []
    changed = [name for name, value in left.items() if name in current and current[name] != value]
    is_removed = entry.record.kind == "created"  # a secret that was set since would be lost with the object
    secrets = dict.fromkeys(name for each in later for name in each.record.redacted if is_removed)
    return [Conflict(name, _newest_of(name, later)) for name in (*changed, *secrets)]


def conflict_error(found: Iterable[Conflict]) -> SetError:
    """Names the properties and who changed them."""
    problems = [
        {
            "property": "revertOf",
            "type": ProblemType.CONFLICT.value,
            "description": f"{each.property_name} has been changed since{_by_whom(each.by)}",
            "value": each.property_name,
        }
        for each in found
    ]
    words = "; ".join(str(problem["description"]) for problem in problems)
    advice = 'revert what came later first, or give "force": true'
    members: dict[str, object] = {"properties": ["revertOf"], "validationErrors": problems}
    return SetError("invalidProperties", f"{words}: {advice}", members)


def _by_whom(entry: HistoryEntry | None) -> str:
    if entry is None:
        return ""
    author = entry.record.author
    return f" by {author.account or author.cause.value} at {author.at:%Y-%m-%dT%H:%M:%SZ} (change {entry.id})"


def _newest_of(name: str, later: Iterable[HistoryEntry]) -> HistoryEntry | None:
    for entry in later:
        record = entry.record
        if name in (record.before or {}) or name in (record.after or {}) or name in record.redacted:
            return entry
    return None


def _settable(entry: HistoryEntry, values: Wire) -> dict[str, object]:
    """Those that a client may set. A property that this version does not know is left to the /set, which refuses it."""
    properties = OBJECT_TYPES[entry.object_type].properties
    return {
        name: value
        for name, value in values.items()
        if name not in properties or properties[name].declaration.update is not Update.SERVER_SET
    }


def _refuse_secrets(entry: HistoryEntry, advice: str) -> None:
    if entry.record.redacted:
        names = ", ".join(entry.record.redacted)
        wire_name = OBJECT_TYPES[entry.object_type].wire_name
        words = f"{names}: secrets are not kept in the history, so the value cannot be given back; {advice} with {wire_name}/set"
        raise _refusal(words)


def _refusal(description: str) -> CannotRevert:
    return CannotRevert(SetError("forbidden", f"this change cannot be reverted: {description}"))
