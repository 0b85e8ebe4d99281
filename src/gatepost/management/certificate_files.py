"""Reading the files that certificates are kept in. The only place that opens a path that somebody gave over the API.

Called where a configuration is validated or a plan derived: /set, the reconciliation, the boot process. What was read is
handed to the pure rooms; it is neither stored nor logged.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from collections.abc import Collection

from gatepost.registry.file_path import NO_FILES, FileTexts, Unreadable

_MAX_OCTETS = 256 * 1024
_DEADLINE = 10.0  # seconds; a change holds its turn while it waits, and others wait for the turn


async def read_files(paths: Collection[str]) -> FileTexts:
    """The texts by path, or why there is none. Reading is done in a thread: a file system may keep one waiting."""
    if not paths:
        return NO_FILES
    try:
        return await asyncio.wait_for(asyncio.to_thread(_read_all, tuple(paths)), _DEADLINE)
    except TimeoutError:
        return dict.fromkeys(paths, Unreadable(f"could not be read within {_DEADLINE:g} s"))


def _read_all(paths: tuple[str, ...]) -> FileTexts:
    return {path: _read(path) for path in paths}


def _read(path: str) -> str | Unreadable:
    try:
        octets = _octets_of(path)
    except OSError as error:
        return Unreadable(_words(error))
    if octets is None:
        return Unreadable("is not a regular file")
    if len(octets) > _MAX_OCTETS:
        return Unreadable(f"has more than {_MAX_OCTETS} octets")
    return octets.decode("utf-8", "replace")


def _octets_of(path: str) -> bytes | None:
    """None for what is not a regular file. Raises OSError."""
    # Not blocking: a FIFO without a writer must not hold the thread for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(_MAX_OCTETS + 1)
    finally:
        os.close(descriptor)


def _words(error: OSError) -> str:
    code = errno.errorcode.get(error.errno or 0, "")
    advice = "; the user that the workers run as must be able to read it" if error.errno == errno.EACCES else ""
    return f"{error.strerror} ({code}){advice}"
