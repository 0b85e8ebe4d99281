"""The event source (RFC 8620 section 7.3): what a client asks for, and the octets of the events. Pure; `event_stream` carries
them.

The octets are those of server-sent events (HTML standard, section 9.2). The id of an event is the state of every type that the
stream is about, so that a client which comes back with it is told at once what it has missed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote

import msgspec

from gatepost.values.ids import Id

States = Mapping[str, str]  # wire name of a type → its state

KEEP_ALIVE = b":\n\n"  # a comment: no event, but octets on the way, so that a connection that is dead is found out
_ALL_TYPES = "*"


class UnfitEventSourceError(ValueError):
    """The query of the URL is not one of RFC 8620 section 7.3; the message says which part."""


@dataclass(frozen=True, slots=True)
class PingBounds:
    """Between what the interval of pings is kept, in seconds."""

    shortest: int = 5
    longest: int = 300


@dataclass(frozen=True, slots=True)
class EventSourceRequest:
    """What a client asks for. `types` are wire names, None for all; `ping_interval` in seconds, 0 for no pings;
    `seen` are the states that it had when it was here before, None for a client that is new."""

    types: frozenset[str] | None
    is_closed_after_state: bool
    ping_interval: int
    seen: States | None

    def is_about(self, wire_name: str) -> bool:
        """Whether changes of this type are asked for. Types that are not known are never changed."""
        return self.types is None or wire_name in self.types


def parse_event_source_request(
    query: Mapping[str, str], last_event_id: str | None, bounds: PingBounds
) -> EventSourceRequest:
    """`query`: the decoded parameters; what is missing or empty is `types=*`, `closeafter=no`, `ping=0`.
    Raises UnfitEventSourceError."""
    types = query.get("types") or _ALL_TYPES
    close_after = query.get("closeafter") or "no"
    if close_after not in ("state", "no"):
        raise UnfitEventSourceError("closeafter must be state or no")
    return EventSourceRequest(
        types=None if types == _ALL_TYPES else frozenset(filter(None, types.split(","))),
        is_closed_after_state=close_after == "state",
        ping_interval=_ping_interval(query.get("ping") or "0", bounds),
        seen=None if last_event_id is None else _states_of_id(last_event_id),
    )


def _ping_interval(text: str, bounds: PingBounds) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise UnfitEventSourceError("ping must be a number of seconds, or 0 for none")
    seconds = int(text)
    return seconds and min(max(seconds, bounds.shortest), bounds.longest)


def state_event(account_id: Id, changed: States, states: States) -> bytes:
    """The event `state` with the StateChange object (RFC 8620 section 7.1) of the types in `changed`."""
    change = {"@type": "StateChange", "changed": {account_id: changed}}
    event_id = ",".join(f"{quote(name, safe=':')}={quote(state, safe='')}" for name, state in states.items())
    return b"event: state\nid: %b\ndata: %b\n\n" % (event_id.encode(), msgspec.json.encode(change))


def ping_event(interval: int) -> bytes:
    """The event `ping`, which tells the interval that is kept, in seconds."""
    return b"event: ping\ndata: %b\n\n" % msgspec.json.encode({"interval": interval})


def _states_of_id(event_id: str) -> States:
    """The states that an event was about. What cannot be read is as if it had not been seen."""
    pairs = (pair.partition("=") for pair in event_id.split(","))
    return {unquote(name): unquote(state) for name, equals, state in pairs if equals}
