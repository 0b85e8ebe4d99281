"""The limits that the capabilities announce and the engine enforces (RFC 8620 section 2)."""

from __future__ import annotations

from dataclasses import dataclass

from gatepost.values.collation import COLLATIONS


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in octets."""

    max_size_request: int = 10_000_000
    max_concurrent_requests: int = 32  # per account, over all workers of a node
    max_calls_in_request: int = 64
    max_objects_in_get: int = 1000
    max_objects_in_set: int = 500
    max_values_in_request: int = 50_000  # of JSON: reading them keeps everybody else of the worker waiting

    def capability(self) -> dict[str, object]:
        """The value of `urn:ietf:params:jmap:core`. Uploads are not offered yet: their limits are 0."""
        return {
            "maxSizeUpload": 0,
            "maxConcurrentUpload": 0,
            "maxSizeRequest": self.max_size_request,
            "maxConcurrentRequests": self.max_concurrent_requests,
            "maxCallsInRequest": self.max_calls_in_request,
            "maxObjectsInGet": self.max_objects_in_get,
            "maxObjectsInSet": self.max_objects_in_set,
            "collationAlgorithms": list(COLLATIONS),
        }

    def capability_of_ours(self) -> dict[str, object]:
        """The value of `urn:gatepost:jmap`: limits that RFC 8620 has no names for."""
        return {"maxValuesInRequest": self.max_values_in_request}
