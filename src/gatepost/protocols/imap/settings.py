"""What the engine has to know about its listener, and its limits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImapSettings:
    """`may_auth_in_clear`: passwords are taken without TLS too. Sizes in octets, timeouts in seconds."""

    hostname: str
    offers_tls: bool = False
    is_tls: bool = False
    may_auth_in_clear: bool = False
    max_message_size: int = 50 * 1024 * 1024
    max_line: int = 64 * 1024  # of text in one command; RFC 2683 section 3.2.1.5 asks for 8000 at least
    max_literal: int = 64 * 1024  # of all literals of a command that is no APPEND
    max_before_login: int = 16 * 1024  # of text, and of all literals, in one command of a client that has not logged in
    max_failed_logins: int = 5
    max_bad_commands: int = 20  # one after the other
    max_commands_before_login: int = 100
    login_timeout: float = 60.0
    idle_timeout: float = 31 * 60.0  # RFC 3501 section 5.4: at least 30 minutes
