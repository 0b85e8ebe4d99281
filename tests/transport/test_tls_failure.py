"""Handshakes that fail, each told by its reason; whatever the octets, nothing but TlsFailed comes out."""

from __future__ import annotations

import contextlib
import itertools
import socket
import ssl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tls_client import TlsByHand
from tests.transport.tls_server import BOTH, ECDSA, Server, client_context, handshake, policy, serving

from gatepost.plan.plan import ProtocolName
from gatepost.registry.tls import TlsVersion
from gatepost.transport.tls_channel import TlsChannel, TlsFailed, WouldBlockOnRead
from gatepost.transport.tls_contexts import TlsContexts
from gatepost.transport.tls_failure import TlsFailure, failure_of

SSL2_HELLO = bytes.fromhex("802e0100020015000000100100800200800300800400800500800600400700c00600400700c0") + b"x" * 16
SSL3_HELLO = bytes.fromhex("16030000310100002d0300") + b"r" * 32 + bytes.fromhex("000006000a002f00350100")


def say(server: Server, octets: bytes) -> None:
    """Send octets, and wait until the server has hung up."""
    with socket.create_connection(server.address, timeout=20) as sock:
        sock.sendall(octets)
        sock.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while sock.recv(4096):
                pass


@pytest.mark.parametrize(
    ("octets", "failure", "words"),
    [
        (b"GET / HTTP/1.1\r\nHost: mail.example.org\r\n\r\n", TlsFailure.NOT_TLS, "the client spoke HTTP in clear"),
        (b"CONNECT a:1 HTTP/1.1\r\n\r\n", TlsFailure.NOT_TLS, "the client spoke HTTP in clear, as if to a proxy"),
        (
            b"EHLO client.example.org\r\n",
            TlsFailure.NOT_TLS,
            "the client did not speak TLS: it spoke in clear, or SSL 2",
        ),
        (b"a1 LOGIN alice secret\r\n", TlsFailure.NOT_TLS, "the client did not speak TLS: it spoke in clear, or SSL 2"),
        (SSL2_HELLO, TlsFailure.NOT_TLS, "the client did not speak TLS: it spoke in clear, or SSL 2"),
        (SSL3_HELLO, TlsFailure.NO_COMMON_VERSION, "version too low"),
        (b"", TlsFailure.CLOSED, "the client closed the connection"),
        (b"\x16\x03\x01", TlsFailure.CLOSED, "the client closed the connection"),
        (b"\x16\x03\x01\xff\xff" + b"x" * 70_000, TlsFailure.MALFORMED, "data length too long; record layer failure"),
        (b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + b"x" * 16_380, TlsFailure.MALFORMED, "excessive message size"),
        (b"\x16\x03\x01\x00\x10\x01\x00\x00\x0c" + b"x" * 12, TlsFailure.MALFORMED, "length mismatch"),
        (b"\x17\x03\x03\x00\x02hi", TlsFailure.MALFORMED, "unexpected message"),
    ],
)
def test_what_is_not_a_handshake_is_told_apart(octets: bytes, failure: TlsFailure, words: str) -> None:
    with serving(policy()) as server:
        say(server, octets)
        assert handshake(server, client_context())[0], "the next client is served"
    assert (server.failures, server.words) == ([failure], [words])


def failed_handshake(server: Server, context: ssl.SSLContext) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)):
        handshake(server, context)


def test_no_common_version() -> None:
    with serving(policy(disabled=(TlsVersion.TLS12,))) as server:
        failed_handshake(server, client_context(version=ssl.TLSVersion.TLSv1_2))
    assert server.failures == [TlsFailure.NO_COMMON_VERSION]


def test_no_common_suite() -> None:
    with serving(policy()) as server:
        failed_handshake(server, client_context(tls12_ciphers="AES128-SHA", version=ssl.TLSVersion.TLSv1_2))
    assert server.failures == [TlsFailure.NO_COMMON_SUITE]


def test_a_certificate_whose_suites_the_client_does_not_have_is_no_common_suite() -> None:
    with serving(policy(), ECDSA) as server:
        failed_handshake(
            server, client_context(tls12_ciphers="ECDHE-RSA-AES128-GCM-SHA256", version=ssl.TLSVersion.TLSv1_2)
        )
    assert server.failures == [TlsFailure.NO_COMMON_SUITE]


def test_a_client_that_does_not_trust_the_certificate_says_so() -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    with serving(policy()) as server, pytest.raises(ssl.SSLCertVerificationError):
        handshake(server, context)
    assert (server.failures, server.words) == ([TlsFailure.CLIENT_ALERT], ["the client gave up: unknown ca"])


@pytest.mark.parametrize(
    ("reasons", "failure"),
    [
        ((), TlsFailure.OTHER),
        (("internal error",), TlsFailure.OTHER),
        (("no suitable signature algorithm",), TlsFailure.NO_COMMON_SIGNATURE),
        (("inappropriate fallback",), TlsFailure.NO_COMMON_VERSION),
        (("ssl/tls alert certificate expired", "more"), TlsFailure.CLIENT_ALERT),
        (("bad extension",), TlsFailure.MALFORMED),
    ],
)
def test_openssls_words_have_a_reason(reasons: tuple[str, ...], failure: TlsFailure) -> None:
    assert failure_of(reasons)[0] is failure


# --- any octets, cut anywhere ---------------------------------------------------------------------------------------------

CONTEXT = TlsContexts(BOTH).of(policy(), ProtocolName.IMAP).context


@contextlib.contextmanager
def channel_and_client():  # type: ignore[no-untyped-def]  # two ends of a socket pair, and nothing to say about them
    client, accepted = socket.socketpair()
    accepted.setblocking(False)
    with client, accepted:
        yield TlsChannel(CONTEXT, accepted.fileno()), client


def go_on(channel: TlsChannel) -> bool:
    """Whether the handshake is complete."""
    with contextlib.suppress(WouldBlockOnRead):
        channel.handshake()
        return True
    return False


HELLO_LENGTH = len(TlsByHand().shake_hands())


def test_a_client_hello_may_be_cut_anywhere() -> None:
    for cut in range(HELLO_LENGTH):
        by_hand = TlsByHand()
        with channel_and_client() as (channel, client):
            hello = by_hand.shake_hands()
            client.sendall(hello[:cut])
            assert not go_on(channel)
            client.sendall(hello[cut:])
            assert not go_on(channel)
            client.sendall(by_hand.shake_hands(client.recv(65536)))
            assert by_hand.has_shaken_hands
            assert go_on(channel)


@given(st.lists(st.integers(0, HELLO_LENGTH), max_size=8))
@settings(max_examples=50, deadline=None)
def test_a_client_hello_in_many_records_of_a_few_octets_is_one(cuts: list[int]) -> None:
    """RFC 8446 section 5.1: a handshake message may be spread over records; here the records themselves are remade."""
    by_hand = TlsByHand()
    with channel_and_client() as (channel, client):
        hello = by_hand.shake_hands()
        body = hello[5:]
        edges = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
        for begin, end in itertools.pairwise(edges):
            client.sendall(hello[:3] + (end - begin).to_bytes(2, "big") + body[begin:end])
            assert not go_on(channel)
        client.sendall(by_hand.shake_hands(client.recv(65536)))
        assert go_on(channel)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_client_hello_with_octets_changed_fails_or_not_but_never_otherwise(data: st.DataObject) -> None:
    hello = bytearray(TlsByHand().shake_hands())
    for position in data.draw(st.lists(st.integers(0, len(hello) - 1), min_size=1, max_size=6)):
        hello[position] = data.draw(st.integers(0, 255))
    with channel_and_client() as (channel, client):
        client.sendall(hello)
        client.shutdown(socket.SHUT_WR)
        with pytest.raises(TlsFailed) as raised:
            while not go_on(channel):
                pass
    assert str(raised.value)


@given(st.binary(max_size=2000))
@settings(max_examples=150, deadline=None)
def test_any_octets_in_place_of_a_handshake_fail_with_a_reason(octets: bytes) -> None:
    with channel_and_client() as (channel, client):
        client.sendall(octets)
        client.shutdown(socket.SHUT_WR)
        with pytest.raises(TlsFailed) as raised:
            channel.handshake()
    assert raised.value.failure in {
        TlsFailure.NOT_TLS,
        TlsFailure.MALFORMED,
        TlsFailure.CLOSED,
        TlsFailure.NO_COMMON_VERSION,
    }
