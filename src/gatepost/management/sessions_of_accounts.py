"""What is left of an account that was removed: whoever is logged in as it, in any worker of the node."""

from __future__ import annotations

from collections.abc import Collection

from gatepost.management.open_connections import OpenConnections
from gatepost.values.ids import Id


async def end_sessions_of(connections: OpenConnections, account_ids: Collection[Id]) -> None:
    """Have them take their leave in the words of their protocol; who stays is cut off. Raises ApplyError when a worker does not
    answer."""
    theirs = [
        report.id async for reports in connections.reports() for report in reports if report.account_id in account_ids
    ]
    if theirs:
        async for _ in connections.reports(theirs, is_to_end=True):
            pass
