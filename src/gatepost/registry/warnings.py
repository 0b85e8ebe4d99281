"""What an operator should know before a change is made although nothing forbids it. Shown by the dry run. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import assert_never

from gatepost.registry.account import ACCOUNT
from gatepost.registry.api_key import ApiKey
from gatepost.registry.certificate import CERTIFICATE
from gatepost.registry.configuration import ObjectRef, Proposal
from gatepost.registry.ip_network import AllowedIp, BlockedIp
from gatepost.registry.network_listener import (
    NETWORK_LISTENER,
    PROTOCOL_LABELS,
    NetworkListener,
    NetworkListenerProtocol,
)
from gatepost.registry.rules.lock_out import would_lock_out

_EXPIRES_SOON = timedelta(days=30)
_WELL_KNOWN_PORTS = {  # IANA service names and port numbers: protocol, and whether TLS comes first there
    24: (NetworkListenerProtocol.LMTP, False),
    25: (NetworkListenerProtocol.SMTP, False),
    80: (NetworkListenerProtocol.HTTP, False),
    110: (NetworkListenerProtocol.POP3, False),
    143: (NetworkListenerProtocol.IMAP, False),
    443: (NetworkListenerProtocol.HTTP, True),
    465: (NetworkListenerProtocol.SMTP, True),
    587: (NetworkListenerProtocol.SMTP, False),
    993: (NetworkListenerProtocol.IMAP, True),
    995: (NetworkListenerProtocol.POP3, True),
    4190: (NetworkListenerProtocol.MANAGESIEVE, False),
}


def warnings(proposal: Proposal, now: datetime) -> list[tuple[ObjectRef, str]]:
    """The warnings about touched objects, in words for the operator."""
    found = [(ref, words) for ref, _, words in would_lock_out(proposal)]
    for ref in proposal.touched:
        found += [(ref, words) for words in _about(ref, proposal, now)]
    return found


def _about(ref: ObjectRef, proposal: Proposal, now: datetime) -> Iterator[str]:
    if ref.object_type == NETWORK_LISTENER.name and (listener := proposal.after.listeners.get(ref.id)) is not None:
        yield from _about_ports(listener)
        yield from _about_clear_text(listener)
    if ref.object_type == ACCOUNT.name and proposal.after.find(ref) is None:
        yield "the account's mail, scripts and API keys go with it, and no revert brings them back"
    if _has_expired(proposal.after.find(ref), now):
        yield "it has expired already: nothing comes of it"
    if ref.object_type == CERTIFICATE.name and (certificate := proposal.after.certificates.get(ref.id)) is not None:
        if certificate.not_valid_before is not None and certificate.not_valid_before > now:
            yield f"the certificate is not valid before {certificate.not_valid_before:%Y-%m-%d %H:%M} UTC"
        if certificate.not_valid_after is not None and certificate.not_valid_after - now < _EXPIRES_SOON:
            yield f"the certificate expires at {certificate.not_valid_after:%Y-%m-%d %H:%M} UTC"


def _has_expired(value: object, now: datetime) -> bool:
    expires_at = value.expires_at if isinstance(value, BlockedIp | AllowedIp | ApiKey) else None
    return expires_at is not None and expires_at <= now


def _about_ports(listener: NetworkListener) -> Iterator[str]:
    for address in listener.bind:
        protocol, is_implicit = _WELL_KNOWN_PORTS.get(address.port, (listener.protocol, listener.tls_implicit))
        if protocol is not listener.protocol:
            yield f"port {address.port} of {address} is the port of {PROTOCOL_LABELS[protocol]}: clients will not look here"
        elif is_implicit != listener.tls_implicit:
            starts = "with TLS" if is_implicit else "in clear"
            yield f"clients that connect to port {address.port} of {address} begin {starts}"


def _about_clear_text(listener: NetworkListener) -> Iterator[str]:
    if listener.use_tls or all(address.ip.is_loopback for address in listener.bind):
        return
    match listener.protocol:
        case NetworkListenerProtocol.HTTP:
            yield "without TLS nobody can sign in here from another machine"
        case NetworkListenerProtocol.IMAP | NetworkListenerProtocol.POP3 | NetworkListenerProtocol.MANAGESIEVE:
            yield "without TLS nobody can log in here from another machine"
        case NetworkListenerProtocol.SMTP | NetworkListenerProtocol.LMTP:
            yield "without TLS mail comes in clear, and nobody can log in from another machine"
        case never:
            assert_never(never)
