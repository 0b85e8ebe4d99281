"""Replacing the running server by the code that is installed now, without losing a connection or ending a session.

Everything can still fail until the new server accepts; then this one goes on as if nothing had happened.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Collection, Sequence

from gatepost.control.handover import (
    VERSION,
    HandoverWanted,
    NextServerAccepts,
    NextServerReady,
    SocketsAreYours,
    TakeOver,
)
from gatepost.supervisor import legacy
from gatepost.supervisor.node import Node
from gatepost.supervisor.readiness import notify_service_manager
from gatepost.supervisor.successor import Successor, SuccessorFailed
from gatepost.telemetry import events
from gatepost.telemetry.events import Event

_DEADLINE = 60.0  # seconds from the start of the new server until it accepts
_ENDING = "the server is ending"


class UpgradeFailed(Exception):
    """The server runs on as before; the words say why."""


class Upgrade:
    """One at a time. `command` starts the new server; `control` goes over to it."""

    def __init__(self, command: Sequence[str], node: Node) -> None:
        self._command = command
        self._changes = node.changes
        self._fleet = node.fleet
        self._table = node.table
        self._slots = node.slots
        self._connections = node.connections
        self._successor: Successor | None = None
        self._told_rows: tuple[int, ...] = ()
        self._is_possible = False
        self._why_not = "the server is starting"
        self.control: socket.socket | None = None
        self.is_done = asyncio.Event()

    def may_begin(self) -> None:
        """The server is ready."""
        self._is_possible = True

    def end(self) -> None:
        """The server ends: so does an upgrade that is under way."""
        self._is_possible, self._why_not = False, _ENDING
        if self._successor is not None and not self.is_done.is_set():
            self._successor.end()

    async def run(self) -> int:
        """Upgrade; the process id of the server that has taken over. Raises UpgradeFailed."""
        try:
            self._begin()
            return await self._in_turn()
        except UpgradeFailed as error:
            events.error(Event.UPGRADE_FAILED, reason=str(error))
            raise

    def _begin(self) -> None:
        if not self._is_possible:
            raise UpgradeFailed(self._why_not)
        if os.getpid() == 1:
            words = "this server is process 1 of its container, which ends with it: replace the container"
            raise UpgradeFailed(words)
        self._is_possible, self._why_not = False, "an upgrade is under way already"

    async def _in_turn(self) -> int:
        await self._changes.take_turn()
        try:
            successor, left_over = await self._replace()
        except TimeoutError:  # an OSError too, so it comes first
            self._undo()
            raise UpgradeFailed(f"the new server was not ready within {_DEADLINE:g} s") from None
        except (SuccessorFailed, OSError) as error:
            self._undo()
            raise UpgradeFailed(str(error)) from None
        except Exception as error:  # whatever a server of another version says: this one must go on
            self._undo()
            raise UpgradeFailed(f"the new server makes no sense: {error}") from error
        await self._leave_to(successor, left_over)
        return successor.pid

    async def _replace(self) -> tuple[Successor, Collection[int]]:
        events.info(Event.UPGRADE_BEGUN)
        self._fleet.seats.may_be_taken = False
        self._successor = successor = Successor(self._command, self._fleet, self._connections)
        async with asyncio.timeout(_DEADLINE):
            wanted, _ = await successor.receive(HandoverWanted)
            if VERSION not in wanted.versions:
                known = ", ".join(map(str, wanted.versions))
                raise SuccessorFailed(
                    f"the installed version takes over by versions {known} of the hand-over, this one speaks {VERSION}: "
                    "restart the server instead"
                )
            successor.send(*legacy.pack(self._fleet.seats, self._slots, self._table, self.control))
            await self._meet_the_new_workers(successor)
            self._fleet.may_start_workers = False
            workers = self._fleet.living
            pidfds = [worker.pidfd for worker in workers] + [each.pidfd for each in self._fleet.seats.watched]
            rows = [worker.seat.row for worker in workers] + [each.row for each in self._fleet.seats.watched]
            successor.send(TakeOver(rows=tuple(rows)), pidfds)
            accepts, _ = await successor.receive(NextServerAccepts)
        return successor, accepts.left_over

    async def _meet_the_new_workers(self, successor: Successor) -> None:
        ready, ways = await successor.receive(NextServerReady)
        for row, way in zip(ready.rows, ways, strict=True):
            self._fleet.neighbour_came(row, way)
            os.close(way)
        self._told_rows = ready.rows

    def _undo(self) -> None:
        if self._successor is not None:
            self._successor.end()
            self._successor = None
        for row in self._told_rows:
            self._fleet.neighbour_left(row)
        self._told_rows = ()
        self._table.let_everybody_in()
        self._slots.follow(self._changes.running_plan)
        self._fleet.seats.clear_others()
        self._fleet.seats.may_be_taken = True
        self._fleet.may_start_workers = True
        self._changes.give_turn_back()
        self._is_possible = self._why_not != _ENDING

    async def _leave_to(self, successor: Successor, left_over: Collection[int]) -> None:
        self._why_not = f"process {successor.pid} has taken over"
        self._changes.hand_over()
        await self._changes.give_up(left_over)
        await self._fleet.hand_over()
        self._table.leave()
        notify_service_manager(f"MAINPID={successor.pid}")
        successor.send(SocketsAreYours())
        events.info(Event.UPGRADE_DONE, pid=successor.pid)
        self.is_done.set()
