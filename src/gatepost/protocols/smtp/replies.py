"""Replies of an SMTP server: a code, an enhanced status code, and words (RFC 5321 section 4.2, RFC 2034, RFC 3463).

Used by the engine for what it answers alone and by the reactions for what they decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gatepost.protocols.engine import Refusal


@dataclass(frozen=True, slots=True)
class Reply:
    """`enhanced` is None where RFC 2034 section 3 has no code: the greeting, answers to HELO and EHLO, 3xx."""

    code: int
    enhanced: str | None
    text: str

    def encode(self) -> bytes:
        r"""One reply line with CRLF. The words are ASCII of one line; what is not is shown as an escape.

        >>> Reply(250, "2.0.0", "OK").encode()
        b'250 2.0.0 OK\r\n'
        """
        words = f"{self.enhanced} {self.text}" if self.enhanced else self.text
        return f"{self.code} {_printable(words)}\r\n".encode("ascii")


def encode_lines(code: int, lines: Sequence[str]) -> bytes:
    """A reply of several lines without enhanced status codes (RFC 5321 section 4.2.1)."""
    last = len(lines) - 1
    return b"".join(
        f"{code}{' ' if number == last else '-'}{_printable(line)}\r\n".encode("ascii")
        for number, line in enumerate(lines)
    )


def _printable(words: str) -> str:
    if words.isascii() and words.isprintable():
        return words
    return words.encode("unicode_escape").decode("ascii")


OK = Reply(250, "2.0.0", "OK")
SENDER_OK = Reply(250, "2.1.0", "Sender OK")
RECIPIENT_OK = Reply(250, "2.1.5", "Recipient OK")
LOGGED_IN = Reply(235, "2.7.0", "Authentication succeeded")
SEND_MESSAGE = Reply(354, None, "Send the message, end it with <CRLF>.<CRLF>")
READY_FOR_TLS = Reply(220, "2.0.0", "Ready to start TLS")
CANNOT_VERIFY = Reply(252, "2.5.0", "Send the mail and see")  # RFC 5321 section 7.3: tells nothing about who exists
HELP = Reply(214, "2.0.0", "See RFC 5321")

UNKNOWN_COMMAND = Reply(500, "5.5.1", "Command not recognized")
LINE_TOO_LONG = Reply(500, "5.5.6", "Line too long")
NOT_TEXT = Reply(500, "5.5.2", "Command is not valid UTF-8")
BARE_LINE_END = Reply(501, "5.5.2", "A line ends in CRLF; a bare CR or LF is not allowed")
NO_PARAMETER_ALLOWED = Reply(501, "5.5.4", "No parameter allowed")
NOT_IMPLEMENTED = Reply(502, "5.5.1", "Command not implemented")

MESSAGE_TOO_BIG = Reply(552, "5.3.4", "Message is bigger than the size limit")
MESSAGE_HAS_BARE_LINE_END = Reply(550, "5.6.0", "Message has a bare CR or LF in it; lines end in CRLF")
MESSAGE_LINE_TOO_LONG = Reply(550, "5.6.0", "Message has a line that is too long")

WRONG_CREDENTIALS = Reply(535, "5.7.8", "Authentication credentials invalid")
LOGIN_TEMPORARILY_REFUSED = Reply(454, "4.7.0", "Temporary authentication failure")
TEMPORARY_FAILURE = Reply(451, "4.3.0", "Temporary failure, try again later")

PIPELINED_BEHIND_STARTTLS = Reply(503, "5.5.1", "Nothing may follow STARTTLS before TLS has begun")


def farewell(refusal: Refusal, hostname: str) -> Reply:
    """The 421 that ends a conversation from this side (RFC 5321 section 3.8)."""
    match refusal:
        case Refusal.TOO_MANY_CONNECTIONS:
            return Reply(421, "4.3.2", f"{hostname} Too many connections, try again later")
        case Refusal.SHUTTING_DOWN:
            return Reply(421, "4.3.2", f"{hostname} Service shutting down, try again later")
        case Refusal.IDLE_TIMEOUT:
            return Reply(421, "4.4.2", f"{hostname} Idle for too long, closing connection")
        case Refusal.INTERNAL_ERROR:
            return Reply(421, "4.3.0", f"{hostname} Internal error, try again later")


def too_much(hostname: str, what: str) -> Reply:
    """The 421 for a client that went beyond a limit of the conversation."""
    return Reply(421, "4.7.0", f"{hostname} Too many {what}, closing connection")
