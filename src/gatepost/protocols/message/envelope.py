"""The envelope of a message: the header fields that mail clients list (RFC 3501 section 7.4.2)."""

from __future__ import annotations

from dataclasses import dataclass

from gatepost.protocols.message.addresses import Address, parse_addresses
from gatepost.protocols.message.header import first_values

_FIELDS = frozenset(
    (b"date", b"subject", b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc", b"in-reply-to", b"message-id")
)

Addresses = tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class Envelope:
    """None: the field is absent (empty octets: it is there and empty). Encoded words stay as they are. `sender` and
    `reply_to` are those of `from_` where the header has none. No addresses: the field is absent or empty."""

    date: bytes | None
    subject: bytes | None
    from_: Addresses
    sender: Addresses
    reply_to: Addresses
    to: Addresses
    cc: Addresses
    bcc: Addresses
    in_reply_to: bytes | None
    message_id: bytes | None


def envelope_of(header: bytes) -> Envelope:
    """The envelope of the message with this header. Where a field stands twice, the first one counts."""
    values = first_values(header, _FIELDS)

    def addresses(name: bytes) -> Addresses:
        return parse_addresses(values.get(name, b""))

    from_ = addresses(b"from")
    return Envelope(
        date=values.get(b"date"),
        subject=values.get(b"subject"),
        from_=from_,
        sender=addresses(b"sender") or from_,
        reply_to=addresses(b"reply-to") or from_,
        to=addresses(b"to"),
        cc=addresses(b"cc"),
        bcc=addresses(b"bcc"),
        in_reply_to=values.get(b"in-reply-to"),
        message_id=values.get(b"message-id"),
    )
