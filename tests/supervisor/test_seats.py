"""Rows of the counter page and the sockets for notices: given out, taken back, and watched for earlier servers."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator

import pytest
from tests.transport.loopback import until

from gatepost.supervisor.seats import Seats
from gatepost.transport.counter_page import SERVER_SLOT, Cell, ConnectionCounter, CounterPage


@pytest.fixture
def page() -> Iterator[CounterPage]:
    made = CounterPage.create(1)
    yield made
    os.close(made.descriptor)


@pytest.fixture
def seats(page: CounterPage) -> Iterator[Seats]:
    made = Seats(page)
    yield made
    made.close()


def test_the_lowest_free_row_is_given_out_and_counts_from_then_on(seats: Seats, page: CounterPage) -> None:
    first, second, third = (seats.take() for _ in range(3))
    assert (first.row, second.row, third.row, page.rows_in_use) == (0, 1, 2, 3)
    ConnectionCounter(page, SERVER_SLOT + 1, second.row).admit()
    seats.give_back(second)
    assert page.total(SERVER_SLOT, Cell.CONNECTIONS) == 0
    assert seats.take().row == 1


def test_there_is_an_end_to_them_and_it_is_an_error_of_the_system(seats: Seats, page: CounterPage) -> None:
    page.rows = 2
    seats.take()
    seats.take()
    with pytest.raises(OSError, match="no row"):
        seats.take()


def _sleeping() -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "600"])


async def test_the_row_of_an_earlier_worker_is_cleared_when_it_ends(page: CounterPage) -> None:
    gone: list[int] = []
    seats = Seats(page, gone.append)
    process = _sleeping()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours:
        seats.inherit(3, theirs)
        ConnectionCounter(page, SERVER_SLOT + 1, 3).admit()
        seats.watch({3: os.pidfd_open(process.pid)})
        assert page.total(SERVER_SLOT, Cell.CONNECTIONS) == 1
        process.kill()
        process.wait()
        await until(lambda: gone == [3])
    assert page.total(SERVER_SLOT, Cell.CONNECTIONS) == 0
    assert seats.earlier == ()
    seats.close()


async def test_an_earlier_row_that_no_worker_has_any_more_is_free(page: CounterPage) -> None:
    seats = Seats(page)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours:
        seats.inherit(0, theirs)
        seats.watch({})
        assert seats.take().row == 0
    seats.close()


def test_once_the_page_is_handed_over_its_rows_are_left_alone(seats: Seats, page: CounterPage) -> None:
    seat = seats.take()
    ConnectionCounter(page, SERVER_SLOT + 1, seat.row).admit()
    seats.hand_over()
    seats.clear(seat)
    assert page.total(SERVER_SLOT, Cell.CONNECTIONS) == 1
