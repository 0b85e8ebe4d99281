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

from gatepost.transport import address_counts
from gatepost.transport.address_counts import AddressCounts
from gatepost.values.ip_mask import IpAddress

SERVER_SLOT = 0  # the whole server
MAX_SLOTS = 4096
NO_CAP = 2**62


class Cell(IntEnum):
    """What is counted per slot and worker."""

    CONNECTIONS = 0  # open now
    PEAK = 1  # the highest sum over all workers that this worker has seen
    ACCEPTED = 2
    REFUSED_LISTENER_CAP = 3
    REFUSED_SERVER_CAP = 4
    PROXY_REJECTED = 5
    TLS_HANDSHAKES = 6
    TLS_FAILURES = 7
    REFUSED_ADDRESS_CAP = 8


_CELLS = 9
_OCTETS = 8


class CounterPage:
    """The page itself. The supervisor creates it, workers open it by descriptor."""

    def __init__(self, descriptor: int, worker_count: int) -> None:
        self.descriptor = descriptor
        self.worker_count = worker_count
        numbers_size = _numbers_size(worker_count)
        memory = mmap.mmap(descriptor, numbers_size + address_counts.size(worker_count))
        self._numbers = memoryview(memory)[:numbers_size].cast("q")
        self.addresses = AddressCounts(descriptor, memory, numbers_size, worker_count)
        self._slot_width = worker_count * _CELLS

    @classmethod
    def create(cls, worker_count: int) -> CounterPage:
        """A page with no caps set, all counts zero."""
        descriptor = os.memfd_create("gatepost-counters", os.MFD_CLOEXEC)
        os.ftruncate(descriptor, _numbers_size(worker_count) + address_counts.size(worker_count))
        page = cls(descriptor, worker_count)
        page.addresses.choose_hash_key()
        for slot in range(MAX_SLOTS):
            page.set_cap(slot, None)
        return page

    def cap(self, slot: int) -> int:
        """The cap of a slot; NO_CAP where there is none."""
        return self._numbers[slot]

    def set_cap(self, slot: int, cap: int | None) -> None:
        """In force at once, in all workers."""
        self._numbers[slot] = NO_CAP if cap is None else cap

    def total(self, slot: int, cell: Cell) -> int:
        """The sum over all workers."""
        start = MAX_SLOTS + slot * self._slot_width + cell
        return sum(self._numbers[start : start + self._slot_width : _CELLS])

    def peak(self, slot: int) -> int:
        """The highest number of open connections seen by any worker."""
        start = MAX_SLOTS + slot * self._slot_width + Cell.PEAK
        return max(self._numbers[start : start + self._slot_width : _CELLS])

    def index(self, slot: int, worker: int, cell: Cell) -> int:
        """Where a worker's cell lies in `numbers`."""
        return MAX_SLOTS + slot * self._slot_width + worker * _CELLS + cell

    @property
    def numbers(self) -> memoryview:
        """All numbers of the page."""
        return self._numbers

    def clear_worker(self, worker: int) -> None:
        """A worker died: its connections are gone. Totals of what has happened stay."""
        for slot in range(MAX_SLOTS):
            self._numbers[self.index(slot, worker, Cell.CONNECTIONS)] = 0
        self.addresses.clear_worker(worker)

    def clear_slot(self, slot: int) -> None:
        """A slot is given to another listener."""
        self.set_cap(slot, None)
        start = MAX_SLOTS + slot * self._slot_width
        for index in range(start, start + self._slot_width):
            self._numbers[index] = 0


class ConnectionCounter:
    """One worker's counting for one listener: connections are admitted, and let go."""

    __slots__ = ("_connections", "_page", "_server_connections", "_worker", "slot")

    def __init__(self, page: CounterPage, slot: int, worker: int) -> None:
        self.slot = slot
        self._page = page
        self._worker = worker
        self._connections = page.index(slot, worker, Cell.CONNECTIONS)
        self._server_connections = page.index(SERVER_SLOT, worker, Cell.CONNECTIONS)

    def admit(self) -> Cell | None:
        """Count a connection that was just accepted, at the listener and at the server. None: it is admitted, and `leave`
        has to be called once for it. Else the cell that says which cap refused it; then it is not counted."""
        numbers = self._page.numbers
        numbers[self._connections] += 1
        numbers[self._server_connections] += 1
        margin = self._page.worker_count
        here = self._page.total(self.slot, Cell.CONNECTIONS)
        if (
            here > numbers[self.slot] - margin
            or self._page.total(SERVER_SLOT, Cell.CONNECTIONS) > numbers[SERVER_SLOT] - margin
        ):
            refused = self._decide_under_lock()
            if refused is not None:
                return refused
        self.count(Cell.ACCEPTED)
        peak = self._page.index(self.slot, self._worker, Cell.PEAK)
        # Another worker may have counted one that it is about to refuse: never more than the cap were really open.
        numbers[peak] = max(numbers[peak], min(here, numbers[self.slot]))
        return None

    def _decide_under_lock(self) -> Cell | None:
        numbers = self._page.numbers
        fcntl.lockf(self._page.descriptor, fcntl.LOCK_EX, 1, 0)
        try:
            refused = None
            if self._page.total(SERVER_SLOT, Cell.CONNECTIONS) > numbers[SERVER_SLOT]:
                refused = Cell.REFUSED_SERVER_CAP
            elif self._page.total(self.slot, Cell.CONNECTIONS) > numbers[self.slot]:
                refused = Cell.REFUSED_LISTENER_CAP
            if refused is not None:
                self.leave()
                self.count(refused)
            return refused
        finally:
            fcntl.lockf(self._page.descriptor, fcntl.LOCK_UN, 1, 0)

    def leave(self) -> None:
        """An admitted connection has ended."""
        self._page.numbers[self._connections] -= 1
        self._page.numbers[self._server_connections] -= 1

    def enter_address(self, address: IpAddress, cap: int) -> int | None:
        """Count an admitted connection for its source address; see AddressCounts.enter."""
        return self._page.addresses.enter(address, self._worker, cap)

    def leave_address(self, entry: int) -> None:
        """It has ended."""
        self._page.addresses.leave(entry, self._worker)

    def count(self, cell: Cell) -> None:
        """One more of what `cell` counts."""
        self._page.numbers[self._page.index(self.slot, self._worker, cell)] += 1


def _numbers_size(worker_count: int) -> int:
    return MAX_SLOTS * (1 + worker_count * _CELLS) * _OCTETS
