"""A server without its process: listening sockets, counts, workers, changes, joined. What workers ask for is answered here.

The supervisor has one and lives by signals and upgrades around it; a program that embeds gatepost has one in its own process,
with a single worker in the same event loop. May not touch signals, standard streams or other processes.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping

from gatepost.control.messages import (
    AbandonChange,
    ActivateChange,
    BeginChange,
    ConnectionsQuestion,
    ConnectionsReported,
    FromWorker,
    PrepareChange,
    StatusAnswer,
    StatusQuestion,
)
from gatepost.plan.plan import Plan
from gatepost.supervisor.changes import Changes
from gatepost.supervisor.connection_rounds import ConnectionRounds
from gatepost.supervisor.counter_slots import CounterSlots
from gatepost.supervisor.fleet import Fleet
from gatepost.supervisor.socket_table import SocketTable
from gatepost.supervisor.worker_process import WorkerProcess, WorkerStarter
from gatepost.transport.counter_page import CounterPage
from gatepost.values.socket_address import SocketAddress


class Node:
    """The parts know each other when this is made; nothing runs yet."""

    def __init__(
        self,
        plan: Plan,
        starter: WorkerStarter,
        worker_count: int,
        page: CounterPage,
        passed: Mapping[SocketAddress, socket.socket],
    ) -> None:
        self.slots = CounterSlots(page)
        self.table = SocketTable(worker_count, passed)
        self.changes = Changes(plan, self.table, self.slots)
        self.fleet = Fleet(starter, worker_count, page, self.slots, self.table, self._request, self._worker_ended)
        self.connections = ConnectionRounds(lambda: self.fleet.living)
        self.changes.attach(self.fleet)

    def _worker_ended(self, worker: WorkerProcess) -> None:
        self.connections.worker_died(worker)
        if not self.fleet.is_stopping:  # else nothing is changed here any more
            self.changes.worker_died(worker)

    def _request(self, worker: WorkerProcess, message: FromWorker) -> None:
        match message:
            case BeginChange(number=number):
                self.changes.begin(worker, number)
            case PrepareChange(number=number, plan=plan, is_stored=is_stored):
                self.changes.prepare(worker, number, plan, is_stored=is_stored)
            case ActivateChange(number=number, revision=revision):
                self.changes.activate(worker, number, revision)
            case AbandonChange():
                self.changes.abandon(worker)
            case ConnectionsQuestion():
                self.connections.ask(message, worker.channel.send)
            case ConnectionsReported():
                self.connections.reported(worker, message)
            case StatusQuestion(number=number):
                self.fleet.answer(worker, self._status(number))

    def _status(self, number: int) -> StatusAnswer:
        return StatusAnswer(
            number=number,
            plan=self.changes.running_plan,
            sockets=self.table.status(self.fleet.accepting),
            failures=self.table.failures,
            counter_slots=self.slots.by_listener,
            draining=self.slots.draining(),
            workers_running=self.fleet.running,
            tls_failures=self.fleet.tls_failures,
        )
