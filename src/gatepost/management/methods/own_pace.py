"""How often an account may create and change what is its own: who may do nothing else must not be able to fill the store, or to
push what others have done out of the history, which keeps a number of changes. Called by `set_flow`.

Counted in the history itself, so that it holds for all workers and nodes together. Destroying is free: a key that has come into
wrong hands can be taken away whatever somebody does with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from gatepost.management.methods.set_error import SetError
from gatepost.management.methods.set_request import Item, Operation
from gatepost.store.history import Combination, Condition, HistoryField, HistoryStore, Relation

MOST_CHANGES = 200  # of objects of one type by an account, within PERIOD
PERIOD = timedelta(hours=1)


async def refuse_beyond_pace(items: Iterable[Item], history: HistoryStore, now: datetime) -> None:
    """Give the SetError rateLimit to what goes beyond it. Raises the store's errors."""
    own = [each for each in items if each.owner_id and each.error is None and each.operation is not Operation.DESTROY]
    if not own:
        return
    conditions = [
        Condition(HistoryField.AT, Relation.AT_LEAST, now - PERIOD),
        Condition(HistoryField.ACCOUNT_ID, Relation.IS, own[0].owner_id),
        Condition(HistoryField.OBJECT_TYPE, Relation.IS, own[0].ref.object_type),
    ]
    done = len(await history.find(Combination("AND", conditions)))
    words = (
        f"an account may change what is its own {MOST_CHANGES} times an hour: try again later, or ask an administrator"
    )
    for item in own[max(0, MOST_CHANGES - done) :]:
        item.error = SetError("rateLimit", words)
