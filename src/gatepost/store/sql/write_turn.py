"""Whose turn it is to write, among the processes of this machine. Called by the writer thread, around a transaction.

SQLite lets a writer that finds the database locked look again at growing intervals of up to 0.1 s, and in between a
busy process takes the lock again and again: measured with four busy processes, single writes waited for two seconds.
Here a writer stands in front of a door while another one is inside, and only one can stand there: who comes out cannot
go in again before the one at the door has.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from gatepost.store.interface import Broken, Busy
from gatepost.store.octet_lock import lock_octet_nowait, open_lock_file, unlock_octet

_DOOR: Final = 0
_INSIDE: Final = 1
_LOOK_EVERY_S: Final = 0.0005


class WriteTurn:
    """The turn of one writer. The kernel gives it up when the process dies."""

    def __init__(self, file: Path, patience_s: float) -> None:
        self._file = file
        self._patience_s = patience_s
        self._descriptor: int | None = None

    def take(self) -> None:
        """Wait for the turn. Raises Busy when that takes too long, Broken."""
        try:
            if self._descriptor is None:
                self._descriptor = open_lock_file(self._file)
            deadline = time.monotonic() + self._patience_s
            _lock(self._descriptor, _DOOR, deadline)
            try:
                _lock(self._descriptor, _INSIDE, deadline)
            finally:
                unlock_octet(self._descriptor, _DOOR)
        except OSError as error:
            raise Broken(f"the lock file of the writers fails: {error}") from error

    def give_up(self) -> None:
        """Let the next writer in. Does nothing when the turn was not taken."""
        if self._descriptor is not None:
            unlock_octet(self._descriptor, _INSIDE)

    def close(self) -> None:
        """Give up the turn and the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _lock(descriptor: int, octet: int, deadline: float) -> None:
    while not lock_octet_nowait(descriptor, octet):
        if time.monotonic() > deadline:
            raise Busy("another writer holds the database; try again later")
        time.sleep(_LOOK_EVERY_S)
