"""One worker as the supervisor sees it: a process, a channel, and the sockets that it has been given."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Mapping
from typing import Protocol

from gatepost.control.channel import Channel
from gatepost.control.messages import FromWorker, TlsFailure
from gatepost.control.worker_start import WorkerStart
from gatepost.supervisor.seats import Seat
from gatepost.transport.counter_page import CounterPage


class WorkerStarter(Protocol):
    """Where workers come from: the fork server, or (embedded) the process that this runs in."""

    @property
    def settings(self) -> Mapping[str, object]:
        """What reaches workers unread."""

    def new_worker(self, start: WorkerStart, /) -> tuple[int, int]:
        """Process id, and a descriptor that becomes readable when the worker has ended (a pidfd where it has a process of its
        own); closed by whoever asked. Raises OSError."""

    def exit_status(self, pid: int, /) -> int | None:
        """How it has ended: its exit code, a signal as a negative number; None: nobody knows."""

    def kill(self, ended: int, /) -> None:
        """End the worker of this descriptor now."""


class WorkerProcess:
    """A running worker. `index` says which listening sockets are its own, `seat` where it counts. `on_message` gets what it
    says, `on_exit(worker, status)` is called once when it has ended."""

    def __init__(
        self,
        index: int,
        starter: WorkerStarter,
        page: CounterPage,
        seat: Seat,
        on_message: Callable[[WorkerProcess, FromWorker], None],
        on_exit: Callable[[WorkerProcess, int | None], None],
    ) -> None:
        self.index = index
        self.seat = seat
        self.sockets: set[int] = set()  # numbers of the listening sockets that it has
        self.is_ready = False
        self.tls_failures: tuple[TlsFailure, ...] = ()  # listeners whose TLS it could not build
        self.is_retired = False  # it has no listening sockets any more, and ends when its last connection does
        self._has_ended = False
        self._starter = starter
        self._on_message = on_message
        self._on_exit = on_exit
        self._loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            start = WorkerStart(
                index=index,
                row=seat.row,
                control=theirs.fileno(),
                counters=page.descriptor,
                counter_rows=page.rows,
                notices=seat.receiving.fileno(),
                settings=dict(starter.settings),
            )
            try:
                self.pid, self._pidfd = starter.new_worker(start)
            except BaseException:
                ours.close()
                raise
        self.channel: Channel[FromWorker] = Channel(ours, FromWorker, self._received, lambda: None)  # type: ignore[arg-type]  # a union of types is decoded
        self._loop.add_reader(self._pidfd, self._ended)

    @property
    def pidfd(self) -> int:
        """See pidfd_open(2); closed when the process has ended."""
        return self._pidfd

    def kill(self) -> None:
        """End it now."""
        if not self._has_ended:
            self._starter.kill(self._pidfd)

    def _received(self, message: FromWorker, descriptors: list[int]) -> None:
        for descriptor in descriptors:
            os.close(descriptor)  # workers pass none
        self._on_message(self, message)

    def _ended(self) -> None:
        self._loop.remove_reader(self._pidfd)
        self._has_ended = True
        status = self._starter.exit_status(self.pid)
        os.close(self._pidfd)
        self.channel.close()
        self._on_exit(self, status)
