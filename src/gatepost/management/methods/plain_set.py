"""A Foo/set (RFC 8620 section 5.3) of objects that the server makes: most of what is asked for is refused object by object."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping
from typing import Any

from gatepost.management.access import demand
from gatepost.management.jmap.arguments import Arguments
from gatepost.management.jmap.engine import MethodContext
from gatepost.management.methods.set_error import NOT_FOUND, SetError
from gatepost.management.methods.set_request import Wanted, read_wanted
from gatepost.registry.permissions import Verb

_VERBS = {"create": Verb.CREATE, "update": Verb.UPDATE, "destroy": Verb.DESTROY}
_OUTCOMES = ("created", "updated", "destroyed", "notCreated", "notUpdated", "notDestroyed")


def demand_set(type_name: str, values: Mapping[str, Any], context: MethodContext) -> None:
    """Raises MethodError forbidden unless the caller may do what is asked for; an empty /set still tells the state."""
    for verb in [verb for name, verb in _VERBS.items() if values.get(name)] or [Verb.GET]:
        demand(context.caller, type_name, verb)


def read_plain_set(type_name: str, values: Mapping[str, Any], context: MethodContext) -> tuple[Wanted, bool]:
    """What is wanted, and whether only as a dry run. Raises MethodError: forbidden, invalidArguments, accountNotFound,
    requestTooLarge."""
    demand_set(type_name, values, context)
    arguments = Arguments(values)
    arguments.account(context.caller.account_id)
    wanted, is_dry_run = read_wanted(arguments), arguments.boolean("dryRun")
    arguments.finish()
    wanted.check_size(context)
    return wanted, is_dry_run


def all_refused(keys: Collection[str], error: SetError) -> dict[str, object]:
    """The same SetError for each of them."""
    return dict.fromkeys(keys, error.to_wire())


def refused_or_missing(ids: Iterable[str], there: Container[str], error: SetError) -> dict[str, object]:
    """The SetError for each that is there, notFound for the others."""
    return {each: (error if each in there else NOT_FOUND).to_wire() for each in ids}


def answer_set(
    context: MethodContext, old_state: str, new_state: str, outcomes: Mapping[str, Collection[Any]]
) -> dict[str, Any]:
    """The answer; an outcome that is left out or empty is null."""
    states = {"accountId": context.caller.account_id, "oldState": old_state, "newState": new_state}
    return states | {name: outcomes.get(name) or None for name in _OUTCOMES}
