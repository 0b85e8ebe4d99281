"""What a server leaves to the one that takes its place: packed by the one, unpacked by the other, in the same order."""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gatepost.control.handover import HandedAddress, HandedCounters, Handover
from gatepost.supervisor.counter_slots import CounterSlots
from gatepost.supervisor.seats import Seats
from gatepost.supervisor.socket_table import SocketTable
from gatepost.telemetry import events
from gatepost.telemetry.events import Event
from gatepost.transport.counter_page import LAYOUT, CounterPage
from gatepost.values.socket_address import SocketAddress


def pack(
    seats: Seats, slots: CounterSlots, table: SocketTable, control: socket.socket | None
) -> tuple[Handover, list[int]]:
    """The message and its descriptors, which stay the caller's."""
    ways = seats.ways()
    addresses = table.handed_over()
    message = Handover(
        counters=HandedCounters(layout=LAYOUT, rows=seats.page.rows, slots=slots.handed_over()),
        rows=tuple(row for row, _ in ways),
        has_control_socket=control is not None,
        passed_addresses=tuple(map(str, table.inherited)),
        addresses=tuple(facts for facts, _ in addresses),
        tells_connections=True,
    )
    sockets = [
        *(sending for _, sending in ways),
        *([] if control is None else [control]),
        *table.inherited.values(),
        *(sock for _, of_address in addresses for sock in of_address),
    ]
    return message, [seats.page.descriptor, *(sock.fileno() for sock in sockets)]


@dataclass(frozen=True, slots=True)
class Legacy:
    """The same, unpacked; the descriptors are ours."""

    counters: HandedCounters
    page_descriptor: int
    notices: Mapping[int, socket.socket]  # by row
    control: socket.socket | None
    passed: Mapping[SocketAddress, socket.socket]
    addresses: Sequence[tuple[HandedAddress, list[socket.socket]]]
    tells_connections: bool

    @classmethod
    def unpack(cls, message: Handover, descriptors: Sequence[int]) -> Legacy:
        """Raises ValueError for a message that has not the descriptors that it speaks of."""
        wanted = 1 + len(message.rows) + message.has_control_socket + len(message.passed_addresses)
        if len(descriptors) != wanted + sum(len(facts.order) for facts in message.addresses):
            raise ValueError("the running server has sent too few descriptors, or too many")
        page, *rest = descriptors
        sockets = deque(socket.socket(fileno=descriptor) for descriptor in rest)
        return cls(
            counters=message.counters,
            page_descriptor=page,
            notices={row: sockets.popleft() for row in message.rows},
            control=sockets.popleft() if message.has_control_socket else None,
            passed={SocketAddress.parse(text): sockets.popleft() for text in message.passed_addresses},
            addresses=[(facts, [sockets.popleft() for _ in facts.order]) for facts in message.addresses],
            tells_connections=message.tells_connections,
        )

    @property
    def has_our_layout(self) -> bool:
        """Whether both servers count in the same way."""
        return self.counters.layout == LAYOUT

    def page(self, worker_count: int) -> CounterPage:
        """The page that both servers count in, so that limits hold over both; where this version lays it out in another way,
        a page of our own."""
        if self.has_our_layout:
            return CounterPage(self.page_descriptor, self.counters.rows)
        os.close(self.page_descriptor)
        words = "this version counts in another way: connections of the server that drains do not count"
        events.warning(Event.UPGRADE_COUNTS_ANEW, reason=words)
        return CounterPage.create(worker_count)
