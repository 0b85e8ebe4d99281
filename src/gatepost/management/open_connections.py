"""The port through which the API sees the open connections of all workers. The worker implements it; tests may fake it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Protocol

from gatepost.control.connection_report import ConnectionReport


class OpenConnections(Protocol):
    """The connections of this node."""

    def reports(
        self, ids: Collection[str] | None = None, *, is_to_end: bool = False
    ) -> AsyncIterator[Sequence[ConnectionReport]]:
        """All, or those with these ids, some at a time and in no order. `is_to_end`: have them take their leave as well.
        Raises ApplyError when a worker does not answer."""


class NoConnections:
    """Where no server runs."""

    async def reports(
        self, ids: Collection[str] | None = None, *, is_to_end: bool = False
    ) -> AsyncIterator[Sequence[ConnectionReport]]:
        """None."""
        del ids, is_to_end
        yield ()
