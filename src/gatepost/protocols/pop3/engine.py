"""The POP3 server's state machine. Implements `protocols.engine.Engine`; driven by a conversation of the room `session`.

AUTHORIZATION and TRANSACTION are told apart by whether there is a maildrop; UPDATE is the time until `update_finished`.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

from gatepost.protocols.engine import COMMANDS_IN_ONE_GO, Breather, Close, Refusal, StartTls
from gatepost.protocols.framing.octet_buffer import LineTooLong, OctetBuffer
from gatepost.protocols.pop3.authorization import Authorization
from gatepost.protocols.pop3.commands import BeginTls, Challenge, Command, Hangup, Outcome
from gatepost.protocols.pop3.dot_stuffing import DotStuffing
from gatepost.protocols.pop3.events import LoginRefusal, MaildropMessage, Pop3Event, Pop3Question
from gatepost.protocols.pop3.maildrop import Maildrop
from gatepost.protocols.pop3.replies import FAREWELL, LOGIN_REFUSED, Reply, err, mistake, ok
from gatepost.protocols.pop3.settings import Pop3Settings

_OCTETS_OF_AN_ANSWER = 1024  # a listing of a large maildrop counts as many answers
_MOST_BUFFERED = 65536  # octets of pipelined commands that wait for an answer

# What a command that the present state does not know is told; each belongs to one state alone.
_OTHER_STATE = {
    **dict.fromkeys(("STAT", "LIST", "UIDL", "RETR", "TOP", "DELE", "NOOP", "RSET"), "Log in first"),
    **dict.fromkeys(("USER", "PASS", "AUTH", "STLS"), "Already logged in"),
}


class Pop3Engine:
    """One POP3 conversation, server side."""

    def __init__(self, settings: Pop3Settings) -> None:
        self._settings = settings
        self._limits = settings.limits
        self._input = OctetBuffer(accept_bare_lf=True)
        self._output: list[bytes] = []
        self._authorization = Authorization(settings, is_tls=settings.is_tls)
        self._maildrop: Maildrop | None = None
        self._stuffing = DotStuffing()
        self._is_in_message = False
        self._unanswered: Pop3Question | StartTls | Breather | None = None
        self._bad_commands = self._failed_logins = self._commands_before_login = self._answered_in_one_go = 0
        self._has_eof = self._is_hanging_up = self._is_closed = False

    # --- the conversation's side --------------------------------------------------------------------------------------

    def start(self) -> None:
        """Queue the greeting, without a timestamp: APOP is not offered (RFC 1939 section 7)."""
        self._queue(ok(f"{self._settings.hostname} gatepost POP3 ready"))

    def receive_data(self, data: bytes) -> None:
        """Take octets. What comes in clear between STLS and TLS ends the session (RFC 2595 section 3.1)."""
        if isinstance(self._unanswered, StartTls):
            self._is_hanging_up = True
        elif not self._is_closed:
            self._input.feed(data)

    def receive_eof(self) -> None:
        """The client sends nothing more."""
        self._has_eof = True

    def next_event(self) -> Pop3Event | None:
        """The next thing to do: a question, StartTls, Breather, or Close."""
        while not self._is_closed:
            if self._is_hanging_up:
                return self._close()
            if self._unanswered is not None:
                return None
            try:
                line = self._input.take_line(self._limits.line)
            except LineTooLong:
                self._authorization.abandon_exchange()
                self._follow(mistake("Line too long"))
                continue
            if line is None:
                return self._close() if self._has_eof else None
            event = self._follow(self._obey(line)) or self._breather()
            if event is not None:
                return event
        return None

    def _breather(self) -> Breather | None:
        self._answered_in_one_go += 1
        if self._answered_in_one_go < COMMANDS_IN_ONE_GO:
            return None
        self._unanswered = Breather()
        return self._unanswered

    def data_to_send(self) -> bytes:
        """Everything queued since the last call."""
        queued = b"".join(self._output)
        self._output.clear()
        return queued

    def tls_established(self) -> None:
        """Forget what was said in clear (RFC 2595 section 4)."""
        self._unanswered = None
        self._input.clear()
        self._authorization = Authorization(self._settings, is_tls=True)

    def refuse(self, refusal: Refusal) -> None:
        """Queue the farewell, except inside a message, where it would be taken for a part of it."""
        farewell = FAREWELL[refusal]
        if farewell is not None and not (self._is_in_message or self._is_hanging_up or self._is_closed):
            self._queue(farewell)
        self._is_closed = True
        self._input.clear()

    @property
    def state_name(self) -> str:
        """RFC 1939 section 3."""
        return "authorization" if self._maildrop is None else "transaction"

    @property
    def wants_input(self) -> bool:
        """False while many pipelined commands wait."""
        return len(self._input) < _MOST_BUFFERED

    @property
    def idle_timeout(self) -> float:
        """Seconds."""
        return self._limits.login_seconds if self._maildrop is None else self._limits.idle_seconds

    def go_on(self) -> None:
        """Breather is over."""
        self._answered_in_one_go = 0
        self._unanswered = None

    # --- answers --------------------------------------------------------------------------------------------------------

    def login_accepted(self, messages: Sequence[MaildropMessage]) -> None:
        """The answer to LoginAttempt: the maildrop is locked and holds these messages."""
        self._unanswered = None
        self._maildrop = Maildrop(messages)
        self._queue(ok(f"Maildrop has {len(messages)} messages"))

    def login_refused(self, refusal: LoginRefusal) -> None:
        """The other answer to LoginAttempt. Too many of them end the session."""
        self._unanswered = None
        self._failed_logins += 1
        self._is_hanging_up = self._failed_logins >= self._limits.failed_logins
        self._queue(LOGIN_REFUSED[refusal])

    def message_started(self, size: int) -> None:
        """The answer to Retrieve begins; `size` of the whole message in octets."""
        self._stuffing, self._is_in_message = DotStuffing(), True
        self._queue(ok(f"{size} octets"))

    def message_part(self, part: bytes) -> None:
        """Some more of the message, cut anywhere."""
        self._output.append(self._stuffing.encode(part))

    def message_finished(self) -> None:
        """That was all of the message."""
        self._output.append(self._stuffing.finish())
        self._unanswered, self._is_in_message = None, False

    def message_broken_off(self) -> None:
        """The rest of the message cannot be read: all that is left is to end the session."""
        self._unanswered = None
        self._is_hanging_up = True

    def message_refused(self, *, is_temporary: bool) -> None:
        """The other answer to Retrieve: the message is gone, or cannot be read now."""
        self._unanswered = None
        self._queue(err("Try again later", "SYS/TEMP") if is_temporary else err("The message is gone"))

    def update_finished(self, *, is_complete: bool) -> None:
        """The answer to Update. `is_complete`: everything that was marked is removed (RFC 1939 section 6)."""
        self._unanswered = None
        self._is_hanging_up = True
        self._queue(ok("Bye") if is_complete else err("Some deleted messages not removed", "SYS/TEMP"))

    # --- commands -------------------------------------------------------------------------------------------------------

    def _obey(self, line: bytes) -> Outcome:
        if self._maildrop is None:
            self._commands_before_login += 1
            if self._commands_before_login > self._limits.commands_before_login:
                return Hangup(err("Too many commands without a login"))
            outcome = self._authorization.respond(line)
            if outcome is not None:
                return outcome
        command = Command.parse(line)
        if command.keyword == "CAPA":
            return self._authorization.capabilities(is_logged_in=self._maildrop is not None)
        state = self._maildrop or self._authorization
        return state.obey(command) or mistake(_OTHER_STATE.get(command.keyword, "Unknown command"))

    def _follow(self, outcome: Outcome) -> Pop3Event | None:
        match outcome:
            case Reply():
                self._reply(outcome)
                return None
            case Challenge():
                self._output.append(b"+ " + base64.b64encode(outcome.octets) + b"\r\n")
                return None
            case Hangup():
                self._queue(outcome.reply)
                self._is_hanging_up = True
                return None
            case BeginTls():
                return self._begin_tls()
            case _:
                self._unanswered = outcome
                return outcome

    def _reply(self, reply: Reply) -> None:
        self._queue(reply)
        self._bad_commands += reply.is_mistake
        if self._bad_commands >= self._limits.bad_commands:
            self._queue(err("Too many bad commands"))
            self._is_hanging_up = True

    def _begin_tls(self) -> StartTls | None:
        if len(self._input):
            self._queue(err("Nothing may follow STLS before TLS has begun"))
            self._is_hanging_up = True
            return None
        self._queue(ok("Begin TLS negotiation"))
        self._unanswered = StartTls()
        return self._unanswered

    def _queue(self, reply: Reply) -> None:
        octets = reply.encode()
        self._output.append(octets)
        self._answered_in_one_go += len(octets) // _OCTETS_OF_AN_ANSWER

    def _close(self) -> Close:
        self._is_closed = True
        self._input.clear()
        return Close()
