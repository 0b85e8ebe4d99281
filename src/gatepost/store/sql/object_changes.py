"""What many changes of objects come to (RFC 8620 section 5.2), and the states between two states. Pure.

A state is the number of a row of the log. Where a client takes its changes in parts, the state between is `since.until.told`: it
knows `told` of the objects that changed from one row to another. So each object is told of once, as what all its changes until
then come to, whatever part they lie in: nothing is created after it was destroyed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

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
    ("destroyed", "created"): "remade",
    ("remade", "updated"): "remade",
    ("remade", "destroyed"): "destroyed",
}


_STATE = re.compile(r"(0|[1-9][0-9]{0,17})(?:\.(0|[1-9][0-9]{0,17})\.([1-9][0-9]{0,17}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class KnownState:
    """What a client knows: everything up to row `since`, and `told` of the objects that changed from there to row `until`; None:
    it has not been told of any yet."""

    since: int
    until: int | None = None
    told: int = 0


def parse_state(text: str) -> KnownState | None:
    """None for what no state looks like."""
    matched = _STATE.fullmatch(text)
    if matched is None:
        return None
    since, until, told = matched.groups()
    return KnownState(int(since)) if until is None else KnownState(int(since), int(until), int(told))


def changes_from(
    known: KnownState, log: Sequence[tuple[int, str, str]], max_changes: int | None
) -> ObjectChanges | None:
    """What the client has to be told next: of `max_changes` objects (at least 1) at most. `log`: all rows after `known.since`,
    (sequence, id, kind) in order. None where there never was such a state."""
    newest = log[-1][0] if log else known.since
    until = newest if known.until is None else known.until
    rows = [row for row in log if row[0] <= until]
    net = _net(rows)
    if known.until is not None and (not rows or rows[-1][0] != until or known.told >= len(net)):
        return None
    end = len(net) if max_changes is None else min(len(net), known.told + max_changes)
    is_between = end < len(net)
    told = list(net.items())[known.told : end]
    return ObjectChanges(
        old_state=_text(known),
        new_state=_text(KnownState(known.since, until, end) if is_between else KnownState(until)),
        has_more=is_between or until < newest,
        created=[key for key, kind in told if kind == "created"],
        updated=[key for key, kind in told if kind in ("updated", "remade")],
        destroyed=[key for key, kind in told if kind == "destroyed"],
        remade=[key for key, kind in told if kind == "remade"],
    )


def _text(state: KnownState) -> str:
    return str(state.since) if state.until is None else f"{state.since}.{state.until}.{state.told}"


def _net(log: Iterable[tuple[int, str, str]]) -> dict[Id, str]:
    """The objects that are not as they were, in the order in which they changed first."""
    net: dict[Id, str] = {}
    for _, object_id, kind in log:
        key = Id(object_id)
        becomes = _NET[net.get(key), kind]
        if becomes is None:
            del net[key]
        else:
            net[key] = becomes
    return net
