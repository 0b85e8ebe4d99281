"""The Session object (RFC 8620 section 2)."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any

import msgspec

from gatepost.management.access import Caller
from gatepost.management.jmap.capabilities import CONFIGURATION, CORE, GATEPOST, OFFERED
from gatepost.management.jmap.limits import Limits


def session_object(caller: Caller, limits: Limits, base_url: str) -> dict[str, Any]:
    """What the caller finds here. `base_url`: scheme, host and port of the request, without a slash at the end."""
    account = {
        "name": caller.login_name,
        "isPersonal": True,
        "isReadOnly": False,
        "accountCapabilities": {name: {} for name in OFFERED},
    }
    session: dict[str, Any] = {
        "capabilities": {
            CORE: limits.capability(),
            CONFIGURATION: {},
            GATEPOST: limits.capability_of_ours(),
        },
        "accounts": {caller.account_id: account},
        # Core is among them, though RFC 8620 would rather not have it there: clients that are made for mail look for it.
        "primaryAccounts": dict.fromkeys(OFFERED, caller.account_id),
        "username": caller.login_name,
        "apiUrl": f"{base_url}/jmap/",
        "downloadUrl": f"{base_url}/jmap/download/{{accountId}}/{{blobId}}/{{name}}?accept={{type}}",
        "uploadUrl": f"{base_url}/jmap/upload/{{accountId}}/",
        "eventSourceUrl": f"{base_url}/jmap/eventsource/?types={{types}}&closeafter={{closeafter}}&ping={{ping}}",
    }
    return session | {"state": session_state(caller, limits)}


def session_state(caller: Caller, limits: Limits) -> str:
    """Changes when the caller would find another Session object (but for the URL under which it was asked for)."""
    return _state_of(caller.account_id, caller.login_name, limits)


@lru_cache(maxsize=256)
def _state_of(account_id: str, login_name: str, limits: Limits) -> str:
    seen = msgspec.json.encode([account_id, login_name, OFFERED, limits.capability(), limits.capability_of_ours()])
    return hashlib.sha256(seen).hexdigest()[:16]
