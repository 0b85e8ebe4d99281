"""Exclusive access to maildrops, among the sessions of one process and of all processes of this machine.

An open file description lock (fcntl(2), F_OFD_SETLK) on one octet of one file: unlike a traditional record lock it also
stands between two descriptors of the same process, and like it the kernel gives it up when its holder dies.
"""

from __future__ import annotations

import fcntl
import os
import struct
from hashlib import blake2b
from pathlib import Path
from types import TracebackType

from gatepost.store.interface import Broken, Busy
from gatepost.values.ids import Id

_FLOCK = struct.Struct("hhqqi4x")  # struct flock on 64-bit Linux: type, whence, start, length, pid (0 for these locks)


class MaildropLocks:
    """All maildrop locks of a store. `file` is made by the first one that locks; nothing is ever written to it."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def lock(self, account_id: Id) -> KernelMaildropLock:
        """A lock to enter once."""
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
            descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Broken(f"the lock file of the maildrops cannot be opened: {error}") from error
        try:
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, self._octet, 1, 0))
        except OSError as error:
            os.close(descriptor)
            if isinstance(error, BlockingIOError | PermissionError):  # EAGAIN or EACCES: fcntl(2) allows both
                raise Busy("another session has this maildrop") from None
            raise Broken(f"the maildrop cannot be locked: {error}") from error
        self._descriptor = descriptor

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)  # which is what unlocks
            self._descriptor = None
