"""The key that signs the web UI's cookies: one for all workers and nodes, kept in the store."""

from __future__ import annotations

import secrets

from gatepost.store.interface import ConfigurationStore, ObjectWrite
from gatepost.values.ids import Id
from gatepost.values.secret import Secret

_TYPE = "WebSessionKey"  # no registry type: nothing of it can be seen or changed over the API
_ID = Id("current")


async def ensure_web_session_key(store: ConfigurationStore) -> None:
    """Make the key where there is none."""
    if not await store.read_objects(_TYPE):
        await store.commit([ObjectWrite(_TYPE, _ID, {"key": secrets.token_urlsafe(32)})])


async def load_web_session_key(store: ConfigurationStore) -> Secret:
    """The key. Raises LookupError where `ensure_web_session_key` has never run."""
    stored = await store.read_objects(_TYPE)
    if not stored:
        raise LookupError("the store has no key for web sessions")
    return Secret(str(stored[0].value["key"]))
