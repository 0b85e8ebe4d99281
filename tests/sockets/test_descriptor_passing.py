"""Frames with descriptors: however many, however they are cut, and what a broken sender can do."""

from __future__ import annotations

import array
import os
import resource
import socket
import struct
from collections import deque
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.open_descriptors import open_descriptors

from gatepost.sockets import descriptor_passing
from gatepost.sockets.descriptor_passing import MAX_FRAME, ChannelClosed, FrameReader, frame_packets, send_packet

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    ours.setblocking(False)
    theirs.setblocking(False)
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def many_descriptors() -> Iterator[list[int]]:
    """601 descriptors of one file, which holds one octet."""
    first = os.memfd_create("one")
    os.write(first, b"1")
    duplicates = [first, *(os.dup(first) for _ in range(600))]
    yield duplicates
    for descriptor in duplicates:
        os.close(descriptor)


def exchange(pair: Pair, payload: bytes, descriptors: list[int]) -> tuple[bytes, list[int]]:
    """Send a frame and read it, taking turns as full buffers demand."""
    packets = frame_packets(payload, descriptors)
    reader = FrameReader()
    while True:
        while packets:
            octets, attached = packets[0]
            try:
                sent = send_packet(pair[0], octets, attached)
            except BlockingIOError:
                break
            packets.popleft()
            if sent < len(octets):
                packets.appendleft((octets[sent:], []))
        try:
            reader.receive(pair[1])
        except BlockingIOError:
            continue
        if (frame := reader.next_frame()) is not None:
            assert not packets
            return frame


@pytest.mark.parametrize("count", [0, 1, 249, 250, 251, 500, 501, 601])
def test_any_number_of_descriptors_arrives_with_its_frame(pair: Pair, many_descriptors: list[int], count: int) -> None:
    before = open_descriptors()
    payload, received = exchange(pair, b"payload", many_descriptors[:count])
    assert payload == b"payload"
    assert len(received) == count
    assert all(os.pread(descriptor, 1, 0) == b"1" for descriptor in received)
    assert not any(os.get_inheritable(descriptor) for descriptor in received)
    for descriptor in received:
        os.close(descriptor)
    assert open_descriptors() == before


@pytest.mark.parametrize("size", [0, 1, 200_000, 3_000_000])
def test_any_size_arrives(pair: Pair, size: int) -> None:
    assert exchange(pair, b"x" * size, []) == (b"x" * size, [])


@given(st.lists(st.tuples(st.binary(max_size=50), st.integers(0, 3)), max_size=6), st.integers(1, 40))
def test_frames_are_put_together_however_the_octets_are_cut(frames: list[tuple[bytes, int]], width: int) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    descriptor = os.memfd_create("any")
    reader, received = FrameReader(), deque[tuple[bytes, int]]()
    with ours, theirs:
        for payload, count in frames:
            for octets, attached in frame_packets(payload, [descriptor] * count):
                for start in range(0, len(octets), width):
                    send_packet(ours, octets[start : start + width], attached if start == 0 else [])
                    reader.receive(theirs)
                    while (frame := reader.next_frame()) is not None:
                        received.append((frame[0], len(frame[1])))
                        for duplicate in frame[1]:
                            os.close(duplicate)
    os.close(descriptor)
    assert list(received) == frames


def test_the_end_of_the_stream_is_told(pair: Pair) -> None:
    pair[0].close()
    with pytest.raises(ChannelClosed):
        FrameReader().receive(pair[1])


def test_nothing_to_read_is_told(pair: Pair) -> None:
    with pytest.raises(BlockingIOError):
        FrameReader().receive(pair[1])


@pytest.mark.parametrize(
    "octets", [struct.pack("!IH", MAX_FRAME + 1, 0), b"\xff" * 6, b"\xff" * 100, struct.pack("!IH", 1, 1) + b"x"]
)
def test_what_no_honest_sender_sends_closes_the_channel(pair: Pair, octets: bytes) -> None:
    pair[0].send(octets)
    reader = FrameReader()
    reader.receive(pair[1])
    with pytest.raises(ChannelClosed):
        reader.next_frame()


def test_the_largest_frame_is_waited_for(pair: Pair) -> None:
    pair[0].send(struct.pack("!IH", MAX_FRAME, 0))
    reader = FrameReader()
    reader.receive(pair[1])
    assert reader.next_frame() is None


def test_a_sender_cannot_fill_the_process_with_descriptors(
    pair: Pair, many_descriptors: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(descriptor_passing, "_MOST_DESCRIPTORS", 400)
    before = open_descriptors()
    reader = FrameReader()

    def send_many() -> None:
        for _ in range(3):
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", many_descriptors[:200]))]
            pair[0].sendmsg([struct.pack("!IH", 1000, 0)], ancillary)
            reader.receive(pair[1])

    with pytest.raises(ChannelClosed):
        send_many()
    reader.close()
    assert open_descriptors() == before


def test_descriptors_that_find_no_room_here_close_the_channel(pair: Pair, many_descriptors: list[int]) -> None:
    for octets, attached in frame_packets(b"payload", many_descriptors[:100]):
        send_packet(pair[0], octets, attached)
    reader = FrameReader()
    before, limits = open_descriptors(), resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(many_descriptors) + 20, limits[1]))
    try:
        with pytest.raises(ChannelClosed):
            reader.receive(pair[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    reader.close()
    assert open_descriptors() == before


def test_descriptors_that_nobody_took_are_closed(pair: Pair, many_descriptors: list[int]) -> None:
    before = open_descriptors()
    packets = frame_packets(b"payload", many_descriptors[:5])
    send_packet(pair[0], *packets[0])
    reader = FrameReader()
    reader.receive(pair[1])
    assert reader.next_frame() is None
    reader.close()
    assert open_descriptors() == before
