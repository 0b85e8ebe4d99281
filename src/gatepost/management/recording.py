"""Changes of objects as the store takes them: the value, its unique key, and what the history says of it.

Whoever commits configuration objects makes its writes here (/set, the boot process, the reconciliation), so that no change
goes by unrecorded and no secret gets into a record. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec

from gatepost.management.access import Caller
from gatepost.registry.account import Account
from gatepost.registry.change import ChangeCause
from gatepost.registry.configuration import Configuration
from gatepost.registry.declaration import ObjectType
from gatepost.registry.domain import Domain
from gatepost.registry.system_settings import SystemSettings
from gatepost.store.history import Author, ChangeRecord, Json, Retention
from gatepost.store.interface import ObjectWrite
from gatepost.values.ids import Id

T = TypeVar("T", bound=msgspec.Struct)

NO_DOMAINS: Mapping[Id, Domain] = {}
_KEY_MATERIAL = "PRIVATE KEY-----"  # RFC 7468 section 10 and its kin; a chain may have come with its key behind it


def object_write(
    author: Author,
    object_type: ObjectType[T],
    object_id: Id,
    before: T | None,
    after: T | None,
    revert_of: Id | None = None,
    domains: Mapping[Id, Domain] = NO_DOMAINS,
) -> ObjectWrite:
    """The write that makes `after` of `before`; None where there is no object. One of the two is not None. `domains`: those
    that there are before or after, for the login names of accounts."""
    old = None if before is None else object_type.to_stored(before)
    new = None if after is None else object_type.to_stored(after)
    record = _record(author, object_type, old, new, revert_of)
    if isinstance(named := before if after is None else after, Account):
        record = replace(record, object_name=_login_name(named, domains))
    key = None if after is None else object_type.unique_key(after)
    return ObjectWrite(object_type.name, object_id, new, key, record)


def author_of(caller: Caller, configuration: Configuration, at: datetime) -> Author:
    """Who calls the API, with the name that the listener of the request has now."""
    way = caller.way
    listener = configuration.listeners.get(way.listener_id) if way.listener_id is not None else None
    return Author(
        at=at,
        cause=ChangeCause.API,
        account_id=caller.account_id,
        account=caller.login_name,
        api_key=None if caller.key is None else caller.key.name,
        listener_id=way.listener_id,
        listener=None if listener is None else listener.name,
        source_address=None if way.client_address is None else str(way.client_address),
    )


def retention_of(settings: SystemSettings, now: datetime) -> Retention:
    """How much history the settings keep, at this time."""
    kept = settings.history_retention
    since = None if kept is None else now - timedelta(milliseconds=kept)
    return Retention(since, settings.history_max_changes)


def _record(
    author: Author, object_type: ObjectType[Any], old: Json | None, new: Json | None, revert_of: Id | None
) -> ChangeRecord:
    before, after = dict(old or {}), dict(new or {})
    redacted = []
    for name, declared in object_type.properties.items():
        values = before.get(name), after.get(name)
        if old is not None and new is not None and values[0] == values[1]:
            del before[name], after[name]
        elif declared.is_secret or any(isinstance(each, str) and _KEY_MATERIAL in each for each in values):
            before.pop(name, None)
            after.pop(name, None)
            if values != (None, None):
                redacted.append(name)
    return ChangeRecord(
        author=author,
        object_name=_name(object_type, new or old or {}),
        before=None if old is None else before,
        after=None if new is None else after,
        redacted=tuple(redacted),
        revert_of=revert_of,
    )


def _login_name(account: Account, domains: Mapping[Id, Domain]) -> str:
    domain = None if account.domain_id is None else domains.get(account.domain_id)
    return account.name if domain is None else f"{account.name}@{domain.name}"


def _name(object_type: ObjectType[Any], stored: Json) -> str | None:
    """What people call the object. There is one of a singleton, which needs no name."""
    label = object_type.list_view.label_property
    if object_type.is_singleton or label is None:
        return None
    value = stored.get(label)
    return None if value is None else str(value)
