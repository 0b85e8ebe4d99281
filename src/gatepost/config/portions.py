"""The steps of an operation in portions that one request takes. Pure. Called while a plan is applied."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from gatepost.config.reconcile import Step

_REST_OF_REQUEST = 4096  # octets; what stands around the objects
_VALUES_AROUND = 64  # likewise
_VALUES_OF_STEP = 4  # its id, the brackets and the comma


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """What one request may hold: objects in a /set, octets, and JSON values as the server counts them."""

    objects: int
    octets: int
    values: int

    @classmethod
    def told_by(cls, limit: Callable[[str, int], int]) -> RequestLimits:
        """`limit(name, otherwise)` gives a limit of the server's Session object."""
        return cls(
            objects=max(limit("maxObjectsInSet", 500), 1),
            octets=limit("maxSizeRequest", sys.maxsize) - _REST_OF_REQUEST,
            values=limit("maxValuesInRequest", sys.maxsize) - _VALUES_AROUND,
        )


def portions(steps: Sequence[Step], limits: RequestLimits) -> Iterator[Sequence[Step]]:
    """The steps in order. One that is too large alone is a portion of its own, for the server to refuse."""
    start = octets = values = 0
    for position, step in enumerate(steps):
        encoded = json.dumps(step.value, ensure_ascii=False).encode(errors="replace")
        step_octets = len(encoded) + len(step.object_id)
        step_values = _VALUES_OF_STEP + sum(map(encoded.count, (b",", b"[", b"{")))
        is_full = position - start >= limits.objects
        is_full |= octets + step_octets > limits.octets or values + step_values > limits.values
        if is_full and position > start:
            yield steps[start:position]
            start, octets, values = position, 0, 0
        octets, values = octets + step_octets, values + step_values
    if steps:
        yield steps[start:]
