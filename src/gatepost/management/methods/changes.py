"""Foo/changes (RFC 8620 section 5.2) for every object type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatepost.management.access import demand
from gatepost.management.jmap.arguments import Arguments
from gatepost.management.jmap.engine import MethodContext
from gatepost.management.jmap.failure import MethodError
from gatepost.management.methods.reading import TypeReader
from gatepost.registry.permissions import Verb


async def changes(reader: TypeReader, values: Mapping[str, Any], context: MethodContext) -> dict[str, Any]:
    """Which objects were created, updated and destroyed since a state."""
    allowed = reader.allow(context.caller, Verb.GET)
    arguments = Arguments(values)
    arguments.account(context.caller.account_id)
    since_state = arguments.text("sinceState")
    max_changes = arguments.optional_integer("maxChanges", minimum=1)
    arguments.finish()
    found = await reader.changes(since_state, max_changes)
    if found is None:
        raise MethodError("cannotCalculateChanges", "the changes since that state are not known: get everything again")
    visible = await reader.visible_changes(context.caller, allowed, found)
    return {
        "accountId": context.caller.account_id,
        "oldState": since_state,
        "newState": found.new_state,
        "hasMoreChanges": found.has_more,
        "created": [each for each in found.created if each in visible],
        "updated": [each for each in found.updated if each in visible],
        "destroyed": [each for each in found.destroyed if each in visible],
    }


async def no_changes(type_name: str, values: Mapping[str, Any], context: MethodContext) -> dict[str, Any]:
    """Foo/changes and Foo/queryChanges of what is asked of the running server: nothing is kept of how it was."""
    demand(context.caller, type_name, Verb.GET)
    Arguments(values).account(context.caller.account_id)
    raise MethodError("cannotCalculateChanges", "it is not kept how this was before: get everything again")
