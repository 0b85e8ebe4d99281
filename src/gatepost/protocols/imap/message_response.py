"""ENVELOPE, BODY and BODYSTRUCTURE as they are written (RFC 3501 section 7.4.2)."""

from __future__ import annotations

from gatepost.protocols.imap.wire import nstring, parenthesised, string
from gatepost.protocols.message.addresses import Address
from gatepost.protocols.message.envelope import Addresses, Envelope, envelope_of
from gatepost.protocols.message.mime_value import MimeValue, parse_mime_value
from gatepost.protocols.message.structure import Part

_MOST_LANGUAGES = 100  # what stands behind them is shown as one


def envelope(found: Envelope) -> bytes:
    """An envelope structure."""
    return parenthesised(
        (
            nstring(found.date),
            nstring(found.subject),
            _addresses(found.from_),
            _addresses(found.sender),
            _addresses(found.reply_to),
            _addresses(found.to),
            _addresses(found.cc),
            _addresses(found.bcc),
            nstring(found.in_reply_to),
            nstring(found.message_id),
        )
    )


def body(octets: bytes, part: Part, *, is_extended: bool) -> bytes:
    """BODYSTRUCTURE when `is_extended`, else BODY, of a part of the message `octets`."""
    if part.is_multipart:
        fields = [b"".join(body(octets, child, is_extended=is_extended) for child in part.children)]
        fields.append(string(part.content_type.second))
        if is_extended:
            fields.append(_parameters(part.content_type))
            fields += _disposition_language_location(part)
        return parenthesised(fields)
    fields = [
        string(part.content_type.first),
        string(part.content_type.second),
        _parameters(part.content_type),
        nstring(part.content.get(b"content-id")),
        nstring(part.content.get(b"content-description")),
        string(part.transfer_encoding or b"7BIT"),
        b"%d" % part.size,
    ]
    if part.is_message:
        attached = part.children[0]
        header = octets[attached.header_start : attached.body_start]
        fields += [envelope(envelope_of(header)), body(octets, attached, is_extended=is_extended)]
    if part.is_message or part.content_type.first.lower() == b"text":
        fields.append(b"%d" % part.lines)
    if is_extended:
        fields.append(nstring(part.content.get(b"content-md5")))
        fields += _disposition_language_location(part)
    return parenthesised(fields)


def _addresses(addresses: Addresses) -> bytes:
    if not addresses:
        return b"NIL"
    return b"(" + b"".join(map(_address, addresses)) + b")"


def _address(address: Address) -> bytes:
    return parenthesised(map(nstring, (address.name, address.route, address.mailbox, address.host)))


def _parameters(value: MimeValue) -> bytes:
    if not value.parameters:
        return b"NIL"
    return parenthesised(string(item) for parameter in value.parameters for item in parameter)


def _disposition_language_location(part: Part) -> list[bytes]:
    return [
        _disposition(part.content.get(b"content-disposition")),
        _languages(part.content.get(b"content-language")),
        nstring(part.content.get(b"content-location")),
    ]


def _disposition(value: bytes | None) -> bytes:
    found = parse_mime_value(value) if value else None
    if found is None:
        return b"NIL"
    return parenthesised((string(found.first), _parameters(found)))


def _languages(value: bytes | None) -> bytes:
    tags = [tag.strip() for tag in value.split(b",", _MOST_LANGUAGES) if tag.strip()] if value else []
    match tags:
        case []:
            return b"NIL"
        case [only]:
            return string(only)
        case _:
            return parenthesised(map(string, tags))
