"""What the engine asks the world about. Each event is answered by `accept`, `reject` or `answer_message` of the engine.

`StartTls` and `Close` of `gatepost.protocols.engine` come beside these and are for the conversation itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gatepost.protocols.engine import Close, StartTls
from gatepost.protocols.sasl import Credentials
from gatepost.protocols.smtp.parameters import MailParameters, RecipientParameters
from gatepost.protocols.smtp.paths import Path


@dataclass(frozen=True, slots=True)
class LoginAttempt:
    """Somebody says who they are (RFC 4954)."""

    credentials: Credentials


@dataclass(frozen=True, slots=True)
class SenderGiven:
    """MAIL. `reverse_path` is None for the null reverse-path `<>`."""

    reverse_path: Path | None
    parameters: MailParameters = field(default_factory=MailParameters)


@dataclass(frozen=True, slots=True)
class RecipientGiven:
    """RCPT. `sender` is what the transaction began with."""

    forward_path: Path
    sender: SenderGiven
    parameters: RecipientParameters = field(default_factory=RecipientParameters)


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A whole message for the recipients that were accepted, in the order in which they came.

    `client_name` is what the client said in its HELO, EHLO or LHLO; nobody has checked it. `with_keyword` is for the
    Received field (RFC 3848).
    """

    content: bytes
    sender: SenderGiven
    recipients: tuple[RecipientGiven, ...]
    client_name: str
    with_keyword: str


SmtpQuestion = LoginAttempt | SenderGiven | RecipientGiven | MessageReceived
SmtpEvent = SmtpQuestion | StartTls | Close
