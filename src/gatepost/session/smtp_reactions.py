"""What an SMTP or LMTP session does in the world: logs in, says whose mail is taken from and for whom, delivers.

Implements `session.reactions.Reactions` for `protocols.smtp.engine.SmtpEngine`. Here stands the rule that keeps the server
from being an open relay: who has not logged in may send to addresses of this server only, whatever the port.
"""

from __future__ import annotations

from collections.abc import Sequence

from gatepost.mail.delivery import Deliverer, IncomingMessage, Outcome
from gatepost.mail.directory import Directory, DirectoryAccount, NoSuchRecipient
from gatepost.mail.trace_fields import Arrival
from gatepost.protocols.sasl import Credentials
from gatepost.protocols.smtp.engine import SmtpEngine
from gatepost.protocols.smtp.events import LoginAttempt, MessageReceived, RecipientGiven, SenderGiven
from gatepost.protocols.smtp.replies import LOGIN_TEMPORARILY_REFUSED, TEMPORARY_FAILURE, WRONG_CREDENTIALS, Reply
from gatepost.protocols.smtp.settings import SmtpSettings
from gatepost.session.authentication import authenticate_credentials
from gatepost.session.link import Link
from gatepost.session.reactions import AuthenticationFailed, Authenticator
from gatepost.store.interface import Busy, StoreError
from gatepost.telemetry import events
from gatepost.telemetry.events import Event

_NOT_YOUR_ADDRESS = Reply(553, "5.7.1", "Sender address is not one of your own")
_NO_SUCH_USER = Reply(550, "5.1.1", "No such user here")
_RELAYING_DENIED = Reply(550, "5.7.1", "Relaying denied")
_LOCAL_DOMAINS_ONLY = Reply(550, "5.7.1", "This server does not send to other domains")
_NO_ROOM = Reply(452, "4.2.2", "Mailbox is full")
_LOOP = Reply(554, "5.4.6", "Mail loop: the message was here before")


class SmtpReactions:
    """One session's reactions."""

    def __init__(
        self,
        engine: SmtpEngine,
        link: Link,
        authenticator: Authenticator,
        directory: Directory,
        deliverer: Deliverer,
        settings: SmtpSettings,
    ) -> None:
        self._engine = engine
        self._link = link
        self._authenticator = authenticator
        self._directory = directory
        self._deliverer = deliverer
        self._settings = settings
        self._logged_in: DirectoryAccount | None = None

    async def react(self, event: object) -> None:
        """Answer one event of the engine, when the client has taken enough of the answers before."""
        await self._link.drained()
        match event:
            case LoginAttempt(credentials=credentials):
                await self._log_in(credentials)
            case SenderGiven():
                await self._judge_sender(event)
            case RecipientGiven():
                await self._judge_recipient(event)
            case MessageReceived():
                await self._deliver(event)
            case _:
                raise TypeError(f"no SMTP event: {type(event).__name__}")

    def may_react_at_once(self, event: object) -> bool:
        """A sender who has not logged in may call itself what it likes: what counts then is the recipient."""
        return isinstance(event, SenderGiven) and (self._account is None or event.reverse_path is None)

    def react_at_once(self, event: object) -> None:
        """Accept the sender."""
        del event  # may_react_at_once has looked at it
        self._engine.accept()

    async def ended(self) -> None:
        """Nothing is held."""

    @property
    def _account(self) -> DirectoryAccount | None:
        """Who has logged in. The engine forgets it when TLS begins (RFC 3207 section 4.2)."""
        return self._logged_in if self._engine.is_authenticated else None

    # --- logging in

    async def _log_in(self, credentials: Credentials) -> None:
        try:
            account = await authenticate_credentials(self._authenticator, credentials, self._link.peer)
        except AuthenticationFailed as failure:
            self._engine.reject(LOGIN_TEMPORARILY_REFUSED if failure.is_temporary else WRONG_CREDENTIALS)
        else:
            self._logged_in = account
            self._link.authenticated(account.id, account.login_name)
            self._engine.accept()

    # --- envelope

    async def _judge_sender(self, event: SenderGiven) -> None:
        try:
            is_allowed = await self._may_send_as(event)
        except StoreError as error:
            _log_store_failure(error)
            self._engine.reject(TEMPORARY_FAILURE)
            return
        if is_allowed:
            self._engine.accept()
        else:
            self._engine.reject(_NOT_YOUR_ADDRESS)

    async def _may_send_as(self, event: SenderGiven) -> bool:
        """Whoever has logged in sends as themselves. The directory is asked, so that `name+detail` is theirs too."""
        if self._account is None or event.reverse_path is None:
            return True
        owner = await self._directory.recipient(event.reverse_path.address)
        return isinstance(owner, DirectoryAccount) and owner.id == self._account.id

    async def _judge_recipient(self, event: RecipientGiven) -> None:
        try:
            refusal = await self._recipient_refusal(event)
        except StoreError as error:
            _log_store_failure(error)
            refusal = TEMPORARY_FAILURE
        if refusal is None:
            self._engine.accept()
        else:
            self._engine.reject(refusal)

    async def _recipient_refusal(self, event: RecipientGiven) -> Reply | None:
        match await self._directory.recipient(event.forward_path.address):
            case NoSuchRecipient.UNKNOWN:
                return _NO_SUCH_USER
            case NoSuchRecipient.NOT_LOCAL:
                return _RELAYING_DENIED if self._account is None else _LOCAL_DOMAINS_ONLY
            case DirectoryAccount() as account:
                has_room = await self._deliverer.has_room(account, event.sender.parameters.size or 0)
                return None if has_room else _NO_ROOM

    # --- message

    async def _deliver(self, event: MessageReceived) -> None:
        has_reply_each = self._settings.dialect.has_reply_per_recipient
        message = self._incoming(event)
        try:
            delivery = await self._deliverer.deliver(message, separately=has_reply_each)
        except StoreError as error:
            _log_store_failure(error)
            self._engine.answer_message([TEMPORARY_FAILURE] * (len(event.recipients) if has_reply_each else 1))
            return
        self._log_message(message, delivery.id, delivery.outcomes)
        taken = Reply(250, "2.0.0", f"Message taken, id {delivery.id}")
        answers = [_ANSWERS.get(outcome, taken) for outcome in delivery.outcomes]
        self._engine.answer_message(answers if has_reply_each else [_one_for_all(delivery.outcomes, taken)])

    def _incoming(self, event: MessageReceived) -> IncomingMessage:
        arrival = Arrival(
            event.client_name, self._link.peer.source_address, self._link.tls_description, event.with_keyword
        )
        recipients = [recipient.forward_path for recipient in event.recipients]
        return IncomingMessage(event.content, event.sender.reverse_path, recipients, arrival)

    def _log_message(self, message: IncomingMessage, delivery_id: str, outcomes: Sequence[Outcome]) -> None:
        events.info(
            Event.MESSAGE_RECEIVED,
            id=delivery_id,
            protocol=message.arrival.with_keyword,
            source=str(message.arrival.client_address),
            login=self._account.login_name if self._account else None,
            sender=str(message.reverse_path or ""),
            recipients=[str(recipient) for recipient in message.recipients],
            outcomes=[outcome.name.lower() for outcome in outcomes],
            octets=len(message.content),
        )


_ANSWERS = {
    Outcome.NO_SUCH_RECIPIENT: _NO_SUCH_USER,
    Outcome.LOOP: _LOOP,
    Outcome.NO_ROOM: _NO_ROOM,
    Outcome.HELD_BACK: TEMPORARY_FAILURE,
}


def _one_for_all(outcomes: Sequence[Outcome], taken: Reply) -> Reply:
    """The answer where there is one for all recipients: the first reason why nobody has the message, if there is any."""
    for outcome in outcomes:
        if outcome not in (Outcome.DELIVERED, Outcome.HELD_BACK):
            return _ANSWERS[outcome]
    return taken


def _log_store_failure(error: StoreError) -> None:
    if not isinstance(error, Busy):  # being busy is no fault
        events.error(Event.STORE_FAILED, reason=str(error))
