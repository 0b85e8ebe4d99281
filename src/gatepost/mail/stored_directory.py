"""The directory of the Domain and Account objects in the store. Implements `directory.Directory`.

Made once per worker and shared by all its sessions. Looks things up in an index in memory, which is built anew when,
and only when, an object of one of the two types has changed.
"""

from __future__ import annotations

import asyncio

from gatepost.mail.directory import DirectoryAccount, NoSuchRecipient
from gatepost.mail.directory_index import DirectoryIndex, build_index
from gatepost.store.interface import ConfigurationStore

_DOMAIN = "Domain"
_ACCOUNT = "Account"


class StoredDirectory:
    """Every call sees each change that was committed before it. Raises the store's errors."""

    def __init__(self, store: ConfigurationStore) -> None:
        self._store = store
        self._index = build_index((), ())
        self._revision = -1
        self._states: tuple[str, str] | None = None
        self._building = asyncio.Lock()

    async def recipient(self, address: str) -> DirectoryAccount | NoSuchRecipient:
        """See `directory.Directory.recipient`. `postmaster` needs no domain (RFC 5321 section 4.5.1)."""
        return (await self._current_index()).recipient(address)

    async def login(self, login_name: str) -> DirectoryAccount | None:
        """See `directory.Directory.login`."""
        return (await self._current_index()).login(login_name)

    async def _current_index(self) -> DirectoryIndex:
        if await self._store.revision() == self._revision:
            return self._index
        async with self._building:  # one session builds, the others wait for what it has built
            read = await self._store.snapshots((_DOMAIN, _ACCOUNT))
            domains, accounts = read.types[_DOMAIN], read.types[_ACCOUNT]
            if (domains.state, accounts.state) != self._states:
                self._index = build_index(domains.objects, accounts.objects)
                self._states = (domains.state, accounts.state)
            self._revision = read.revision
        return self._index
