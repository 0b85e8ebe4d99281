"""The shared page: what every worker counts, and the caps, so that a limit holds exactly over all workers.

A cell is written by one worker alone, so counting takes no lock. Far from the cap, adding first and looking afterwards is
enough: `sum <= cap - workers` cannot be wrong by more than one connection in flight for each other worker. Near the cap,
the look happens under a record lock of the kernel, which is released if its holder dies. The supervisor clears the cells
of a worker that died, so nothing leaks. A cap changes by writing one number.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from enum import IntEnum

from gatepost.transport import counts_by_key, failures_by_key
from gatepost.transport.counts_by_key import CountsByKey
from gatepost.transport.failures_by_key import FailuresByKey

SERVER_SLOT = 0  # the whole server
MAX_SLOTS = 4096
NO_CAP = 2**62


class Cell(IntEnum):
    """What is counted per slot and worker."""

    CONNECTIONS = 0  # open now
    PEAK = 1  # the highest sum over all workers that this worker has seen
    ACCEPTED = 2  # past all caps, and behind an acceptable PROXY header where one was due
    REFUSED_LISTENER_CAP = 3
    REFUSED_SERVER_CAP = 4
    PROXY_MISSING = 5  # connections without an acceptable PROXY header, by ProxyFailure
    TLS_HANDSHAKES = 6
    TLS_FAILED_TIMEOUT = 7  # handshakes that were not completed, by TlsFailure
    REFUSED_ADDRESS_CAP = 8
    ACCEPT_PAUSES = 9  # accepting stopped for a moment: no descriptors, no memory
    BYTES_RECEIVED = 10  # octets of the protocol, without TLS's own; at most a second old
    BYTES_SENT = 11
    TLS_1_2 = 12  # handshakes by version
    TLS_1_3 = 13
    TLS_MICROSECONDS = 14  # the sum over all handshakes that were completed, the client's own time included
    TLS_WITHIN_1_MS = 15  # how many of them took that long, and longer than the one before
    TLS_WITHIN_3_MS = 16
    TLS_WITHIN_10_MS = 17
    TLS_WITHIN_30_MS = 18
    TLS_WITHIN_100_MS = 19
    TLS_WITHIN_300_MS = 20
    TLS_WITHIN_1_S = 21
    TLS_WITHIN_3_S = 22
    TLS_WITHIN_10_S = 23
    ENDED_COMPLETED = 24  # see transport.ending
    ENDED_CLIENT_CLOSED = 25
    ENDED_RESET = 26
    ENDED_IDLE = 27
    ENDED_LOGIN_DEADLINE = 28
    ENDED_STALLED = 29
    ENDED_PROXY_REJECTED = 30
    ENDED_TLS_FAILED = 31
    ENDED_SHUT_DOWN = 32
    ENDED_OPERATOR = 33
    ENDED_FAULT = 34
    PROXY_MALFORMED = 35
    PROXY_TOO_LARGE = 36
    PROXY_BAD_CHECKSUM = 37
    PROXY_TIMEOUT = 38
    PROXY_CLOSED = 39
    TLS_FAILED_CLOSED = 40
    TLS_FAILED_NOT_TLS = 41
    TLS_FAILED_NO_COMMON_VERSION = 42
    TLS_FAILED_NO_COMMON_SUITE = 43
    TLS_FAILED_NO_COMMON_GROUP = 44
    TLS_FAILED_NO_COMMON_SIGNATURE = 45
    TLS_FAILED_NO_COMMON_PROTOCOL = 46
    TLS_FAILED_CLIENT_ALERT = 47
    TLS_FAILED_MALFORMED = 48
    TLS_FAILED_UNUSABLE = 49
    TLS_FAILED_OTHER = 50
    REFUSED_BLOCKED_NETWORK = 51
    PAUSED_LOOPS = 52  # of the server's slot: accept loops that are out of descriptors or memory now
    ENDED_WORKER_DIED = 53


_HEADER = 8  # numbers before the caps
_ROWS_IN_USE, _SLOTS_IN_USE = 0, 1  # of the header
_FIRST_CAP = _HEADER
_FIRST_CELL = _FIRST_CAP + MAX_SLOTS
_CACHE_LINE = 8  # numbers
_ROW = -(-len(Cell) // _CACHE_LINE) * _CACHE_LINE  # two workers never write to the same line
_OCTETS = 8
# Two versions of the server that have the same numbers here may count in one page. New cells are put at the end; whatever
# else is changed about the page or the tables behind it asks for another first number.
LAYOUT = (1, _HEADER, MAX_SLOTS, _ROW, *counts_by_key.LAYOUT, *failures_by_key.LAYOUT)
_ROWS_FOR_EACH_WORKER = 4  # a successor counts in a row of its own while connections of the one before it live on
_LEAST_ROWS = 256


class CounterPage:
    """The page itself. The supervisor creates it, workers open it by descriptor.

    Every worker counts in a row of its own, in each slot. There are more rows than workers, so that workers can be added
    and that those of an upgraded server count beside those that still drain; sums go over the rows that are in use.
    Memory that was never written to takes none.
    """

    def __init__(self, descriptor: int, rows: int) -> None:
        self.descriptor = descriptor
        self.rows = rows
        numbers_size = _numbers_size(rows)
        self._memory = memory = mmap.mmap(descriptor, _size(rows))
        self._numbers = memoryview(memory)[:numbers_size].cast("q")
        self.by_key = CountsByKey(descriptor, memory, numbers_size, rows, lambda: self.rows_in_use)
        self.failures = FailuresByKey(descriptor, memory, numbers_size + counts_by_key.size(rows))
        self._slot_width = rows * _ROW

    @classmethod
    def create(cls, worker_count: int) -> CounterPage:
        """A page with no caps set, all counts zero, and rows for `worker_count` workers in use."""
        rows = max(_LEAST_ROWS, worker_count * _ROWS_FOR_EACH_WORKER)
        descriptor = os.memfd_create("gatepost-counters", os.MFD_CLOEXEC)
        os.ftruncate(descriptor, _size(rows))
        page = cls(descriptor, rows)
        page.by_key.choose_hash_key()
        page.failures.choose_hash_key()
        page.use_rows(worker_count)
        page.numbers[_SLOTS_IN_USE] = SERVER_SLOT + 1
        for slot in range(MAX_SLOTS):
            page.set_cap(slot, None)
        return page

    def close(self) -> None:
        """Give memory and descriptor back, in a process that goes on; nobody may count any more."""
        self._numbers.release()
        self.by_key.release()
        self.failures.release()
        self._memory.close()
        os.close(self.descriptor)

    @property
    def rows_in_use(self) -> int:
        """Rows from the first on that sums go over."""
        return self._numbers[_ROWS_IN_USE]

    def use_rows(self, count: int) -> None:
        """From now on sums go over at least the first `count` rows: before a worker is given one of them."""
        self._numbers[_ROWS_IN_USE] = max(count, self.rows_in_use)

    def cap(self, slot: int) -> int:
        """The cap of a slot; NO_CAP where there is none."""
        return self._numbers[_FIRST_CAP + slot]

    def set_cap(self, slot: int, cap: int | None) -> None:
        """In force at once, in all workers."""
        self._numbers[_FIRST_CAP + slot] = NO_CAP if cap is None else cap

    def total(self, slot: int, cell: Cell) -> int:
        """The sum over all workers."""
        return sum(self._column(slot, cell))

    def workers_with(self, slot: int, cell: Cell) -> int:
        """How many workers have something in this cell."""
        return sum(number != 0 for number in self._column(slot, cell))

    def note(self, slot: int, row: int, cell: Cell, number: int) -> None:
        """Write what a worker has now, in a cell that is no count."""
        self._numbers[self.index(slot, row, cell)] = number

    def peak(self, slot: int) -> int:
        """The highest number of open connections seen by any worker."""
        return max(self._column(slot, Cell.PEAK))

    def _column(self, slot: int, cell: Cell) -> memoryview:
        start = _FIRST_CELL + slot * self._slot_width + cell
        return self._numbers[start : start + self._numbers[_ROWS_IN_USE] * _ROW : _ROW]

    def index(self, slot: int, row: int, cell: Cell) -> int:
        """Where a cell of a row lies in `numbers`."""
        return _FIRST_CELL + slot * self._slot_width + row * _ROW + cell

    @property
    def numbers(self) -> memoryview:
        """All numbers of the page."""
        return self._numbers

    def clear_row(self, row: int) -> None:
        """The worker of the row died: its connections have ended with it. Totals of what has happened stay."""
        for slot in range(self._numbers[_SLOTS_IN_USE]):
            first = self.index(slot, row, Cell.CONNECTIONS)
            if self._numbers[first]:
                self._numbers[first + Cell.ENDED_WORKER_DIED] += self._numbers[first]
                self._numbers[first] = 0
        self.note(SERVER_SLOT, row, Cell.PAUSED_LOOPS, 0)
        self.by_key.clear_row(row)

    def clear_slot(self, slot: int) -> None:
        """A slot is given to another listener."""
        self.set_cap(slot, None)
        self._numbers[_SLOTS_IN_USE] = max(slot + 1, self._numbers[_SLOTS_IN_USE])
        start = _FIRST_CELL + slot * self._slot_width
        for index in range(start, start + self.rows_in_use * _ROW):
            self._numbers[index] = 0


class ConnectionCounter:
    """One worker's counting for one listener: connections are admitted, and let go."""

    __slots__ = ("_first", "_numbers", "_page", "_row", "_server_first", "slot")

    def __init__(self, page: CounterPage, slot: int, row: int) -> None:
        self.slot = slot
        self._page = page
        self._numbers = page.numbers
        self._row = row
        self._first = page.index(slot, row, Cell.CONNECTIONS)
        self._server_first = page.index(SERVER_SLOT, row, Cell.CONNECTIONS)

    def admit(self) -> Cell | None:
        """Count a connection that was just accepted, at the listener and at the server. None: it is admitted, and `leave`
        has to be called once for it; `accepted` too, when nothing behind this refuses it. Else the cell that says which cap
        refused it; then it is not counted."""
        numbers, page, first = self._numbers, self._page, self._first
        numbers[first] += 1
        numbers[self._server_first] += 1
        here = page.total(self.slot, Cell.CONNECTIONS)
        margin = numbers[_ROWS_IN_USE]
        cap = numbers[_FIRST_CAP + self.slot]
        if (
            here > cap - margin
            or page.total(SERVER_SLOT, Cell.CONNECTIONS) > numbers[_FIRST_CAP + SERVER_SLOT] - margin
        ):
            refused = self._decide_under_lock()
            if refused is not None:
                return refused
        # Another worker may have counted one that it is about to refuse: never more than the cap were really open.
        if here > numbers[first + Cell.PEAK]:
            numbers[first + Cell.PEAK] = min(here, cap)
        return None

    def _decide_under_lock(self) -> Cell | None:
        page = self._page
        fcntl.lockf(page.descriptor, fcntl.LOCK_EX, 1, 0)
        try:
            refused = None
            if page.total(SERVER_SLOT, Cell.CONNECTIONS) > page.cap(SERVER_SLOT):
                refused = Cell.REFUSED_SERVER_CAP
            elif page.total(self.slot, Cell.CONNECTIONS) > page.cap(self.slot):
                refused = Cell.REFUSED_LISTENER_CAP
            if refused is not None:
                self.leave()
                self.count(refused)
            return refused
        finally:
            fcntl.lockf(page.descriptor, fcntl.LOCK_UN, 1, 0)

    def accepted(self) -> None:
        """An admitted connection has passed the cap of its source address too, and its PROXY header where one was due."""
        self._numbers[self._first + Cell.ACCEPTED] += 1

    def leave(self) -> None:
        """An admitted connection has ended."""
        self._numbers[self._first] -= 1
        self._numbers[self._server_first] -= 1

    def enter_address(self, address: bytes, cap: int) -> int | None:
        """Count an admitted connection for its source address; see CountsByKey.enter."""
        return self._page.by_key.enter(address, self._row, cap)

    def leave_address(self, entry: int) -> None:
        """It has ended."""
        self._page.by_key.leave(entry)

    def count(self, cell: Cell, by: int = 1) -> None:
        """Add to what `cell` counts."""
        self._numbers[self._first + cell] += by

    def count_handshake(self, microseconds: int, within: Cell | None, version: Cell | None) -> None:
        """A TLS handshake is complete; `within` and `version` are the cells of its duration and its version."""
        numbers, first = self._numbers, self._first
        numbers[first + Cell.TLS_HANDSHAKES] += 1
        numbers[first + Cell.TLS_MICROSECONDS] += microseconds
        if within is not None:
            numbers[first + within] += 1
        if version is not None:
            numbers[first + version] += 1


def _numbers_size(rows: int) -> int:
    return (_FIRST_CELL + MAX_SLOTS * rows * _ROW) * _OCTETS


def _size(rows: int) -> int:
    return _numbers_size(rows) + counts_by_key.size(rows) + failures_by_key.SIZE
