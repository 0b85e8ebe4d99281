"""The Request object (RFC 8620 section 3.3), read and checked against the limits."""

from __future__ import annotations

from typing import Any

import msgspec

from gatepost.management.jmap.capabilities import KNOWN
from gatepost.management.jmap.failure import RequestError, not_request, over_limit
from gatepost.management.jmap.i_json import parse_i_json
from gatepost.management.jmap.limits import Limits
from gatepost.values.ids import Id, is_id


class Invocation(msgspec.Struct, frozen=True):
    """A method call or a response to one (RFC 8620 section 3.2)."""

    name: str
    arguments: dict[str, Any]
    call_id: str


class Request(msgspec.Struct, frozen=True):
    """What a client sent. `created_ids` is None where the client did not send any."""

    using: frozenset[str]
    calls: tuple[Invocation, ...]
    created_ids: dict[str, Id] | None


def parse_request(octets: bytes, limits: Limits) -> Request:
    """Raises RequestError: notJSON, notRequest, unknownCapability, limit."""
    if len(octets) > limits.max_size_request:
        raise over_limit("maxSizeRequest", limits.max_size_request)
    if _most_values(octets) > limits.max_values_in_request:
        raise over_limit("maxValuesInRequest", limits.max_values_in_request)
    value = parse_i_json(octets)
    if not isinstance(value, dict):
        raise not_request("the request must be an object with the members using and methodCalls")
    using = _using(value.get("using"))
    calls = value.get("methodCalls")
    if not isinstance(calls, list):
        raise not_request("methodCalls must be an array of method calls")
    if len(calls) > limits.max_calls_in_request:
        raise over_limit("maxCallsInRequest", limits.max_calls_in_request)
    return Request(using, tuple(_invocation(call) for call in calls), _created_ids(value.get("createdIds")))


def _most_values(octets: bytes) -> int:
    """How many values there can be at most: before each of them stands a comma, a bracket, or a name and a colon behind one of
    these. They are counted without reading, which is what costs; so those within texts count too."""
    return sum(map(octets.count, (b",", b"[", b"{")))


def _using(value: object) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise not_request("using must be an array of capability names")
    unknown = sum(name not in KNOWN for name in value)
    if unknown:
        raise RequestError(
            "unknownCapability", f"{unknown} of the names in using are no capability that this server knows"
        )
    return frozenset(value)


def _invocation(value: object) -> Invocation:
    match value:
        case [str() as name, dict() as arguments, str() as call_id]:
            return Invocation(name, arguments, call_id)
    raise not_request("a method call must be an array of name, arguments and call id")


def _created_ids(value: object) -> dict[str, Id] | None:
    if value is None:
        return None
    ids = [*value, *value.values()] if isinstance(value, dict) else [None]
    if not isinstance(value, dict) or not all(isinstance(each, str) and is_id(each) for each in ids):
        raise not_request("createdIds must be an object whose names and values are ids")
    return {name: Id(each) for name, each in value.items()}
