"""There are no more listeners than the workers have room to count for. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from gatepost.registry.configuration import ObjectRef, Proposal
from gatepost.registry.network_listener import NETWORK_LISTENER
from gatepost.registry.rules.finding import Finding, Forbidden

MOST_LISTENERS = 4000  # beyond them, what is counted has room for removed ones whose connections have yet to end


def too_many_listeners(proposal: Proposal) -> Iterator[Finding]:
    """Those that are created beyond what there may be."""
    listeners = proposal.after.listeners
    for listener_id in islice(listeners, MOST_LISTENERS, None):  # in order of creation
        if listener_id not in proposal.before.listeners:
            words = f"a server has {MOST_LISTENERS} listeners at most: give one several addresses"
            yield Forbidden(ObjectRef(NETWORK_LISTENER.name, listener_id), words)
