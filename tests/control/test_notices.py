"""Notices from worker to worker: none is lost, however slow the other is."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Collection, Iterator

import pytest
from tests.transport.loopback import some_turns, until

from gatepost.control.notices import NoticeSender, receive_notices
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
