"""Which requests are understood, and that the ambiguous ones are refused however they are cut (RFC 9112)."""

from __future__ import annotations

from collections.abc import Iterable

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.session.http_framing import MAX_HEAD, RequestConnection

START = b"POST /jmap HTTP/1.1\r\nHost: x\r\n"
GET = b"GET /a?b HTTP/1.1\r\nHost: x\r\n"

AMBIGUOUS = {
    "Content-Length beside Transfer-Encoding (6.1)": START
    + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "the same in the other order": START + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths (6.3)": START + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    "one length twice (6.3)": START + b"Content-Length: 4\r\nCONTENT-LENGTH: 4\r\n\r\nabcd",
    "a list of lengths (6.3)": START + b"Content-Length: 4, 4\r\n\r\nabcd",
    "a length with a sign": START + b"Content-Length: +4\r\n\r\nabcd",
    "Transfer-Encoding in HTTP/1.0 (6.1)": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a folded field (5.2)": GET + b"X: a\r\n b\r\n\r\n",
    "a folded Transfer-Encoding (5.2)": START + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "bare LFs (2.2)": b"GET / HTTP/1.1\nHost: x\n\n",
    "one bare LF (2.2)": GET + b"X: a\nY: b\r\n\r\n",
    "a bare LF before the empty line (2.2)": GET + b"X: a\n\r\n",
    "a bare CR (2.2)": GET + b"X: a\rY: b\r\n\r\n",
    "a bare LF behind the last chunk (7.1)": START + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\n",
    "a bare LF in the trailer (7.1.2)": START + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\n\r\n",
    "a folded trailer field (7.1.2)": START + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n z\r\n\r\n",
    "a chunk that is longer than it says (7.1)": START + b"Transfer-Encoding: chunked\r\n\r\n2\r\nabXX0\r\n\r\n",
    "a chunk size with 0x (7.1)": START + b"Transfer-Encoding: chunked\r\n\r\n0x2\r\nab\r\n0\r\n\r\n",
    "a space before the colon (5.1)": START + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "no Host (3.2)": b"GET / HTTP/1.1\r\n\r\n",
    "two Hosts (3.2)": GET + b"Host: y\r\n\r\n",
    "a target that is no path (3.2)": b"GET a HTTP/1.1\r\nHost: x\r\n\r\n",
    "the asterisk without OPTIONS (3.2.4)": b"GET * HTTP/1.1\r\nHost: x\r\n\r\n",
    "the target of a proxy (3.2.3)": b"CONNECT a:1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a URL with a user (4.2.4 of RFC 9110)": b"GET http://a@b/ HTTP/1.1\r\nHost: x\r\n\r\n",
}


def _events(pieces: Iterable[bytes]) -> list[h11.Event]:
    """Everything that the connection sees of one request. Raises h11.RemoteProtocolError."""
    connection, seen = RequestConnection(), list[h11.Event]()
    for piece in pieces:
        connection.receive_data(piece)
        while not isinstance(event := connection.next_event(), type):
            seen.append(event)
    return seen


def _octets(whole: bytes) -> list[bytes]:
    return [whole[at : at + 1] for at in range(len(whole))]


@pytest.mark.parametrize("request_octets", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
@pytest.mark.parametrize("is_cut", [False, True], ids=["whole", "byte by byte"])
def test_what_two_servers_could_read_differently_is_refused(request_octets: bytes, is_cut: bool) -> None:
    with pytest.raises(h11.RemoteProtocolError):
        _events(_octets(request_octets) if is_cut else [request_octets])


@pytest.mark.parametrize(
    ("request_octets", "status"),
    [
        (AMBIGUOUS["one length twice (6.3)"], 400),
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
        (GET + b"X: " + b"a" * MAX_HEAD + b"\r\n\r\n", 431),
        (GET + b"X: " + b"a" * 2 * MAX_HEAD, 431),
        (START + b"Transfer-Encoding: gzip\r\n\r\n", 501),
    ],
)
def test_the_status_says_why(request_octets: bytes, status: int) -> None:
    connection = RequestConnection()
    connection.receive_data(request_octets)
    with pytest.raises(h11.RemoteProtocolError):
        connection.next_event()
    assert connection.refusal_status == status


@pytest.mark.parametrize(("fields", "is_taken"), [(199, True), (200, False)])
def test_a_header_has_at_most_two_hundred_fields(fields: int, is_taken: bool) -> None:
    head = GET + b"".join(b"X%d: y\r\n" % number for number in range(fields)) + b"\r\n"
    if is_taken:
        assert _events([head])
    else:
        with pytest.raises(h11.RemoteProtocolError):
            _events([head])


@pytest.mark.parametrize(("size", "is_taken"), [(MAX_HEAD - 1, True), (MAX_HEAD, True), (MAX_HEAD + 1, False)])
def test_the_size_of_a_header_is_limited_to_the_octet(size: int, is_taken: bool) -> None:
    head = GET + b"X: %b\r\n\r\n" % (b"a" * (size - len(GET) - 7))
    assert len(head) == size
    if is_taken:
        assert _events([head])
    else:
        with pytest.raises(h11.RemoteProtocolError):
            _events([head])


@given(st.data())
def test_a_chunked_request_is_the_same_however_it_is_cut(data: st.DataObject) -> None:
    whole = START + b"Transfer-Encoding: chunked\r\n\r\n3;ext\r\nabc\r\n1\r\n\n\r\n0\r\nX: y\r\n\r\n"
    cuts = data.draw(st.lists(st.integers(0, len(whole)), max_size=8).map(sorted))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True) if a < b]
    seen = _events(pieces)
    assert b"".join(bytes(event.data) for event in seen if isinstance(event, h11.Data)) == b"abc\n"
    assert isinstance(seen[0], h11.Request)
    assert isinstance(seen[-1], h11.EndOfMessage)


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"http://good.example/a?b", b"/a?b"),
        (b"HTTPS://good.example:8443", b"/"),
        (b"http://good.example?q", b"/?q"),
        (b"/a", b"/a"),
    ],
)
def test_the_absolute_form_is_taken_and_its_authority_replaces_host(target: bytes, path: bytes) -> None:
    """RFC 9112 section 3.2.2."""
    (request, _) = _events([b"GET " + target + b" HTTP/1.1\r\nHost: other.example\r\nX: y\r\n\r\n"])
    assert isinstance(request, h11.Request)
    assert request.target == path
    fields = dict(request.headers)
    assert fields[b"x"] == b"y"
    assert fields[b"host"] == (b"other.example" if target == b"/a" else target.split(b"/")[2].partition(b"?")[0])


def test_what_behaves_well_is_understood() -> None:
    (request, *_) = _events([START + b"Content-Length: 2\r\nX-Content-Length: 7\r\n\r\n\n\n"])
    assert isinstance(request, h11.Request)
    assert _events([b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"])
