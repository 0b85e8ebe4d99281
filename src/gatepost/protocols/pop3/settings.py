"""What a POP3 conversation is told before it begins. Made by whoever builds a session; read by engine and reactions."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Pop3Limits:
    """What one client may take of the server."""

    line: int = 8192  # octets with the line end; RFC 2449 section 4 asks for 255, a SASL response may need more
    bad_commands: int = 20
    failed_logins: int = 5
    commands_before_login: int = 100
    login_seconds: float = 180.0  # without a word before the login: nobody has a maildrop locked yet
    idle_seconds: float = 600.0  # RFC 1939 section 3: at least ten minutes


@dataclass(frozen=True, slots=True)
class Pop3Settings:
    """One listener's and one connection's facts. `is_tls`: the connection is protected from its first octet on.

    `may_auth_in_clear`: logging in without TLS is all right here (a client on this machine, a listener without TLS).
    """

    hostname: str
    offers_tls: bool = False  # by STLS
    is_tls: bool = False
    may_auth_in_clear: bool = False
    marks_as_seen: bool = True  # what was fetched by RETR and kept, at QUIT
    limits: Pop3Limits = field(default_factory=Pop3Limits)
