"""Notices from worker to worker: these mailboxes have changed, or configuration objects of these types (`x:Domain`, in the place
of an id: none has a colon). Datagrams, straight from one worker to the others.

The supervisor makes one socket pair per worker, keeps it over restarts, and tells every worker of each that comes and goes,
those of an upgraded server included; it never reads a notice. A notice that does not fit into a full queue is kept, merged
with later ones, and sent when there is room: none is lost.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Collection

import msgspec

from gatepost.values.ids import Id

_IDS_PER_NOTICE = 200


class NoticeSender:
    """The way to one other worker."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._sock.setblocking(False)
        self._unsent: set[Id] = set()
        self._is_waiting = False

    def send(self, mailbox_ids: Collection[Id]) -> None:
        """Send, or keep until there is room."""
        self._unsent.update(mailbox_ids)
        if not self._is_waiting:
            self._flush()

    def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        while self._unsent:
            batch = [self._unsent.pop() for _ in range(min(len(self._unsent), _IDS_PER_NOTICE))]
            try:
                self._sock.send(msgspec.msgpack.encode(batch))
            except BlockingIOError:
                self._unsent.update(batch)
                if not self._is_waiting:
                    self._is_waiting = True
                    loop.add_writer(self._sock.fileno(), self._flush)
                return
            except OSError:
                self._unsent.clear()  # the other end is closed: the server is going down
        if self._is_waiting:
            self._is_waiting = False
            loop.remove_writer(self._sock.fileno())

    def close(self) -> None:
        """The worker is gone."""
        if self._is_waiting:
            asyncio.get_running_loop().remove_writer(self._sock.fileno())
        self._unsent.clear()
        self._sock.close()


class Neighbours:
    """The ways to all other workers, by the row of the counter page that each has."""

    def __init__(self) -> None:
        self._senders: dict[int, NoticeSender] = {}

    def came(self, row: int, descriptor: int) -> None:
        """A worker, or one in the place of another."""
        self.left(row)
        self._senders[row] = NoticeSender(socket.socket(fileno=descriptor))

    def left(self, row: int) -> None:
        """It is gone, if it was there."""
        sender = self._senders.pop(row, None)
        if sender is not None:
            sender.close()

    def close(self) -> None:
        """Nobody is told anything any more."""
        for row in tuple(self._senders):
            self.left(row)

    def tell(self, mailbox_ids: Collection[Id]) -> None:
        """All of them hear of it."""
        for sender in self._senders.values():
            sender.send(mailbox_ids)


def receive_notices(sock: socket.socket, on_changed: Callable[[Collection[Id]], None]) -> None:
    """Call `on_changed` for every notice that arrives on this worker's socket."""
    sock.setblocking(False)
    decoder = msgspec.msgpack.Decoder(list[Id])

    def readable() -> None:
        for _ in range(64):
            try:
                notice = sock.recv(65536)
            except BlockingIOError:
                return
            on_changed(decoder.decode(notice))

    asyncio.get_running_loop().add_reader(sock.fileno(), readable)
