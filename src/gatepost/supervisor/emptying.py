"""Giving listening sockets up without a client in them: kept from new ones, accepted empty, released by all workers, closed.

`changes` does this behind every change and upgrade that leaves sockets over. Whoever waits in a socket whose worker dies
meanwhile is accepted by another one, under the plan that he came under.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from msgspec import structs

from gatepost.control.messages import EmptySockets, GrantedSocket
from gatepost.plan.plan import Plan
from gatepost.supervisor.counter_slots import CounterSlots
from gatepost.supervisor.fleet import Fleet
from gatepost.supervisor.retirement import PlacedSocket, Retirement
from gatepost.supervisor.worker_process import WorkerProcess

_LOOK_EVERY = 0.02  # seconds
_QUIET = 0.1  # seconds without a client after which a socket counts as empty
_LONGEST_WAIT = 2.0  # seconds for those who wait in it, from when some worker has it
_LONGEST_WAIT_FOR_A_WORKER = 30.0  # seconds
_LONGEST_FAREWELL = 5.0  # seconds for those who still wait when all workers have released it
_ATTEMPTS = 3  # at least, however long they take


class Emptying:
    """One retirement. All workers know that they are to empty its sockets; `came_under` is the plan before."""

    def __init__(self, retirement: Retirement, came_under: Plan, fleet: Fleet, slots: CounterSlots) -> None:
        self._retirement = retirement
        self._came_under = came_under
        self._fleet = fleet
        self._slots = slots
        self._attempt = 0  # another worker each time: one may drain, hang, or have no descriptor

    async def run(self) -> None:
        """Returns when the sockets are closed."""
        if self._retirement.sockets:
            self._retirement.stop_new_connections()
            await self._until_empty(_QUIET)
            self._retirement.shorten_queues()
        await self._fleet.release_ungranted()
        await self._empty_again()
        self._retirement.close()

    async def _empty_again(self) -> None:
        """All have released them, and still somebody waits: the worker died or could not accept, or a neighbour came in the last
        moment (see `shorten_queues`)."""
        end = asyncio.get_running_loop().time() + _LONGEST_FAREWELL
        while self._retirement.with_clients() and self._may_try_again(end):
            self._attempt += 1
            self._retirement.widen_queues()
            await self._until_empty(0)
            self._retirement.shorten_queues()
            await self._fleet.release_ungranted()

    def _may_try_again(self, end: float) -> bool:
        """A neighbour that comes again and again is not to hold up a change for long; several workers that hang or die one after
        the other may."""
        is_in_time = asyncio.get_running_loop().time() < end
        return (is_in_time or self._attempt < _ATTEMPTS) and not self._fleet.is_stopping

    async def _until_empty(self, quiet: float) -> None:
        """Until nobody was in them for `quiet` seconds. Connections whose handshake was under way may still come in for a moment:
        as long as their way to here takes."""
        loop = asyncio.get_running_loop()
        end, last = loop.time() + _LONGEST_WAIT, loop.time() + _LONGEST_WAIT_FOR_A_WORKER
        quiet_since = loop.time()
        while loop.time() < end:
            waited_in = self._retirement.with_clients()
            if waited_in:
                quiet_since = loop.time()
                if not self._attend(waited_in) and not self._fleet.is_stopping:
                    end = min(loop.time() + _LONGEST_WAIT, last)
            elif loop.time() - quiet_since >= quiet and not self._retirement.has_handshakes_under_way():
                return
            await asyncio.sleep(_LOOK_EVERY)

    def _attend(self, sockets: Sequence[PlacedSocket]) -> bool:
        """Where no worker lives that has the socket, give it to another. False: there is none that could; there may be later."""
        living = [worker for worker in self._fleet.living if worker.channel.is_open]
        attended = {number for worker in living for number in worker.sockets}
        orphans = [each for each in sockets if each.kept.number not in attended]
        workers = self._fleet.serving
        for position, worker in enumerate(workers):
            share = [each for each in orphans if (each.kept.number + self._attempt) % len(workers) == position]
            if share:
                self._have_emptied(worker, share)
        return bool(workers) or not orphans

    def _have_emptied(self, worker: WorkerProcess, sockets: Sequence[PlacedSocket]) -> None:
        worker.sockets.update(each.kept.number for each in sockets)
        listeners = {each.listener_id for each in sockets}
        message = EmptySockets(
            plan=structs.replace(
                self._came_under, listeners=tuple(each for each in self._came_under.listeners if each.id in listeners)
            ),
            sockets=tuple(
                GrantedSocket(
                    number=each.kept.number, address=each.address, listener_id=each.listener_id, is_attached=True
                )
                for each in sockets
            ),
            counter_slots=self._slots.by_listener_that_counts,
        )
        worker.channel.send(message, [each.kept.sock.fileno() for each in sockets])
