"""Deciding at accept whether a connection may stay, and bounding what refusing costs."""

from __future__ import annotations

_MAX_REFUSALS_IN_FLIGHT = 256
_MAX_TLS_REFUSALS_IN_FLIGHT = 64


class RefusalBudget:
    """How many clients one worker is telling at the same time that they are refused. Beyond it they are just closed, so
    that refusing never costs more than serving."""

    __slots__ = ("_in_flight", "_tls_in_flight")

    def __init__(self) -> None:
        self._in_flight = 0
        self._tls_in_flight = 0

    def take(self, *, is_tls: bool) -> bool:
        """Whether this client may be told; then `give_back` comes later."""
        if self._in_flight >= _MAX_REFUSALS_IN_FLIGHT or (
            is_tls and self._tls_in_flight >= _MAX_TLS_REFUSALS_IN_FLIGHT
        ):
            return False
        self._in_flight += 1
        self._tls_in_flight += is_tls
        return True

    def give_back(self, *, is_tls: bool) -> None:
        """A refused client is gone."""
        self._in_flight -= 1
        self._tls_in_flight -= is_tls
