"""The stages before the conversation, on real sockets: PROXY headers however they are cut, handshakes, deadlines."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import struct
from collections.abc import AsyncIterator

import pytest
from tests.tls_client import trusting_context
from tests.transport.certificates import certificate
from tests.transport.loopback import Connected, some_turns, until

from gatepost.plan.plan import ProtocolName, TlsPlan
from gatepost.protocols.proxy_header.header import Command, ProxyFailure, ProxyHeader
from gatepost.transport.stages import ProxyHeaderStage, TlsHandshakeStage
from gatepost.transport.tls_contexts import TlsContexts
from gatepost.transport.tls_failure import TlsFailure

V1 = b"PROXY TCP4 192.0.2.7 192.0.2.1 4001 25\r\n"
SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
V2 = SIGNATURE + b"\x21\x11" + struct.pack("!H4s4sHH", 12, b"\xc0\x00\x02\x07", b"\xc0\x00\x02\x01", 4001, 25)
V2_WITH_TLV = (
    SIGNATURE
    + b"\x21\x11"
    + struct.pack("!H4s4sHH", 12 + 1003, b"\xc0\x00\x02\x07", b"\xc0\x00\x02\x01", 4001, 25)
    + b"\xe0"
    + struct.pack("!H", 1000)
    + b"v" * 1000
)
LOCAL = SIGNATURE + b"\x20\x00\x00\x00"
CONTEXTS = TlsContexts([certificate("ecdsa", "mail.example.org", is_fallback=True)])
POLICY = TlsPlan(
    tls13_suites=("TLS_AES_128_GCM_SHA256",),
    tls12_suites=("ECDHE-ECDSA-AES128-GCM-SHA256",),
    is_tls13_enabled=True,
    is_tls12_enabled=True,
    prefer_server_order=True,
)


class Stage(Connected):
    """A connection in its stages; a PROXY header may be followed by a handshake, as in a listener."""

    def __init__(self, *, receive_buffer_of_server: int | None = None) -> None:
        super().__init__(receive_buffer_of_server=receive_buffer_of_server)
        self.headers: list[ProxyHeader] = []
        self.failures: list[str] = []
        self.proxy_failures: list[ProxyFailure] = []
        self.tls_failures: list[TlsFailure] = []
        self.surplus = b""
        self.handshakes = 0
        self.tls_follows = False

    def expect_header(self, timeout: float = 15) -> Stage:
        ProxyHeaderStage(self.transport, timeout, self._header_read, self._header_failed, is_tls_next=self.tls_follows)
        return self

    def expect_tls(self, timeout: float | None = 15) -> Stage:
        context = CONTEXTS.of(POLICY, ProtocolName.IMAP).context
        TlsHandshakeStage(self.transport, context, timeout, self._handshake_done, self._handshake_failed)
        return self

    def _handshake_failed(self, failure: TlsFailure, words: str) -> None:
        self.tls_failures.append(failure)
        self.failures.append(words)

    def _header_failed(self, failure: ProxyFailure, words: str) -> None:
        self.proxy_failures.append(failure)
        self.failures.append(words)

    def _header_read(self, header: ProxyHeader, surplus: bytes) -> None:
        self.headers.append(header)
        self.surplus = surplus
        if self.tls_follows:
            self.expect_tls()

    def _handshake_done(self) -> None:
        self.handshakes += 1


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    made = Stage()
    yield made
    made.end()
    assert made.closed == 1


def client_hello() -> tuple[ssl.SSLObject, ssl.MemoryBIO, ssl.MemoryBIO]:
    """A client by hand: what comes in, what goes out; its ClientHello is in the latter."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting_context().wrap_bio(incoming, outgoing)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return client, incoming, outgoing


# --- PROXY header ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_early", [False, True], ids=["header after", "header before the stage begins"])
@pytest.mark.parametrize("header", [V1, V2, V2_WITH_TLV])
async def test_before_tls_a_header_is_read_and_not_an_octet_more(stage: Stage, header: bytes, is_early: bool) -> None:
    handshake = client_hello()[2].read()
    if not is_early:
        peeking(stage)
    await stage.send(header + handshake)
    if is_early:
        peeking(stage)
    await until(lambda: stage.headers)
    assert stage.surplus == b""
    assert stage.accepted.recv(10_000) == handshake
    assert not stage.transport.is_reading()
    addresses = stage.headers[0].addresses
    assert addresses is not None
    assert str(addresses.source.address) == "192.0.2.7"  # type: ignore[union-attr]  # a TCP address


def peeking(stage: Stage) -> None:
    """As before TLS, which is left to the test."""
    ProxyHeaderStage(stage.transport, 15, stage._header_read, stage._header_failed, is_tls_next=True)


@pytest.mark.parametrize("is_early", [False, True], ids=["header after", "header before the stage begins"])
@pytest.mark.parametrize("header", [V1, V2, V2_WITH_TLV])
async def test_in_clear_what_came_behind_a_header_is_handed_on(stage: Stage, header: bytes, is_early: bool) -> None:
    if not is_early:
        stage.expect_header()
    await stage.send(header + b"EHLO mail.example.org\r\n")
    if is_early:
        stage.expect_header()
    await until(lambda: stage.headers)
    assert stage.surplus + received_now(stage) == b"EHLO mail.example.org\r\n"
    assert not stage.transport.is_reading()


def received_now(stage: Stage) -> bytes:
    """What is still in the kernel."""
    try:
        return stage.accepted.recv(10_000)
    except BlockingIOError:
        return b""


async def test_a_header_without_addresses_is_read(stage: Stage) -> None:
    stage.expect_header()
    await stage.send(LOCAL)
    await until(lambda: stage.headers)
    assert stage.headers[0].command is Command.LOCAL


@pytest.mark.parametrize("peeks", [False, True])
@pytest.mark.parametrize("header", [V1, V2, V2_WITH_TLV])
async def test_a_header_may_come_octet_by_octet(stage: Stage, header: bytes, peeks: bool) -> None:
    stage.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if peeks:
        peeking(stage)
    else:
        stage.expect_header()
    for octet in header[:200]:
        stage.client.send(bytes([octet]))
        await some_turns(2)
    stage.client.send(header[200:] + b"x")
    await until(lambda: stage.headers)
    assert stage.surplus + received_now(stage) == b"x"
    assert stage.failures == []


async def test_an_incomplete_header_does_not_keep_the_loop_busy(stage: Stage) -> None:
    await stage.send(V2[:-1])
    peeking(stage)
    assert received_now(stage) == b""  # what is left there would be reported again and again
    before = os.times()
    await asyncio.sleep(0.3)
    after = os.times()
    assert after.user + after.system - before.user - before.system < 0.15
    stage.client.send(V2[-1:])
    await until(lambda: stage.headers)


@pytest.mark.parametrize("peeks", [False, True])
async def test_a_header_may_be_larger_than_the_receive_buffer(peeks: bool) -> None:
    vendor = b"\xe0" + struct.pack("!H", 4000) + b"v" * 4000
    header = V2[:14] + struct.pack("!H", 12 + len(vendor)) + V2[16:] + vendor
    stage = Stage(receive_buffer_of_server=1)  # the kernel makes 2304 octets of it, the headers of packets included
    ProxyHeaderStage(stage.transport, 15, stage._header_read, stage._header_failed, is_tls_next=peeks)
    for start in range(0, len(header), 200):  # a segment each, as the window allows
        stage.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await stage.send(header[start : start + 200])
    await stage.send(b"x")
    await until(lambda: stage.headers or stage.failures)
    assert stage.failures == []
    await until(lambda: stage.surplus + received_now(stage) == b"x")
    stage.end()


@pytest.mark.parametrize("peeks", [False, True])
@pytest.mark.parametrize("cut", [0, 1, 5, 12, 15, len(V2) - 1])
async def test_a_client_that_ends_within_the_header_is_a_failure(stage: Stage, cut: int, peeks: bool) -> None:
    if peeks:
        peeking(stage)
    else:
        stage.expect_header()
    if cut:
        await stage.send(V2[:cut])
        await some_turns()
    stage.client.shutdown(socket.SHUT_WR)
    await until(lambda: stage.failures)
    assert "the connection was closed" in stage.failures[0]
    assert stage.proxy_failures == [ProxyFailure.CLOSED]
    assert not stage.transport.is_reading()


async def test_a_client_that_resets_within_the_header_is_a_failure(stage: Stage) -> None:
    stage.expect_header()
    await stage.send(V2[:5])
    await some_turns()
    stage.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stage.client.close()
    await until(lambda: stage.failures)
    assert stage.proxy_failures == [ProxyFailure.CLOSED]


@pytest.mark.parametrize(
    ("sent", "seen", "failure"),
    [
        (b"EHLO mail.example.org\r\n", "EHLO", ProxyFailure.MISSING),
        (b"\x16\x03\x01\x02\x00\x01\x00", "a TLS ClientHello", ProxyFailure.MISSING),
        (SIGNATURE + b"\x11\x11\x00\x0c" + b"\0" * 12, "octets", ProxyFailure.MALFORMED),
        (b"PROXY TCP4 nonsense\r\n", "PROXY", ProxyFailure.MALFORMED),
        (SIGNATURE + b"\x21\x11\xff\xff", "octets", ProxyFailure.TOO_LARGE),
        (b"PROXY UNKNOWN " + b"x" * 200, "PROXY", ProxyFailure.TOO_LARGE),
        (V2[:14] + b"\x00\x13" + V2[16:] + b"\x03\x00\x04wrng", "octets", ProxyFailure.BAD_CHECKSUM),
    ],
)
@pytest.mark.parametrize("peeks", [False, True])
async def test_anything_else_is_a_failure_that_says_what_was_seen(
    stage: Stage, sent: bytes, seen: str, failure: ProxyFailure, peeks: bool
) -> None:
    if peeks:
        peeking(stage)
    else:
        stage.expect_header()
    await stage.send(sent)
    await until(lambda: stage.failures)
    assert stage.proxy_failures == [failure]
    assert f"got {seen}" in stage.failures[0]
    assert stage.headers == []


async def test_a_header_has_a_deadline(stage: Stage) -> None:
    stage.expect_header(0.05)
    stage.client.send(V1[:10])
    await until(lambda: stage.failures)
    assert stage.failures == ["got PROXY within 0.05 s: the PROXY header did not come"]
    assert stage.proxy_failures == [ProxyFailure.TIMEOUT]


@pytest.mark.parametrize("what", ["header", "tls"])
async def test_a_connection_that_is_ended_by_others_is_no_failure_of_the_stage(stage: Stage, what: str) -> None:
    if what == "header":
        stage.expect_header(0.05)
    else:
        stage.expect_tls(0.05)
    stage.transport.abort()
    await asyncio.sleep(0.1)  # the deadline passes
    assert stage.failures == []


# --- TLS -----------------------------------------------------------------------------------------------------------------


async def handshake_by_hand(
    stage: Stage, first: bytes, client: tuple[ssl.SSLObject, ssl.MemoryBIO, ssl.MemoryBIO]
) -> None:
    """Sends `first` in front of the ClientHello, in one segment, and completes the handshake."""
    tls, incoming, outgoing = client
    await stage.send(first + outgoing.read())
    while True:
        incoming.write(await stage.receive())
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            continue
    await stage.send(outgoing.read())


async def test_a_handshake_succeeds(stage: Stage) -> None:
    stage.expect_tls()
    await handshake_by_hand(stage, b"", client_hello())
    await until(lambda: stage.handshakes)
    assert stage.transport.tls is not None
    assert not stage.transport.is_reading()


@pytest.mark.parametrize("header", [V1, V2_WITH_TLV])
async def test_header_and_client_hello_may_come_in_one_segment(stage: Stage, header: bytes) -> None:
    stage.tls_follows = True
    stage.expect_header()
    await handshake_by_hand(stage, header, client_hello())
    await until(lambda: stage.handshakes)
    assert stage.failures == []


async def test_header_and_client_hello_may_come_octet_by_octet(stage: Stage) -> None:
    stage.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stage.tls_follows = True
    stage.expect_header()
    client, incoming, outgoing = client_hello()
    for octet in V1 + outgoing.read():
        stage.client.send(bytes([octet]))
        await some_turns(2)
    incoming.write(await stage.receive())
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
        client.read(1)
    for octet in outgoing.read():
        stage.client.send(bytes([octet]))
        await some_turns(2)
    await until(lambda: stage.handshakes)


@pytest.mark.parametrize(("cut", "how_far"), [(0, "the client said nothing"), (50, "the client did not finish")])
async def test_a_handshake_that_stalls_has_a_deadline(stage: Stage, cut: int, how_far: str) -> None:
    stage.client.send(client_hello()[2].read()[:cut])
    stage.expect_tls(0.05)
    await until(lambda: stage.failures)
    assert stage.tls_failures == [TlsFailure.TIMEOUT]
    assert stage.failures == [f"no handshake within 0.05 s: {how_far}"]


async def test_a_handshake_without_a_deadline_may_take_its_time(stage: Stage) -> None:
    stage.expect_tls(None)
    await asyncio.sleep(0.05)
    await handshake_by_hand(stage, b"", client_hello())
    await until(lambda: stage.handshakes)
    assert stage.failures == []


@pytest.mark.parametrize("cut", [0, 1, 50])
async def test_a_client_that_ends_within_the_handshake_is_a_failure(stage: Stage, cut: int) -> None:
    stage.expect_tls()
    stage.client.send(client_hello()[2].read()[:cut])
    stage.client.shutdown(socket.SHUT_WR)
    await until(lambda: stage.failures)
    assert stage.tls_failures == [TlsFailure.CLOSED]
    assert not stage.transport.is_reading()


async def test_a_client_that_speaks_clear_text_is_a_failure(stage: Stage) -> None:
    stage.expect_tls()
    await stage.send(b"EHLO mail.example.org\r\n" * 10)
    await until(lambda: stage.failures)
    assert stage.tls_failures == [TlsFailure.NOT_TLS]
    assert stage.handshakes == 0


async def test_data_right_behind_the_handshake_is_not_lost(stage: Stage) -> None:
    stage.expect_tls()
    client, incoming, outgoing = client_hello()
    await stage.send(outgoing.read())
    while True:
        incoming.write(await stage.receive())
        try:
            client.do_handshake()
            break
        except ssl.SSLWantReadError:
            continue
    client.write(b"at once")
    await stage.send(outgoing.read())
    await until(lambda: stage.handshakes)
    assert stage.transport.tls is not None
    assert stage.transport.tls.receive() == b"at once"
