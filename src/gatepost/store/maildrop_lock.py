"""Exclusive access to maildrops (RFC 1939 section 4), on this machine. Handed out by the mail store to POP3 sessions."""

from __future__ import annotations

import os
from hashlib import blake2b
from pathlib import Path
from types import TracebackType

from gatepost.store.interface import Broken, Busy
from gatepost.store.octet_lock import lock_octet_nowait, open_lock_file
from gatepost.values.ids import Id


class MaildropLocks:
    """All maildrop locks of a store, in one file that the first lock makes."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def lock(self, account_id: Id) -> KernelMaildropLock:
        """A lock that is not held yet."""
        return KernelMaildropLock(self._file, account_id)


class KernelMaildropLock:
    """The port MaildropLock. Entering takes a few microseconds and never waits, so that no thread is needed."""

    def __init__(self, file: Path, account_id: Id) -> None:
        self._file = file
        # 62 bits of a hash: that two accounts share an octet is less likely than that the disk forgets the mail.
        self._octet = int.from_bytes(blake2b(account_id.encode(), digest_size=8).digest(), "big") >> 2
        self._descriptor: int | None = None

    async def __aenter__(self) -> None:
        """Raises Busy, Broken."""
        try:
            descriptor = open_lock_file(self._file)
        except OSError as error:
            raise Broken(f"the lock file of the maildrops cannot be opened: {error}") from error
        try:
            is_locked = lock_octet_nowait(descriptor, self._octet)
        except OSError as error:
            os.close(descriptor)
            raise Broken(f"the maildrop cannot be locked: {error}") from error
        if not is_locked:
            os.close(descriptor)
            raise Busy("another session has this maildrop")
        self._descriptor = descriptor

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)  # which is what unlocks
            self._descriptor = None
