"""The old server's side of an upgrade: whatever the new one does, nothing is lost and nothing is left behind."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.open_descriptors import open_descriptors
from tests.python_process import PACKAGE_PATH
from tests.sockets.socket_plans import free_port
from tests.supervisor.plans import listener, plan
from tests.transport.loopback import until

from gatepost.supervisor import upgrade as upgrade_module
from gatepost.supervisor.fork_server import ForkServer
from gatepost.supervisor.node import Node
from gatepost.supervisor.upgrade import Upgrade, UpgradeFailed
from gatepost.transport.counter_page import SERVER_SLOT, Cell, ConnectionCounter, CounterPage

PROGRAM = Path(__file__).parent / "scripted_successor.py"


class World:
    """What a supervisor has, with one listener and no worker."""

    def __init__(self, directory: Path) -> None:
        self.log = directory / "log"
        self.children_before = _children()
        self.port = free_port()
        self.plan = plan(listener("a", f"127.0.0.1:{self.port}"), max_connections=77)
        self.page = CounterPage.create(2)
        self.node = Node(self.plan, ForkServer((), {}), 2, self.page, {})
        self.slots, self.table = self.node.slots, self.node.table
        self.changes, self.fleet = self.node.changes, self.node.fleet
        self.table.activate(self.table.prepare(self.plan)).close()
        self.slots.follow(self.plan)
        self.made: list[Upgrade] = []

    def upgrade(self, script: str) -> Upgrade:
        command = [sys.executable, str(PROGRAM), script, str(self.log)]
        self.made.append(Upgrade(command, self.node))
        self.made[-1].may_begin()
        return self.made[-1]

    async def fail(self, script: str) -> str:
        with pytest.raises(UpgradeFailed) as failure:
            await self.upgrade(script).run()
        await asyncio.wait_for(self.changes.take_turn(), 5)  # it has been given back
        self.changes.give_turn_back()
        return str(failure.value)


def _children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setenv("PYTHONPATH", PACKAGE_PATH)
    made = World(tmp_path)
    yield made
    for upgrade in made.made:
        upgrade.is_done.clear()
        upgrade.end()
    await until(lambda: _children() <= made.children_before)  # all reaped
    made.fleet.close()
    made.table.close()
    os.close(made.page.descriptor)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("other-version", "by versions 2, 3 of the hand-over, this one speaks 1: restart"),
        ("refuses", "there is no room for me"),
        ("out-of-turn", "out of turn"),
        ("garbage", "does not talk any more"),
    ],
)
async def test_why_it_failed_is_said(world: World, monkeypatch: pytest.MonkeyPatch, script: str, reason: str) -> None:
    monkeypatch.setattr("gatepost.supervisor.successor._LAST_WORDS", 0.2)
    assert reason in await world.fail(script)


async def test_a_new_server_that_hangs_is_ended_with_all_that_it_has_started(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upgrade_module, "_DEADLINE", 2.0)
    assert "within 2 s" in await world.fail("leaves-a-child")
    child = int(world.log.read_text())
    await until(lambda: _has_ended(child))


def _has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


async def test_a_command_that_cannot_be_started_is_a_failure_like_any_other(world: World) -> None:
    upgrade = Upgrade(["/there/is/no/python"], world.node)
    upgrade.may_begin()
    with pytest.raises(UpgradeFailed, match="No such file"):
        await upgrade.run()


async def test_what_a_new_server_did_to_sockets_and_page_is_undone_when_it_dies(world: World) -> None:
    foreign = ConnectionCounter(world.page, 1, 40)
    world.page.use_rows(41)
    foreign.admit()
    world.page.set_cap(SERVER_SLOT, 5)
    assert "status 5" in await world.fail("dies-with-the-sockets")
    with socket.create_connection(("127.0.0.1", world.port), timeout=5):
        pass  # its SYN is not dropped
    assert world.page.cap(SERVER_SLOT) == 77
    assert world.page.total(SERVER_SLOT, Cell.CONNECTIONS) == 0


async def test_failures_leave_no_descriptor_open(world: World) -> None:
    await world.fail("refuses")
    before = open_descriptors()
    for _ in range(3):
        await world.fail("refuses")
    await until(lambda: open_descriptors() <= before)


async def test_another_upgrade_can_follow_one_that_failed_but_none_one_that_worked(world: World) -> None:
    await world.fail("refuses")
    upgrade = world.upgrade("takes-over")
    pid = await upgrade.run()
    assert pid > 0
    assert upgrade.is_done.is_set()
    assert not world.table.addresses
    with pytest.raises(UpgradeFailed, match=f"process {pid} has taken over"):
        await upgrade.run()


async def test_none_begins_before_the_server_is_ready_or_when_it_ends(world: World) -> None:
    upgrade = Upgrade([], world.node)
    with pytest.raises(UpgradeFailed, match="is starting"):
        await upgrade.run()
    upgrade.may_begin()
    upgrade.end()
    with pytest.raises(UpgradeFailed, match="is ending"):
        await upgrade.run()


async def test_two_at_a_time_are_one_too_many(world: World) -> None:
    upgrade = world.upgrade("mute")
    first = asyncio.create_task(upgrade.run())
    await asyncio.sleep(0)
    with pytest.raises(UpgradeFailed, match="under way"):
        await upgrade.run()
    upgrade.end()
    await until(lambda: upgrade._successor is not None)
    upgrade.end()
    with pytest.raises(UpgradeFailed):
        await first
