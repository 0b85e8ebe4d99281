"""Foo/changes (RFC 8620 section 5.2) for every object type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatepost.management.access import Scope, Verb
from gatepost.management.jmap.arguments import Arguments
from gatepost.management.jmap.engine import MethodContext
from gatepost.management.jmap.failure import MethodError
from gatepost.management.methods.reading import TypeReader


async def changes(reader: TypeReader, values: Mapping[str, Any], context: MethodContext) -> dict[str, Any]:
    """Which objects were created, updated and destroyed since a state."""
    allowed = reader.allow(context.caller, Verb.GET)
    arguments = Arguments(values)
    arguments.account(context.caller.account_id)
    since_state = arguments.text("sinceState")
    max_changes = arguments.optional_integer("maxChanges", minimum=1)
    arguments.finish()
    found = await reader.store.changes(reader.object_type.name, since_state, max_changes)
    if found is None:
        raise MethodError("cannotCalculateChanges", "the changes since that state are not known: get everything again")
    own = context.caller.account_id if allowed is Scope.OWN else None
    return {
        "accountId": context.caller.account_id,
        "oldState": since_state,
        "newState": found.new_state,
        "hasMoreChanges": found.has_more,
        "created": [each for each in found.created if own in (None, each)],
        "updated": [each for each in found.updated if own in (None, each)],
        "destroyed": [each for each in found.destroyed if own in (None, each)],
    }
