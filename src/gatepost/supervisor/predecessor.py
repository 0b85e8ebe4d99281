"""The server that runs, as the one that is to take its place sees it. See control.handover."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Collection, Sequence
from typing import TypeVar

import msgspec

from gatepost.control.channel import Channel
from gatepost.control.handover import (
    ENVIRONMENT_VARIABLE,
    VERSION,
    FromPredecessor,
    Handover,
    HandoverWanted,
    NextServerAccepts,
    NextServerReady,
    SocketsAreYours,
    TakeOver,
    TakeoverFailed,
)
from gatepost.control.messages import ConnectionsPart
from gatepost.supervisor.connection_rounds import ConnectionRounds
from gatepost.supervisor.legacy import Legacy

_Answer = TypeVar("_Answer", bound=FromPredecessor)


class PredecessorGone(Exception):
    """It does not answer any more, or says what makes no sense: this process must not take over."""


def predecessor_in(environment: dict[str, str]) -> socket.socket | None:
    """The way to it, taken out of the environment; None where this server starts by itself."""
    descriptor = environment.pop(ENVIRONMENT_VARIABLE, None)
    if descriptor is None:
        return None
    sock = socket.socket(fileno=int(descriptor))
    sock.set_inheritable(False)
    return sock


def receive_legacy(sock: socket.socket) -> Legacy:
    """Ask for everything; before the store is touched. Blocks. Raises PredecessorGone."""

    async def ask() -> Legacy:
        predecessor = Predecessor(sock.dup())
        try:
            predecessor.send(HandoverWanted(versions=(VERSION,)))
            return Legacy.unpack(*await predecessor.receive(Handover))
        except ValueError as error:
            raise PredecessorGone(str(error)) from None
        finally:
            predecessor.close()

    return asyncio.run(ask())


class Predecessor:
    """Its end of the channel. `connections` gets what it says of its workers' connections."""

    def __init__(self, sock: socket.socket, connections: ConnectionRounds | None = None) -> None:
        self._received: asyncio.Queue[tuple[FromPredecessor, list[int]] | None] = asyncio.Queue()
        self._channel: Channel[FromPredecessor] = Channel(
            sock,
            FromPredecessor,  # type: ignore[arg-type]  # a union of types is decoded
            self._message,
            self._lost,
        )
        self._connections = connections
        self.is_gone = asyncio.Event()

    def _message(self, message: FromPredecessor, descriptors: list[int]) -> None:
        if self._connections is not None and isinstance(message, ConnectionsPart):
            self._connections.earlier_reported(message)
        else:
            self._received.put_nowait((message, descriptors))

    def _lost(self) -> None:
        self.is_gone.set()
        self._received.put_nowait(None)
        if self._connections is not None:
            self._connections.earlier_gone()

    def answers_for_connections(self) -> None:
        """It does so from now on, until it is gone."""
        if self._connections is not None and not self.is_gone.is_set():
            self._connections.ask_earlier = self.send

    def send(self, message: msgspec.Struct, descriptors: Sequence[int] = ()) -> None:
        """Also what its workers have to hear of later; nothing happens where it is gone."""
        self._channel.send(message, descriptors)

    async def receive(self, kind: type[_Answer]) -> tuple[_Answer, list[int]]:
        """The answer, with its descriptors. Raises PredecessorGone; the running server has the deadline."""
        received = await self._received.get()
        if received is None:
            raise PredecessorGone("the running server is gone, or has given the upgrade up")
        message, descriptors = received
        if not isinstance(message, kind):
            for descriptor in descriptors:
                os.close(descriptor)
            raise PredecessorGone(f"the running server says {type(message).__name__} out of turn")
        return message, descriptors

    async def take_over(self, rows: Sequence[tuple[int, socket.socket]]) -> dict[int, int]:
        """Our workers, who have these rows, run the plan. The rows and pidfds of its own ones. Raises PredecessorGone."""
        self.send(NextServerReady(rows=tuple(row for row, _ in rows)), [sending.fileno() for _, sending in rows])
        message, pidfds = await self.receive(TakeOver)
        return dict(zip(message.rows, pidfds, strict=True))

    async def accepts(self, left_over: Collection[int]) -> None:
        """Our workers accept, but not from the sockets of these cookies; returns when nobody else does, be it because the other
        server is gone."""
        self.send(NextServerAccepts(left_over=tuple(left_over)))
        try:
            await self.receive(SocketsAreYours)
        except PredecessorGone:
            pass

    def refuse(self, reason: str) -> None:
        """This process ends."""
        self.send(TakeoverFailed(reason=reason))

    def close(self) -> None:
        """Nothing more is said."""
        self._channel.close()
