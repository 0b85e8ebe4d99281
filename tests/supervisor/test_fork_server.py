"""Workers are forked from a process that has loaded everything: whose children they are, what they have, how they end."""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.open_descriptors import no_descriptor_left, open_descriptors
from tests.python_process import python_environment

from gatepost.control.worker_start import WorkerStart
from gatepost.supervisor import fork_server as fork_server_module
from gatepost.supervisor.fork_server import ForkServer

PROGRAM = Path(__file__).parent / "forked_worker.py"


class World:
    def __init__(self) -> None:
        self.fork_server = ForkServer((sys.executable, str(PROGRAM)), {})
        self.control, self.theirs = socket.socketpair()
        self.control.settimeout(30)
        self.started: list[tuple[int, int]] = []

    def worker(self, do: str) -> tuple[int, int]:
        numbers = {"control": self.theirs.fileno(), "counters": 0, "notices": 0}
        start = WorkerStart(index=0, row=0, counter_rows=1, settings={"do": do}, **numbers)
        self.started.append(self.fork_server.new_worker(start))
        return self.started[-1]

    def signal_fork_server(self, number: signal.Signals) -> None:
        os.kill(self._pid_of_fork_server(), number)

    def children_of_fork_server(self) -> set[str]:
        server = self._pid_of_fork_server()
        return set(Path(f"/proc/{server}/task/{server}/children").read_text().split())

    def _pid_of_fork_server(self) -> int:
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        (server,) = [int(pid) for pid in children if PROGRAM.name in Path(f"/proc/{pid}/cmdline").read_text()]
        return server


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("PYTHONPATH", python_environment()["PYTHONPATH"])
    made = World()
    yield made
    for _, pidfd in made.started:
        os.close(pidfd)
    made.fork_server.close()
    made.control.close()
    made.theirs.close()


def wait_until_ended(pidfd: int) -> None:
    assert select.select([pidfd], [], [], 30)[0]


def test_the_fork_server_says_how_a_worker_has_ended(world: World) -> None:
    pid, pidfd = world.worker("exit 3")
    wait_until_ended(pidfd)
    assert world.fork_server.exit_status(pid) == 3
    pid, pidfd = world.worker("wait")
    assert world.control.recv(10) == b"here"
    os.kill(pid, signal.SIGKILL)
    wait_until_ended(pidfd)
    assert world.fork_server.exit_status(pid) == -signal.SIGKILL
    assert world.fork_server.exit_status(pid) is None  # there is no such process any more


def test_a_worker_that_fails_says_why_and_ends_with_an_error(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    pid, pidfd = world.worker("fail")
    wait_until_ended(pidfd)
    assert world.fork_server.exit_status(pid) == 1
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_a_worker_has_its_own_descriptors_and_nothing_of_the_fork_server(world: World) -> None:
    for _ in range(3):
        world.worker("descriptors")
        kinds = world.control.recv(4096).decode().split("\n")
        assert sum(kind.startswith("socket:") for kind in kinds) == 1
        assert not any(kind.startswith("anon_inode:[pidfd]") for kind in kinds)
        pipes = [kind for kind in kinds if kind.startswith("pipe:")]
        own = {os.readlink(f"/proc/self/fd/{number}") for number in (1, 2)}  # noqa: PTH115 - descriptors
        assert set(pipes) <= own


def test_a_worker_that_cannot_be_watched_for_want_of_descriptors_is_ended_and_the_next_one_can_be_had(
    world: World,
) -> None:
    wait_until_ended(world.worker("exit 0")[1])
    before, workers = open_descriptors(), world.children_of_fork_server()
    with no_descriptor_left(), pytest.raises(OSError, match="open files"):
        world.worker("wait")
    assert open_descriptors() == before
    assert world.children_of_fork_server() == workers
    pid, pidfd = world.worker("exit 3")
    wait_until_ended(pidfd)
    assert world.fork_server.exit_status(pid) == 3


def test_a_fork_server_that_was_killed_is_replaced_and_its_workers_live_on(world: World) -> None:
    first, pidfd = world.worker("wait")
    assert world.control.recv(10) == b"here"
    world.signal_fork_server(signal.SIGKILL)
    pid, successor = world.worker("exit 5")
    wait_until_ended(successor)
    assert world.fork_server.exit_status(pid) == 5
    os.kill(first, signal.SIGKILL)
    wait_until_ended(pidfd)
    assert world.fork_server.exit_status(first) is None


def test_a_fork_server_that_does_not_answer_in_time_is_replaced_and_no_late_answer_is_taken_for_another(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fork_server_module, "_ANSWER_DEADLINE", 0.5)
    pid, pidfd = world.worker("exit 3")
    wait_until_ended(pidfd)
    world.signal_fork_server(signal.SIGSTOP)
    assert world.fork_server.exit_status(pid) is None
    monkeypatch.setattr(fork_server_module, "_ANSWER_DEADLINE", 30.0)
    pid, pidfd = world.worker("exit 4")
    wait_until_ended(pidfd)
    assert world.fork_server.exit_status(pid) == 4
