"""A node in the program's own process and event loop: the parts of the server, with one worker that is no process.

Used by the two servers of this room. Binding, applying, releasing and counting are what they are in the server; what is left out
is what needs processes: privileges, signals, restarts, upgrades.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping

from gatepost.control.worker_start import WorkerStart
from gatepost.plan.plan import Plan
from gatepost.supervisor.node import Node
from gatepost.supervisor.socket_table import SocketTable
from gatepost.transport.counter_page import CounterPage
from gatepost.worker.sessions import ProtocolSessions
from gatepost.worker.worker import Worker


class WorkersInThisProcess:
    """See supervisor.worker_process.WorkerStarter. `worker` is the first, `failure` why there is none."""

    settings: Mapping[str, object] = {}
    worker: Worker
    failure: OSError | None = None
    sessions: ProtocolSessions | None = None  # of every worker, once they are known

    def __init__(self, page: CounterPage) -> None:
        self._page = page
        self._by_descriptor: dict[int, Worker] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def new_worker(self, start: WorkerStart) -> tuple[int, int]:
        """A worker in this event loop. Its end is told by an eventfd(2), which is read like the end of a process."""
        try:
            ended = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            try:
                worker = Worker(socket.socket(fileno=os.dup(start.control)), self._page, start.row)
            except BaseException:
                os.close(ended)
                raise
        except OSError as error:
            self.failure = error
            raise
        if self.sessions is not None:
            worker.sessions = self.sessions
        worker.begin()
        self._by_descriptor[ended] = worker
        if start.index == 0:
            self.worker = worker
        task = asyncio.get_running_loop().create_task(self._until_finished(worker, ended))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return os.getpid(), ended

    async def _until_finished(self, worker: Worker, ended: int) -> None:
        await worker.is_finished.wait()
        worker.close()
        del self._by_descriptor[ended]
        os.eventfd_write(ended, 1)

    def exit_status(self, pid: int) -> int | None:
        """It ends in order only."""
        del pid  # ours
        return 0

    def kill(self, ended: int) -> None:
        """Cut its clients off."""
        worker = self._by_descriptor.get(ended)
        if worker is not None:  # else its end is told already
            worker.cut_off()


class OneProcess:
    """The node, its counts and its worker. `open` comes first, `close` last."""

    def __init__(self, plan: Plan) -> None:
        self._page = CounterPage.create(1)
        self._starter = WorkersInThisProcess(self._page)
        self.node = Node(plan, self._starter, 1, self._page, {})
        self._is_closed = False
        self._deadline = 0.0  # of leaving, by the clock of the event loop

    @property
    def worker(self) -> Worker:
        """The one worker, once it is open. Raises RuntimeError where it is not open any more."""
        self._ensure_open()
        return self._starter.worker

    @property
    def table(self) -> SocketTable:
        """The listening sockets. Raises RuntimeError where it is not open any more."""
        self._ensure_open()
        return self.node.table

    def _ensure_open(self) -> None:
        if self._is_closed:
            raise RuntimeError("the server has ended: its block has been left")

    async def open(self) -> None:
        """Start the worker, which has to `serve` something before the first listener; the plan of the node has none yet. Raises
        OSError where the process has no descriptors left; `close` has to come all the same."""
        self.node.slots.follow(self.node.changes.running_plan)
        self.node.fleet.start(self.node.changes.running_plan)
        if self._starter.failure is not None:
            raise self._starter.failure  # a server would try again; a program wants to know
        await self.node.fleet.is_ready.wait()

    def serve(self, sessions: ProtocolSessions) -> None:
        """What clients talk to."""
        self._starter.sessions = self.worker.sessions = sessions

    async def close(self, drain_timeout: float) -> None:
        """Accept no more, take leave of every client in its protocol, cut off who is there after `drain_timeout` seconds, give
        everything back."""
        self._is_closed = True
        now = asyncio.get_running_loop().time
        self._deadline = now() + drain_timeout
        self.node.fleet.drain(drain_timeout)
        self.node.table.close()
        self.node.table.release_reserved()
        await self.node.fleet.is_empty.wait()
        if self._starter.sessions is not None:
            await self._starter.sessions.settle(max(0.0, self._deadline - now()))
        self.node.fleet.close()
        self._page.close()

    def cut_off(self) -> None:
        """While it closes: wait for nobody any more."""
        self._deadline = 0.0
        self.node.fleet.kill_own()
        if self._starter.sessions is not None:
            self._starter.sessions.give_up()
