"""Seats: what a worker has for itself, a row of the counter page and the socket that its notices come in by.

A seat outlives the process that sits in it: a successor takes it over. Seats of an earlier generation (a server that was
upgraded and still drains) are watched by the process ids that came with them, so that their rows are cleared when their
workers die, whatever became of the supervisor that started them.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gatepost.transport.counter_page import CounterPage


@dataclass(slots=True, eq=False)
class Seat:
    """One worker's. `sending` is what other workers send notices to it by."""

    row: int
    receiving: socket.socket
    sending: socket.socket


@dataclass(slots=True, eq=False)
class EarlierSeat:
    """One that a worker of an earlier generation has. `pidfd` is -1 until it is ours to watch."""

    row: int
    sending: socket.socket
    pidfd: int = -1


class Seats:
    """All seats of the counter page. `on_earlier_gone(row)` is called when a worker of an earlier generation has ended."""

    def __init__(self, page: CounterPage, on_earlier_gone: Callable[[int], None] = lambda _row: None) -> None:
        self.page = page
        self._on_earlier_gone = on_earlier_gone
        self._taken: dict[int, Seat] = {}
        self._earlier: dict[int, EarlierSeat] = {}
        self._is_page_ours = True
        self.may_be_taken = True

    @property
    def taken(self) -> tuple[Seat, ...]:
        """Those of this generation."""
        return tuple(self._taken.values())

    @property
    def earlier(self) -> tuple[EarlierSeat, ...]:
        """Those of workers of earlier generations that still live."""
        return tuple(self._earlier.values())

    @property
    def watched(self) -> tuple[EarlierSeat, ...]:
        """Those of them whose end we would see."""
        return tuple(seat for seat in self._earlier.values() if seat.pidfd != -1)

    def ways(self) -> list[tuple[int, socket.socket]]:
        """The row of every worker of any generation, and the way for notices to it."""
        of_this = [(seat.row, seat.sending) for seat in self._taken.values()]
        return of_this + [(seat.row, seat.sending) for seat in self._earlier.values()]

    def take(self) -> Seat:
        """The free seat with the lowest row. Raises OSError where there is none, or no descriptor."""
        used = {*self._taken, *self._earlier}
        row = next((row for row in range(self.page.rows) if row not in used), None)
        if row is None or not self.may_be_taken:
            raise OSError(errno.ENOSPC, "no row of the counter page is free: workers have yet to end, or an upgrade")
        receiving, sending = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.page.use_rows(row + 1)
        self._taken[row] = Seat(row, receiving, sending)
        return self._taken[row]

    def clear(self, seat: Seat) -> None:
        """Its worker died."""
        if self._is_page_ours:
            self.page.clear_row(seat.row)

    def give_back(self, seat: Seat) -> None:
        """Its worker is gone, and has no successor."""
        self.clear(seat)
        del self._taken[seat.row]
        _close(seat)

    # --- generations ------------------------------------------------------------------------------------------------

    def inherit(self, row: int, sending: socket.socket) -> None:
        """A worker of an earlier generation has this row."""
        self._earlier[row] = EarlierSeat(row, sending)
        self.page.use_rows(row + 1)

    def watch(self, pidfds: Mapping[int, int]) -> None:
        """The page is ours now. These are the workers of earlier generations by row: clear it when one ends. Others have ended."""
        for seat in self.earlier:
            if seat.row in pidfds:
                seat.pidfd = pidfds[seat.row]
                asyncio.get_running_loop().add_reader(seat.pidfd, self._earlier_gone, seat)
            else:
                self._earlier_gone(seat)

    def _earlier_gone(self, earlier: EarlierSeat) -> None:
        self._forget(earlier)
        if self._is_page_ours:
            self.page.clear_row(earlier.row)
            self._on_earlier_gone(earlier.row)

    def _forget(self, earlier: EarlierSeat) -> None:
        del self._earlier[earlier.row]
        earlier.sending.close()
        if earlier.pidfd != -1:
            asyncio.get_running_loop().remove_reader(earlier.pidfd)
            os.close(earlier.pidfd)

    def signal_earlier(self, number: signal.Signals) -> None:
        """Tell the workers of earlier generations to drain, or to end."""
        for earlier in self.watched:
            try:
                signal.pidfd_send_signal(earlier.pidfd, number)
            except ProcessLookupError:
                pass  # it has just ended

    def clear_others(self) -> None:
        """A server that was to take over has failed: whatever its workers have counted is gone."""
        for row in range(self.page.rows_in_use):
            if row not in self._taken and row not in self._earlier:
                self.page.clear_row(row)

    def hand_over(self) -> None:
        """Another server keeps the page from now on."""
        self._is_page_ours = False
        for earlier in self.earlier:
            self._forget(earlier)

    def close(self) -> None:
        """No worker is left, or none that this process has to look after."""
        for earlier in self.earlier:
            self._forget(earlier)
        for seat in self.taken:
            _close(seat)
        self._taken.clear()


def _close(seat: Seat) -> None:
    seat.receiving.close()
    seat.sending.close()
