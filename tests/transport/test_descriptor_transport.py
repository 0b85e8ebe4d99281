"""The owner of a connection's descriptor: reading, writing, pausing, and the ways in which a connection ends."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable

import pytest
from tests.transport.loopback import Connected, some_turns, until

from gatepost.protocols.proxy_header.header import Command, ProxyHeader
from gatepost.transport import descriptor_transport
from gatepost.transport.connection_info import ConnectionInfo
from gatepost.transport.tls_channel import TlsChannel, TlsFailed, WouldBlockOnRead, WouldBlockOnWrite
from gatepost.transport.tls_failure import TlsFailure


class Recorder:
    """Notes what the transport calls; `on_data` and `on_begin` may do something about it."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.is_at_end = False
        self.stays_open = False
        self.lost: list[Exception | None] = []
        self.pauses = 0
        self.resumes = 0
        self.on_begin: Callable[[asyncio.Transport], None] = lambda _transport: None
        self.on_data: Callable[[bytes], None] = lambda _data: None

    def connection_made(self, transport: asyncio.Transport, /) -> None:
        self.on_begin(transport)

    def data_received(self, data: bytes, /) -> None:
        self.received += data
        self.on_data(data)

    def eof_received(self) -> bool:
        self.is_at_end = True
        return self.stays_open

    def connection_lost(self, exc: Exception | None, /) -> None:
        self.lost.append(exc)

    def pause_writing(self) -> None:
        self.pauses += 1

    def resume_writing(self) -> None:
        self.resumes += 1


class Wire(Connected):
    def __init__(self, *, receive_buffer: int | None = None, send_buffer: int | None = None) -> None:
        super().__init__(receive_buffer=receive_buffer, send_buffer=send_buffer)
        self.protocol = Recorder()

    def begin(self) -> Wire:
        self.transport.begin(self.protocol)
        return self

    def reset(self) -> None:
        """The client goes with a reset."""
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.client.close()


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    made = Wire()
    yield made.begin()
    await finish(made)


@pytest.fixture
async def narrow_wire() -> AsyncIterator[Wire]:
    """The kernel keeps little: writing soon has to wait for the client."""
    made = Wire(receive_buffer=4096, send_buffer=4096)
    yield made.begin()
    await finish(made)


async def finish(wire: Wire) -> None:
    wire.end()
    await some_turns()
    assert wire.closed == 1
    assert not wire.is_descriptor_open
    assert len(wire.protocol.lost) == 1


async def test_octets_go_both_ways(wire: Wire) -> None:
    await wire.send(b"ping")
    await until(lambda: wire.protocol.received == b"ping")
    wire.transport.write(b"pong")
    assert await wire.receive() == b"pong"
    assert (wire.transport.bytes_received, wire.transport.bytes_sent) == (4, 4)


async def test_writing_nothing_does_nothing(wire: Wire) -> None:
    wire.transport.write(b"")
    assert wire.transport.get_write_buffer_size() == 0


async def test_nothing_is_read_while_reading_is_paused(wire: Wire) -> None:
    wire.transport.pause_reading()
    assert not wire.transport.is_reading()
    await wire.send(b"later")
    await some_turns()
    assert wire.protocol.received == b""
    wire.transport.resume_reading()
    wire.transport.resume_reading()
    await until(lambda: wire.protocol.received == b"later")


async def test_a_protocol_may_pause_reading_before_it_begins() -> None:
    wire = Wire()
    wire.protocol.on_begin = lambda transport: transport.pause_reading()
    wire.begin()
    assert not wire.transport.is_reading()
    await finish(wire)


async def test_a_protocol_may_close_before_it_begins() -> None:
    wire = Wire()
    wire.protocol.on_begin = lambda transport: transport.close()
    wire.begin()
    assert await wire.receive_all() == b""
    await finish(wire)


async def test_a_large_write_arrives_whole_and_the_producer_is_paused_meanwhile(narrow_wire: Wire) -> None:
    data = bytes(range(256)) * 8192
    narrow_wire.transport.write(data[:1_000_000])
    narrow_wire.transport.write(memoryview(data)[1_000_000:])
    assert narrow_wire.protocol.pauses == 1
    narrow_wire.transport.close()
    assert await narrow_wire.receive_all() == data
    assert narrow_wire.protocol.resumes == 1


async def test_the_producer_is_resumed_once_the_client_has_caught_up(narrow_wire: Wire) -> None:
    narrow_wire.transport.write(b"x" * 300_000)
    received = 0
    while not narrow_wire.protocol.resumes:
        received += len(await narrow_wire.receive())
    assert narrow_wire.transport.get_write_buffer_size() <= 16384
    while received < 300_000:
        received += len(await narrow_wire.receive())
    assert narrow_wire.transport.get_write_buffer_size() == 0
    assert (narrow_wire.protocol.pauses, narrow_wire.protocol.resumes) == (1, 1)


async def test_when_sent_waits_for_what_is_queued(narrow_wire: Wire) -> None:
    called: list[int] = []
    narrow_wire.transport.when_sent(lambda: called.append(1))
    assert called == [1]
    narrow_wire.transport.write(b"x" * 300_000)
    narrow_wire.transport.when_sent(lambda: called.append(2))
    await some_turns()
    assert called == [1]
    received = 0
    while received < 300_000:
        received += len(await narrow_wire.receive())
    await until(lambda: called == [1, 2])


async def test_when_sent_is_never_called_for_a_connection_that_has_ended(narrow_wire: Wire) -> None:
    called: list[int] = []
    narrow_wire.transport.write(b"x" * 300_000)
    narrow_wire.transport.when_sent(lambda: called.append(1))
    narrow_wire.transport.abort()
    narrow_wire.transport.when_sent(lambda: called.append(2))
    await some_turns()
    assert called == []


# --- the end ------------------------------------------------------------------------------------------------------------


async def test_the_end_of_what_the_client_says_closes_the_connection(wire: Wire) -> None:
    wire.client.shutdown(socket.SHUT_WR)
    assert await wire.receive_all() == b""
    await until(lambda: wire.protocol.lost == [None])
    assert wire.protocol.is_at_end


async def test_a_protocol_may_go_on_when_the_client_says_no_more(wire: Wire) -> None:
    wire.protocol.stays_open = True
    wire.client.shutdown(socket.SHUT_WR)
    await until(lambda: wire.protocol.is_at_end)
    await some_turns()
    wire.transport.write(b"still here")
    wire.transport.close()
    assert await wire.receive_all() == b"still here"


async def test_after_close_nothing_more_is_sent(narrow_wire: Wire) -> None:
    narrow_wire.transport.write(b"x" * 300_000)
    narrow_wire.transport.close()
    narrow_wire.transport.write(b"late")
    assert await narrow_wire.receive_all() == b"x" * 300_000


async def test_a_farewell_is_not_lost_when_there_is_unread_input(wire: Wire) -> None:
    wire.transport.pause_reading()
    await wire.send(b"x" * 100_000)
    wire.transport.write(b"goodbye")
    wire.transport.close()
    await wire.send(b"y" * 100_000)
    assert await wire.receive_all() == b"goodbye"
    wire.client.close()
    await until(lambda: wire.closed)


async def test_a_farewell_is_not_lost_when_input_comes_later(wire: Wire) -> None:
    wire.transport.write(b"goodbye")
    wire.transport.linger_then_close()
    for _ in range(3):
        await wire.send(b"y" * 100_000)
        await some_turns()
    assert await wire.receive_all() == b"goodbye"
    wire.client.close()
    await until(lambda: wire.closed)


async def test_a_long_farewell_is_sent_before_its_client_is_waited_for(narrow_wire: Wire) -> None:
    narrow_wire.transport.write(b"x" * 300_000)
    narrow_wire.transport.linger_then_close()
    narrow_wire.transport.linger_then_close()
    assert await narrow_wire.receive_all() == b"x" * 300_000
    assert not narrow_wire.closed
    narrow_wire.client.close()
    await until(lambda: narrow_wire.closed)


async def test_a_client_that_never_ends_is_not_waited_for_forever(monkeypatch: pytest.MonkeyPatch, wire: Wire) -> None:
    monkeypatch.setattr(descriptor_transport, "_LINGER_DEADLINE", 0.05)
    wire.transport.linger_then_close()
    await until(lambda: wire.closed)


async def test_a_client_that_takes_nothing_is_cut_off_after_close(
    monkeypatch: pytest.MonkeyPatch, narrow_wire: Wire
) -> None:
    monkeypatch.setattr(descriptor_transport, "_CLOSE_DEADLINE", 0.05)
    narrow_wire.transport.write(b"x" * 300_000)
    narrow_wire.transport.close()
    await until(lambda: narrow_wire.closed)


async def test_a_slow_client_that_goes_on_reading_gets_everything_after_close(
    monkeypatch: pytest.MonkeyPatch, narrow_wire: Wire
) -> None:
    monkeypatch.setattr(descriptor_transport, "_CLOSE_DEADLINE", 0.4)
    loop = asyncio.get_running_loop()
    narrow_wire.transport.write(b"x" * 200_000)
    narrow_wire.transport.close()
    began, received = loop.time(), b""
    while more := await narrow_wire.receive(4096):
        received += more
        await asyncio.sleep(0.02)  # a slow reader; whatever the machine does, it is slower than one deadline for all
    assert loop.time() - began > 0.4
    assert len(received) == 200_000


async def test_a_protocol_may_pause_reading_while_its_client_is_waited_for(wire: Wire) -> None:
    wire.transport.linger_then_close()
    wire.transport.pause_reading()
    wire.client.close()
    await until(lambda: wire.closed)


async def test_a_reset_ends_the_connection_once(wire: Wire) -> None:
    wire.reset()
    await until(lambda: wire.protocol.lost)
    assert isinstance(wire.protocol.lost[0], OSError)


async def test_writing_to_a_client_that_is_gone_ends_the_connection(wire: Wire) -> None:
    wire.transport.pause_reading()
    wire.reset()
    await some_turns()
    wire.transport.write(b"x")
    wire.transport.write(b"x" * 1000)
    assert wire.closed
    assert wire.transport.get_write_buffer_size() == 0
    await until(lambda: wire.protocol.lost)


async def test_everything_may_be_called_after_the_end(wire: Wire) -> None:
    transport = wire.transport
    transport.abort()
    transport.write(b"x")
    transport.close()
    transport.linger_then_close()
    transport.abort()
    transport.pause_reading()
    transport.resume_reading()
    transport.unwatch()
    assert transport.is_closing()
    assert not transport.is_reading()
    assert transport.get_write_buffer_size() == 0
    with pytest.raises(ConnectionResetError):
        _ = transport.sock


async def test_a_protocol_may_close_while_it_is_given_data(wire: Wire) -> None:
    def answer(_data: bytes) -> None:
        wire.transport.write(b"bye")
        wire.transport.close()

    wire.protocol.on_data = answer
    await wire.send(b"quit")
    assert await wire.receive_all() == b"bye"


async def test_a_protocol_that_fails_is_cut_off_and_reported(wire: Wire) -> None:
    complaints: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["message"]))

    def fail(_data: bytes) -> None:
        raise ZeroDivisionError

    wire.protocol.on_data = fail
    await wire.send(b"x")
    await until(lambda: wire.closed)
    assert complaints == ["a protocol failed"]


# --- what protocols of other projects ask ---------------------------------------------------------------------------------


async def test_the_addresses_that_protocols_see_are_the_true_ones(wire: Wire) -> None:
    assert wire.transport.get_extra_info("peername") == wire.client.getsockname()
    assert wire.transport.get_extra_info("sockname") == wire.client.getpeername()
    assert wire.transport.get_extra_info("sslcontext") is None
    assert wire.transport.get_extra_info("socket", "none") == "none"
    assert not wire.transport.can_write_eof()


async def test_another_protocol_may_take_over(wire: Wire) -> None:
    other = Recorder()
    wire.transport.set_protocol(other)  # type: ignore[arg-type]  # the part of asyncio.Protocol that is used
    assert wire.transport.get_protocol() is other  # type: ignore[comparison-overlap]  # the same
    await wire.send(b"x")
    await until(lambda: other.received == b"x")
    wire.transport.set_protocol(wire.protocol)  # type: ignore[arg-type]  # the same


def test_an_ipv4_mapped_peer_counts_as_ipv4() -> None:
    info = ConnectionInfo(("::ffff:192.0.2.1", 4000, 0, 0))
    assert str(info.source_address[0]) == "192.0.2.1"
    assert info.peer_address == info.source_address


def test_a_scope_is_no_part_of_a_peers_address() -> None:
    assert str(ConnectionInfo(("fe80::1%lo", 4000, 0, 1)).peer_address[0]) == "fe80::1"


def test_a_header_without_addresses_leaves_the_kernels() -> None:
    info = ConnectionInfo(("192.0.2.1", 4000))
    info.proxy_header = ProxyHeader(version=2, command=Command.LOCAL, addresses=None)
    assert str(info.source_address[0]) == "192.0.2.1"


async def test_the_local_address_of_a_connection_that_was_reset_is_still_known() -> None:
    wire = Wire()
    expected = wire.client.getpeername()
    wire.reset()
    await some_turns()
    info = ConnectionInfo(("127.0.0.1", 1))
    info.note_local_address(wire.accepted)
    assert (str(info.local_address[0]), info.local_address[1]) == expected
    wire.end()


# --- TLS in the way of reading and writing ----------------------------------------------------------------------------------


class ScriptedChannel(TlsChannel):
    """Answers as the test says; an exception in the script is raised."""

    def __init__(self, reads: list[bytes | Exception]) -> None:
        self.reads = reads
        self.said_goodbye = False

    def receive(self) -> bytes:
        answer = self.reads.pop(0) if self.reads else WouldBlockOnRead()
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def has_decrypted(self) -> bool:
        return bool(self.reads)

    def send(self, data: bytes | bytearray | memoryview) -> int:
        return min(len(data), 10)

    def send_close_notify(self) -> None:
        self.said_goodbye = True


async def test_reading_goes_on_when_tls_had_to_write_first(wire: Wire) -> None:
    wire.transport.use_tls(ScriptedChannel([WouldBlockOnWrite(), b"secret"]))
    await wire.send(b"x")  # never taken from the socket: it stays readable all the time
    await until(lambda: wire.protocol.received == b"secret")
    wire.transport.write(b"a longer answer")
    assert wire.transport.bytes_sent == len(b"a longer answer")


async def test_what_tls_has_decrypted_already_is_read_after_a_pause(wire: Wire) -> None:
    wire.transport.pause_reading()
    wire.transport.use_tls(ScriptedChannel([b"%d " % number for number in range(10)]))
    await some_turns()
    assert wire.protocol.received == b""
    wire.transport.resume_reading()
    await until(lambda: wire.protocol.received == b"0 1 2 3 4 5 6 7 8 9 ")


async def test_broken_tls_ends_the_connection(wire: Wire) -> None:
    wire.transport.use_tls(ScriptedChannel([TlsFailed(TlsFailure.OTHER, "bad record mac")]))
    await wire.send(b"x")
    await until(lambda: wire.protocol.lost)
    assert "bad record mac" in str(wire.protocol.lost[0])


async def test_tls_says_that_nothing_more_comes_before_the_connection_is_closed(wire: Wire) -> None:
    channel = ScriptedChannel([])
    wire.transport.use_tls(channel)
    wire.transport.close()
    assert channel.said_goodbye
