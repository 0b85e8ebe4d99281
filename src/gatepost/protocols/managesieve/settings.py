"""What a ManageSieve conversation is told before it begins. Made by whoever builds a session; read by the engine."""

from __future__ import annotations

from dataclasses import dataclass, field

from gatepost.protocols.sieve.check import EXTENSIONS


@dataclass(frozen=True, slots=True)
class ManageSieveLimits:
    """What one client may take of the server."""

    line: int = 8192  # octets with the line end, literals not counted
    script: int = 256 * 1024  # octets of one script
    scripts: int = 100  # of one account
    login_literal: int = 12288  # octets of a literal before the login
    bad_commands: int = 20
    failed_logins: int = 5
    commands_before_login: int = 100
    login_seconds: float = 180.0  # without a word before the login
    idle_seconds: float = 1800.0  # RFC 5804 section 1.2: at least 30 minutes


@dataclass(frozen=True, slots=True)
class ManageSieveSettings:
    """One listener's and one connection's facts. `is_tls`: the connection is protected from its first octet on.

    `may_auth_in_clear`: logging in without TLS is all right here (a client on this machine, a listener without TLS).
    """

    hostname: str
    offers_tls: bool = False  # by STARTTLS
    is_tls: bool = False
    may_auth_in_clear: bool = False
    extensions: tuple[str, ...] = EXTENSIONS  # what scripts may require
    limits: ManageSieveLimits = field(default_factory=ManageSieveLimits)
