"""How many of something each key has open, over all workers: connections of a source address, for the cap per address, and
requests of an account to the API, for `maxConcurrentRequests`.

Behind the counter page, a table for each worker, which it alone writes: buckets of a few slots, chosen by a keyed hash so
that nobody can aim at a bucket. A slot belongs to a key while it has something open in that worker. So counting takes no
lock, and the supervisor can clear the table of a worker that died.

Each worker counts per bucket as well. What all workers have in a bucket is at least what a key of that bucket has: while
that is far from the cap, one sum tells that one more may come in, as with the other caps (ADR 0004). Only near the cap the
key's own count is looked up in all tables, under a record lock of the kernel.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b

_BUCKETS = 8192
_SLOTS = 16  # per bucket
_ENTRIES = _BUCKETS * _SLOTS
_KEY = 16  # octets of the key of the hash
_MARK = 16  # octets that stand for a key: enough of a keyed hash that no two keys have the same
_CELL = 4
LAYOUT = (2, _BUCKETS, _SLOTS, _KEY, _MARK, _CELL)  # see counter_page.LAYOUT
_LOCK_OCTET = 1  # of the page; the caps of listeners and server take octet 0
_REMEMBERED = 4096  # keys whose hash a worker keeps: who comes often is not hashed each time


class CountsByKey:
    """The tables: a part of the counter page, from `offset` on. The key of an address is its 4 or 16 octets, an IPv4-mapped one
    as IPv4; other keys are longer."""

    def __init__(
        self, descriptor: int, memory: mmap.mmap, offset: int, rows: int, rows_in_use: Callable[[], int]
    ) -> None:
        self._descriptor = descriptor
        self._rows_in_use = rows_in_use
        view = memoryview(memory)[offset : offset + size(rows)]
        marks = _KEY + rows * _ENTRIES * _MARK
        cells = marks + rows * _ENTRIES * _CELL
        self._hash_key = view[:_KEY]
        self._marks = view[_KEY:marks]
        self._cells = view[marks:cells].cast("I")
        self._in_buckets = view[cells:].cast("I")
        self._place = lru_cache(_REMEMBERED)(self._hashed)

    def release(self) -> None:
        """The page is closed."""
        for view in (self._hash_key, self._marks, self._cells, self._in_buckets):
            view.release()

    def choose_hash_key(self) -> None:
        """Once, when the page is made."""
        self._hash_key[:] = os.urandom(_KEY)

    def enter(self, key: bytes, row: int, cap: int) -> int | None:
        """Count one more of `key`; the entry to give to `leave`. None: the key has `cap` already, and nothing is counted
        (nor where a bucket is full of other keys: what cannot be counted is not let in)."""
        bucket, mark = self._place(key)
        entry = self._find(mark, row * _BUCKETS + bucket)
        if entry is None:
            entry = self._take(mark, row * _BUCKETS + bucket)
            if entry is None:
                return None
        self._cells[entry] += 1
        self._in_buckets[entry // _SLOTS] += 1
        rows = self._rows_in_use()
        if sum(self._in_buckets[bucket : rows * _BUCKETS : _BUCKETS]) > cap - rows and not self._decide(
            key, entry, cap
        ):
            return None
        return entry

    def _decide(self, key: bytes, entry: int, cap: int) -> bool:
        """Near the cap: whether what was counted in `entry` may stay so."""
        fcntl.lockf(self._descriptor, fcntl.LOCK_EX, 1, _LOCK_OCTET)
        try:
            is_within = self.count(key) <= cap
            if not is_within:
                self.leave(entry)
            return is_within
        finally:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, _LOCK_OCTET)

    def leave(self, entry: int) -> None:
        """It has ended."""
        self._cells[entry] -= 1
        self._in_buckets[entry // _SLOTS] -= 1

    def count(self, key: bytes) -> int:
        """How many the key has open."""
        bucket, mark = self._place(key)
        return sum(self._count_in(mark, row * _BUCKETS + bucket) for row in range(self._rows_in_use()))

    def _count_in(self, mark: bytes, bucket: int) -> int:
        entry = self._find(mark, bucket)
        if entry is None:
            return 0
        count = self._cells[entry]
        # Another worker may have given its slot to another key meanwhile: it marks first, and counts then.
        return count if self._marks[entry * _MARK : (entry + 1) * _MARK] == mark else 0

    def clear_row(self, row: int) -> None:
        """The worker of the row died: what it had is gone."""
        for cells, width in ((self._cells, _ENTRIES), (self._in_buckets, _BUCKETS)):
            cells[row * width : (row + 1) * width] = memoryview(bytes(width * _CELL)).cast("I")

    def _hashed(self, key: bytes) -> tuple[int, bytes]:
        """Which bucket of each row, and what stands there for the key."""
        digest = blake2b(key, digest_size=_CELL + _MARK, key=bytes(self._hash_key)).digest()
        return int.from_bytes(digest[:_CELL], "big") % _BUCKETS, digest[_CELL:]

    def _find(self, mark: bytes, bucket: int) -> int | None:
        """The entry that the key has in this bucket of a row, or had last if it was not given to another since."""
        found = bytes(self._marks[bucket * _SLOTS * _MARK : (bucket + 1) * _SLOTS * _MARK]).find(mark)
        return None if found < 0 else bucket * _SLOTS + found // _MARK

    def _take(self, mark: bytes, bucket: int) -> int | None:
        """An entry that nobody has."""
        for entry in range(bucket * _SLOTS, (bucket + 1) * _SLOTS):
            if self._cells[entry] == 0:
                self._marks[entry * _MARK : (entry + 1) * _MARK] = mark
                return entry
        return None


def size(rows: int) -> int:
    """Octets that the tables take. Those that nobody has written to take no memory."""
    return _KEY + rows * (_ENTRIES * (_MARK + _CELL) + _BUCKETS * _CELL)
