"""How many connections each source address has open, over all workers, for the cap per address.

A table in shared memory: buckets of a few slots, chosen by a keyed hash so that nobody can aim at a bucket. A slot belongs
to an address while it has connections. Adding happens under a record lock of the kernel; each worker counts in cells of its
own, so leaving takes no lock, and the supervisor can clear the cells of a worker that died.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Callable
from hashlib import blake2b

from gatepost.values.ip_mask import IpAddress

_BUCKETS = 8192
_SLOTS = 16  # per bucket
_ENTRIES = _BUCKETS * _SLOTS
_KEY = 16  # octets of an address (IPv4 as IPv4-mapped), and of the key of the hash
_CELL = 4
LAYOUT = (_BUCKETS, _SLOTS, _KEY, _CELL)  # see counter_page.LAYOUT
_LOCK_OCTET = 1  # of the page; the caps of listeners and server take octet 0


class AddressCounts:
    """The table: a part of the counter page, from `offset` on."""

    def __init__(
        self, descriptor: int, memory: mmap.mmap, offset: int, rows: int, rows_in_use: Callable[[], int]
    ) -> None:
        self._descriptor = descriptor
        self._rows_in_use = rows_in_use
        view = memoryview(memory)[offset : offset + size(rows)]
        self._hash_key = view[:_KEY]
        self._addresses = view[_KEY : _KEY + _ENTRIES * _KEY]
        self._cells = view[_KEY + _ENTRIES * _KEY :].cast("I")

    def release(self) -> None:
        """The page is closed."""
        for view in (self._hash_key, self._addresses, self._cells):
            view.release()

    def choose_hash_key(self) -> None:
        """Once, when the page is made."""
        self._hash_key[:] = os.urandom(_KEY)

    def enter(self, address: IpAddress, row: int, cap: int) -> int | None:
        """Count a connection of `address`; the entry to give to `leave`. None: the address has `cap` already, and nothing
        is counted (nor where a bucket is full of other addresses: what cannot be counted is not let in)."""
        octets = _octets(address)
        fcntl.lockf(self._descriptor, fcntl.LOCK_EX, 1, _LOCK_OCTET)
        try:
            entry = self._find(octets)
            if entry is None or self._total(entry) >= cap:
                return None
            self._addresses[entry * _KEY : (entry + 1) * _KEY] = octets
            self._cells[row * _ENTRIES + entry] += 1
            return entry
        finally:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, _LOCK_OCTET)

    def leave(self, entry: int, row: int) -> None:
        """The connection has ended."""
        self._cells[row * _ENTRIES + entry] -= 1

    def count(self, address: IpAddress) -> int:
        """How many connections the address has open."""
        octets = _octets(address)
        entry = self._find(octets)
        is_its_own = entry is not None and self._addresses[entry * _KEY : (entry + 1) * _KEY] == octets
        return self._total(entry) if entry is not None and is_its_own else 0

    def clear_row(self, row: int) -> None:
        """The worker of the row died: its connections are gone."""
        start = row * _ENTRIES
        self._cells[start : start + _ENTRIES] = memoryview(bytes(_ENTRIES * _CELL)).cast("I")

    def _find(self, octets: bytes) -> int | None:
        """The entry that the address has, or had last if it was not given to another since; else a free one of its bucket.
        An address is never in two entries."""
        digest = blake2b(octets, digest_size=4, key=bytes(self._hash_key)).digest()
        first = (int.from_bytes(digest, "big") % _BUCKETS) * _SLOTS
        bucket = bytes(self._addresses[first * _KEY : (first + _SLOTS) * _KEY])
        found = bucket.find(octets)
        while found % _KEY:  # -1 too: it lies across two entries, or nowhere
            if found < 0:
                return next((entry for entry in range(first, first + _SLOTS) if self._total(entry) == 0), None)
            found = bucket.find(octets, found + 1)
        return first + found // _KEY

    def _total(self, entry: int) -> int:
        return sum(self._cells[entry : self._rows_in_use() * _ENTRIES : _ENTRIES])


def _octets(address: IpAddress) -> bytes:
    return address.packed if address.version == 6 else b"\0" * 10 + b"\xff\xff" + address.packed


def size(rows: int) -> int:
    """Octets that the table takes."""
    return _KEY + _ENTRIES * (_KEY + rows * _CELL)
