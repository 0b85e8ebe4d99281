"""Finding out which API key a request came with. Called by `credentials` alone.

A key that is good costs one read and one hash. One that is not is answered after a delay that grows with the failures from
that address, always in the same words: why it is refused stands in the log, for the operator.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from gatepost.management.api_key_token import is_token_of, key_id_of
from gatepost.registry.api_key import API_KEY, ApiKey
from gatepost.session.link import Peer
from gatepost.session.login_pace import LoginPace
from gatepost.session.login_waits import LoginWaits, WaitEnded
from gatepost.store.interface import ConfigurationStore
from gatepost.telemetry import events
from gatepost.telemetry.events import Event
from gatepost.values.ids import Id
from gatepost.values.secret import Secret


class KeyRefused(Exception):
    """The key is not taken. `must_wait`: there were so many failures from the address that it was not looked at."""

    def __init__(self, *, must_wait: bool = False) -> None:
        super().__init__("the API key is not taken")
        self.must_wait = must_wait


class ApiKeyLogin:
    """One for each worker."""

    def __init__(
        self,
        store: ConfigurationStore,
        now: Callable[[], datetime],
        pace: LoginPace,
        waits: LoginWaits,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._now = now
        self._pace = pace
        self._waits = waits
        self._clock = clock

    async def key_of(self, token: Secret, peer: Peer) -> tuple[Id, ApiKey]:
        """The key of the token, and its id. Raises KeyRefused where there is none, it has expired or is not for that address."""
        key_id = key_id_of(token)
        stored = await self._store.read_objects(API_KEY.name, [key_id]) if key_id is not None else ()
        # The key itself is read behind this: reading it would take longer than there being none.
        is_right = is_token_of(token, Secret(str(stored[0].value.get("secret"))) if stored else None)
        if key_id is None or not is_right:
            raise await self._refusal(key_id, peer, "wrong secret" if stored else "no such key")
        key = API_KEY.from_stored(stored[0].value)
        if key.expires_at is not None and key.expires_at <= self._now():
            raise await self._refusal(key_id, peer, "the key has expired")
        networks = key.allowed_networks
        if networks is not None and not any(network.contains(peer.source_address) for network in networks):
            raise await self._refusal(key_id, peer, "the key may not be used from this address")
        return key_id, key

    async def _refusal(self, key_id: Id | None, peer: Peer, reason: str) -> KeyRefused:
        name = f"API key {key_id or 'of another form'}"
        events.warning(Event.LOGIN_FAILED, login=name[:128], source=str(peer.source_address), reason=reason)
        seconds = self._pace.turn(peer.source_address, name, self._clock())
        if seconds is None:
            return KeyRefused(must_wait=True)
        self._pace.failed(peer.source_address, name, self._clock())
        try:
            if seconds > 0:
                await self._waits.sleep(seconds)
        except WaitEnded:
            return KeyRefused(must_wait=True)
        return KeyRefused()
