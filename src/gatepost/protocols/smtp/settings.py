"""What an SMTP conversation is told before it begins, and how LMTP differs from SMTP.

Made by whoever builds a session from a listener; read by the engine and by the reactions. LMTP is a value of `Dialect`:
what differs is data, so that no part of the engine can forget that it exists twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Dialect:
    """SMTP or LMTP."""

    greeting_word: str  # in the 220 greeting
    plain_hello: str | None  # the command that begins a session without extensions
    extended_hello: str
    has_reply_per_recipient: bool  # after the message: one reply, or one for each accepted recipient
    plain_keyword: str  # RFC 3848: `with` in Received
    extended_keyword: str
    utf8_keyword: str  # RFC 6531 section 4.3

    def with_keyword(self, *, is_extended: bool, is_utf8: bool, is_tls: bool, is_authenticated: bool) -> str:
        """What stands behind `with` in a Received field (RFC 3848, RFC 6531 section 4.3).

        >>> SMTP.with_keyword(is_extended=True, is_utf8=False, is_tls=True, is_authenticated=True)
        'ESMTPSA'
        """
        if not is_extended:
            return self.plain_keyword
        word = self.utf8_keyword if is_utf8 else self.extended_keyword
        return word + ("S" if is_tls else "") + ("A" if is_authenticated else "")


SMTP = Dialect(
    greeting_word="ESMTP",
    plain_hello="HELO",
    extended_hello="EHLO",
    has_reply_per_recipient=False,
    plain_keyword="SMTP",
    extended_keyword="ESMTP",
    utf8_keyword="UTF8SMTP",
)

# RFC 2033 section 4.1: LHLO instead of HELO and EHLO; section 4.2: a reply for each recipient.
LMTP = Dialect(
    greeting_word="LMTP",
    plain_hello=None,
    extended_hello="LHLO",
    has_reply_per_recipient=True,
    plain_keyword="LMTP",
    extended_keyword="LMTP",
    utf8_keyword="UTF8LMTP",
)


@dataclass(frozen=True, slots=True)
class SmtpLimits:
    """What one client may take of the server."""

    message_octets: int = 50 * 1024 * 1024
    recipients: int = 1000  # of one transaction; RFC 5321 section 4.5.3.1.8 asks for at least 100
    command_line: int = 2048  # octets with CRLF; 512 and what the extensions add (RFC 5321 section 4.5.3.1.4)
    auth_line: int = 12288  # octets with CRLF; RFC 4954 section 4
    text_line: int = 65536  # octets of a line of the message, without CRLF
    bad_commands: int = 20
    failed_logins: int = 5
    rejected_recipients: int = 100
    idle_commands: int = 1000  # commands that bring no message, between two messages
    idle_seconds: float = 300.0  # RFC 5321 section 4.5.3.2.7


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """One listener's and one connection's facts. `is_tls`: the connection is protected from its first octet on.

    `may_auth_in_clear`: logging in without TLS is all right here (a client on this machine, a listener without TLS).
    """

    hostname: str
    dialect: Dialect = SMTP
    offers_tls: bool = False  # by STARTTLS
    is_tls: bool = False
    offers_auth: bool = True
    may_auth_in_clear: bool = False
    limits: SmtpLimits = field(default_factory=SmtpLimits)
