"""What the engine asks the world about. Read by `session.managesieve_reactions`.

Script names are valid and in normal form (RFC 5804 section 1.6). `StartTls` and `Close` of `gatepost.protocols.engine`
come beside these and are for the conversation itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from gatepost.protocols.engine import Breather, Close, StartTls
from gatepost.protocols.sasl import Credentials


@dataclass(frozen=True, slots=True)
class LoginAttempt:
    """AUTHENTICATE. Answered by `login_accepted` or `login_refused`."""

    credentials: Credentials


@dataclass(frozen=True, slots=True)
class HaveSpace:
    """Would a script of so many octets (within the limit) be taken? Answered by `accept` or `reject`."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class PutScript:
    """Check and store. Answered by `accept` or `reject`."""

    name: str
    text: bytes


@dataclass(frozen=True, slots=True)
class CheckScript:
    """Check only. Answered by `accept` or `reject`."""

    text: bytes


@dataclass(frozen=True, slots=True)
class ListScripts:
    """Answered by `list_scripts` or `reject`."""


@dataclass(frozen=True, slots=True)
class SetActive:
    """Make it the one active script; None: no script is active any more. Answered by `accept` or `reject`."""

    name: str | None


@dataclass(frozen=True, slots=True)
class GetScript:
    """Answered by `give_script` or `reject`."""

    name: str


@dataclass(frozen=True, slots=True)
class DeleteScript:
    """Answered by `accept` or `reject`."""

    name: str


@dataclass(frozen=True, slots=True)
class RenameScript:
    """Answered by `accept` or `reject`."""

    old_name: str
    new_name: str


ScriptQuestion = HaveSpace | PutScript | CheckScript | ListScripts | SetActive | GetScript | DeleteScript | RenameScript
ManageSieveQuestion = LoginAttempt | ScriptQuestion
ManageSieveEvent = ManageSieveQuestion | StartTls | Breather | Close
