"""No address twice: not within a listener, not across listeners, wildcards and `[::]` against IPv4 included.

Two listeners may share an address only where the kernel would spread connections over equals: same protocol, same
policy, and both with SO_REUSEPORT. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations

import msgspec

from gatepost.registry.configuration import ObjectRef, Proposal
from gatepost.registry.network_listener import NETWORK_LISTENER, NetworkListener
from gatepost.registry.problem import Problem, ProblemType
from gatepost.registry.rules.finding import Finding, Unfit
from gatepost.values.ids import Id
from gatepost.values.socket_address import SocketAddress


def bind_clashes(proposal: Proposal) -> Iterator[Finding]:
    """Addresses of touched listeners that cannot be bound together with others of the configuration."""
    listeners = proposal.after.listeners
    for listener_id in proposal.touched_of(NETWORK_LISTENER):
        if (listener := listeners.get(listener_id)) is not None:
            yield from _within(ObjectRef(NETWORK_LISTENER.name, listener_id), listener)
    told: set[tuple[ObjectRef, SocketAddress]] = set()  # an address that clashes with many is told once
    for one_id, other_id in _pairs_that_meet(listeners):
        one, other = listeners[one_id], listeners[other_id]
        one_ref, other_ref = ObjectRef(NETWORK_LISTENER.name, one_id), ObjectRef(NETWORK_LISTENER.name, other_id)
        blamed = proposal.later_of(one_ref, other_ref)
        if blamed is not None and not _may_share(one, other):
            mine, theirs = (one, other) if blamed == one_ref else (other, one)
            for address, taken in _across(mine, theirs):
                if (blamed, address) not in told:
                    told.add((blamed, address))
                    covers = "is bound" if taken == address else f"clashes with {taken}, which is bound"
                    words = f"{address} {covers} by listener {theirs.name!r}: choose another address or port"
                    yield _conflict(blamed, address, words + _what_keeps_from_sharing(mine, theirs))


def _pairs_that_meet(listeners: Mapping[Id, NetworkListener]) -> Iterable[tuple[Id, Id]]:
    """Listeners that have an address in common, or a port where one has a wildcard, in order of creation. Few, where all
    pairs are many: hundreds of listeners may be created at once."""
    places = {listener_id: place for place, listener_id in enumerate(listeners)}
    by_address: dict[tuple[object, ...], dict[Id, None]] = {}
    wildcards: dict[int, dict[Id, None]] = {}
    by_port: dict[int, dict[Id, None]] = {}
    for listener_id, listener in listeners.items():
        for address in listener.bind:
            by_port.setdefault(address.port, {})[listener_id] = None
            by_address.setdefault((address.ip, address.scope, address.port), {})[listener_id] = None
            if address.is_wildcard:
                wildcards.setdefault(address.port, {})[listener_id] = None
    meeting = {pair for sharing in by_address.values() for pair in combinations(sharing, 2)}
    for port, holders in wildcards.items():
        meeting |= {(one, other) for one in holders for other in by_port[port] if one != other}
    in_order = {(one, other) if places[one] < places[other] else (other, one) for one, other in meeting}
    return sorted(in_order, key=lambda pair: (places[pair[0]], places[pair[1]]))


def _within(ref: ObjectRef, listener: NetworkListener) -> Iterator[Finding]:
    if listener.socket_reuse_port:
        return
    for one, other in combinations(listener.bind, 2):
        if one.clashes_with(other):
            words = f"{other} is already covered by {one} of the same listener: leave one of them out"
            yield _conflict(ref, other, words)


def _across(mine: NetworkListener, theirs: NetworkListener) -> Iterator[tuple[SocketAddress, SocketAddress]]:
    """Addresses of mine, each with the first of theirs that it clashes with."""
    for address in mine.bind:
        taken = next((other for other in theirs.bind if address.clashes_with(other)), None)
        if taken is not None:
            yield address, taken


def _may_share(one: NetworkListener, other: NetworkListener) -> bool:
    return one.socket_reuse_port and other.socket_reuse_port and _policy(one) == _policy(other)


def _what_keeps_from_sharing(mine: NetworkListener, theirs: NetworkListener) -> str:
    """Words for who has changed one of two that shared an address; none where it was hardly meant to be shared."""
    if mine.protocol is not theirs.protocol or not (mine.socket_reuse_port and theirs.socket_reuse_port):
        return ""
    one, other = msgspec.structs.asdict(_policy(mine)), msgspec.structs.asdict(_policy(theirs))
    fields = msgspec.structs.fields(NetworkListener)
    names = ", ".join(field.encode_name for field in fields if one[field.name] != other[field.name])
    return f". Equals may share it, but these differ in {names}: change that of both in one request"


def _policy(listener: NetworkListener) -> NetworkListener:
    """The listener without what may differ between equals."""
    return msgspec.structs.replace(listener, name="", bind=(), max_connections=None)


def _conflict(ref: ObjectRef, address: SocketAddress, words: str) -> Finding:
    return Unfit(ref, Problem("bind", ProblemType.CONFLICT, words, str(address)))
