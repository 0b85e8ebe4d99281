"""What a ManageSieve session does in the world: logs in, checks scripts, stores them.

Implements `session.reactions.Reactions` for `protocols.managesieve.engine.ManageSieveEngine`. Scripts are stored and
checked, and not run yet: whoever activates one is told so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from gatepost.protocols.engine import Breather
from gatepost.protocols.managesieve.engine import ManageSieveEngine
from gatepost.protocols.managesieve.events import (
    CheckScript,
    DeleteScript,
    GetScript,
    HaveSpace,
    ListScripts,
    LoginAttempt,
    PutScript,
    RenameScript,
    SetActive,
)
from gatepost.protocols.managesieve.responses import ResponseCode
from gatepost.protocols.managesieve.settings import ManageSieveSettings
from gatepost.protocols.sasl import Credentials
from gatepost.protocols.sieve.check import check_script
from gatepost.protocols.sieve.errors import SieveError
from gatepost.session.authentication import authenticate_credentials
from gatepost.session.link import Link, make_way
from gatepost.session.reactions import AuthenticationFailed, Authenticator
from gatepost.store.interface import Gone, ScriptEntry, ScriptStore, StoreError, Taken
from gatepost.values.ids import Id

_CHECKED_AT_ONCE = 4096  # octets of a script; checking more of it would keep other connections waiting
_NOT_RUN_YET = "The script is stored and active, but scripts are not run at delivery yet"


class ManageSieveReactions:
    """One session's reactions."""

    def __init__(
        self,
        engine: ManageSieveEngine,
        link: Link,
        authenticator: Authenticator,
        script_store: ScriptStore,
        settings: ManageSieveSettings,
    ) -> None:
        self._engine = engine
        self._link = link
        self._authenticator = authenticator
        self._scripts = script_store
        self._limits = settings.limits
        self._account_id = Id("")  # the engine asks about scripts only once somebody has logged in

    async def react(self, event: object) -> None:
        """Answer one event of the engine."""
        await self._link.drained()
        try:
            await self._answer(event)
        except Gone:
            self._engine.reject("There is no script of that name", ResponseCode.NONEXISTENT)
        except StoreError:
            self._engine.reject("Temporary failure, try again later", ResponseCode.TRYLATER)

    def may_react_at_once(self, event: object) -> bool:
        """Only a small script is checked at once."""
        return isinstance(event, CheckScript) and len(event.text) <= _CHECKED_AT_ONCE

    def react_at_once(self, event: object) -> None:
        """Check a small script."""
        if not isinstance(event, CheckScript):
            raise TypeError(f"{type(event).__name__} needs the store")
        self._say_whether_it_is_right(check_script(event.text))

    async def ended(self) -> None:
        """Nothing is held."""

    async def _answer(self, event: object) -> None:
        match event:
            case Breather():
                await make_way(self._link)
                self._engine.go_on()
            case LoginAttempt(credentials):
                await self._log_in(credentials)
            case HaveSpace(name):
                await self._have_space(name)
            case PutScript(name, text):
                await self._put(name, text)
            case CheckScript(text):
                self._say_whether_it_is_right(await _faults(text))
            case ListScripts():
                entries = await self._scripts.scripts(self._account_id)
                self._engine.list_scripts([(entry.name, entry.is_active) for entry in entries])
            case SetActive(name):
                await self._set_active(name)
            case GetScript(name):
                await self._get(name)
            case DeleteScript(name):
                await self._delete(name)
            case RenameScript(old_name, new_name):
                await self._rename(old_name, new_name)
            case _:
                raise TypeError(f"no ManageSieve event: {type(event).__name__}")

    async def _log_in(self, credentials: Credentials) -> None:
        try:
            account = await authenticate_credentials(self._authenticator, credentials, self._link.peer)
        except AuthenticationFailed as failure:
            self._engine.login_refused(is_temporary=failure.is_temporary)
            return
        self._account_id = account.id
        self._link.authenticated(account.id, account.login_name)
        self._engine.login_accepted(account.login_name)

    async def _have_space(self, name: str) -> None:
        if self._is_full_for(name, await self._scripts.scripts(self._account_id)):
            self._say_full()
        else:
            self._engine.accept("There is space for it")

    async def _put(self, name: str, text: bytes) -> None:
        faults = await _faults(text)
        if faults:
            self._engine.reject(_report(faults))
            return
        entries = await self._scripts.scripts(self._account_id)
        if self._is_full_for(name, entries):
            self._say_full()
            return
        await self._scripts.put_script(self._account_id, name, text)
        is_active = any(entry.is_active and entry.name == name for entry in entries)
        self._engine.accept("Stored", warning=_NOT_RUN_YET if is_active else None)

    async def _set_active(self, name: str | None) -> None:
        await self._scripts.activate_script(self._account_id, name)
        self._engine.accept("No script is active", warning=None if name is None else _NOT_RUN_YET)

    async def _get(self, name: str) -> None:
        text = await self._scripts.script(self._account_id, name)
        if text is None:
            raise Gone(name)
        self._engine.give_script(text)

    async def _delete(self, name: str) -> None:
        entries = await self._scripts.scripts(self._account_id)
        if any(entry.is_active and entry.name == name for entry in entries):
            self._engine.reject("The active script cannot be deleted", ResponseCode.ACTIVE)
            return
        await self._scripts.delete_script(self._account_id, name)
        self._engine.accept("Deleted")

    async def _rename(self, old_name: str, new_name: str) -> None:
        try:
            await self._scripts.rename_script(self._account_id, old_name, new_name)
        except Taken:
            self._engine.reject("A script of that name exists already", ResponseCode.ALREADYEXISTS)
        else:
            self._engine.accept("Renamed")

    def _is_full_for(self, name: str, entries: Sequence[ScriptEntry]) -> bool:
        return len(entries) >= self._limits.scripts and all(entry.name != name for entry in entries)

    def _say_full(self) -> None:
        self._engine.reject("There are too many scripts already", ResponseCode.QUOTA_MAXSCRIPTS)

    def _say_whether_it_is_right(self, faults: Sequence[SieveError]) -> None:
        if faults:
            self._engine.reject(_report(faults))
        else:
            self._engine.accept("The script is well-formed")


async def _faults(text: bytes) -> Sequence[SieveError]:
    if len(text) <= _CHECKED_AT_ONCE:
        return check_script(text)
    return await asyncio.to_thread(check_script, text)


def _report(faults: Sequence[SieveError]) -> str:
    return "\r\n".join(str(fault) for fault in faults)
