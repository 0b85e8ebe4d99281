"""The fields that delivery writes in front of a message, and what it reads there to find loops. Pure.

RFC 5321 section 4.4 (Return-Path, Received), RFC 3848 and RFC 6531 (`with`), RFC 9228 (Delivered-To).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from ipaddress import IPv6Address

from gatepost.protocols.message.header import LONGEST_HEADER
from gatepost.protocols.smtp.paths import Path, is_address_literal, is_domain
from gatepost.values.ip_mask import IpAddress

_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:")
_RETURN_PATH = re.compile(rb"^return-path[ \t]*:[^\n]*\n(?:[ \t][^\n]*\n)*", re.IGNORECASE | re.MULTILINE)
_RECEIVED = re.compile(rb"^received[ \t]*:", re.IGNORECASE | re.MULTILINE)
_DELIVERED_TO = re.compile(rb"^delivered-to[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a message came here.

    `client_name` is what the client called itself; `tls_description` is None in clear; `with_keyword` is of RFC 3848.
    """

    client_name: str
    client_address: IpAddress
    tls_description: str | None
    with_keyword: str


def received_field(arrival: Arrival, hostname: str, delivery_id: str, recipient: Path | None, time: datetime) -> bytes:
    """The Received field of this hop, with CRLF. `time` has a time zone. No recipient: no `for` clause."""
    for_clause = f"\r\n\tfor <{recipient}>" if recipient is not None else ""
    tls = f"\r\n\t({arrival.tls_description})" if arrival.tls_description else ""
    text = (
        f"Received: from {_shown_name(arrival.client_name)} ({_address_literal(arrival.client_address)}){tls}\r\n"
        f"\tby {hostname} with {arrival.with_keyword} id {delivery_id}{for_clause};\r\n"
        f"\t{format_datetime(time)}\r\n"
    )
    return text.encode("utf-8")


def return_path_field(reverse_path: Path | None) -> bytes:
    """Where bounces go, with CRLF; `<>` for a message that is one."""
    return f"Return-Path: <{reverse_path if reverse_path is not None else ''}>\r\n".encode()


def delivered_to_field(recipient: Path) -> bytes:
    """Who this copy is for, with CRLF."""
    return f"Delivered-To: {recipient}\r\n".encode()


def split_header(content: bytes) -> tuple[bytes, bytes]:
    """The header fields, and the rest with the empty line before the body.

    Only the first LONGEST_HEADER octets are a header: what the hops of a loop have written stands in front.

    A message that begins with something else than a field gets an empty line, so that fields put in front of it do not
    swallow its first line.
    """
    if not content or content.startswith(b"\r\n"):
        return b"", content
    if _FIELD.match(content) is None:
        return b"", b"\r\n" + content
    empty_line = content.find(b"\r\n\r\n", 0, LONGEST_HEADER)
    if empty_line < 0 and len(content) <= LONGEST_HEADER:
        return content, b""
    end = (empty_line if empty_line >= 0 else content.rfind(b"\n", 0, LONGEST_HEADER) - 1) + 2
    return content[:end], content[end:]


def without_return_path(header: bytes) -> bytes:
    """The header without its Return-Path fields: only the last delivery writes one (RFC 5321 section 4.4)."""
    return _RETURN_PATH.sub(b"", header)


def count_received(header: bytes) -> int:
    """How many hops the message has behind it."""
    return len(_RECEIVED.findall(header))


def earlier_recipients(header: bytes) -> frozenset[str]:
    """To whom the message was delivered before, lower-case: whoever is to get it again is part of a loop."""
    values = (value.strip().decode("utf-8", "replace") for value in _DELIVERED_TO.findall(header))
    return frozenset(value.lower() for value in values)


def _shown_name(client_name: str) -> str:
    """What the client called itself, where RFC 5321 section 4.4 has a place for such a name."""
    if client_name.isascii() and (is_domain(client_name) or is_address_literal(client_name)):
        return client_name
    return "unknown"


def _address_literal(address: IpAddress) -> str:
    return f"[IPv6:{address}]" if isinstance(address, IPv6Address) else f"[{address}]"
