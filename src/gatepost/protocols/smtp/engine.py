"""The SMTP and LMTP engine, server side (RFC 5321, RFC 2033 and the extensions that EHLO lists).

Driven by a conversation as `gatepost.protocols.engine` says. `stream` cuts the octets, `commands` knows what a command
means, the reactions decide what the engine cannot know; this file joins them.
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence

from gatepost.protocols.engine import Close, Refusal, StartTls
from gatepost.protocols.sasl import SaslExchange
from gatepost.protocols.smtp import replies
from gatepost.protocols.smtp.auth_command import auth_response
from gatepost.protocols.smtp.commands import find_command, run_command
from gatepost.protocols.smtp.content import MessageContent
from gatepost.protocols.smtp.events import LoginAttempt, MessageReceived, RecipientGiven, SenderGiven, SmtpEvent
from gatepost.protocols.smtp.patience import Patience
from gatepost.protocols.smtp.replies import Reply
from gatepost.protocols.smtp.session_state import (
    BeginTls,
    ExtensionList,
    Hangup,
    Outcome,
    ReadAuthResponse,
    ReadChunk,
    ReadMessage,
    SessionState,
    Transaction,
)
from gatepost.protocols.smtp.settings import SmtpSettings
from gatepost.protocols.smtp.stream import AuthLine, BadLine, ChunkEnd, CommandLine, MessageEnd, SmtpStream

_BAD_COMMAND = frozenset({500, 501, 502, 504, 538, 555})
_FEW_OCTETS = 1024  # of a chunk that might as well have been a part of the one before it


class SmtpEngine:
    """One SMTP or LMTP conversation. See `gatepost.protocols.engine.Engine` for the rules of driving it.

    Events: LoginAttempt, SenderGiven, RecipientGiven (answered by `accept` or `reject`), MessageReceived (by
    `answer_message`), StartTls (by `tls_established`) and Close (nothing comes after it).
    """

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings
        self._state = SessionState(settings, settings.is_tls)
        self._stream = SmtpStream(settings.limits)
        self._patience = Patience(settings.limits)
        self._output = bytearray()
        self._unanswered: SmtpEvent | None = None
        self._exchange: SaslExchange | None = None
        self._chunk: ReadChunk | None = None
        self._is_eof = False
        self._is_ending = False

    # --- driven by the conversation

    def start(self) -> None:
        """Queue the greeting."""
        settings = self._settings
        self._queue(Reply(220, None, f"{settings.hostname} {settings.dialect.greeting_word} ready"))

    def receive_data(self, data: bytes) -> None:
        """Take octets as they came. Clear text between StartTls and TLS ends the conversation (RFC 3207 section 6)."""
        if self._is_ending:
            return
        if isinstance(self._unanswered, StartTls):
            self._hang_up(replies.PIPELINED_BEHIND_STARTTLS)
            return
        self._stream.feed(data)

    def receive_eof(self) -> None:
        """The client sends nothing more; a message without its end is dropped (RFC 5321 section 4.1.1.5)."""
        self._is_eof = True

    def next_event(self) -> SmtpEvent | None:
        """The next thing to do, or None while an event is unanswered or input is missing."""
        while self._unanswered is None and not self._is_ending:
            if not self._advance():
                self._is_ending = self._is_eof
                break
            if self._unanswered is not None:
                return self._unanswered
        if not self._is_ending or isinstance(self._unanswered, Close):
            return None
        self._unanswered = Close()
        return self._unanswered

    def data_to_send(self) -> bytes:
        """Everything queued since the last call."""
        data = bytes(self._output)
        self._output.clear()
        return data

    def tls_established(self) -> None:
        """Begin anew under TLS: the client has to say EHLO again, and nothing it said before counts."""
        if isinstance(self._unanswered, StartTls):
            self._state = SessionState(self._settings, is_tls=True)
            self._unanswered = None

    def refuse(self, refusal: Refusal) -> None:
        """Queue a 421; nothing is read any more."""
        self._hang_up(replies.farewell(refusal, self._settings.hostname))

    @property
    def state_name(self) -> str:
        """The phase of the session."""
        return self._state.phase.value

    @property
    def wants_input(self) -> bool:
        """Whether more may be read now."""
        return not self._is_ending and self._stream.has_room

    @property
    def idle_timeout(self) -> float:
        """Seconds to wait for the client."""
        return self._settings.limits.idle_seconds

    @property
    def is_authenticated(self) -> bool:
        """Whether the client has logged in, since TLS began where it has begun in between."""
        return self._state.is_authenticated

    @property
    def client_name(self) -> str:
        """What the client has called itself in HELO, EHLO or LHLO; nobody has checked it."""
        return self._state.client_name

    # --- answers to events. Once the conversation is ending, nobody waits for them any more.

    def accept(self, reply: Reply | None = None) -> None:
        """Yes to the LoginAttempt, SenderGiven or RecipientGiven handed out last; with the usual words by default."""
        if self._is_ending:
            return
        match self._unanswered:
            case LoginAttempt():
                self._state.is_authenticated = True
                self._queue(reply or replies.LOGGED_IN)
            case SenderGiven() as sender:
                self._state.transaction = Transaction(sender)
                self._queue(reply or replies.SENDER_OK)
            case RecipientGiven() as recipient:
                self._state.open_transaction().recipients.append(recipient)
                self._queue(reply or replies.RECIPIENT_OK)
            case _:
                raise RuntimeError("no question is open that could be accepted")
        self._unanswered = None

    def reject(self, reply: Reply) -> None:
        """No to the LoginAttempt, SenderGiven or RecipientGiven handed out last. Too many of them end the session."""
        if self._is_ending:
            return
        match self._unanswered:
            case LoginAttempt():
                excess = self._patience.failed_login()
            case SenderGiven():
                excess = self._patience.idle_command()
            case RecipientGiven():
                excess = self._patience.rejected_recipient()
            case _:
                raise RuntimeError("no question is open that could be rejected")
        self._unanswered = None
        self._queue_unless(excess, reply)

    def answer_message(self, answers: Sequence[Reply]) -> None:
        """The outcome for each recipient of the MessageReceived handed out last, in their order.

        SMTP has one reply for all of them (RFC 5321 section 4.1.1.4): it takes a sequence of one.
        """
        if self._is_ending:
            return
        if not isinstance(self._unanswered, MessageReceived):
            raise RuntimeError("no message waits for an answer")  # noqa: TRY004 - the moment is wrong, not a type
        expected = len(self._unanswered.recipients) if self._settings.dialect.has_reply_per_recipient else 1
        if len(answers) != expected:
            raise ValueError(f"{expected} replies are needed, not {len(answers)}")
        for answer in answers:
            self._queue(answer)
        self._patience.message_came()
        self._state.transaction = None
        self._unanswered = None

    # --- one unit of input after the other

    def _advance(self) -> bool:
        """Take one step. False where input is missing."""
        match self._stream.next_unit():
            case None:
                return False
            case CommandLine(text=text):
                self._run(text)
            case AuthLine(octets=octets) if self._exchange is not None:
                self._perform(auth_response(self._exchange, octets))
            case BadLine(reply=reply):
                self._perform(reply)
            case MessageEnd(content=content):
                self._message_complete(content)
            case ChunkEnd(content=chunk_content) if self._chunk is not None:
                self._chunk_complete(self._chunk, chunk_content)
        return True

    def _run(self, line: str) -> None:
        verb, _, argument = line.partition(" ")
        command = find_command(self._state, verb)
        if command is None:
            self._perform(replies.UNKNOWN_COMMAND)
            return
        excess = None if command.brings_mail else self._patience.idle_command()
        if excess is not None:
            self._hang_up(replies.too_much(self._settings.hostname, excess))
            return
        self._perform(run_command(self._state, command, argument))

    def _perform(self, outcome: Outcome) -> None:
        match outcome:
            case Reply():
                self._answer_command(outcome)
            case ExtensionList(lines=lines):
                self._output += replies.encode_lines(250, lines)
            case ReadAuthResponse(exchange=exchange, challenge=challenge):
                self._output += b"334 " + binascii.b2a_base64(challenge, newline=False) + b"\r\n"
                self._exchange = exchange
                self._stream.expect_auth_response()
            case ReadMessage():
                self._queue(replies.SEND_MESSAGE)
                self._stream.expect_message(self._state.new_content())
            case ReadChunk():
                self._begin_chunk(outcome)
            case BeginTls():
                self._begin_tls()
            case Hangup(reply=reply):
                self._hang_up(reply)
            case LoginAttempt() | SenderGiven() | RecipientGiven() | MessageReceived():
                self._unanswered = outcome

    def _answer_command(self, reply: Reply) -> None:
        """Whatever is refused is counted: a client that does not read could make us keep any number of answers.

        Most is not bad in itself. Who pipelines behind a refused RCPT cannot help it, and many RCPT are too many.
        """
        excess = None
        if reply.code in _BAD_COMMAND:
            excess = self._patience.bad_command()
        elif reply.code >= 400:
            excess = self._patience.idle_command()
        self._queue_unless(excess, reply)

    def _begin_tls(self) -> None:
        """Clear text behind STARTTLS would be taken for protected commands later: it ends the conversation."""
        if self._is_eof or not self._stream.is_empty:
            self._hang_up(replies.PIPELINED_BEHIND_STARTTLS)
            return
        self._queue(replies.READY_FOR_TLS)
        self._unanswered = StartTls()

    def _begin_chunk(self, chunk: ReadChunk) -> None:
        self._chunk = chunk
        content = None
        if chunk.refusal is None:
            transaction = self._state.open_transaction()
            content = transaction.content = transaction.content or self._state.new_content()
        self._stream.expect_chunk(chunk.size, content)

    def _chunk_complete(self, chunk: ReadChunk, content: MessageContent | None) -> None:
        if content is None:
            self._answer_command(chunk.refusal or replies.UNKNOWN_COMMAND)
        elif chunk.is_last:
            self._message_complete(content)
        elif content.is_too_big:
            self._state.transaction = None
            self._queue(replies.MESSAGE_TOO_BIG)
        else:
            excess = self._patience.idle_command() if chunk.size < _FEW_OCTETS else None
            self._queue_unless(excess, Reply(250, "2.0.0", f"{chunk.size} octets received"))

    def _message_complete(self, content: MessageContent) -> None:
        problem = content.problem()
        if problem is None:
            self._unanswered = self._state.message_received(content.octets())
            return
        has_reply_each = self._settings.dialect.has_reply_per_recipient
        for _ in range(len(self._state.open_transaction().recipients) if has_reply_each else 1):
            self._queue(problem)
        self._state.transaction = None

    def _queue(self, reply: Reply) -> None:
        self._output += reply.encode()

    def _queue_unless(self, excess: str | None, reply: Reply) -> None:
        if excess is None:
            self._queue(reply)
        else:
            self._hang_up(replies.too_much(self._settings.hostname, excess))

    def _hang_up(self, reply: Reply) -> None:
        self._queue(reply)
        self._stream.clear()
        self._is_ending = True
