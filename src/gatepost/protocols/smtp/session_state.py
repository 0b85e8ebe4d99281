"""What the server knows in the middle of a conversation, and what a command may lead to.

Written by the engine and by the command functions; thrown away as a whole when TLS begins.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from gatepost.protocols.sasl import SaslExchange
from gatepost.protocols.smtp.content import MessageContent
from gatepost.protocols.smtp.events import MessageReceived, RecipientGiven, SenderGiven, SmtpQuestion
from gatepost.protocols.smtp.replies import Reply
from gatepost.protocols.smtp.settings import SmtpSettings


class Phase(Enum):
    """How far a session and its mail transaction have come (RFC 5321 section 4.1.4)."""

    CONNECTED = "the client has not said who it is"
    READY = "no mail transaction"
    SENDER = "MAIL was accepted"
    RECIPIENTS = "at least one RCPT was accepted"
    CHUNKS = "at least one BDAT was accepted"


@dataclass(slots=True)
class Transaction:
    """An open mail transaction. `content` is there from the first BDAT on."""

    sender: SenderGiven
    recipients: list[RecipientGiven] = field(default_factory=list)
    content: MessageContent | None = None


@dataclass(slots=True)
class SessionState:
    """`is_extended`: the client began with EHLO or LHLO."""

    settings: SmtpSettings
    is_tls: bool
    client_name: str = ""
    is_extended: bool = False
    is_authenticated: bool = False
    transaction: Transaction | None = None

    @property
    def phase(self) -> Phase:
        """Where the conversation stands."""
        if not self.client_name:
            return Phase.CONNECTED
        match self.transaction:
            case None:
                return Phase.READY
            case Transaction(content=MessageContent()):
                return Phase.CHUNKS
            case Transaction(recipients=[]):
                return Phase.SENDER
            case _:
                return Phase.RECIPIENTS

    @property
    def offers_starttls(self) -> bool:
        """Whether STARTTLS may come now."""
        return self.settings.offers_tls and not self.is_tls

    @property
    def may_log_in(self) -> bool:
        """Whether passwords may travel over this connection."""
        return self.settings.offers_auth and (self.is_tls or self.settings.may_auth_in_clear)

    def new_content(self) -> MessageContent:
        """An empty message under the limits of the listener."""
        limits = self.settings.limits
        return MessageContent(size_limit=limits.message_octets, line_limit=limits.text_line)

    def open_transaction(self) -> Transaction:
        """The transaction, in a phase that has one. Raises RuntimeError elsewhere: then the command table is wrong."""
        if self.transaction is None:
            raise RuntimeError("no mail transaction is open")
        return self.transaction

    def message_received(self, content: bytes) -> MessageReceived:
        """The event for the finished message of the open transaction."""
        transaction = self.open_transaction()
        sender = transaction.sender
        keyword = self.settings.dialect.with_keyword(
            is_extended=self.is_extended,
            is_utf8=sender.parameters.is_utf8,
            is_tls=self.is_tls,
            is_authenticated=self.is_authenticated,
        )
        return MessageReceived(content, sender, tuple(transaction.recipients), self.client_name, keyword)


# --- what a command leads to ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ExtensionList:
    """A positive answer to EHLO or LHLO."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReadAuthResponse:
    """Send the challenge; the next line is the client's answer to it."""

    exchange: SaslExchange
    challenge: bytes


@dataclass(frozen=True, slots=True)
class ReadMessage:
    """What comes next is a message that ends with a dot (DATA)."""


@dataclass(frozen=True, slots=True)
class ReadChunk:
    """The next `size` octets are a piece of a message (BDAT); they are thrown away where `refusal` is set."""

    size: int
    is_last: bool
    refusal: Reply | None


@dataclass(frozen=True, slots=True)
class BeginTls:
    """STARTTLS, when nothing is pipelined behind it."""


@dataclass(frozen=True, slots=True)
class Hangup:
    """Send the reply, then close."""

    reply: Reply


Outcome = Reply | ExtensionList | SmtpQuestion | ReadAuthResponse | ReadMessage | ReadChunk | BeginTls | Hangup
