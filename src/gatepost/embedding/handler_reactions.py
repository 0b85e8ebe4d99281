"""The reactions of an SMTP or LMTP conversation in an embedded server: the program's handler is asked.

Implements `session.reactions.Reactions` for `protocols.smtp.engine.SmtpEngine`, like `session.smtp_reactions` for the mail
server. Code of the program runs here: whatever it raises or returns, the conversation goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import TypeVar

from gatepost.embedding.smtp_handler import (
    Address,
    Answer,
    Authenticate,
    SmtpClient,
    SmtpHandler,
    SmtpMessage,
    TlsFacts,
)
from gatepost.plan.plan import ProtocolName
from gatepost.protocols.smtp.engine import SmtpEngine
from gatepost.protocols.smtp.events import LoginAttempt, MessageReceived, RecipientGiven, SenderGiven
from gatepost.protocols.smtp.paths import Path
from gatepost.protocols.smtp.replies import LOGIN_TEMPORARILY_REFUSED, TEMPORARY_FAILURE, WRONG_CREDENTIALS, Reply
from gatepost.protocols.smtp.settings import LMTP, SMTP, Dialect
from gatepost.session.link import Link
from gatepost.session.reactions import ProtocolParts
from gatepost.telemetry import events
from gatepost.telemetry.events import Event
from gatepost.transport.connection_info import Endpoint
from gatepost.values.ids import Id
from gatepost.worker.connection import Connection
from gatepost.worker.sessions import MakeParts, smtp_settings

T = TypeVar("T")

_TAKEN = Reply(250, "2.0.0", "Message taken")


class HandlerConversations:
    """SMTP and LMTP of one embedded server."""

    def __init__(self, handlers: Mapping[ProtocolName, SmtpHandler], authenticate: Authenticate | None) -> None:
        self._handlers = handlers
        self._authenticate = authenticate

    def by_protocol(self) -> dict[ProtocolName, MakeParts]:
        """What ProtocolSessions takes."""
        dialects = {ProtocolName.SMTP: SMTP, ProtocolName.LMTP: LMTP}
        return {
            protocol: lambda connection, dialect=dialects[protocol], handler=handler: self._parts(  # type: ignore[misc]
                connection, dialect, handler
            )
            for protocol, handler in self._handlers.items()
        }

    def _parts(self, connection: Connection, dialect: Dialect, handler: SmtpHandler) -> ProtocolParts:
        settings = smtp_settings(connection, dialect, offers_auth=self._authenticate is not None)
        engine = SmtpEngine(settings)
        return ProtocolParts(
            engine, lambda link: HandlerReactions(engine, link, connection, handler, self._authenticate)
        )


class HandlerReactions:
    """Of one conversation."""

    def __init__(
        self,
        engine: SmtpEngine,
        link: Link,
        connection: Connection,
        handler: SmtpHandler,
        authenticate: Authenticate | None,
    ) -> None:
        self._engine = engine
        self._link = link
        self._connection = connection
        self._handler = handler
        self._authenticate = authenticate
        self._login_name: str | None = None

    async def react(self, event: object) -> None:
        """Answer one event of the engine, when the client has taken enough of the answers before."""
        await self._link.drained()
        match event:
            case LoginAttempt():
                await self._log_in(event)
            case SenderGiven(reverse_path=path):
                self._judge(await self._verdict(self._handler.sender(_text(path), self._client())))
            case RecipientGiven(forward_path=path, sender=sender):
                verdict = self._handler.recipient(_text(path), _text(sender.reverse_path), self._client())
                self._judge(await self._verdict(verdict))
            case MessageReceived():
                self._engine.answer_message(await self._message_answers(event))
            case _:
                raise TypeError(f"no SMTP event: {type(event).__name__}")

    def may_react_at_once(self, event: object) -> bool:
        """Whether nobody has anything to say about senders."""
        return isinstance(event, SenderGiven) and type(self._handler).sender is SmtpHandler.sender

    def react_at_once(self, event: object) -> None:
        """Accept the sender."""
        del event  # may_react_at_once has looked at it
        self._engine.accept()

    async def ended(self) -> None:
        """Nothing is held."""

    # --- what the program says

    async def _verdict(self, verdict: Awaitable[object]) -> Reply | None:
        try:
            return _reply(await _said(verdict))
        except Exception as error:
            self._log(error)
            return TEMPORARY_FAILURE

    def _judge(self, reply: Reply | None) -> None:
        if reply is None or _is_yes(reply):
            self._engine.accept(reply)
        else:
            self._engine.reject(reply)

    async def _log_in(self, event: LoginAttempt) -> None:
        credentials = event.credentials
        name, password = credentials.login_name, credentials.password.reveal()
        try:
            is_right = self._authenticate is not None and await _said(
                self._authenticate(name, password, self._client())
            )
        except Exception as error:
            self._log(error)
            self._engine.reject(LOGIN_TEMPORARILY_REFUSED)
            return
        # Nobody may act for somebody else (RFC 4616 section 2). Only True is a yes: a coroutine that was not awaited is none.
        if is_right is True and credentials.authorization_identity in ("", name):
            self._login_name = name
            self._link.authenticated(Id(name), name)
            self._engine.accept()
        else:
            self._engine.reject(WRONG_CREDENTIALS)

    async def _message_answers(self, event: MessageReceived) -> Sequence[Reply]:
        recipients = tuple(_text(recipient.forward_path) for recipient in event.recipients)
        message = SmtpMessage(
            sender=_text(event.sender.reverse_path),
            recipients=recipients,
            content=event.content,
            client=self._client(),
            protocol=event.with_keyword,
        )
        try:
            replies = _replies(await _said(self._handler.message(message)), recipients)
        except Exception as error:
            self._log(error)
            replies = [TEMPORARY_FAILURE] * len(recipients)
        if self._connection.policy.plan.protocol is ProtocolName.LMTP:
            return replies
        return [next((reply for reply in replies if not _is_yes(reply)), replies[0])]

    def _log(self, error: Exception) -> None:
        events.error(Event.HANDLER_FAILED, failure=error, listener=self._connection.policy.plan.name)

    # --- what the program is told

    def _client(self) -> SmtpClient:
        transport = self._connection.transport
        info, tls = transport.info, transport.tls
        return SmtpClient(
            listener=self._connection.policy.plan.name,
            source=_address(info.source_address),
            destination=_address(info.destination_address),
            peer=_address(info.peer_address),
            hello_name=self._engine.client_name,
            tls=None if tls is None else TlsFacts(tls.version, tls.cipher_suite, tls.server_name),
            proxy_header=info.proxy_header,
            login_name=self._login_name if self._engine.is_authenticated else None,
        )


async def _said(answer: Awaitable[T]) -> T:
    """What the program says. Where something that it waits for is cancelled, that is its failure, and not the end of the
    conversation."""
    try:
        return await answer
    except asyncio.CancelledError as error:
        conversation = asyncio.current_task()
        if conversation is None or conversation.cancelling():
            raise
        raise RuntimeError("what the handler waited for was cancelled") from error


def _text(path: Path | None) -> str:
    return "" if path is None else str(path)


def _address(endpoint: Endpoint) -> Address:
    return Address(str(endpoint[0]), endpoint[1])


def _is_yes(reply: Reply) -> bool:
    return reply.code < 300


def _reply(said: object) -> Reply | None:
    """What may be sent to a client. Raises TypeError, ValueError: a slip in the program must not take or refuse mail for good."""
    if said is None:
        return None
    if not isinstance(said, Reply):
        raise TypeError(f"a handler returns a Reply or None, not {type(said).__name__}")
    if not (200 <= said.code < 300 or 400 <= said.code < 600):
        raise ValueError(f"a reply of a handler is 2xx, 4xx or 5xx, not {said.code}")
    return said


def _replies(answer: Answer, recipients: Sequence[str]) -> list[Reply]:
    """One for each recipient. Raises as `_reply` does, and LookupError for a recipient that was forgotten."""
    if not isinstance(answer, Mapping):
        return [_reply(answer) or _TAKEN] * len(recipients)
    forgotten = [recipient for recipient in recipients if recipient not in answer]
    if forgotten:
        raise LookupError(f"the handler has no reply for {', '.join(forgotten)}")
    return [_reply(answer[recipient]) or _TAKEN for recipient in recipients]
