"""What the engine asks the world about, and what the world says of a maildrop. Read by `session.pop3_reactions`.

`StartTls` and `Close` of `gatepost.protocols.engine` come beside these and are for the conversation itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from gatepost.protocols.engine import Breather, Close, StartTls
from gatepost.protocols.sasl import Credentials


@dataclass(frozen=True, slots=True)
class MaildropMessage:
    """A message as the maildrop shows it: `size` in octets; `unique_id` has 1-70 characters of `!` to `~`."""

    size: int
    unique_id: str


@dataclass(frozen=True, slots=True)
class LoginAttempt:
    """PASS or AUTH. Answered by `login_accepted` once the maildrop is locked, or by `login_refused`."""

    credentials: Credentials


@dataclass(frozen=True, slots=True)
class Retrieve:
    """RETR, or TOP where `lines` (of the body) is given. `message_number` counts from 1 and exists.

    Answered by `message_started`, any number of `message_part`, `message_finished`; or by `message_refused`.
    """

    message_number: int
    lines: int | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """QUIT: the messages with these numbers are to be removed, then the lock is given back (RFC 1939 section 6).

    Answered by `update_finished`. Comes with nothing to remove too, for the lock.
    """

    deleted: tuple[int, ...]


class LoginRefusal(Enum):
    """Why nobody is logged in; the value is the response code (RFC 2449 section 8.1.1, RFC 3206 section 4)."""

    WRONG_CREDENTIALS = "AUTH"
    MAILDROP_IN_USE = "IN-USE"
    TEMPORARY = "SYS/TEMP"


Pop3Question = LoginAttempt | Retrieve | Update
Pop3Event = Pop3Question | StartTls | Breather | Close
