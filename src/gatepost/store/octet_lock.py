"""Locks among the sessions of one process and all processes of this machine: one octet of a file each.

An open file description lock (fcntl(2), F_OFD_SETLK): unlike a traditional record lock it also stands between two
descriptors of the same process, and like it the kernel gives it up when its holder dies.
"""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

_FLOCK = struct.Struct("hhqqi4x")  # struct flock on 64-bit Linux: type, whence, start, length, pid (0 for these locks)


def open_lock_file(file: Path) -> int:
    """A descriptor of the file, which is made if missing. Nothing is ever written to it. Raises OSError."""
    return os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def lock_octet_nowait(descriptor: int, octet: int) -> bool:
    """Whether the octet could be locked for this descriptor. Raises OSError for anything but a lock of somebody else."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, octet, 1, 0))
    except (BlockingIOError, PermissionError):  # EAGAIN or EACCES: fcntl(2) allows both
        return False
    return True


def unlock_octet(descriptor: int, octet: int) -> None:
    """Give one octet back. Closing the descriptor gives all back."""
    fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_UNLCK, os.SEEK_SET, octet, 1, 0))
