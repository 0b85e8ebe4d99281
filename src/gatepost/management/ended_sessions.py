"""Sessions of the web UI that were ended before their time: a cookie that somebody has copied is worth nothing after the log-out.

Kept in the store, so that every worker and node knows, until they would have ended by themselves. An account that ends many has
all of its sessions ended up to then instead: somebody who signs in and out again and again neither fills the store, nor keeps
others from changing anything by writing to it all the time.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from gatepost.management.web_session import LIFETIME, account_of_token, expiry_of_token, session_of_token
from gatepost.store.interface import ConfigurationStore, ObjectWrite, StoredObject
from gatepost.values.ids import Id

_TYPE = "EndedWebSession"  # no registry type: nothing of it can be seen or changed over the API
_MOST_OF_ACCOUNT = 32  # that are remembered one by one


async def end_session(store: ConfigurationStore, token: str, now: datetime) -> None:
    """The token, which is genuine, is refused from now on. Those that are over in any case are forgotten."""
    if await is_ended(store, token):
        return
    account_id, of_all = account_of_token(token, now), _id_of_all(token)
    ended = await store.read_objects(_TYPE)
    mine = [each.id for each in ended if each.value.get("account") == account_id]
    gone = {each.id for each in ended if _number(each, "until") <= now.timestamp()}
    if len(mine) < _MOST_OF_ACCOUNT and of_all not in mine:
        added = ObjectWrite(_TYPE, _id_of(token), {"until": expiry_of_token(token), "account": account_id})
    else:
        gone |= set(mine)
        last = int(now.timestamp())
        value = {"until": last + int(LIFETIME.total_seconds()), "account": account_id, "last": last}
        added = ObjectWrite(_TYPE, of_all, value)
    await store.commit([*(ObjectWrite(_TYPE, each, None) for each in gone if each != added.id), added])


async def is_ended(store: ConfigurationStore, token: str) -> bool:
    """Whether somebody has logged out of this session."""
    own, of_all = _id_of(token), _id_of_all(token)
    begun = expiry_of_token(token) - LIFETIME.total_seconds()
    found = await store.read_objects(_TYPE, [own, of_all])
    return any(each.id == own or begun <= _number(each, "last") for each in found)


def _number(ended: StoredObject, name: str) -> int:
    return int(str(ended.value[name]))


def _id_of(token: str) -> Id:
    """The same before and after a new password."""
    return Id("s" + hashlib.sha256(session_of_token(token).encode()).hexdigest())


def _id_of_all(token: str) -> Id:
    """Under which it stands that all sessions of the account are ended that began up to a time."""
    return Id("a" + hashlib.sha256(token.partition(".")[0].encode()).hexdigest())
