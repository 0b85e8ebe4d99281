"""x:Change/get, /changes, /query and /queryChanges: the history of the configuration, out of the store.

The state of the history is the numbers of its oldest and its newest row: rows are only added at one end and removed at the
other, so what has changed since a state is known without looking. `revert.py` has the /set.

Who comes with an API key sees the changes of those objects alone that the key may see: the history has their values.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from gatepost.management.access import Caller, demand
from gatepost.management.jmap.arguments import Arguments
from gatepost.management.jmap.engine import MethodContext
from gatepost.management.jmap.failure import MethodError
from gatepost.management.methods.get import answer_get, check_size, read_get, real_id
from gatepost.management.methods.history_filter import history_filter, history_orders
from gatepost.management.methods.query import answer_query, answer_query_changes, read_query_changes, read_window
from gatepost.registry.change import CHANGE
from gatepost.registry.kinds import UtcDateTime
from gatepost.registry.permissions import TYPE_LABELS, Scope, Verb
from gatepost.store.history import (
    EVERYTHING,
    Combination,
    Condition,
    HistoryEntry,
    HistoryField,
    HistoryFilter,
    HistoryStore,
    Relation,
    Span,
    entry_id,
    entry_number,
)
from gatepost.values.ids import Id

_STATE = re.compile(r"([0-9]{1,18})-([0-9]{1,18})", re.ASCII)


class HistoryMethods:
    """The four methods that read."""

    def __init__(self, history: HistoryStore) -> None:
        self._history = history

    async def get(self, values: Mapping[str, Any], context: MethodContext) -> dict[str, Any]:
        """RFC 8620 section 5.1."""
        demand(context.caller, CHANGE.name, Verb.GET)
        wanted_ids, properties = read_get(values, context, CHANGE.properties)
        now, visible = await self._history.span(), visible_types(context.caller)
        if wanted_ids is None:
            wanted_ids = list(await self._history.find(_of_types(visible), span=now))
        check_size(wanted_ids, context)
        entries = await self._history.entries([real_id(each, context) for each in wanted_ids])
        wire = {each.id: change_to_wire(each) for each in entries if visible is None or each.object_type in visible}
        return answer_get(context, state_of(now), wanted_ids, properties, wire)

    async def changes(self, values: Mapping[str, Any], context: MethodContext) -> dict[str, Any]:
        """RFC 8620 section 5.2."""
        demand(context.caller, CHANGE.name, Verb.GET)
        arguments = Arguments(values)
        arguments.account(context.caller.account_id)
        since_state = arguments.text("sinceState")
        most = arguments.optional_integer("maxChanges", minimum=1)
        arguments.finish()
        now = await self._history.span()
        since = _known_span(since_state, now)
        gone, new = _gone(since, now)[:most], _new(since, now)
        if most is not None:
            new = new[: most - len(gone)]
        until = Span(since.oldest + len(gone), new[-1] if new else since.newest)
        has_more = bool(_gone(until, now) or _new(until, now))
        created = await self._visible([entry_id(number) for number in new], context.caller, now)
        return {
            "accountId": context.caller.account_id,
            "oldState": since_state,
            "newState": state_of(until if has_more else now),
            "hasMoreChanges": has_more,
            "created": created,
            "updated": [],
            "destroyed": [entry_id(number) for number in gone],
        }

    async def _visible(self, ids: Sequence[Id], caller: Caller, now: Span) -> Sequence[Id]:
        if (visible := visible_types(caller)) is None:
            return ids
        found = set(await self._history.find(_of_types(visible), span=now))
        return [each for each in ids if each in found]

    async def query(self, values: Mapping[str, Any], context: MethodContext) -> dict[str, Any]:
        """RFC 8620 section 5.5. Without a sort the newest come first."""
        demand(context.caller, CHANGE.name, Verb.QUERY)
        arguments = Arguments(values)
        arguments.account(context.caller.account_id)
        wanted, orders = history_filter(arguments.anything("filter")), history_orders(arguments.anything("sort"))
        window = read_window(arguments)
        arguments.finish()
        now = await self._history.span()
        ids = await self._history.find(_seen_by(context.caller, wanted), orders, span=now)
        return answer_query(context, state_of(now), ids, window, can_calculate_changes=True)

    async def query_changes(self, values: Mapping[str, Any], context: MethodContext) -> dict[str, Any]:
        """RFC 8620 section 5.6."""
        demand(context.caller, CHANGE.name, Verb.QUERY)
        arguments = Arguments(values)
        arguments.account(context.caller.account_id)
        wanted, orders = history_filter(arguments.anything("filter")), history_orders(arguments.anything("sort"))
        asked = read_query_changes(arguments)
        arguments.finish()
        now = await self._history.span()
        since = _known_span(asked.since_state, now)
        ids = await self._history.find(_seen_by(context.caller, wanted), orders, span=now)
        removed = [entry_id(number) for number in _gone(since, now)]
        return answer_query_changes(context, state_of(now), asked, removed, ids, lambda each: _is_new(each, since))


def visible_types(caller: Caller) -> Collection[str] | None:
    """Whose changes the caller may see; None: all, also of types that there are no longer."""
    if caller.key is None or caller.key.permissions is None:
        return None
    return [name for name in TYPE_LABELS if caller.scope(name, Verb.GET) is Scope.ALL]


def _of_types(names: Collection[str] | None) -> HistoryFilter:
    if names is None:
        return EVERYTHING
    return Combination("OR", [Condition(HistoryField.OBJECT_TYPE, Relation.IS, name) for name in names])


def _seen_by(caller: Caller, wanted: HistoryFilter) -> HistoryFilter:
    return Combination("AND", [_of_types(visible_types(caller)), wanted])


def state_of(span: Span) -> str:
    """The state string. An empty history is one whose first row has not come yet."""
    return f"{span.oldest or 1}-{span.newest}"


def change_to_wire(entry: HistoryEntry) -> dict[str, object]:
    """All properties but the id, in the order of the declaration."""
    record, author = entry.record, entry.record.author
    return {
        "at": UtcDateTime().to_wire(author.at),
        "revision": entry.revision,
        "kind": record.kind,
        "objectType": f"x:{entry.object_type}",
        "objectId": entry.object_id,
        "objectName": record.object_name,
        "cause": author.cause.value,
        "accountId": author.account_id,
        "account": author.account,
        "apiKey": author.api_key,
        "sourceAddress": author.source_address,
        "listenerId": author.listener_id,
        "listener": author.listener,
        "before": record.before,
        "after": record.after,
        "redacted": dict.fromkeys(record.redacted, True),
        "revertOf": record.revert_of,
    }


def _known_span(state: str, now: Span) -> Span:
    """What a state string stands for. Raises MethodError cannotCalculateChanges."""
    matched = _STATE.fullmatch(state)
    since = Span(int(matched[1]), int(matched[2])) if matched else None
    if since is None or not 1 <= since.oldest <= max(now.oldest, 1) or since.newest > now.newest:
        raise MethodError("cannotCalculateChanges", "the changes since that state are not known: get everything again")
    return since


def _new(since: Span, now: Span) -> Sequence[int]:
    return range(max(since.newest + 1, now.oldest), now.newest + 1)


def _gone(since: Span, now: Span) -> Sequence[int]:
    return range(since.oldest, max(since.oldest, min(now.oldest, since.newest + 1)))


def _is_new(object_id: Id, since: Span) -> bool:
    return (entry_number(object_id) or 0) > since.newest
