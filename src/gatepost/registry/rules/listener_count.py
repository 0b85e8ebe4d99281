"""There are no more listeners than the workers have room to count for, and no more addresses than can be bound while others wait
for their change. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from gatepost.registry.configuration import Configuration, ObjectRef, Proposal
from gatepost.registry.network_listener import NETWORK_LISTENER
from gatepost.registry.problem import Problem, ProblemType
from gatepost.registry.rules.finding import Finding, Forbidden, Unfit

MOST_LISTENERS = 4000  # beyond them, what is counted has room for removed ones whose connections have yet to end
MOST_ADDRESSES = 8192  # of all listeners together: sockets of all workers are made for each of them, within one change


def too_many_listeners(proposal: Proposal) -> Iterator[Finding]:
    """Those that are created beyond what there may be."""
    listeners = proposal.after.listeners
    for listener_id in islice(listeners, MOST_LISTENERS, None):  # in order of creation
        if listener_id not in proposal.before.listeners:
            words = f"a server has {MOST_LISTENERS} listeners at most: give one several addresses"
            yield Forbidden(ObjectRef(NETWORK_LISTENER.name, listener_id), words)


def too_many_addresses(proposal: Proposal) -> Iterator[Finding]:
    """Listeners that get more of them, where there are more than there may be. What a server has had before is left alone."""
    if _addresses(proposal.after) <= max(MOST_ADDRESSES, _addresses(proposal.before)):
        return
    words = (
        f"all listeners together have {MOST_ADDRESSES} addresses at most: use a wildcard address for many of one port"
    )
    for listener_id in proposal.touched_of(NETWORK_LISTENER):
        before, after = proposal.before.listeners.get(listener_id), proposal.after.listeners.get(listener_id)
        if after is not None and len(after.bind) > (0 if before is None else len(before.bind)):
            problem = Problem("bind", ProblemType.CONFLICT, words)
            yield Unfit(ObjectRef(NETWORK_LISTENER.name, listener_id), problem)


def _addresses(configuration: Configuration) -> int:
    return sum(len(listener.bind) for listener in configuration.listeners.values())
