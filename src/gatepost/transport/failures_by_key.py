"""How often each key has failed lately, and until when it has to wait: failed logins of a source address and of a login name, over
all workers. Written by `session.login_pace`, which says what follows from it.

A table of the counter page that all workers write, under a record lock of the kernel, which is released if its holder dies: a
look at a password takes a thousand times as long as the lock. Buckets are chosen by a keyed hash, so that nobody can aim at one,
and what stands there for a key is a hash too: no name is kept. A worker that dies leaves what it has written.

Nothing is lost where a bucket is full: the record with the fewest failures, of those the oldest, is given to the key that comes,
with what was held against the one before. So a key may be held to have failed more often than it has, never less (the
space-saving sketch of Metwally, Agrawal and El Abbadi, 2005).
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

_BUCKETS = 4096
_SLOTS = 16  # per bucket
_RECORDS = _BUCKETS * _SLOTS
_KEY = 16  # octets of the key of the hash
_MARK = 16  # octets that stand for a key
_COUNT = 8
_TIME = 8
LAYOUT = (1, _BUCKETS, _SLOTS, _KEY, _MARK, _COUNT, _TIME)  # see counter_page.LAYOUT
SIZE = _KEY + _RECORDS * (_MARK + _COUNT + 2 * _TIME)  # octets; what nobody has written to takes no memory
_LOCK_OCTET = 2  # of the page; see counter_page and counts_by_key for the others


class FailuresByKey:
    """The table: a part of the counter page, from `offset` on. Times are those of one clock for the whole machine, in seconds.
    A record is what stands between two calls under one `held`: its number means nothing after that."""

    def __init__(self, descriptor: int, memory: mmap.mmap, offset: int) -> None:
        self._descriptor = descriptor
        self._hash_key, self._marks, counts, last, free = _columns(memoryview(memory)[offset : offset + SIZE])
        self._counts = counts.cast("q")
        self._last_failures = last.cast("d")
        self._free_at = free.cast("d")

    def release(self) -> None:
        """The page is closed."""
        for view in (self._hash_key, self._marks, self._counts, self._last_failures, self._free_at):
            view.release()

    def choose_hash_key(self) -> None:
        """Once, when the page is made."""
        self._hash_key[:] = os.urandom(_KEY)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else reads or writes meanwhile; nothing may be awaited in it. Everything below is called in it."""
        fcntl.lockf(self._descriptor, fcntl.LOCK_EX, 1, _LOCK_OCTET)
        try:
            yield
        finally:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, _LOCK_OCTET)

    def find(self, key: bytes, oldest: float) -> int | None:
        """The record of the key; None where it has none, or its last failure was before `oldest`."""
        bucket, mark = self._place(key)
        record = self._find(bucket, mark)
        return None if record is None or self._is_over(record, oldest) else record

    def failures(self, record: int) -> int:
        """How often it has failed."""
        return self._counts[record]

    def free_at(self, record: int) -> float:
        """When its next try may be looked at."""
        return self._free_at[record]

    def set_free_at(self, record: int, time: float) -> None:
        """Another try has been given its turn."""
        self._free_at[record] = time

    def add(self, key: bytes, now: float, oldest: float) -> int:
        """One more failure of the key; gives its record. `oldest`: what has not failed since then may be given to another."""
        bucket, mark = self._place(key)
        record = self._find(bucket, mark)
        if record is None:
            record = min(range(bucket, bucket + _SLOTS), key=lambda each: self._worth(each, oldest))
            self._marks[record * _MARK : (record + 1) * _MARK] = mark
        if self._is_over(record, oldest):
            self._counts[record] = 0
            self._free_at[record] = 0.0
        self._last_failures[record] = now
        self._counts[record] += 1
        return record

    def forget(self, key: bytes) -> None:
        """What was held against the key is forgiven."""
        record = self._find(*self._place(key))
        if record is not None:
            self._counts[record] = 0

    def _is_over(self, record: int, oldest: float) -> bool:
        return self._counts[record] == 0 or self._last_failures[record] < oldest

    def _worth(self, record: int, oldest: float) -> tuple[int, float]:
        """What is worth least is given to another key first."""
        return (0, 0.0) if self._is_over(record, oldest) else (self._counts[record], self._last_failures[record])

    def _place(self, key: bytes) -> tuple[int, bytes]:
        """The first record of the bucket, and what stands there for the key."""
        digest = blake2b(key, digest_size=_MARK + 4, key=bytes(self._hash_key)).digest()
        return int.from_bytes(digest[_MARK:], "big") % _BUCKETS * _SLOTS, digest[:_MARK]

    def _find(self, bucket: int, mark: bytes) -> int | None:
        """The record that the key has, or had last if it was not given to another since."""
        found = bytes(self._marks[bucket * _MARK : (bucket + _SLOTS) * _MARK]).find(mark)
        return None if found < 0 else bucket + found // _MARK


def _columns(view: memoryview) -> Iterator[memoryview]:
    """The table's parts: the key of the hash, and of all records the marks, counts and two times."""
    start = 0
    for size in (_KEY, *(_RECORDS * octets for octets in (_MARK, _COUNT, _TIME, _TIME))):
        yield view[start : start + size]
        start += size
