"""The channel between supervisor and worker: order, descriptors, full buffers, garbage, the end."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest
from tests.open_descriptors import no_descriptor_left, open_descriptors
from tests.transport.loopback import some_turns, until

from gatepost.control.channel import Channel
from gatepost.sockets import descriptor_passing


class Told(msgspec.Struct, frozen=True, tag=True):
    text: str


class Counted(msgspec.Struct, frozen=True, tag=True):
    number: int


Message = Told | Counted


class End:
    """One end of a channel, and what it got."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.received: list[Message] = []
        self.descriptors: list[int] = []
        self.closed = 0
        self.on_message: Callable[[Message], None] = lambda _message: None
        self.channel: Channel[Message] = Channel(sock, Message, self._received, self._closed)  # type: ignore[arg-type]  # a union of types is decoded

    def _received(self, message: Message, descriptors: list[int]) -> None:
        self.received.append(message)
        self.descriptors += descriptors
        self.on_message(message)

    def _closed(self) -> None:
        self.closed += 1


@pytest.fixture
async def ends() -> AsyncIterator[tuple[End, End]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    made = End(ours), End(theirs)
    yield made
    for end in made:
        end.channel.close()
        assert not end.channel.is_open
        for descriptor in end.descriptors:
            os.close(descriptor)


@pytest.fixture
async def loop_errors() -> list[str]:
    texts: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: texts.append(str(context["message"])))
    return texts


async def test_messages_arrive_in_order(ends: tuple[End, End]) -> None:
    for number in range(100):
        ends[0].channel.send(Counted(number))
    ends[1].channel.send(Told("back"))
    await until(lambda: len(ends[1].received) == 100 and ends[0].received)
    assert ends[1].received == [Counted(number) for number in range(100)]
    assert ends[0].received == [Told("back")]


async def test_the_sender_may_close_its_descriptors_at_once_even_if_the_channel_is_full(ends: tuple[End, End]) -> None:
    large = Told("x" * 3_000_000)
    for number in range(300):
        descriptor = os.memfd_create("one")
        os.write(descriptor, b"%d" % number)
        if number == 0:
            ends[0].channel.send(large)
        ends[0].channel.send(Counted(number), [descriptor])
        os.close(descriptor)
    await until(lambda: len(ends[1].received) == 301)
    assert [os.pread(descriptor, 9, 0) for descriptor in ends[1].descriptors] == [b"%d" % n for n in range(300)]


async def test_what_the_kernel_takes_at_once_is_sent_by_a_process_that_has_no_descriptor_left(
    ends: tuple[End, End],
) -> None:
    descriptor = os.memfd_create("one")
    os.write(descriptor, b"still sent")
    with no_descriptor_left():
        ends[0].channel.send(Told("many"), [descriptor] * 300)
    os.close(descriptor)
    await until(lambda: ends[1].received)
    assert {os.pread(received, 20, 0) for received in ends[1].descriptors} == {b"still sent"}
    assert ends[0].channel.is_open


async def test_descriptors_that_can_be_neither_sent_nor_kept_end_the_channel(
    ends: tuple[End, End], loop_errors: list[str]
) -> None:
    before = open_descriptors()
    ends[0].channel.send(Told("x" * 3_000_000))
    with no_descriptor_left():
        ends[0].channel.send(Told("later"), [0, 1, 2])
    assert not ends[0].channel.is_open
    await until(lambda: ends[1].closed)
    assert ends[0].closed == 1
    assert open_descriptors() == before - 2
    assert ["out of descriptors" in text for text in loop_errors] == [True]


async def test_more_descriptors_than_fit_into_one_packet_arrive(ends: tuple[End, End]) -> None:
    before = open_descriptors()
    descriptor = os.memfd_create("one")
    ends[0].channel.send(Told("many"), [descriptor] * 777)
    os.close(descriptor)
    await until(lambda: ends[1].received)
    assert len(ends[1].descriptors) == 777
    assert open_descriptors() == before + 777


async def test_too_many_descriptors_in_flight_are_sent_later(
    ends: tuple[End, End], monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = 3

    def send_packet(sock: socket.socket, octets: bytes, descriptors: list[int]) -> int:
        nonlocal failures
        if descriptors and failures:
            failures -= 1
            raise OSError(109, "Too many references: cannot splice")
        return descriptor_passing.send_packet(sock, octets, descriptors)

    monkeypatch.setattr("gatepost.control.channel.send_packet", send_packet)
    descriptor = os.memfd_create("one")
    ends[0].channel.send(Told("one"), [descriptor])
    ends[0].channel.send(Told("two"))
    os.close(descriptor)
    await until(lambda: len(ends[1].received) == 2)
    assert ends[1].received == [Told("one"), Told("two")]
    assert failures == 0
    assert ends[0].closed == 0


async def test_the_death_of_the_other_process_is_told_once(ends: tuple[End, End]) -> None:
    ends[0].channel.close()
    await until(lambda: ends[1].closed)
    ends[1].channel.send(Told("nobody listens"))
    await some_turns()
    assert ends[1].closed == 1


async def test_what_arrived_before_the_death_is_still_read(ends: tuple[End, End]) -> None:
    for number in range(50):
        ends[0].channel.send(Counted(number))
    ends[0].channel.close()
    await until(lambda: ends[1].closed)
    assert len(ends[1].received) == 50


async def test_closing_gives_back_what_was_not_sent(ends: tuple[End, End]) -> None:
    before = open_descriptors()
    ends[0].channel.send(Told("x" * 3_000_000))
    ends[0].channel.send(Told("later"), [0, 1, 2])
    assert open_descriptors() == before + 3
    ends[0].channel.close()
    ends[0].channel.close()
    assert open_descriptors() == before - 1
    assert ends[0].closed == 0


@pytest.mark.parametrize(
    "garbage",
    [b"\xff" * 100, struct.pack("!IH", 3, 0) + b"abc", struct.pack("!IH", 1, 0) + msgspec.msgpack.encode(5)],
)
async def test_garbage_ends_the_channel(ends: tuple[End, End], garbage: bytes) -> None:
    ends[0].sock.send(garbage)
    await until(lambda: ends[1].closed)
    assert not ends[1].channel.is_open


async def test_a_message_that_cannot_be_dealt_with_does_not_hold_up_the_next(ends: tuple[End, End]) -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))

    def fail(message: Message) -> None:
        if message == Counted(1):
            raise ZeroDivisionError

    ends[1].on_message = fail
    for number in range(3):
        ends[0].channel.send(Counted(number))
    await until(lambda: len(ends[1].received) == 3)
    assert len(complaints) == 1


async def test_a_receiver_may_close_the_channel_between_two_messages(ends: tuple[End, End]) -> None:
    ends[1].on_message = lambda _message: ends[1].channel.close()
    for number in range(3):
        ends[0].channel.send(Counted(number))
    await until(lambda: ends[1].received)
    await some_turns()
    assert ends[1].received == [Counted(0)]
