"""The turn and the two phases, with real sockets and workers that are only noted down; every step may go wrong."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from typing import Any, cast

import msgspec
import pytest
from structlog.testing import capture_logs
from tests.open_descriptors import open_descriptors
from tests.sockets.socket_plans import free_port
from tests.supervisor.plans import TLS, listener, plan
from tests.transport.loopback import some_turns, until

from gatepost.control.messages import ChangeEnded, ChangeGranted, ChangePrepared, TlsFailure
from gatepost.plan.plan import Plan
from gatepost.supervisor import changes as changes_module
from gatepost.supervisor.changes import Changes
from gatepost.supervisor.counter_slots import CounterSlots
from gatepost.supervisor.fleet import Fleet
from gatepost.supervisor.socket_table import SocketTable
from gatepost.supervisor.worker_process import WorkerProcess
from gatepost.transport.counter_page import CounterPage
from gatepost.values.ids import Id


class NamedWorker:
    """Stands for a worker process."""

    def __init__(self, index: int) -> None:
        self.index = index


class NotingFleet:
    """Notes what workers are told; plans are applied when the test lets them be."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, msgspec.Struct]] = []
        self.grown: list[Plan] = []
        self.applied: list[Plan] = []
        self.tried: list[Plan] = []
        self.tls_failures: tuple[TlsFailure, ...] = ()
        self.releases = 0
        self.retired = 0
        self.reconciled = 0
        self.not_to_reconcile: NamedWorker | None = None
        self.may_apply = asyncio.Event()
        self.may_apply.set()
        self.errors: list[str] = []
        self.failure: Exception | None = None
        self.living = self.serving = ()
        self.is_stopping = False

    def answer(self, worker: NamedWorker, message: msgspec.Struct) -> None:
        self.answers.append((worker.index, message))

    async def grow(self, wanted: Plan) -> list[str]:
        self.grown.append(wanted)
        return []

    async def apply(self, wanted: Plan) -> list[str]:
        self.applied.append(wanted)
        await self.may_apply.wait()
        if self.failure is not None:
            raise self.failure
        return self.errors

    async def try_tls(self, wanted: Plan) -> tuple[TlsFailure, ...]:
        self.tried.append(wanted)
        await self.may_apply.wait()
        return self.tls_failures

    async def release_ungranted(self) -> None:
        self.releases += 1

    def retire_surplus(self) -> None:
        self.retired += 1

    def reconcile(self, besides: NamedWorker | None = None) -> None:
        self.reconciled += 1
        self.not_to_reconcile = besides


class World:
    def __init__(self) -> None:
        self.page = CounterPage.create(2)
        self.table = SocketTable(2, {})
        self.fleet = NotingFleet()
        self.changes = Changes(plan(), self.table, CounterSlots(self.page))
        self.changes.attach(cast(Fleet, self.fleet))
        self.one, self.other = (cast(WorkerProcess, NamedWorker(index)) for index in (0, 1))

    def answers(self, kind: type[Any]) -> list[Any]:
        return [message for _, message in self.fleet.answers if isinstance(message, kind)]

    async def change(self, wanted: Plan, revision: int = 2) -> ChangeEnded:
        """All steps, by one worker."""
        before = len(self.answers(ChangeEnded))
        self.changes.begin(self.one, 1)
        self.changes.prepare(self.one, 2, wanted)
        assert self.answers(ChangePrepared)[-1].failures == ()
        self.changes.activate(self.one, 3, revision)
        await until(lambda: len(self.answers(ChangeEnded)) > before)
        ended: ChangeEnded = self.answers(ChangeEnded)[-1]
        return ended


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    made.table.close()
    os.close(made.page.descriptor)


def local_address() -> str:
    return f"127.0.0.1:{free_port()}"


def is_free(address: str) -> bool:
    with socket.socket() as sock:
        try:
            sock.bind(("127.0.0.1", int(address.rpartition(":")[2])))
        except OSError:
            return False
        return True


async def test_a_change_is_prepared_carried_through_and_answered(world: World) -> None:
    address = local_address()
    ended = await world.change(plan(listener("a", address)), revision=7)
    assert ended == ChangeEnded(number=3)
    assert [type(message).__name__ for _, message in world.fleet.answers] == [
        "ChangeGranted",
        "ChangePrepared",
        "ChangeEnded",
    ]
    assert [wanted.revision for wanted in world.fleet.applied] == [7]
    assert world.changes.running_plan.revision == 7
    assert list(world.table.addresses) == [address]


async def test_answers_carry_the_numbers_of_their_questions(world: World) -> None:
    world.changes.begin(world.one, 11)
    world.changes.prepare(world.one, 12, plan())
    world.changes.activate(world.one, 13, 2)
    await until(lambda: world.answers(ChangeEnded))
    assert [cast(Any, message).number for _, message in world.fleet.answers] == [11, 12, 13]


async def test_an_address_that_is_given_up_is_released_by_the_workers_before_it_is_closed(world: World) -> None:
    address = local_address()
    await world.change(plan(listener("a", address)))
    before = world.fleet.releases
    await world.change(plan(), revision=3)
    assert world.fleet.releases == before + 1
    assert is_free(address)


async def test_changes_take_turns_in_the_order_of_asking(world: World) -> None:
    world.changes.begin(world.one, 1)
    world.changes.begin(world.other, 1)
    assert [index for index, _ in world.fleet.answers] == [0]
    world.changes.abandon(world.one)
    assert [index for index, _ in world.fleet.answers] == [0, 1]


async def test_the_next_turn_begins_when_the_change_before_it_runs_everywhere(world: World) -> None:
    world.fleet.may_apply.clear()
    world.changes.begin(world.one, 1)
    world.changes.prepare(world.one, 2, plan())
    world.changes.activate(world.one, 3, 2)
    world.changes.begin(world.other, 1)
    await some_turns()
    assert [index for index, message in world.fleet.answers if isinstance(message, ChangeGranted)] == [0]
    world.fleet.may_apply.set()
    await until(lambda: len(world.answers(ChangeGranted)) == 2)
    assert world.answers(ChangeGranted)[1].running_plan.revision == 2


async def test_who_has_not_got_the_turn_may_not_prepare(world: World) -> None:
    address = local_address()
    for wanted in (plan(), plan(listener("a", address))):
        world.changes.prepare(world.one, 1, wanted)
        assert world.answers(ChangePrepared)[-1].failures[0].text == "the turn is over"
    assert is_free(address)


async def test_what_cannot_be_bound_is_answered_and_nothing_is_held(world: World) -> None:
    free = local_address()
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        taken = f"127.0.0.1:{stranger.getsockname()[1]}"
        world.changes.begin(world.one, 1)
        world.changes.prepare(world.one, 2, plan(listener("a", free, taken)))
        (failure,) = world.answers(ChangePrepared)[-1].failures
        assert (failure.address, failure.errno_name, failure.listener_id) == (taken, "EADDRINUSE", "a")
        assert is_free(free)
        world.changes.activate(world.one, 3, 2)  # it has nothing to activate
        assert world.answers(ChangeEnded)[-1].errors


async def test_preparing_again_releases_what_was_prepared_before(world: World) -> None:
    first, second = local_address(), local_address()
    world.changes.begin(world.one, 1)
    world.changes.prepare(world.one, 2, plan(listener("a", first)))
    world.changes.prepare(world.one, 3, plan(listener("a", second)))
    assert is_free(first)
    assert not is_free(second)
    world.changes.abandon(world.one)
    assert is_free(second)


async def test_more_listeners_than_can_be_counted_are_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CounterSlots, "room_for", lambda _self, _plan: False)
    address = local_address()
    world.changes.begin(world.one, 1)
    world.changes.prepare(world.one, 2, plan(listener("a", address)))
    assert world.answers(ChangePrepared)[-1].failures[0].errno_name == "ENOSPC"
    assert is_free(address)


# --- TLS ------------------------------------------------------------------------------------------------------------------


async def test_tls_that_a_worker_cannot_build_is_answered_and_nothing_is_held(world: World) -> None:
    address = local_address()
    world.fleet.tls_failures = (TlsFailure(listener_id=Id("a"), text="no room"),)
    world.changes.begin(world.one, 1)
    world.changes.prepare(world.one, 2, plan(listener("a", address, tls=TLS)))
    await until(lambda: world.answers(ChangePrepared))
    assert world.answers(ChangePrepared)[-1].tls_failures == world.fleet.tls_failures
    assert is_free(address)
    world.fleet.tls_failures = ()
    world.changes.prepare(world.one, 3, plan(listener("a", address, tls=TLS)))
    await until(lambda: len(world.answers(ChangePrepared)) == 2)
    assert world.answers(ChangePrepared)[-1] == ChangePrepared(number=3)
    assert not is_free(address)
    world.changes.abandon(world.one)


async def test_workers_build_tls_only_where_a_change_needs_other_contexts(world: World) -> None:
    address = local_address()
    world.changes.running_plan = plan(listener("a", address, tls=TLS))
    world.changes.begin(world.one, 1)
    world.changes.prepare(
        world.one, 2, plan(listener("a", address, tls=TLS, max_connections=5), listener("b", address))
    )
    assert len(world.answers(ChangePrepared)) == 1
    assert world.fleet.tried == []
    world.changes.abandon(world.one)


async def test_a_turn_that_ends_while_workers_build_tls_is_over(world: World) -> None:
    address = local_address()
    world.fleet.may_apply.clear()
    world.changes.begin(world.one, 1)
    world.changes.prepare(world.one, 2, plan(listener("a", address, tls=TLS)))
    await until(lambda: world.fleet.tried)
    world.changes.abandon(world.one)
    assert is_free(address)
    world.fleet.may_apply.set()
    await until(lambda: world.answers(ChangePrepared))
    assert world.answers(ChangePrepared)[-1].failures[0].text == "the turn is over"


# --- workers die ----------------------------------------------------------------------------------------------------------


async def test_a_worker_that_dies_while_it_waits_is_forgotten(world: World) -> None:
    world.changes.begin(world.one, 1)
    world.changes.begin(world.other, 1)
    world.changes.worker_died(world.other)
    world.changes.abandon(world.one)
    assert len(world.answers(ChangeGranted)) == 1
    assert world.fleet.reconciled == 0


async def test_a_worker_that_dies_with_the_turn_gives_it_to_the_next(world: World) -> None:
    world.changes.begin(world.one, 1)
    world.changes.begin(world.other, 1)
    world.changes.worker_died(world.one)
    assert [index for index, _ in world.fleet.answers] == [0, 1]
    assert world.fleet.reconciled == 0


async def test_a_worker_that_dies_prepared_may_have_committed_so_somebody_has_to_look(world: World) -> None:
    address = local_address()
    world.changes.begin(world.one, 1)
    world.changes.prepare(world.one, 2, plan(listener("a", address)))
    world.changes.worker_died(world.one)
    assert is_free(address)
    assert world.fleet.reconciled == 1


async def test_a_worker_that_dies_after_activating_does_not_stop_its_change(world: World) -> None:
    address = local_address()
    world.fleet.may_apply.clear()
    world.changes.begin(world.one, 1)
    world.changes.prepare(world.one, 2, plan(listener("a", address)))
    world.changes.activate(world.one, 3, 2)
    await until(lambda: world.fleet.applied)
    world.changes.worker_died(world.one)
    world.changes.begin(world.other, 1)
    world.fleet.may_apply.set()
    await until(lambda: len(world.answers(ChangeGranted)) == 2)
    assert list(world.table.addresses) == [address]
    assert world.changes.running_plan.revision == 2


async def test_errors_of_workers_are_told(world: World) -> None:
    world.fleet.errors = ["worker 2: no room"]
    assert (await world.change(plan())).errors == ("worker 2: no room",)


async def test_a_change_that_fails_half_way_is_not_told_as_done_and_the_turn_goes_on(world: World) -> None:
    world.fleet.failure = OSError(24, "Too many open files")
    with capture_logs() as logs:
        ended = await world.change(plan())
    assert "Too many open files" in ended.errors[0]
    assert [entry["event"] for entry in logs] == ["plan.not_applied"]
    world.fleet.failure = None
    assert (await world.change(plan(), revision=3)).errors == ()


async def test_what_a_change_gives_up_is_released_and_closed_though_it_fails_half_way(world: World) -> None:
    address = local_address()
    await world.change(plan(listener("a", address)))
    before = world.fleet.releases
    world.fleet.failure = OSError(24, "Too many open files")
    with capture_logs():
        assert (await world.change(plan(), revision=3)).errors
    assert world.fleet.releases == before + 1
    assert is_free(address)


# --- time -----------------------------------------------------------------------------------------------------------------


async def test_a_worker_that_holds_the_turn_too_long_loses_it_with_everything_prepared(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes_module, "_TURN_DEADLINE", 0.05)
    address = local_address()
    with capture_logs() as logs:
        world.changes.begin(world.one, 1)
        world.changes.prepare(world.one, 2, plan(listener("a", address)))
        world.changes.begin(world.other, 1)
        await until(lambda: len(world.answers(ChangeGranted)) == 2)
    assert is_free(address)
    assert logs[0]["event"] == "change.abandoned"
    # It may be in the store already, so somebody has to look, and who hangs is not asked.
    assert world.fleet.reconciled == 1
    assert world.fleet.not_to_reconcile is cast(Any, world.one)
    world.changes.activate(world.one, 3, 2)  # too late, and now it is in the store
    assert "the turn was lost" in world.answers(ChangeEnded)[-1].errors[0]
    assert world.fleet.reconciled == 2
    assert world.fleet.applied == []


async def test_the_turn_has_no_deadline_any_more_once_it_activates(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes_module, "_TURN_DEADLINE", 0.05)
    world.fleet.may_apply.clear()
    with capture_logs() as logs:
        changing = asyncio.create_task(world.change(plan()))
        await until(lambda: world.fleet.applied)
        await asyncio.sleep(0.1)
        world.fleet.may_apply.set()
        await changing
    assert [entry["event"] for entry in logs] == ["plan.applied"]


# --- addresses that failed ------------------------------------------------------------------------------------------------


async def test_what_could_not_be_bound_is_tried_again_until_it_can(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes_module, "_RETRY_INTERVAL", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        taken = f"127.0.0.1:{stranger.getsockname()[1]}"
        wanted = plan(listener("a", taken))
        world.table.activate(world.table.prepare(wanted))
        world.changes.running_plan = wanted
        before = open_descriptors()
        retrying = asyncio.create_task(world.changes.retry_failed())
        await asyncio.sleep(0.1)
        assert open_descriptors() <= before  # what tests before this one left to the collector may go meanwhile
        assert world.fleet.applied == []
    await until(lambda: world.fleet.applied)
    await until(lambda: world.table.failures == ())
    retrying.cancel()


async def test_an_attempt_that_fails_does_not_end_the_attempts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes_module, "_RETRY_INTERVAL", 0.01)
    stranger = socket.create_server(("127.0.0.1", 0))
    wanted = plan(listener("a", f"127.0.0.1:{stranger.getsockname()[1]}"))
    world.table.activate(world.table.prepare(wanted))
    world.changes.running_plan = wanted
    world.fleet.failure = OSError(24, "Too many open files")
    with capture_logs() as logs:
        retrying = asyncio.create_task(world.changes.retry_failed())
        stranger.close()
        await until(lambda: [entry for entry in logs if entry["event"] == "plan.not_applied"])
    assert not retrying.done()
    world.changes.begin(world.one, 1)
    assert world.answers(ChangeGranted)
    retrying.cancel()


async def test_the_supervisor_waits_for_its_turn_and_workers_wait_for_the_supervisor(world: World) -> None:
    world.changes.begin(world.one, 1)
    turn = asyncio.create_task(world.changes.take_turn())
    await asyncio.sleep(0)
    assert not turn.done()
    world.changes.begin(world.other, 2)
    world.changes.abandon(world.one)
    await asyncio.wait_for(turn, 5)
    assert len(world.answers(ChangeGranted)) == 1
    world.changes.give_turn_back()
    assert len(world.answers(ChangeGranted)) == 2


async def test_once_the_server_is_handed_over_whoever_wants_the_turn_is_told(world: World) -> None:
    await world.changes.take_turn()
    world.changes.begin(world.one, 1)
    world.changes.hand_over()
    world.changes.begin(world.other, 2)
    assert [ended.number for ended in world.answers(ChangeEnded)] == [1, 2]
    assert all("upgraded" in ended.errors[0] for ended in world.answers(ChangeEnded))
    assert world.answers(ChangeGranted) == []
