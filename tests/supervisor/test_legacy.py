"""What goes from one server to the next arrives as it was."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest
from msgspec import structs
from tests.sockets.socket_plans import free_port
from tests.supervisor.plans import listener, plan

from gatepost.supervisor import legacy as legacy_module
from gatepost.supervisor.counter_slots import CounterSlots
from gatepost.supervisor.legacy import Legacy, pack
from gatepost.supervisor.seats import Seats
from gatepost.supervisor.socket_table import SocketTable
from gatepost.transport.counter_page import Cell, CounterPage

WORKERS = 3


class Server:
    """The parts that are handed over, without processes."""

    def __init__(self, page: CounterPage | None = None) -> None:
        self.page = CounterPage.create(WORKERS) if page is None else page
        self.seats = Seats(self.page)
        self.slots = CounterSlots(self.page)
        self.table = SocketTable(WORKERS, {})

    def close(self) -> None:
        self.seats.close()
        self.table.close()
        os.close(self.page.descriptor)


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    made = [Server()]
    yield made
    for server in made:
        server.close()


def _copies(descriptors: list[int]) -> list[int]:
    return [os.dup(descriptor) for descriptor in descriptors]


def test_sockets_keep_their_workers_and_the_kernels_order(servers: list[Server]) -> None:
    old, address = servers[0], f"127.0.0.1:{free_port()}"
    wanted = plan(listener("a", address), listener("b", address))
    old.table.activate(old.table.prepare(wanted)).close()
    shrunk = structs.replace(wanted, workers=2)
    old.table.activate(old.table.prepare(shrunk)).close()  # the group is in another order now
    message, descriptors = pack(old.seats, old.slots, old.table, None)
    received = Legacy.unpack(message, _copies(descriptors))
    new = Server(received.page(WORKERS))
    servers.append(new)
    new.table.take_over(received.addresses)
    assert _inodes(new.table) == _inodes(old.table)
    assert _order(new.table) == _order(old.table)
    assert new.table.prepare(shrunk).opened == {}


def _inodes(table: SocketTable) -> list[list[int]]:
    return [[os.fstat(kept.sock.fileno()).st_ino for _, _, kept in table.for_worker(index)] for index in range(2)]


def _order(table: SocketTable) -> list[int]:
    group = table.for_worker(0)[0][2].group
    return [os.fstat(kept.sock.fileno()).st_ino for kept in group]


def test_slots_in_use_and_draining_are_the_same(servers: list[Server]) -> None:
    old = servers[0]
    gone, stays = listener("gone"), listener("stays", max_connections=9)
    old.slots.follow(plan(gone, stays))
    old.page.numbers[old.page.index(old.slots.by_listener[gone.id], 0, Cell.CONNECTIONS)] = 1
    old.slots.follow(plan(stays))
    message, descriptors = pack(old.seats, old.slots, old.table, None)
    received = Legacy.unpack(message, _copies(descriptors))
    new = Server(received.page(WORKERS))
    servers.append(new)
    new.slots.take_over(received.counters.slots)
    assert new.slots.by_listener == old.slots.by_listener
    assert new.slots.draining() == old.slots.draining()
    new.slots.follow(plan(stays, listener("new")))
    assert len(set(new.slots.by_listener.values())) == 2
    assert new.page.cap(old.slots.by_listener[stays.id]) == 9


def test_a_server_that_counts_in_another_way_starts_anew(
    servers: list[Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = servers[0]
    message, descriptors = pack(old.seats, old.slots, old.table, None)
    monkeypatch.setattr(legacy_module, "LAYOUT", (99,))
    received = Legacy.unpack(message, _copies(descriptors))
    assert not received.has_our_layout
    new = Server(received.page(WORKERS))
    servers.append(new)
    old.page.set_cap(0, 5)
    assert new.page.cap(0) != 5


def test_seats_and_the_control_socket_go_over(servers: list[Server]) -> None:
    old = servers[0]
    seat = old.seats.take()
    with socket.socket(socket.AF_UNIX) as control:
        message, descriptors = pack(old.seats, old.slots, old.table, control)
        received = Legacy.unpack(message, _copies(descriptors))
    new = Server(received.page(WORKERS))
    servers.append(new)
    for row, sending in received.notices.items():
        new.seats.inherit(row, sending)
    received.notices[seat.row].send(b"x")
    assert seat.receiving.recv(10) == b"x"
    assert new.seats.take().row != seat.row
    assert received.control is not None
    received.control.close()


def test_a_message_without_all_its_descriptors_is_refused(servers: list[Server]) -> None:
    old = servers[0]
    old.seats.take()
    message, descriptors = pack(old.seats, old.slots, old.table, None)
    with pytest.raises(ValueError, match="too few"):
        Legacy.unpack(message, descriptors[:-1])
