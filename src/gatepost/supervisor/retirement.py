"""Listening sockets that nobody is to connect to any more: to be accepted empty, released by all workers, then closed.

Made by `socket_table`, which keeps them no longer; `changes` carries it through. May not speak with workers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from gatepost.sockets import listening_socket, minimum_ttl
from gatepost.sockets.address_sockets import AddressSockets, KeptSocket
from gatepost.sockets.handshakes import handshakes_under_way
from gatepost.values.ids import Id

Place = tuple[Id, str]  # a listener and one of its addresses; two listeners may share an address

_ROOM = 64  # in a queue that is to be emptied once more


class PlacedSocket(NamedTuple):
    """A listening socket, and whose clients come in by it."""

    address: str
    listener_id: Id
    kept: KeptSocket


@dataclass(slots=True)
class Retirement:
    """`sockets` have the places that they had in the plan before: those in their queues came under that one."""

    sockets: list[PlacedSocket] = field(default_factory=list)
    gathered: list[AddressSockets] = field(default_factory=list)
    joining: list[AddressSockets] = field(default_factory=list)
    awaited: frozenset[bytes] | None = None  # handshakes that were under way when new connections had been kept out

    def add(self, place: Place, sockets: Iterable[KeptSocket]) -> None:
        """These go, too."""
        listener_id, address = place
        self.sockets += [PlacedSocket(address, listener_id, kept) for kept in sockets]

    @property
    def cookies(self) -> tuple[int, ...]:
        """For another process that has the same sockets."""
        return tuple(listening_socket.cookie(each.kept.sock) for each in self.sockets)

    def stop_new_connections(self) -> None:
        """No client gets in any more. All workers know that they are to empty these sockets: see minimum_ttl."""
        for each in self.sockets:
            minimum_ttl.drop_new_connections(each.kept.sock)

    def shorten_queues(self) -> None:
        """A neighbour whose packets come with the highest TTL still gets in: let there be room for one at a time, before the
        last look at the queue, so that others send their SYN again instead of being reset."""
        for each in self.sockets:
            each.kept.sock.listen(0)

    def widen_queues(self) -> None:
        """It was not the last look. Where there is room for one, the last packet of a handshake may find none, and its client
        waits for a greeting in vain: so there is for a moment only."""
        for each in self.sockets:
            each.kept.sock.listen(_ROOM)

    def with_clients(self) -> list[PlacedSocket]:
        """Those that somebody waits in."""
        return [each for each in self.sockets if listening_socket.accept_queue(each.kept.sock).length > 0]

    def has_handshakes_under_way(self) -> bool:
        """Whether a client may still come in that was answered before new ones were kept out."""
        under_way = handshakes_under_way({each.kept.sock.getsockname()[1] for each in self.sockets})
        self.awaited = under_way if self.awaited is None else self.awaited & under_way
        return bool(self.awaited)

    def close(self) -> None:
        """All workers have released them."""
        for each in reversed(self.sockets):  # the last of a group first: closing it moves no other
            each.kept.close()
        for kept_address in self.gathered:
            kept_address.gathered()
        for opened in self.joining:
            opened.stop_joining()
