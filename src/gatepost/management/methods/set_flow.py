"""Foo/set (RFC 8620 section 5.3): validated, prepared on the machine, committed, and running everywhere when answered.

turn → what is stored → candidates and rules → derived plan → prepare (drop what fails, again) → commit → activate
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import msgspec

from gatepost.management.api_key_token import SECRET_OCTETS, hash_of_token, make_token
from gatepost.management.applying import Applier, ApplyError, ApplyFailure, Change
from gatepost.management.certificate_files import read_files
from gatepost.management.jmap.engine import MethodContext
from gatepost.management.jmap.failure import MethodError
from gatepost.management.methods.already_stored import already_stored
from gatepost.management.methods.dry_run import dry_run_report
from gatepost.management.methods.own_pace import refuse_beyond_pace
from gatepost.management.methods.reading import TypeReader
from gatepost.management.methods.set_error import SetError, invalid_properties, problem_of_failure
from gatepost.management.methods.set_request import Item, Operation, SetRequest, read_set
from gatepost.management.methods.set_work import (
    Surroundings,
    answer_of_create,
    answer_of_update,
    files_named,
    plan_of,
    settle,
    work_of,
)
from gatepost.management.methods.turns import Turns
from gatepost.management.open_connections import NoConnections, OpenConnections
from gatepost.management.recording import author_of, object_write, retention_of
from gatepost.management.sessions_of_accounts import end_sessions_of
from gatepost.management.stored_configuration import load_configuration
from gatepost.plan.difference import difference
from gatepost.plan.plan import Plan
from gatepost.registry.account import ACCOUNT
from gatepost.registry.catalogue import OBJECT_TYPES
from gatepost.registry.change import ChangeCause
from gatepost.registry.configuration import Configuration, ObjectRef, Proposal
from gatepost.registry.declaration import DeclaredProperty
from gatepost.registry.domain import DOMAIN
from gatepost.registry.file_path import NO_FILES
from gatepost.registry.kinds import SecretText
from gatepost.store.history import Author
from gatepost.store.interface import ConfigurationStore, Moved, ObjectWrite, Taken
from gatepost.values.ids import Id
from gatepost.values.secret import Secret

_Hashes = dict[tuple[ObjectRef, str], tuple[Secret, Secret]]  # object and property → password and hash

_LONGEST_PASSWORD = 1024  # characters; longer ones are refused when the object is checked
_ATTEMPTS = 3  # when another node commits between our look and our commit


@dataclass(frozen=True, slots=True, kw_only=True)
class SetParts:
    """What a /set needs of the world. `hash_to_store(password, present_hash)` gives what is stored; `now` is in UTC."""

    store: ConfigurationStore
    applier: Applier
    hash_to_store: Callable[[Secret, Secret | None], Awaitable[Secret]]
    delete_account_mail: Callable[[Id], Awaitable[None]]
    make_id: Callable[[], Id]
    now: Callable[[], datetime]
    random_octets: Callable[[int], bytes]
    connections: OpenConnections = field(default_factory=NoConnections)
    # Of a change that does not come from an account: what stands in the history instead.
    cause: ChangeCause = ChangeCause.API


@dataclass(frozen=True, slots=True)
class Revert:
    """A /set that undoes a change: `change_id` is the one of the history, `object_id` what a create gives back."""

    change_id: Id
    object_id: Id


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a /set."""

    request: SetRequest
    proposal: Proposal
    old_state: str
    new_state: str
    report: dict[str, dict[str, list[object]]] | None  # of a dry run


class SetMethod:
    """The /set of one object type."""

    def __init__(self, reader: TypeReader, parts: SetParts) -> None:
        self._reader = reader
        self._parts = parts

    async def run(
        self, values: Mapping[str, Any], context: MethodContext, revert: Revert | None = None
    ) -> dict[str, Any]:
        """The arguments of the response. Raises MethodError."""
        outcome = await self._attempt(values, context, revert)
        if not outcome.request.is_dry_run:
            _note_created(outcome.request, context)
            await self._clear_up(outcome.proposal)
        return await _answer(outcome, context)

    async def _attempt(self, values: Mapping[str, Any], context: MethodContext, revert: Revert | None) -> Outcome:
        for _ in range(_ATTEMPTS):
            request = self._read(values, context, revert)
            await refuse_beyond_pace(request.items, self._parts.store.history, self._parts.now())
            hashes = {} if request.is_dry_run else await self._hash_given(request)
            try:
                async with self._parts.applier.change() as change:
                    return await self._carry_out(request, hashes, change, context)
            except (Taken, Moved):
                continue
            except ApplyError as error:
                raise MethodError("serverUnavailable", f"the change could not be carried through: {error}") from error
        raise MethodError("serverUnavailable", "other nodes keep changing the same objects: try again")

    def _read(self, values: Mapping[str, Any], context: MethodContext, revert: Revert | None) -> SetRequest:
        if revert is None:
            return read_set(self._reader, values, context, self._parts.make_id)
        request = read_set(self._reader, values, context, lambda: revert.object_id)
        return replace(request, revert_of=revert.change_id)

    async def _carry_out(self, request: SetRequest, hashes: _Hashes, change: Change, context: MethodContext) -> Outcome:
        parts = self._parts
        revision, before = await load_configuration(parts.store)
        old_state = await self._reader.state()
        if request.if_in_state not in (None, old_state):
            raise MethodError("stateMismatch", "the objects have changed since that state: read them again")
        requester = context.caller.requester
        files = await read_files(files_named(request, before))
        surroundings = Surroundings(parts.now(), files, change.running_plan)
        proposal = await settle(request, before, requester, surroundings)
        old_plan = plan_of(before, revision, replace(surroundings, files=NO_FILES))
        must_activate = False
        while (plan := plan_of(proposal.after, revision, surroundings)) != old_plan:
            must_activate = True
            if not _blame(request, await change.prepare(plan), proposal):
                break
            proposal = await settle(request, before, requester, surroundings)
            must_activate = False
        if request.is_dry_run:
            return self._tried(request, proposal, old_state, old_plan, plan)
        after = await self._hash_secrets(request, hashes, proposal.before, proposal.after)
        after = self._issue_secrets(request, after)
        writes = _writes(request, proposal, after, self._author(proposal, context, surroundings.now))
        await self._commit(writes, proposal, revision, change if must_activate else None)
        context.new_passwords.update(_new_passwords(proposal, after))
        new_state = await self._new_state() if writes else old_state
        return Outcome(request, proposal, old_state, new_state, None)

    async def _new_state(self) -> str:
        with already_stored("the change is stored, but the state that the objects have now could not be read"):
            return await self._reader.state()

    def _tried(self, request: SetRequest, proposal: Proposal, state: str, old_plan: Plan, plan: Plan) -> Outcome:
        steps = difference(old_plan, plan)
        report = dry_run_report(_done(request), steps, proposal, self._parts.now())
        return Outcome(request, proposal, state, state, report)

    def _author(self, proposal: Proposal, context: MethodContext, now: datetime) -> Author:
        if self._parts.cause is ChangeCause.API:
            return author_of(context.caller, proposal.before, now)
        return Author(at=now, cause=self._parts.cause)

    async def _commit(
        self, writes: list[ObjectWrite], proposal: Proposal, revision: int, change: Change | None
    ) -> None:
        if not writes:
            return
        retention = retention_of(proposal.after.settings, self._parts.now())
        revision = await self._parts.store.commit(writes, if_revision=revision, retention=retention)
        if change is not None:
            with already_stored("the change is stored, but not every worker runs it yet"):
                await change.activate(revision)

    async def _hash_given(self, request: SetRequest) -> _Hashes:
        """The hashes of the passwords that were given: before the turn is asked for, because others wait for the turn. What
        was refused at sight is left alone: how long it takes would tell whether a password of somebody else is the right one."""
        hashes: _Hashes = {}
        for item in _done(request):
            for name, declared in OBJECT_TYPES[item.ref.object_type].properties.items():
                given = item.wire.get(name)
                if _is_hashed(declared.kind) and isinstance(given, str) and len(given) <= _LONGEST_PASSWORD:
                    stored = await self._parts.store.read_objects(item.ref.object_type, [item.ref.id])
                    present = Secret(str(stored[0].value[name])) if stored else None
                    hashes[item.ref, name] = (Secret(given), await self._parts.hash_to_store(Secret(given), present))
        return hashes

    async def _hash_secrets(
        self, request: SetRequest, hashes: _Hashes, before: Configuration, after: Configuration
    ) -> Configuration:
        """Every password that was given is replaced by its hash: the one made before the turn, else one made now."""
        for item in _done(request):
            value = after.find(item.ref)
            if item.candidate is None or value is None:
                continue
            for name, declared in OBJECT_TYPES[item.ref.object_type].properties.items():
                if name in item.candidate.given and _is_hashed(declared.kind):
                    password: Secret = msgspec.structs.asdict(item.candidate.object)[declared.field_name]
                    known, hashed = hashes.get((item.ref, name), (None, None))
                    if hashed is None or known != password:
                        old = before.find(item.ref)
                        present = None if old is None else msgspec.structs.asdict(old)[declared.field_name]
                        hashed = await self._parts.hash_to_store(password, present)
                    value = msgspec.structs.replace(value, **{declared.field_name: hashed})
            after = after.replace(item.ref, value)
        return after

    def _issue_secrets(self, request: SetRequest, after: Configuration) -> Configuration:
        """Secrets of new objects are made: the answer shows them, only their hashes are stored."""
        for item in _done(request):
            declared = self._issued_property()
            if declared is None or item.operation is not Operation.CREATE or (value := after.find(item.ref)) is None:
                continue
            token = make_token(item.ref.id, self._parts.random_octets(SECRET_OCTETS))
            item.issued = {declared.name: token}
            value = msgspec.structs.replace(value, **{declared.field_name: hash_of_token(token)})
            after = after.replace(item.ref, value)
        return after

    def _issued_property(self) -> DeclaredProperty | None:
        properties = self._reader.object_type.properties.values()
        return next((each for each in properties if isinstance(each.kind, SecretText) and each.kind.is_issued), None)

    async def _clear_up(self, proposal: Proposal) -> None:
        """What accounts that are gone have left: first their sessions, so that none stores anything more."""
        gone = [
            ref.id for ref in proposal.touched if ref.object_type == ACCOUNT.name and proposal.after.find(ref) is None
        ]
        if not gone:
            return
        try:
            with already_stored("the account is gone, but sessions of it may be open"):
                await end_sessions_of(self._parts.connections, gone)
        finally:
            with already_stored("the account is gone, but its mail could not be removed"):
                for account_id in gone:
                    await self._parts.delete_account_mail(account_id)


def _is_hashed(kind: object) -> bool:
    return isinstance(kind, SecretText) and kind.is_hashed


def _done(request: SetRequest) -> list[Item]:
    return [item for item in request.items if item.error is None]


def _blame(request: SetRequest, failures: Sequence[ApplyFailure], proposal: Proposal) -> bool:
    """Give the operations that brought a failure about their error; whether there were any.

    Addresses that could not be bound before are not among the failures. What fails at an untouched object (a policy that
    cannot be built with a new certificate, no descriptor left) is blamed on all that is being changed."""
    touched = {ref.id for ref in proposal.touched}
    own: dict[Id, list[ApplyFailure]] = {}
    foreign: list[ApplyFailure] = []
    for failure in failures:
        if failure.object_id in touched:
            own.setdefault(failure.object_id, []).append(failure)
        else:
            foreign.append(failure)
    blamed = False
    for item in _done(request):
        if mine := own.get(item.ref.id):
            item.error = invalid_properties([problem_of_failure(failure) for failure in mine])
        elif foreign and not own:
            reasons = dict.fromkeys(failure.description for failure in foreign)  # the same for many listeners
            item.error = SetError("forbidden", "; ".join(reasons))
        blamed = blamed or item.error is not None
    return blamed


def _writes(request: SetRequest, proposal: Proposal, after: Configuration, author: Author) -> list[ObjectWrite]:
    """What the store has to do; what is destroyed goes first, so that its name is free."""
    writes: list[ObjectWrite] = []
    domains = {**proposal.before.of(DOMAIN), **proposal.after.of(DOMAIN)}
    for ref in proposal.touched:
        old, new = proposal.before.find(ref), after.find(ref)
        if new != old:
            object_type = OBJECT_TYPES[ref.object_type]
            write = object_write(author, object_type, ref.id, old, new, request.revert_of, domains)
            writes.insert(0 if new is None else len(writes), write)
    return writes


def _new_passwords(proposal: Proposal, after: Configuration) -> dict[Id, Secret]:
    """The hashes that accounts have now instead of another."""
    old, new = proposal.before.of(ACCOUNT), after.of(ACCOUNT)
    touched = [ref.id for ref in proposal.touched if ref.id in old and ref.id in new]
    return {each: new[each].password for each in touched if new[each].password != old[each].password}


def _note_created(request: SetRequest, context: MethodContext) -> None:
    for item in _done(request):
        if item.operation is Operation.CREATE:
            context.created_ids[item.key] = item.ref.id


async def _answer(outcome: Outcome, context: MethodContext) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "accountId": context.caller.account_id,
        "oldState": outcome.old_state,
        "newState": outcome.new_state,
    }
    done = _done(outcome.request)
    before, after = outcome.proposal.before, outcome.proposal.after
    turns, created, updated = Turns(), dict[str, object](), dict[str, object]()
    for item in done:
        if item.operation is Operation.CREATE:
            created[item.key] = answer_of_create(item, _result(item, after), is_dry_run=outcome.request.is_dry_run)
        elif item.operation is Operation.UPDATE:
            updated[item.key] = answer_of_update(item, before.find(item.ref), _result(item, after))
        await turns.spend(work_of(item))
    answer |= {"created": created or None, "updated": updated or None}
    answer["destroyed"] = [item.key for item in done if item.operation is Operation.DESTROY] or None
    for operation, name in _REFUSED.items():
        refused = {
            item.key: item.error.to_wire()
            for item in outcome.request.items
            if item.operation is operation and item.error is not None
        }
        answer[name] = refused or None
    return answer if outcome.report is None else answer | {"dryRun": outcome.report}


_REFUSED = {
    Operation.CREATE: "notCreated",
    Operation.UPDATE: "notUpdated",
    Operation.DESTROY: "notDestroyed",
}


def _result(item: Item, after: Configuration) -> Any:
    """The object as the operation left it; one that was destroyed later in the same request as it was created."""
    found = after.find(item.ref)
    return found if found is not None or item.candidate is None else item.candidate.object
