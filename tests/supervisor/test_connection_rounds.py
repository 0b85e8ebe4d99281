"""Questions for the connections of all workers: asked of each, passed on, and ended by answers, deaths and the deadline."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import msgspec
import pytest
from tests.transport.loopback import until

from gatepost.control.messages import ConnectionsPart, ConnectionsQuestion, ConnectionsReported, ReportConnections
from gatepost.supervisor import connection_rounds
from gatepost.supervisor.connection_rounds import ConnectionRounds
from gatepost.supervisor.worker_process import WorkerProcess


class FakeWorker:
    """As far as rounds look at a worker; it is its own channel."""

    def __init__(self) -> None:
        self.sent: list[msgspec.Struct] = []
        self.is_open = True
        self.channel = self

    def send(self, message: msgspec.Struct) -> None:
        self.sent.append(message)

    def taken(self, kind: type[Any]) -> list[Any]:
        found = [message for message in self.sent if isinstance(message, kind)]
        self.sent = [message for message in self.sent if not isinstance(message, kind)]
        return found


class World:
    def __init__(self) -> None:
        self.asker, self.other = FakeWorker(), FakeWorker()
        self.rounds = ConnectionRounds(lambda: [as_worker(self.asker), as_worker(self.other)])

    def ask(self, **question: Any) -> int:
        """The number under which workers are asked."""
        self.rounds.ask(ConnectionsQuestion(number=5, **question), self.asker.send)
        (asked,) = self.asker.taken(ReportConnections)
        number: int = asked.number
        return number

    def report(self, worker: FakeWorker, number: int, reports: bytes, *, is_last: bool) -> None:
        self.rounds.reported(as_worker(worker), ConnectionsReported(number=number, reports=reports, is_last=is_last))


def as_worker(worker: FakeWorker) -> WorkerProcess:
    return cast(WorkerProcess, worker)


async def test_every_worker_is_asked_and_every_part_is_passed_on_unread() -> None:
    world = World()
    number = world.ask(ids=("w1-1",), is_to_end=True)
    assert world.other.sent == [ReportConnections(number=number, ids=("w1-1",), is_to_end=True)]
    world.report(world.other, number, b"not even MessagePack", is_last=False)
    world.report(world.other, number, b"", is_last=True)
    assert [part.reports for part in world.asker.taken(ConnectionsPart)] == [b"not even MessagePack", b""]
    world.report(world.asker, number, b"own", is_last=True)
    own, end = world.asker.taken(ConnectionsPart)
    assert (own.number, own.reports, own.is_last) == (5, b"own", False)
    assert (end.number, end.is_last, end.is_complete) == (5, True, True)


async def test_a_worker_that_dies_is_not_waited_for() -> None:
    world = World()
    number = world.ask()
    world.report(world.asker, number, b"", is_last=True)
    world.rounds.worker_died(as_worker(world.other))
    assert world.asker.taken(ConnectionsPart)[-1] == ConnectionsPart(number=5, is_last=True)


async def test_a_worker_whose_channel_is_closed_is_not_asked() -> None:
    world = World()
    world.other.is_open = False
    number = world.ask()
    assert world.other.sent == []
    world.report(world.asker, number, b"", is_last=True)
    assert world.asker.taken(ConnectionsPart)[-1].is_last


async def test_a_worker_that_says_nothing_makes_the_answer_incomplete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_rounds, "_DEADLINE", 0.05)
    world = World()
    number = world.ask()
    await until(lambda: world.asker.sent)
    assert world.asker.taken(ConnectionsPart) == [ConnectionsPart(number=5, is_last=True, is_complete=False)]
    world.report(world.other, number, b"too late", is_last=True)
    assert world.asker.sent == []


async def test_rounds_do_not_get_in_each_others_way() -> None:
    world = World()
    first, second = world.ask(), world.ask()
    assert first != second
    world.report(world.other, second, b"", is_last=True)
    world.report(world.asker, second, b"", is_last=True)
    await asyncio.sleep(0)
    assert [part.is_last for part in world.asker.taken(ConnectionsPart)] == [False, False, True]
    world.rounds.worker_died(as_worker(world.other))
    world.report(world.asker, first, b"", is_last=True)
    assert world.asker.taken(ConnectionsPart)[-1].is_last


# --- an earlier server that drains ----------------------------------------------------------------------------------------


async def _asked_with_an_earlier_server() -> tuple[World, list[ConnectionsQuestion], int]:
    """Both workers have answered; what the earlier server was asked, and the number of its answer."""
    world, asked = World(), list[ConnectionsQuestion]()
    world.rounds.ask_earlier = asked.append
    number = world.ask(ids=("w1-1",), is_to_end=True)
    world.report(world.asker, number, b"", is_last=True)
    world.report(world.other, number, b"", is_last=True)
    world.asker.taken(ConnectionsPart)
    return world, asked, number


async def test_an_earlier_server_is_asked_too_and_its_parts_are_passed_on() -> None:
    world, asked, number = await _asked_with_an_earlier_server()
    assert asked == [ConnectionsQuestion(number=number, ids=("w1-1",), is_to_end=True)]
    world.rounds.earlier_reported(ConnectionsPart(number=number, reports=b"older"))
    world.rounds.earlier_reported(ConnectionsPart(number=number, is_last=True))
    assert world.asker.taken(ConnectionsPart) == [
        ConnectionsPart(number=5, reports=b"older"),
        ConnectionsPart(number=5, is_last=True, is_complete=True),
    ]
    world.rounds.earlier_reported(ConnectionsPart(number=number, reports=b"too late"))
    assert world.asker.sent == []


async def test_what_an_earlier_server_does_not_know_makes_the_answer_incomplete() -> None:
    world, _, number = await _asked_with_an_earlier_server()
    world.rounds.earlier_reported(ConnectionsPart(number=number, is_last=True, is_complete=False))
    assert world.asker.taken(ConnectionsPart) == [ConnectionsPart(number=5, is_last=True, is_complete=False)]


async def test_an_earlier_server_that_is_gone_has_no_connections_and_is_not_asked_again() -> None:
    world, asked, _ = await _asked_with_an_earlier_server()
    world.rounds.earlier_gone()
    assert world.asker.taken(ConnectionsPart) == [ConnectionsPart(number=5, is_last=True, is_complete=True)]
    world.ask()
    assert len(asked) == 1
