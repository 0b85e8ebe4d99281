"""x:Change/set: `create` with `revertOf` undoes a change of the history, by the very /set that any client would call.

So permissions, validation, the preparation on the machine, the lock-out guard and the dry run are those of the object's own type.
The revert names the state that it was decided on: who changes the object in between is not overwritten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gatepost.management.access import demand
from gatepost.management.jmap.arguments import Arguments
from gatepost.management.jmap.engine import MethodContext, note_failure
from gatepost.management.jmap.failure import MethodError
from gatepost.management.methods.already_stored import already_stored
from gatepost.management.methods.get import real_id
from gatepost.management.methods.history import change_to_wire, state_of, visible_types
from gatepost.management.methods.inverse import CannotRevert, conflict_error, conflicts, inverse_of
from gatepost.management.methods.plain_set import answer_set, demand_set
from gatepost.management.methods.set_error import NOT_FOUND, SetError, invalid_properties
from gatepost.management.methods.set_flow import Revert, SetMethod
from gatepost.management.methods.set_request import read_wanted
from gatepost.registry.catalogue import OBJECT_TYPES
from gatepost.registry.change import CHANGE
from gatepost.registry.permissions import Verb
from gatepost.registry.problem import Problem, ProblemType
from gatepost.store.history import Combination, Condition, HistoryEntry, HistoryField, Relation, entry_number
from gatepost.store.interface import ConfigurationStore
from gatepost.values.ids import Id

_ATTEMPTS = 3  # when others change objects of the type meanwhile
_READ_ONLY = SetError("forbidden", "what has happened cannot be changed: create a Change with revertOf to undo one")
_VERB_OF_INVERSE = {"created": Verb.DESTROY, "updated": Verb.UPDATE, "destroyed": Verb.CREATE}
_REFUSALS = ("notCreated", "notUpdated", "notDestroyed")


@dataclass(frozen=True, slots=True)
class _Options:
    """`set_options`: dryRun and allowLockOut, for the /set that does it. `is_forced`: also over what came later."""

    set_options: Mapping[str, bool]
    is_forced: bool

    @property
    def is_dry_run(self) -> bool:
        return self.set_options["dryRun"]


class _Refused(Exception):
    """A SetError in wire form."""

    def __init__(self, error: Mapping[str, object]) -> None:
        super().__init__(error.get("description"))
        self.error = error


class RevertMethod:
    """The /set of the history. `sets`: that of every type, by name."""

    def __init__(self, store: ConfigurationStore, sets: Mapping[str, SetMethod]) -> None:
        self._store = store
        self._sets = sets

    async def run(self, values: Mapping[str, Any], context: MethodContext) -> dict[str, Any]:
        """RFC 8620 section 5.3. Raises MethodError."""
        demand_set(CHANGE.name, values, context)
        arguments = Arguments(values)
        arguments.account(context.caller.account_id)
        wanted = read_wanted(arguments)
        set_options = {name: arguments.boolean(name) for name in ("dryRun", "allowLockOut")}
        options = _Options(set_options, arguments.boolean("force"))
        arguments.finish()
        wanted.check_size(context)
        old_state = await self._state()
        if wanted.if_in_state not in (None, old_state):
            raise MethodError("stateMismatch", "there are other changes since that state: read them")
        read_only = await self._read_only([*wanted.updates, *wanted.destroys], context)
        answer: dict[str, Any] = {"created": {}, "notCreated": {}, "dryRun": {}}
        for key, wire in wanted.creates.items():
            await self._create(key, wire, options, context, answer)
        outcomes = {
            "created": answer["created"],
            "notCreated": answer["notCreated"],
            "notUpdated": {key: read_only[key] for key in wanted.updates},
            "notDestroyed": {key: read_only[key] for key in wanted.destroys},
        }
        answered = answer_set(context, old_state, await self._new_state(answer, options), outcomes)
        return answered | ({"dryRun": answer["dryRun"]} if options.is_dry_run else {})

    async def _read_only(self, keys: Sequence[str], context: MethodContext) -> Mapping[str, dict[str, object]]:
        """Why each of them is neither updated nor destroyed."""
        ids = {key: real_id(key, context) for key in keys}
        visible = visible_types(context.caller)
        there = {
            entry.id
            for entry in (await self._store.history.entries(list(ids.values())) if ids else ())
            if visible is None or entry.object_type in visible
        }
        return {key: (_READ_ONLY if each in there else NOT_FOUND).to_wire() for key, each in ids.items()}

    async def _state(self) -> str:
        return state_of(await self._store.history.span())

    async def _new_state(self, answer: Mapping[str, Any], options: _Options) -> str:
        if options.is_dry_run or not answer["created"]:
            return await self._state()
        with already_stored("changes are reverted, but the state that the history has now could not be read"):
            return await self._state()

    async def _create(
        self, key: str, wire: Mapping[str, Any], options: _Options, context: MethodContext, answer: dict[str, Any]
    ) -> None:
        try:
            entry = await self._entry(wire, context)
            done = await self._revert(key, entry, options, context)
        except _Refused as refused:
            answer["notCreated"][key] = dict(refused.error)
        except CannotRevert as refused:
            answer["notCreated"][key] = refused.error.to_wire()
        except Exception as error:
            if isinstance(error, MethodError) or not answer["created"]:
                raise
            note_failure(f"{CHANGE.wire_name}/set", error)  # RFC 8620 section 3.6.2: what is done already is told
            answer["notCreated"][key] = {"type": "serverFail", "description": "the server failed; its log says why"}
        else:
            if options.is_dry_run:
                answer["created"][key] = {"objectType": f"x:{entry.object_type}", "objectId": entry.object_id}
                answer["dryRun"][key] = next(iter(done["dryRun"].values()), {"steps": [], "warnings": []})
            else:
                with already_stored("the change is reverted, but what the history says of that could not be read"):
                    context.created_ids[key], answer["created"][key] = await self._made(entry)

    async def _entry(self, wire: Mapping[str, Any], context: MethodContext) -> HistoryEntry:
        problems = [
            Problem(name, ProblemType.SERVER_SET, "is set by the server: leave it out")
            if name in CHANGE.properties
            else Problem(name, ProblemType.UNKNOWN, "there is no property of this name", name[:64])
            for name in wire
            if name != "revertOf"
        ]
        wanted = wire.get("revertOf")
        found: Sequence[HistoryEntry] = ()
        if not isinstance(wanted, str):
            problems.append(Problem("revertOf", ProblemType.REQUIRED, "must be given: the id of the change to undo"))
        elif not (found := await self._store.history.entries([real_id(wanted, context)])):
            words = "the history has no change of this id, or not any more"
            problems.append(Problem("revertOf", ProblemType.INVALID, words, wanted[:64]))
        elif found[0].object_type not in OBJECT_TYPES:
            words = "it is a change of a type of object that this version does not have"
            problems.append(Problem("revertOf", ProblemType.INVALID, words))
        if problems:
            raise CannotRevert(invalid_properties(problems))
        return found[0]

    async def _revert(
        self, key: str, entry: HistoryEntry, options: _Options, context: MethodContext
    ) -> Mapping[str, Any]:
        """The answer of the /set that has done it. Raises CannotRevert, _Refused, MethodError."""
        object_type, run = OBJECT_TYPES[entry.object_type], self._sets[entry.object_type].run
        _demand_inverse(entry, context)
        for _ in range(_ATTEMPTS):
            snapshot = await self._store.snapshot(entry.object_type)
            stored = next((each.value for each in snapshot.objects if each.id == entry.object_id), None)
            current = None if stored is None else object_type.to_wire(object_type.from_stored(stored))
            operation = inverse_of(entry, current, key)
            if not options.is_forced and (found := conflicts(entry, current, await self._later(entry))):
                raise CannotRevert(conflict_error(found))
            arguments = {"accountId": context.caller.account_id, "ifInState": snapshot.state, **options.set_options}
            try:
                answer = await run({**arguments, **operation}, context, Revert(entry.id, entry.object_id))
            except MethodError as error:
                if error.kind == "stateMismatch":
                    continue
                if error.kind == "serverPartialFail":  # it is stored: no refusal
                    raise
                raise _Refused(error.arguments()) from error
            for name in _REFUSALS:
                for refusal in (answer[name] or {}).values():
                    raise _Refused(refusal)
            return answer
        raise _Refused({"type": "stateMismatch", "description": "others keep changing the same objects: try again"})

    async def _later(self, entry: HistoryEntry) -> list[HistoryEntry]:
        """What the history has of the object after this change, the newest first."""
        ids = await self._store.history.find(_all_of(_of_type(entry), _of_object(entry)))
        number = entry_number(entry.id) or 0
        later = [each for each in ids if (entry_number(each) or 0) > number]
        return list(reversed(await self._store.history.entries(later)))

    async def _made(self, entry: HistoryEntry) -> tuple[Id, dict[str, object]]:
        """The change that the revert itself is: the newest one that undoes this one."""
        wanted = Condition(HistoryField.REVERT_OF, Relation.IS, entry.id)
        ids: Sequence[Id] = await self._store.history.find(_all_of(wanted, _of_object(entry)))
        (made,) = await self._store.history.entries(ids[:1])
        return made.id, {"id": made.id, **change_to_wire(made)}


def _demand_inverse(entry: HistoryEntry, context: MethodContext) -> None:
    """What stands in the way of a revert is told to nobody who may not do it."""
    try:
        demand(context.caller, entry.object_type, _VERB_OF_INVERSE[entry.record.kind])
    except MethodError as error:
        raise _Refused(error.arguments()) from error


def _all_of(*conditions: Condition) -> Combination:
    return Combination("AND", conditions)


def _of_type(entry: HistoryEntry) -> Condition:
    return Condition(HistoryField.OBJECT_TYPE, Relation.IS, entry.object_type)


def _of_object(entry: HistoryEntry) -> Condition:
    return Condition(HistoryField.OBJECT_ID, Relation.IS, entry.object_id)
