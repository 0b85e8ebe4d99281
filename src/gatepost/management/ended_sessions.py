"""Sessions of the web UI that were ended before their time: a cookie that somebody has copied is worth nothing after the log-out.

Kept in the store, so that every worker and node knows, until they would have ended by themselves.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from gatepost.management.web_session import expiry_of_token
from gatepost.store.interface import ConfigurationStore, ObjectWrite
from gatepost.values.ids import Id

_TYPE = "EndedWebSession"  # no registry type: nothing of it can be seen or changed over the API


async def end_session(store: ConfigurationStore, token: str, now: datetime) -> None:
    """The token is refused from now on. Those that are over in any case are forgotten."""
    ended = await store.read_objects(_TYPE)
    over = [each for each in ended if int(str(each.value["until"])) <= now.timestamp()]
    writes = [ObjectWrite(_TYPE, each.id, None) for each in over]
    if not any(each.id == _id_of(token) for each in ended):
        writes.append(ObjectWrite(_TYPE, _id_of(token), {"until": expiry_of_token(token)}))
    await store.commit(writes)


async def is_ended(store: ConfigurationStore, token: str) -> bool:
    """Whether somebody has logged out of this session."""
    return bool(await store.read_objects(_TYPE, [_id_of(token)]))


def _id_of(token: str) -> Id:
    """A hash, so that the store holds nothing that anybody could come in with."""
    return Id("s" + hashlib.sha256(token.encode()).hexdigest())
