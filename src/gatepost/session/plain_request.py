"""The requests that nearly all clients send nearly all the time, read without h11: a GET or POST that has come whole, alone, with
nothing in its header that two servers could understand differently.

Called by `http_session` before the octets go to h11. Nothing is refused here: whatever is not plain beyond doubt, and every
mistake, is None and left to h11 and `http_framing`, which read each plain request the same way (the tests compare them).
h11 takes ten times as long. Knows octets only.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

_MAX_HEAD = 8192  # octets up to the empty line; far below what h11 is allowed
_MAX_FIELDS = 100
_END = b"\r\n\r\n"

_REQUEST_LINE = re.compile(rb"(GET|POST) (/[!-~]*) HTTP/1\.1")
_FIELD_NAME = re.compile(rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_LENGTH = re.compile(rb"[0-9]{1,9}")
_PRINTABLE = bytes([*b"\t\r\n", *range(0x20, 0x7F)])
# Fields that may change how the request or the connection has to be treated.
_NOT_PLAIN = frozenset({b"transfer-encoding", b"upgrade", b"expect", b"te", b"trailer"})


class PlainHead(msgspec.Struct, frozen=True):
    """The header of a request, up to the empty line. `octets` are its own, the empty line included."""

    octets: bytes
    method: str
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body_size: int


class PlainRequest(msgspec.Struct, frozen=True):
    """`headers` as ASGI has them: names in lower case, values without the white space around them."""

    head: PlainHead
    headers: list[tuple[bytes, bytes]]
    body: bytes


def plain_request(octets: bytes, head_before: PlainHead | None = None) -> PlainRequest | None:
    """The request that `octets` are, from the first to the last of them; None where that is not plain. `head_before`: that of
    the connection's request before, as most clients send the same again."""
    if head_before is not None and octets.startswith(head_before.octets):
        head: PlainHead | None = head_before
    else:
        head = _plain_head(octets)
    if head is None:
        return None
    body = octets[len(head.octets) :]
    return PlainRequest(head, list(head.headers), body) if len(body) == head.body_size else None


def _plain_head(octets: bytes) -> PlainHead | None:
    end = octets.find(_END, 0, _MAX_HEAD)
    if end < 0:
        return None
    head = octets[:end]
    request_line, *fields = head.split(b"\r\n")
    line = _REQUEST_LINE.fullmatch(request_line)
    # As many CRs and LFs as were split at: none stands alone.
    has_bare_ends = not head.count(b"\r") == head.count(b"\n") == len(fields)
    if line is None or has_bare_ends or len(fields) > _MAX_FIELDS or head.translate(None, _PRINTABLE):
        return None
    headers = _headers(fields)
    size = None if headers is None else _body_size(headers)
    if headers is None or size is None:
        return None
    return PlainHead(octets[: end + len(_END)], line[1].decode(), line[2], tuple(headers), size)


def _headers(fields: list[bytes]) -> list[tuple[bytes, bytes]] | None:
    headers = []
    for field in fields:
        written, colon, value = field.partition(b":")
        name, value = _name(written), value.strip(b" \t")
        if (
            not colon
            or name is None
            or name in _NOT_PLAIN
            or (name == b"connection" and value.lower() != b"keep-alive")
        ):
            return None
        headers.append((name, value))
    return headers


def _body_size(headers: list[tuple[bytes, bytes]]) -> int | None:
    """None where it is not told once and clearly, or the host is not (RFC 9112 sections 3.2 and 6.3)."""
    lengths = [value for name, value in headers if name == b"content-length"]
    hosts = sum(name == b"host" for name, _ in headers)
    if hosts != 1 or len(lengths) > 1:
        return None
    if not lengths:
        return 0
    return int(lengths[0]) if _LENGTH.fullmatch(lengths[0]) else None


@lru_cache(maxsize=256)  # clients use a few dozen of them
def _name(written: bytes) -> bytes | None:
    """The name in lower case; None where it is none: empty, with a space before the colon or in front of a folded line."""
    return written.lower() if _FIELD_NAME.fullmatch(written) else None
