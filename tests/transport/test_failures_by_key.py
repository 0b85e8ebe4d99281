"""Failures by key: exact over processes, never forgotten because there are too many, and gone with time."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from tests.python_process import python_environment

from gatepost.transport import failures_by_key
from gatepost.transport.counter_page import CounterPage
from gatepost.transport.failures_by_key import FailuresByKey

PROGRAM = Path(__file__).parent / "failing_process.py"
OLDEST = -1.0
ALICE, BOB = b"alice", b"bob"


@pytest.fixture
def page() -> Iterator[CounterPage]:
    made = CounterPage.create(1)
    yield made
    made.close()


@pytest.fixture
def table(page: CounterPage) -> FailuresByKey:
    return page.failures


@contextmanager
def failing_process(page: CounterPage, *what: str) -> Iterator[subprocess.Popen[str]]:
    """See failing_process.py. It is ready to start."""
    with subprocess.Popen(
        [sys.executable, str(PROGRAM), str(page.descriptor), str(page.rows), *what],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=[page.descriptor],
        env=python_environment(),
    ) as process:
        try:
            assert answer(process) == "ready"
            yield process
        finally:
            process.kill()


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def answer(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def failures(table: FailuresByKey, key: bytes, oldest: float = OLDEST) -> int:
    with table.held():
        record = table.find(key, oldest)
        return 0 if record is None else table.failures(record)


def fail(table: FailuresByKey, key: bytes, now: float = 0.0, oldest: float = OLDEST) -> None:
    with table.held():
        table.add(key, now, oldest)


def test_failures_at_several_processes_at_once_are_all_counted(page: CounterPage, table: FailuresByKey) -> None:
    with ExitStack() as stack:
        processes = [stack.enter_context(failing_process(page, "fail", "2000", "alice", "bob")) for _ in range(3)]
        for process in processes:
            go(process)
        assert [answer(process) for process in processes] == ["done"] * 3
    assert (failures(table, ALICE), failures(table, BOB)) == (6000, 6000)
    with table.held():
        record = table.find(ALICE, OLDEST)
        assert record is not None
        assert table.free_at(record) == 6000.0


def test_a_process_that_is_killed_gives_the_table_back_and_leaves_what_it_wrote(
    page: CounterPage, table: FailuresByKey
) -> None:
    with failing_process(page, "fail", "5", "alice") as process:
        go(process)
        assert answer(process) == "done"
    with failing_process(page, "hold") as process:
        go(process)
        assert answer(process) == "held"
    assert failures(table, ALICE) == 5


def test_what_has_not_failed_for_long_is_forgotten_and_begins_anew(table: FailuresByKey) -> None:
    for _ in range(4):
        fail(table, ALICE, now=10.0)
    assert failures(table, ALICE, oldest=10.0) == 4
    assert failures(table, ALICE, oldest=10.1) == 0
    fail(table, ALICE, now=20.0, oldest=10.1)
    assert failures(table, ALICE) == 1


def test_what_is_forgiven_is_gone_for_this_key_alone(table: FailuresByKey) -> None:
    fail(table, ALICE)
    fail(table, BOB)
    with table.held():
        table.forget(ALICE)
        table.forget(b"nobody")
    assert (failures(table, ALICE), failures(table, BOB)) == (0, 1)


def test_nobody_is_held_to_have_failed_less_often_than_it_has_when_there_are_too_many(
    table: FailuresByKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures_by_key, "_BUCKETS", 1)
    choose, happened = random.Random(7), Counter[bytes]()
    for number in range(3000):
        key = b"key %d" % min(choose.randrange(200), choose.randrange(200))  # some more often than others
        fail(table, key, now=float(number))
        happened[key] += 1
        assert failures(table, key) >= happened[key]
    assert sum(failures(table, key) > 0 for key in happened) == 16


def test_the_one_that_guesses_most_keeps_its_record_among_many_that_fail_once(
    table: FailuresByKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures_by_key, "_BUCKETS", 1)
    for _ in range(100):
        fail(table, ALICE)
    for number in range(500):
        fail(table, b"once %d" % number, now=1.0)
    assert failures(table, ALICE) == 100


def test_a_record_that_is_over_is_given_away_first_and_with_nothing_held_against_it(
    table: FailuresByKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures_by_key, "_BUCKETS", 1)
    for _ in range(9):
        fail(table, ALICE, now=0.0)
    for number in range(15):
        fail(table, b"other %d" % number, now=100.0)
    fail(table, BOB, now=100.0, oldest=50.0)
    assert failures(table, BOB) == 1
    assert failures(table, b"other 0") == 1


def test_names_are_not_in_the_memory_that_all_workers_share(page: CounterPage, table: FailuresByKey) -> None:
    fail(table, b"passwords of alice@example.org")
    assert page._memory.find(b"alice", len(page._memory) - failures_by_key.SIZE) == -1
