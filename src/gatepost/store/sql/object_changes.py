"""What many changes of objects come to (RFC 8620 section 5.2). Pure."""

from __future__ import annotations

from collections.abc import Iterable

from gatepost.store.interface import ObjectChanges
from gatepost.values.ids import Id

# What an object was made into so far, and what happens to it next. None: nothing that a client has to hear of.
_NET: dict[tuple[str | None, str], str | None] = {
    (None, "created"): "created",
    (None, "updated"): "updated",
    (None, "destroyed"): "destroyed",
    ("created", "updated"): "created",
    ("created", "destroyed"): None,
    ("updated", "updated"): "updated",
    ("updated", "destroyed"): "destroyed",
    ("destroyed", "created"): "updated",
}


def net_changes(since: int, log: Iterable[tuple[int, str, str]], max_changes: int | None) -> ObjectChanges:
    """The sum of the log after state `since`: (sequence, id, kind) in order. It stops at a state between when there are
    more than `max_changes` ids (at least 1)."""
    net: dict[Id, str] = {}
    new_state, has_more = since, False
    for sequence, object_id, kind in log:
        key = Id(object_id)
        becomes = _NET[net.get(key), kind]
        if max_changes is not None and becomes is not None and key not in net and len(net) >= max_changes:
            has_more = True
            break
        if becomes is None:
            del net[key]
        else:
            net[key] = becomes
        new_state = sequence
    return ObjectChanges(
        old_state=str(since),
        new_state=str(new_state),
        has_more=has_more,
        created=[key for key, kind in net.items() if kind == "created"],
        updated=[key for key, kind in net.items() if kind == "updated"],
        destroyed=[key for key, kind in net.items() if kind == "destroyed"],
    )
