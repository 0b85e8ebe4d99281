"""Limits over processes: exact under contention, and nothing leaks when a process is killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest
from tests.python_process import python_environment

from gatepost.transport import counts_by_key
from gatepost.transport.counter_page import MAX_SLOTS, NO_CAP, SERVER_SLOT, Cell, ConnectionCounter, CounterPage
from gatepost.transport.counts_by_key import CountsByKey

SLOT = 7
PROGRAM = Path(__file__).parent / "counting_process.py"


@pytest.fixture
def page() -> Iterator[CounterPage]:
    made = CounterPage.create(4)
    for slot in (SLOT, SLOT + 1):
        made.clear_slot(slot)
    yield made
    os.close(made.descriptor)


def admitted(counter: ConnectionCounter, count: int) -> int:
    return sum(counter.admit() is None for _ in range(count))


def octets(address: str) -> bytes:
    return ip_address(address).packed


def connections(page: CounterPage, slot: int = SLOT) -> int:
    return page.total(slot, Cell.CONNECTIONS)


class CountingProcess:
    """See counting_process.py."""

    def __init__(self, page: CounterPage, worker: int, *what: str, share: int | None = None) -> None:
        numbers = (page.descriptor, page.rows, worker, SLOT)
        self.process = subprocess.Popen(
            [sys.executable, str(PROGRAM), *map(str, numbers), *what],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=[page.descriptor, *([] if share is None else [share])],
            env=python_environment(),
        )
        assert self.answer() == "ready"

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(20)

    def end(self) -> None:
        self.kill()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()


@contextmanager
def processes(page: CounterPage, *what: str, count: int = 4) -> Iterator[list[CountingProcess]]:
    started = [CountingProcess(page, worker, *what) for worker in range(count)]
    try:
        yield started
    finally:
        for one in started:
            one.end()


def test_a_new_page_has_no_caps_and_counts_nothing(page: CounterPage) -> None:
    assert page.cap(SLOT) == NO_CAP
    assert connections(page) == 0
    assert page.peak(SLOT) == 0


@pytest.mark.parametrize("cap", [1, 2, 3, 4, 5, 100])
def test_a_cap_admits_as_many_as_it_says(page: CounterPage, cap: int) -> None:
    page.set_cap(SLOT, cap)
    counter = ConnectionCounter(page, SLOT, 0)
    assert admitted(counter, cap + 3) == cap
    assert connections(page) == cap
    assert page.total(SLOT, Cell.ACCEPTED) == 0  # other things may still refuse it
    counter.accepted()
    assert page.total(SLOT, Cell.ACCEPTED) == 1
    assert page.total(SLOT, Cell.REFUSED_LISTENER_CAP) == 3
    counter.leave()
    assert counter.admit() is None
    assert counter.admit() is Cell.REFUSED_LISTENER_CAP


def test_the_cap_of_the_server_counts_every_listener_and_goes_first(page: CounterPage) -> None:
    page.set_cap(SERVER_SLOT, 3)
    page.set_cap(SLOT, 1)
    first, second = ConnectionCounter(page, SLOT, 0), ConnectionCounter(page, SLOT + 1, 1)
    assert admitted(first, 2) == 1
    assert admitted(second, 5) == 2
    assert first.admit() is Cell.REFUSED_SERVER_CAP
    assert page.total(SLOT + 1, Cell.REFUSED_SERVER_CAP) == 3
    assert connections(page, SERVER_SLOT) == 3


def test_a_cap_changes_at_once_and_nobody_is_cut_off_by_it(page: CounterPage) -> None:
    counter = ConnectionCounter(page, SLOT, 0)
    assert admitted(counter, 10) == 10
    page.set_cap(SLOT, 5)
    assert counter.admit() is Cell.REFUSED_LISTENER_CAP
    assert connections(page) == 10
    page.set_cap(SLOT, None)
    assert counter.admit() is None


def test_the_peak_is_the_highest_sum_that_was_seen(page: CounterPage) -> None:
    one, other = ConnectionCounter(page, SLOT, 0), ConnectionCounter(page, SLOT, 3)
    one.admit()
    other.admit()
    one.leave()
    other.leave()
    one.admit()
    assert page.peak(SLOT) == 2


def test_a_worker_that_died_is_counted_out_and_what_has_happened_stays(page: CounterPage) -> None:
    dead, alive = ConnectionCounter(page, SLOT, 0), ConnectionCounter(page, SLOT, 1)
    admitted(dead, 5)
    admitted(alive, 2)
    dead.accepted()
    alive.accepted()
    page.clear_row(0)
    assert connections(page) == connections(page, SERVER_SLOT) == 2
    assert page.total(SLOT, Cell.ACCEPTED) == 2
    assert page.total(SLOT, Cell.ENDED_WORKER_DIED) == 5
    page.clear_row(0)
    assert page.total(SLOT, Cell.ENDED_WORKER_DIED) == 5


def test_a_row_counts_from_the_moment_it_is_used(page: CounterPage) -> None:
    page.set_cap(SLOT, 10)
    page.use_rows(6)
    added = ConnectionCounter(page, SLOT, 5)
    assert admitted(added, 20) == 10
    assert admitted(ConnectionCounter(page, SLOT, 0), 1) == 0
    page.use_rows(4)  # a row that was used may have connections: it stays in the sums
    assert connections(page) == 10
    address = octets("192.0.2.1")
    assert [page.by_key.enter(address, row, 2) is not None for row in (5, 0, 1)] == [True, True, False]


def test_memory_that_nobody_counts_in_is_not_taken(page: CounterPage) -> None:
    page.use_rows(page.rows)
    ConnectionCounter(page, SLOT, 0).admit()
    page.clear_row(1)
    assert os.fstat(page.descriptor).st_blocks * 512 < 2**20


def test_a_slot_is_empty_for_its_next_owner(page: CounterPage) -> None:
    counter = ConnectionCounter(page, SLOT, 0)
    page.set_cap(SLOT, 5)
    counter.admit()
    counter.count(Cell.TLS_FAILED_CLOSED)
    neighbour = ConnectionCounter(page, SLOT + 1, 0)
    neighbour.admit()
    page.clear_slot(SLOT)
    assert page.cap(SLOT) == NO_CAP
    assert [page.total(SLOT, cell) for cell in Cell] == [0] * len(Cell)
    assert connections(page, SLOT + 1) == 1


def test_the_cells_of_slots_and_workers_do_not_overlap(page: CounterPage) -> None:
    cells = {
        page.index(slot, worker, cell) for slot in (0, 1, MAX_SLOTS - 1) for worker in range(page.rows) for cell in Cell
    }
    assert len(cells) == 3 * page.rows * len(Cell)
    assert min(cells) >= MAX_SLOTS
    assert max(cells) < len(page.numbers)


@pytest.mark.parametrize(("cap", "attempts"), [(1000, 300), (10, 300), (1199, 300), (1, 100)])
def test_exactly_those_beyond_the_cap_are_refused_however_many_processes_admit(
    page: CounterPage, cap: int, attempts: int
) -> None:
    page.set_cap(SLOT, cap)
    with processes(page, "admit", str(attempts)) as workers:
        for worker in workers:
            worker.go()
        counts = [int(worker.answer()) for worker in workers]
        assert sum(counts) == cap == connections(page)
        assert page.total(SLOT, Cell.REFUSED_LISTENER_CAP) == 4 * attempts - cap


def test_nobody_is_refused_while_there_is_room_for_everybody(page: CounterPage) -> None:
    page.set_cap(SLOT, 4)  # each of four processes has one connection at a time
    with processes(page, "churn", "5000") as workers:
        for worker in workers:
            worker.go()
        assert [int(worker.answer()) for worker in workers] == [5000] * 4
    assert connections(page) == 0


def test_a_process_that_is_killed_holding_the_lock_leaves_it_and_its_connections_do_not_count_any_more(
    page: CounterPage,
) -> None:
    page.set_cap(SLOT, 4)
    with processes(page, "hold-lock", "3", count=1) as workers:
        workers[0].go()
        assert workers[0].answer() == "locked"
        assert connections(page) == 3
        workers[0].kill()
        page.clear_row(0)
        counter = ConnectionCounter(page, SLOT, 1)
        assert admitted(counter, 6) == 4  # near the cap: the lock is needed


# --- per source address -------------------------------------------------------------------------------------------------


def test_an_address_has_no_more_connections_than_its_cap(page: CounterPage) -> None:
    address = octets("192.0.2.1")
    counters = [ConnectionCounter(page, SLOT, worker) for worker in range(4)]
    entries = [counter.enter_address(address, 3) for counter in counters]
    assert entries[:3] != [None, None, None]
    assert entries[3] is None
    assert page.by_key.count(address) == 3
    assert counters[3].enter_address(octets("192.0.2.2"), 3) is not None
    assert entries[0] is not None
    counters[0].leave_address(entries[0])
    assert counters[3].enter_address(address, 3) is not None


def test_an_address_may_have_many_and_a_dead_workers_are_forgotten(page: CounterPage) -> None:
    address = octets("2001:db8::1")
    for worker in range(4):
        for _ in range(10):
            assert page.by_key.enter(address, worker, 1000) is not None
    page.by_key.clear_row(2)
    assert page.by_key.count(address) == 30


def test_addresses_do_not_take_each_others_entries(page: CounterPage) -> None:
    network = int(ip_address("10.0.0.0"))
    addresses = [ip_address(network + number).packed for number in range(5000)]
    entries = {page.by_key.enter(address, 0, 1) for address in addresses}
    assert len(entries - {None}) == 5000
    assert all(page.by_key.count(address) == 1 for address in addresses)


def test_an_entry_goes_to_another_address_when_its_own_has_left(
    page: CounterPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts_by_key, "_BUCKETS", 1)
    counts: CountsByKey = page.by_key
    entry = counts.enter(octets("192.0.2.1"), 0, 5)
    assert entry is not None
    counts.leave(entry)
    assert counts.count(octets("192.0.2.1")) == 0
    assert counts.enter(octets("192.0.2.1"), 0, 5) == entry
    counts.leave(entry)
    assert counts.enter(octets("192.0.2.2"), 0, 5) == entry
    assert [counts.count(octets(address)) for address in ("192.0.2.1", "192.0.2.2")] == [0, 1]


def test_addresses_of_one_bucket_are_told_apart(page: CounterPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts_by_key, "_BUCKETS", 1)
    addresses = [octets(text) for text in ("2001:db8::1", "2001:db8::2", "::2001:db8:0:0", "192.0.2.1")]
    for address in addresses:
        assert [page.by_key.enter(address, row, 2) is None for row in (0, 1, 2)] == [False, False, True]
    assert [page.by_key.count(address) for address in addresses] == [2] * 4


def test_whoever_is_refused_is_not_counted(page: CounterPage) -> None:
    address, counts = octets("2001:db8::1"), page.by_key
    entries = [counts.enter(address, row, 2) for row in (0, 1, 2, 3)]
    assert entries[2:] == [None, None]
    for entry in entries[:2]:
        assert entry is not None
        counts.leave(entry)
    assert counts.count(address) == 0
    assert [counts.enter(address, row, 2) is None for row in (3, 2, 1)] == [False, False, True]


@pytest.mark.parametrize(("cap", "attempts"), [(1000, 300), (10, 300), (1199, 300), (1, 100)])
def test_an_address_gets_exactly_its_cap_however_many_processes_count(
    page: CounterPage, cap: int, attempts: int
) -> None:
    with processes(page, "enter", "192.0.2.1", str(cap), str(attempts)) as workers:
        for worker in workers:
            worker.go()
        assert sum(int(worker.answer()) for worker in workers) == cap == page.by_key.count(octets("192.0.2.1"))


def test_no_address_is_refused_while_there_is_room_for_it(page: CounterPage) -> None:
    """Each of four processes has one connection at a time, of one address and then of another that takes its slot."""
    with processes(page, "come-and-go", "192.0.2.1,192.0.2.2,2001:db8::1", "4", "3000") as workers:
        for worker in workers:
            worker.go()
        assert [int(worker.answer()) for worker in workers] == [3000] * 4
    assert [page.by_key.count(octets(each)) for each in ("192.0.2.1", "192.0.2.2", "2001:db8::1")] == [0, 0, 0]


def test_no_address_ever_exceeds_its_cap_whoever_comes_leaves_and_dies(
    page: CounterPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four processes at random; some are killed in the middle of whatever they do, and have successors in their rows."""
    monkeypatch.setattr(counts_by_key, "_BUCKETS", 1)
    monkeypatch.setattr(counts_by_key, "_ENTRIES", counts_by_key._SLOTS)
    cap, addresses = 3, [f"192.0.2.{number}" for number in range(1, 21)]  # 20 for the 16 slots of each process
    with witness_file(4 * len(addresses)) as witness:
        arguments = ("witnessed", str(witness), ",".join(addresses), str(cap))
        workers = [CountingProcess(page, row, *arguments, str(row), share=witness) for row in range(4)]
        try:
            for worker in workers:
                worker.go()
                assert worker.answer() == "going"
            for turn in range(4):
                row = turn % 3
                time.sleep(0.1 + 0.05 * turn)  # not for anything to happen: for whatever happens to be under way
                workers[row].end()
                os.pwrite(witness, bytes(len(addresses)), row * len(addresses))
                page.clear_row(row)
                workers[row] = CountingProcess(page, row, *arguments, str(10 + turn), share=witness)
                workers[row].go()
                assert workers[row].answer() == "going"
            for worker in workers:
                worker.go()
            let_in, refused, most = zip(*(map(int, worker.answer().split()) for worker in workers), strict=True)
            assert max(most) == cap
            assert sum(let_in) > 0
            assert sum(refused) > 0
            assert [page.by_key.count(octets(address)) for address in addresses] == [0] * len(addresses)
        finally:
            for worker in workers:
                worker.end()


@contextmanager
def witness_file(size: int) -> Iterator[int]:
    descriptor = os.memfd_create("witness")
    os.ftruncate(descriptor, size)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def test_a_bucket_that_is_full_lets_nobody_else_in(page: CounterPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts_by_key, "_BUCKETS", 1)
    entries = [page.by_key.enter(octets(f"192.0.2.{number}"), 0, 1) for number in range(20)]
    assert [entry is None for entry in entries] == [False] * 16 + [True] * 4
