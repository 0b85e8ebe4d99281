"""How many requests of an account are under way, over all workers: what `maxConcurrentRequests` of the Session resource promises
(RFC 8620 section 2). Asked by `endpoints` for every request, so it takes no lock while the account is far from the limit.

The counts are those of the counter page: a request of a worker that died is not under way any more.
"""

from __future__ import annotations

from gatepost.transport.counts_by_key import CountsByKey
from gatepost.values.ids import Id

_KEY = b"requests of the account "  # longer than an address, so never the same key


class RequestTurns:
    """One worker's counting, in its `row` of the page."""

    __slots__ = ("_counts", "_row")

    def __init__(self, counts: CountsByKey, row: int) -> None:
        self._counts = counts
        self._row = row

    def take(self, account_id: Id, most: int) -> int | None:
        """What to give to `give_back` when the request is answered; None where the account has `most` under way already."""
        return self._counts.enter(_KEY + account_id.encode(), self._row, most)

    def give_back(self, turn: int) -> None:
        """The request is answered, or will not be."""
        self._counts.leave(turn)
