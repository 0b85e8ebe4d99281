"""OK, NO and BYE with their response codes (RFC 5804 section 1.3), as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from gatepost.protocols.engine import Refusal
from gatepost.protocols.managesieve.strings import encode_string


class ResponseCode(Enum):
    """RFC 5804 section 1.3. TAG has an argument."""

    ENCRYPT_NEEDED = "ENCRYPT-NEEDED"
    QUOTA_MAXSCRIPTS = "QUOTA/MAXSCRIPTS"
    QUOTA_MAXSIZE = "QUOTA/MAXSIZE"
    QUOTA = "QUOTA"
    TRYLATER = "TRYLATER"
    ACTIVE = "ACTIVE"
    NONEXISTENT = "NONEXISTENT"
    ALREADYEXISTS = "ALREADYEXISTS"
    WARNINGS = "WARNINGS"
    TAG = "TAG"


@dataclass(frozen=True, slots=True)
class Response:
    """One response. `is_mistake`: the command made no sense; too many of those end the session."""

    condition: str  # OK, NO or BYE
    text: str
    code: ResponseCode | None = None
    is_mistake: bool = False
    code_argument: str | None = None

    def encode(self) -> bytes:
        """The octets to send."""
        words = [self.condition.encode("ascii"), encode_string(self.text)]
        if self.code is not None:
            argument = b"" if self.code_argument is None else b" " + encode_string(self.code_argument)
            words.insert(1, b"(" + self.code.value.encode("ascii") + argument + b")")
        return b" ".join(words) + b"\r\n"


def ok(text: str, code: ResponseCode | None = None) -> Response:
    """The command was carried out."""
    return Response("OK", text, code)


def no(text: str, code: ResponseCode | None = None) -> Response:
    """The command was understood and is refused."""
    return Response("NO", text, code)


def bye(text: str, code: ResponseCode | None = None) -> Response:
    """The connection is closed behind it."""
    return Response("BYE", text, code)


def mistake(text: str, code: ResponseCode | None = None) -> Response:
    """The command made no sense."""
    return Response("NO", text, code, is_mistake=True)


FAREWELL = {
    Refusal.TOO_MANY_CONNECTIONS: bye("Too many connections", ResponseCode.TRYLATER),
    Refusal.SHUTTING_DOWN: bye("The server is shutting down", ResponseCode.TRYLATER),
    Refusal.INTERNAL_ERROR: bye("Internal error", ResponseCode.TRYLATER),
    Refusal.IDLE_TIMEOUT: bye("Idle for too long"),
}
