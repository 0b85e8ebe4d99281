"""Application-layer protocol negotiation (RFC 7301): which names each protocol answers to.

A client that names no protocol is served. One that names some, none of which is spoken here, is turned away with the
alert `no_application_protocol`, so that what was meant for one protocol cannot be played to another one that has a
certificate of the same name (ALPACA, https://alpaca-attack.com). Called when contexts are built; no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from OpenSSL import SSL

from gatepost.plan.plan import ProtocolName

# IANA, "TLS Application-Layer Protocol Negotiation (ALPN) Protocol IDs". SMTP and LMTP have no registered name; `smtp` is
# what other mail servers send and expect all the same. HTTP/2 is not spoken here, so `h2` is not accepted.
ALPN_NAMES: dict[ProtocolName, tuple[bytes, ...]] = {
    ProtocolName.HTTP: (b"http/1.1", b"http/1.0"),
    ProtocolName.IMAP: (b"imap",),
    ProtocolName.POP3: (b"pop3",),
    ProtocolName.MANAGESIEVE: (b"managesieve",),
    ProtocolName.SMTP: (b"smtp",),
    ProtocolName.LMTP: (b"lmtp",),
}


class NoCommonProtocol(Exception):
    """The client named protocols only that are not spoken here; the text has their names."""


def alpn_choice(protocol: ProtocolName) -> Callable[[SSL.Connection, Sequence[bytes]], bytes]:
    """For `Context.set_alpn_select_callback`; called only for clients that name protocols.

    Raises NoCommonProtocol, which pyOpenSSL hands on to whoever does the handshake after it has sent the fatal alert
    that RFC 7301 section 3.2 asks for.
    """
    served = ALPN_NAMES[protocol]

    def choose(_connection: SSL.Connection, offered: Sequence[bytes]) -> bytes:
        for name in served:
            if name in offered:
                return name
        named = ", ".join(name.decode("ascii", "backslashreplace") for name in offered[:8])
        raise NoCommonProtocol(f"the client wants to speak {named}; this is {protocol}")

    return choose
