"""Which HTTP/1.1 requests are understood: h11's rules, and stricter ones where two servers in a row could read the same
octets as different requests (RFC 9112 section 11.2). What is ambiguous is refused, never repaired.

Used by `http_session` in place of h11's own connection. Knows octets and events only.
"""

from __future__ import annotations

import re
from typing import NoReturn

import h11

MAX_HEAD = 65536  # octets of request line and header
_MAX_FIELDS = 200

_BARE_LINE_END = re.compile(rb"(?<!\r)\n|\r(?!\n)")
_LINE_FOLDING = re.compile(rb"\n[ \t]")
_CONTENT_LENGTH = re.compile(rb"\ncontent-length[ \t]*:([^\r\n]*)", re.IGNORECASE)
_ABSOLUTE_FORM = re.compile(rb"https?://(?P<authority>[^/?#@]+)(?P<rest>(?:[/?][^#]*)?)\Z", re.IGNORECASE)

_BAD_REQUEST = 400
_HEADER_TOO_LARGE = 431
_VERSION_NOT_SUPPORTED = 505


class RequestConnection(h11.Connection):
    """The server's side of a connection. `refusal_status` is the status code for what `next_event` has raised."""

    def __init__(self) -> None:
        super().__init__(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        self.refusal_status = _BAD_REQUEST
        self._is_chunked = False
        self._behind_data = b""  # taken since the last piece of a chunked body

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """Like h11's. Raises h11.RemoteProtocolError for what it lets pass and we do not."""
        try:
            if self.their_state is h11.IDLE or self._is_chunked:
                return self._checked_event()
            return super().next_event()
        except h11.RemoteProtocolError as error:
            self.refusal_status = error.error_status_hint
            raise

    def _checked_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        before = self.trailing_data[0]
        event = super().next_event()
        taken = before[: len(before) - len(self.trailing_data[0])]
        match event:
            case h11.Request():
                _check_lines(taken)
                _check_request(event, taken)
                self._is_chunked = any(name == b"transfer-encoding" for name, _ in event.headers)
                self._behind_data = b""
                return _in_origin_form(event)
            case h11.Data():
                self._behind_data = b""
            case h11.EndOfMessage() if self._is_chunked:
                _check_lines(self._behind_data + taken)  # the last chunk and the trailer
                self._is_chunked = False
            case _:
                self._behind_data += taken
        return event


def _check_lines(octets: bytes) -> None:
    """RFC 9112 sections 2.2 and 5.2: others may see a line end, or none, where h11 does not."""
    if _BARE_LINE_END.search(octets):
        _refuse("a line ends in CRLF; a bare CR or LF is not allowed")
    if _LINE_FOLDING.search(octets):
        _refuse("a header field is on one line")


def _check_request(request: h11.Request, head: bytes) -> None:
    if len(head) > MAX_HEAD or len(request.headers) > _MAX_FIELDS:
        _refuse("the header is too large", _HEADER_TOO_LARGE)
    if not request.http_version.startswith(b"1."):
        _refuse("only HTTP/1.x is spoken here", _VERSION_NOT_SUPPORTED)
    lengths = _CONTENT_LENGTH.findall(head)
    if len(lengths) > 1 or any(b"," in length for length in lengths):
        _refuse("there may be one Content-Length")
    if any(name == b"transfer-encoding" for name, _ in request.headers):
        # RFC 9112 section 6.1: a sign of an attack, or of a sender that does not know what it does.
        if lengths:
            _refuse("Content-Length and Transfer-Encoding exclude each other")
        if request.http_version == b"1.0":
            _refuse("HTTP/1.0 has no Transfer-Encoding")


def _in_origin_form(request: h11.Request) -> h11.Request:
    """The request as if it had come in origin-form: the authority of the absolute form replaces Host (RFC 9112 section
    3.2.2). Raises h11.RemoteProtocolError for a target that is none for an origin server."""
    target = bytes(request.target)
    if target.startswith(b"/") or (target == b"*" and request.method == b"OPTIONS"):
        return request
    absolute = _ABSOLUTE_FORM.match(target)
    if absolute is None:
        _refuse("the request target is neither a path nor a URL of this server")
    rest = absolute["rest"]
    headers = [(name, value) for name, value in request.headers if name != b"host"]
    return h11.Request(
        method=request.method,
        target=rest if rest.startswith(b"/") else b"/" + rest,
        headers=[(b"host", absolute["authority"]), *headers],
        http_version=request.http_version,
    )


def _refuse(reason: str, status: int = _BAD_REQUEST) -> NoReturn:
    raise h11.RemoteProtocolError(reason, error_status_hint=status)
