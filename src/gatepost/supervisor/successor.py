"""The process that is to take this server's place, as the server sees it. See control.handover."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from gatepost.control.channel import Channel
from gatepost.control.handover import ENVIRONMENT_VARIABLE, FromSuccessor, TakeoverFailed
from gatepost.control.messages import ConnectionsQuestion, NeighbourCame, NeighbourLeft
from gatepost.supervisor import privileges
from gatepost.supervisor.connection_rounds import ConnectionRounds
from gatepost.supervisor.fleet import Fleet

_Answer = TypeVar("_Answer", bound=FromSuccessor)

_LAST_WORDS = 5.0  # seconds that a process has to end after its last words


class SuccessorFailed(Exception):
    """It will not take over; the words say why."""


class Successor:
    """A process of its own group, so that whatever it has started ends with it when it fails. Raises OSError.

    `connections` answers what it asks of the workers here once it has taken over."""

    def __init__(self, command: Sequence[str], fleet: Fleet, connections: ConnectionRounds) -> None:
        self._fleet = fleet
        self._connections = connections
        self._received: asyncio.Queue[tuple[FromSuccessor, list[int]] | None] = asyncio.Queue()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            try:
                self._process = _spawn(command, theirs)
            except BaseException:
                ours.close()
                raise
        self._channel: Channel[FromSuccessor] = Channel(
            ours,
            FromSuccessor,  # type: ignore[arg-type]  # a union of types is decoded
            self._message,
            lambda: self._received.put_nowait(None),
        )
        self._pidfd = os.pidfd_open(self._process.pid)
        asyncio.get_running_loop().add_reader(self._pidfd, self._ended)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def send(self, message: msgspec.Struct, descriptors: Sequence[int] = ()) -> None:
        """Nothing happens where it is gone."""
        self._channel.send(message, descriptors)

    async def receive(self, kind: type[_Answer]) -> tuple[_Answer, list[int]]:
        """What it says next, with its descriptors. Raises SuccessorFailed."""
        received = await self._received.get()
        if received is None:
            raise SuccessorFailed(await self._how_it_ended())
        message, descriptors = received
        if isinstance(message, kind):
            return message, descriptors
        _close_all(descriptors)
        if isinstance(message, TakeoverFailed):
            raise SuccessorFailed(message.reason)
        raise SuccessorFailed(f"the new server says {type(message).__name__} out of turn")

    async def _how_it_ended(self) -> str:
        for _ in range(int(_LAST_WORDS / 0.05)):
            if self._process.poll() is not None:
                return f"the new server ended with status {self._process.returncode}; its reason is in the log"
            await asyncio.sleep(0.05)
        return "the new server does not talk any more"

    def _message(self, message: FromSuccessor, descriptors: list[int]) -> None:
        match message:
            case NeighbourCame(row=row):
                self._fleet.neighbour_came(row, descriptors[0])
                _close_all(descriptors)
            case NeighbourLeft(row=row):
                self._fleet.neighbour_left(row)
            case ConnectionsQuestion():
                self._connections.ask(message, self.send)
            case _:
                self._received.put_nowait((message, descriptors))

    def _ended(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._process.wait()

    def end(self) -> None:
        """It has failed: end it, and everything that it has started."""
        self._channel.close()
        self._received.put_nowait(None)  # whoever waits for it
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass  # nothing is left of it


def _spawn(command: Sequence[str], theirs: socket.socket) -> subprocess.Popen[bytes]:
    environment = {**os.environ, ENVIRONMENT_VARIABLE: str(theirs.fileno())}
    with privileges.passed_on():
        return subprocess.Popen(  # noqa: S603 - the arguments are those that this process was started with
            list(command),
            pass_fds=(theirs.fileno(),),
            env=environment,
            stdin=subprocess.DEVNULL,
            process_group=0,
        )


def _close_all(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
