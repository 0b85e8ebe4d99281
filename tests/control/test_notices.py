"""Notices from worker to worker: none is lost, however slow the other is."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Collection, Iterator

import pytest
from tests.transport.loopback import some_turns, until

from gatepost.control.notices import Neighbours, NoticeSender, receive_notices
from gatepost.values.ids import Id

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    receiving, sending = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with receiving, sending:
        yield receiving, sending


async def test_a_notice_arrives(pair: Pair) -> None:
    seen: list[Id] = []
    receive_notices(pair[0], seen.extend)
    NoticeSender(pair[1]).send([Id("a"), Id("b")])
    await until(lambda: sorted(seen) == ["a", "b"])
    asyncio.get_running_loop().remove_reader(pair[0])


async def test_notices_that_find_no_room_are_kept_merged_and_sent_later(pair: Pair) -> None:
    sender = NoticeSender(pair[1])
    wanted = {Id(f"mailbox{number}") for number in range(100_000)}
    for mailbox_id in wanted:
        sender.send([mailbox_id])
    seen: set[Id] = set()
    notices = 0

    def changed(mailbox_ids: Collection[Id]) -> None:
        nonlocal notices
        notices += 1
        seen.update(mailbox_ids)

    receive_notices(pair[0], changed)
    await until(lambda: seen == wanted)
    assert notices < 10_000
    asyncio.get_running_loop().remove_reader(pair[0])


async def test_many_mailboxes_fit_into_several_notices(pair: Pair) -> None:
    seen: set[Id] = set()
    receive_notices(pair[0], seen.update)
    wanted = {Id("m" * 250 + str(number)) for number in range(1000)}
    NoticeSender(pair[1]).send(wanted)
    await until(lambda: seen == wanted)
    asyncio.get_running_loop().remove_reader(pair[0])


async def test_a_worker_that_is_gone_is_not_waited_for(pair: Pair) -> None:
    sender = NoticeSender(pair[1])
    pair[0].close()
    sender.send([Id("a")])
    await some_turns()


async def test_neighbours_come_are_replaced_and_leave(pair: Pair) -> None:
    other_receiving, other_sending = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with other_receiving, other_sending:
        neighbours = Neighbours()
        neighbours.came(3, os.dup(pair[1].fileno()))
        neighbours.tell([Id("a")])
        assert pair[0].recv(100)
        neighbours.came(3, os.dup(other_sending.fileno()))
        neighbours.tell([Id("b")])
        assert other_receiving.recv(100)
        neighbours.left(3)
        neighbours.left(4)
        neighbours.tell([Id("c")])
        for receiving in (pair[0], other_receiving):
            receiving.setblocking(False)
            with pytest.raises(BlockingIOError):
                receiving.recv(100)


async def test_a_neighbour_that_leaves_while_notices_wait_for_it_leaves_nothing_behind(pair: Pair) -> None:
    neighbours = Neighbours()
    neighbours.came(0, os.dup(pair[1].fileno()))
    for number in range(20_000):
        neighbours.tell([Id(f"mailbox{number}")])
    neighbours.left(0)
    await some_turns()
