"""What is read without h11 is read as h11 and our checks would read it; what they refuse is never plain."""

from __future__ import annotations

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.session.test_http_framing import AMBIGUOUS

from gatepost.session.http_framing import RequestConnection
from gatepost.session.plain_request import plain_request

POST = b"POST /jmap?a=b HTTP/1.1\r\nHost: mail.example.org\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
GET = b"GET /%61 HTTP/1.1\r\nhost:x\r\nAccept: */*\r\nConnection: Keep-Alive\r\nX:\t a  b \t\r\nX:\r\n\r\n"

_ODD_OCTETS = st.sampled_from(
    [b"\r", b"\n", b"\0", b" ", b"\t", b":", b",", b"\x0b", b"\x7f", b"\xff", b"#", b"5", b"\r\n"]
)
_FIELDS = st.sampled_from(
    [
        b"Host: x",
        b"host: y",
        b"Content-Length: 2",
        b"CONTENT-LENGTH: 02",
        b"Content-Length: 2, 2",
        b"Content-Length: +2",
        b"Content-Length:",
        b"Transfer-Encoding: chunked",
        b"Connection: close",
        b"Connection: keep-alive",
        b"Expect: 100-continue",
        b"Upgrade: websocket",
        b"X: y",
        b" folded",
        b"X : y",
        b": y",
        b"no colon",
        b"X: \xe9",
        b"X: \x01",
        b"",
    ]
)
_LINES = st.sampled_from(
    [
        b"POST / HTTP/1.1",
        b"GET /a?b HTTP/1.1",
        b"GET / HTTP/1.0",
        b"GET  / HTTP/1.1",
        b"GET http://x/ HTTP/1.1",
        b"PUT / HTTP/1.1",
    ]
)


_Read = tuple[str, bytes, list[tuple[bytes, bytes]], bytes]  # method, target, header, body


def _by_h11(octets: bytes) -> _Read | None:
    """The request as h11 reads it; None where that refuses, waits for more or has octets left."""
    connection, body = RequestConnection(), b""
    connection.receive_data(octets)
    try:
        request = connection.next_event()
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if not isinstance(event, h11.Data):
                return None
            body += event.data
    except h11.RemoteProtocolError:
        return None
    if (
        not isinstance(request, h11.Request)
        or connection.trailing_data[0]
        or connection.they_are_waiting_for_100_continue
    ):
        return None
    if connection.their_state is not h11.DONE:
        return None  # it has to be closed, or switched
    return request.method.decode(), bytes(request.target), list(request.headers), body


_BEFORE = [before.head for before in map(plain_request, (POST, GET)) if before is not None]


def _check(octets: bytes) -> None:
    plain = plain_request(octets)
    if plain is not None:
        assert (plain.head.method, plain.head.target, plain.headers, plain.body) == _by_h11(octets)
    for before in _BEFORE:
        assert plain_request(octets, before) == plain


@pytest.mark.parametrize("octets", [POST, GET])
def test_what_clients_send_is_plain(octets: bytes) -> None:
    assert plain_request(octets) is not None
    _check(octets)


@pytest.mark.parametrize("octets", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_what_two_servers_could_read_differently_is_not(octets: bytes) -> None:
    assert plain_request(octets) is None


@pytest.mark.parametrize("octets", [POST, GET])
def test_what_is_not_whole_or_not_alone_is_not(octets: bytes) -> None:
    assert [plain_request(octets[:size]) for size in range(len(octets))] == [None] * len(octets)
    assert plain_request(octets + octets) is None
    assert plain_request(octets + b"\r\n") is None


def test_what_is_done_to_the_header_of_one_request_is_not_seen_by_the_next() -> None:
    first = plain_request(POST)
    assert first is not None
    first.headers.append((b"x", b"y"))
    second = plain_request(POST, first.head)
    assert second is not None
    assert second == plain_request(POST)


@given(st.sampled_from([POST, GET]), st.integers(0, len(POST)), st.integers(0, 2), _ODD_OCTETS)
@example(GET, len(GET) - 2, 0, b" folded\r\n")
@example(POST, POST.index(b"\r\n"), 1, b"")
def test_a_request_with_something_odd_in_it_is_read_alike(octets: bytes, at: int, dropped: int, odd: bytes) -> None:
    _check(octets[:at] + odd + octets[at + dropped :])


@given(_LINES, st.lists(_FIELDS, max_size=6), st.sampled_from([b"", b"{}", b"{}\r\n", b"0\r\n\r\n"]))
def test_any_fields_are_read_alike(line: bytes, fields: list[bytes], body: bytes) -> None:
    _check(b"\r\n".join([line, *fields]) + b"\r\n\r\n" + body)


@given(st.binary(max_size=40))
def test_any_octets_in_a_field_are_read_alike(value: bytes) -> None:
    _check(b"GET / HTTP/1.1\r\nHost: x\r\nX: %b\r\n\r\n" % value)
