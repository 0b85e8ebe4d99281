"""Status indicators, response codes and multi-line responses (RFC 1939 section 3, RFC 2449 section 8)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gatepost.protocols.engine import Refusal
from gatepost.protocols.pop3.events import LoginRefusal


@dataclass(frozen=True, slots=True)
class Reply:
    """One response. `lines` makes it a multi-line one; they are ASCII and none begins with a dot.

    `is_mistake`: the command made no sense; too many of those end the session.
    """

    first_line: str
    lines: tuple[str, ...] | None = None
    is_mistake: bool = False

    def encode(self) -> bytes:
        """The octets to send."""
        if self.lines is None:
            return f"{self.first_line}\r\n".encode("ascii")
        return "\r\n".join((self.first_line, *self.lines, ".\r\n")).encode("ascii")


def ok(text: str, lines: Iterable[str] | None = None) -> Reply:
    """A positive response."""
    return Reply(f"+OK {text}", None if lines is None else tuple(lines))


def err(text: str, code: str | None = None) -> Reply:
    """A negative response to a command that was well-formed."""
    return Reply(f"-ERR [{code}] {text}" if code else f"-ERR {text}")


def mistake(text: str) -> Reply:
    """A negative response to a command that made no sense."""
    return Reply(f"-ERR {text}", is_mistake=True)


_LOGIN_REFUSAL_WORDS = {
    LoginRefusal.WRONG_CREDENTIALS: "Authentication failed",
    LoginRefusal.MAILDROP_IN_USE: "The maildrop is locked by another session",
    LoginRefusal.TEMPORARY: "Temporary failure, try again later",
}
LOGIN_REFUSED = {refusal: err(words, refusal.value) for refusal, words in _LOGIN_REFUSAL_WORDS.items()}

# RFC 1939 section 3: a session that is idle too long is closed without a response, so that the client cannot take it for
# the answer to a command that is on its way.
FAREWELL = {
    Refusal.TOO_MANY_CONNECTIONS: err("Too many connections", "SYS/TEMP"),
    Refusal.SHUTTING_DOWN: err("The server is shutting down", "SYS/TEMP"),
    Refusal.INTERNAL_ERROR: err("Internal error", "SYS/TEMP"),
    Refusal.IDLE_TIMEOUT: None,
}
