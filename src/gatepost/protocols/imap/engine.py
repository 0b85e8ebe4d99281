"""The state machine of one IMAP connection, server side (RFC 3501). Implements `protocols.engine.Engine`.

What needs no store is answered here; every other command is handed out as an event of `commands`, and is answered by
`ok()`, `no()` or `bad()`, after as many `untagged()` as it takes. Until then nothing more is read from the input.
"""

from __future__ import annotations

from enum import Enum
from functools import partial
from typing import Generic

from gatepost.protocols.engine import COMMANDS_IN_ONE_GO, Breather, Close, Refusal, StartTls
from gatepost.protocols.framing.octet_buffer import LineTooLong
from gatepost.protocols.imap import commands
from gatepost.protocols.imap.command_parser import parse_command
from gatepost.protocols.imap.command_reader import Ask, CommandReader, RawCommand, Unreadable
from gatepost.protocols.imap.commands import Command
from gatepost.protocols.imap.errors import BadSyntax, CommandRefused
from gatepost.protocols.imap.immediate import capabilities_now, immediate_answer
from gatepost.protocols.imap.login import LoginGate
from gatepost.protocols.imap.mailbox_view import MailboxView, Message
from gatepost.protocols.imap.replies import Replies
from gatepost.protocols.imap.settings import ImapSettings
from gatepost.protocols.imap.states import ALLOWED_STATES, State
from gatepost.protocols.sasl import Credentials, SaslError

_FAREWELLS = {
    Refusal.TOO_MANY_CONNECTIONS: ("UNAVAILABLE", "Too many connections"),
    Refusal.SHUTTING_DOWN: ("UNAVAILABLE", "Server is shutting down"),
    Refusal.IDLE_TIMEOUT: ("", "Idle for too long"),
    Refusal.INTERNAL_ERROR: ("SERVERBUG", "Internal error"),
}


class _Mode(Enum):
    """What the next input is."""

    COMMANDS = "commands"
    AUTHENTICATING = "responses of a SASL exchange"
    IDLING = "DONE"
    CLOSING = "nothing: the connection is to be closed"
    CLOSED = "nothing"


def _literal_limit(settings: ImapSettings, gate: LoginGate, name: str) -> int:
    if not gate.is_authenticated:
        return settings.max_before_login
    return settings.max_message_size if name == "APPEND" else settings.max_literal


def _line_limit(settings: ImapSettings, gate: LoginGate) -> int:
    return settings.max_line if gate.is_authenticated else settings.max_before_login


class ImapEngine(Generic[Message]):
    """`view` is the selected mailbox, None while there is none.

    Two sides use it, and that is why it has many methods: the conversation (Engine) and the reactions (answers).
    """

    def __init__(self, settings: ImapSettings) -> None:
        self._settings = settings
        self._gate = LoginGate(settings)
        self._replies = Replies()
        self._reader = CommandReader(
            partial(_line_limit, settings, self._gate), partial(_literal_limit, settings, self._gate)
        )
        self._mode = _Mode.COMMANDS
        self._tag = b""
        self._is_answer_due = self._is_in_response = False
        self._enabled: set[str] = set()
        self._has_news = False
        self._is_at_eof = False
        self._bad_commands = self._commands_before_login = self._answered_in_one_go = 0
        self.view: MailboxView[Message] | None = None

    # --- Engine -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Queue the greeting (RFC 3501 section 7.1.1)."""
        self._replies.condition("OK", f"{self._settings.hostname} ready", self._capability_code())

    def receive_data(self, data: bytes) -> None:
        """Take octets as they came."""
        if self._mode not in (_Mode.CLOSING, _Mode.CLOSED):
            self._reader.feed(data)

    def receive_eof(self) -> None:
        """The client sends nothing more."""
        self._is_at_eof = True

    def next_event(self) -> object | None:
        """A command of `commands`, `StartTls`, `Breather`, `Close`, or None."""
        while not self._is_answer_due:
            match self._mode:
                case _Mode.COMMANDS:
                    is_input_used, event = self._next_command()
                case _Mode.AUTHENTICATING:
                    is_input_used, event = self._next_response()
                case _Mode.IDLING:
                    is_input_used, event = self._next_while_idling()
                case _Mode.CLOSING:
                    self._mode = _Mode.CLOSED
                    return Close()
                case _Mode.CLOSED:
                    return None
            if event is None and is_input_used:
                event = self._breather()
            if event is not None:
                self._is_answer_due = True
                return event
            if not is_input_used:
                if not self._is_at_eof:
                    return None
                self._mode = _Mode.CLOSING
        return None

    def _breather(self) -> Breather | None:
        self._answered_in_one_go += 1
        return Breather() if self._answered_in_one_go >= COMMANDS_IN_ONE_GO else None

    def data_to_send(self) -> bytes:
        """Everything queued since the last call."""
        return self._replies.take()

    def tls_established(self) -> None:
        """Nothing from before counts (RFC 3501 section 6.2.1)."""
        self._reader.clear()
        self._gate.is_tls = True
        self._is_answer_due = False

    def refuse(self, refusal: Refusal) -> None:
        """Queue BYE (RFC 3501 section 7.1.5), except inside a response, where it would be taken for a part of it."""
        if self._mode is not _Mode.CLOSED:
            code, text = _FAREWELLS[refusal]
            self._farewell(text, code)

    @property
    def state_name(self) -> str:
        """RFC 3501 section 3."""
        return self._state.value

    @property
    def wants_input(self) -> bool:
        """False while more is buffered than the longest command line."""
        return self._reader.wants_input

    @property
    def idle_timeout(self) -> float:
        """Short until the client has logged in."""
        return self._settings.idle_timeout if self._gate.is_authenticated else self._settings.login_timeout

    # --- answers ----------------------------------------------------------------------------------------------------

    def untagged(self, *lines: bytes) -> None:
        """Queue untagged responses, each without `* ` and line end."""
        for line in lines:
            self._replies.untagged(line)

    def untagged_in_pieces(self, piece: bytes, *, is_last: bool = False) -> None:
        """Queue some of an untagged response that is too large to be queued at once."""
        self._replies.raw(piece if self._is_in_response else b"* " + piece)
        self._is_in_response = not is_last
        if is_last:
            self._replies.raw(b"\r\n")

    def break_off(self) -> None:
        """A response cannot be completed: all that is left is to end the connection."""
        self._mode = _Mode.CLOSING
        self._is_answer_due = False
        self._reader.clear()

    def ok(self, text: str, code: str | bytes = "") -> None:
        """The command is done."""
        self._complete("OK", text, code)

    def no(self, text: str, code: str | bytes = "") -> None:
        """The command is refused or has failed; `code` is one of RFC 5530 or of the command's own RFC."""
        self._complete("NO", text, code)

    def bad(self, text: str) -> None:
        """The command makes no sense."""
        self._complete("BAD", text)
        self._count_bad_command()

    def bye(self, text: str) -> None:
        """The server has to end the connection."""
        self._farewell(text)

    def logged_in(self) -> None:
        """The credentials of `LogIn` are right."""
        self._gate.is_authenticated = True
        self._complete("OK", "Logged in", self._capability_code())

    def log_in_failed(self, *, is_temporary: bool) -> None:
        """They are not, or cannot be checked now. After a few of these the connection is closed."""
        if is_temporary:
            self._complete("NO", "Try again later", "UNAVAILABLE")
        else:
            self._complete("NO", "Authentication failed", "AUTHENTICATIONFAILED")
        if self._gate.failed():
            self._farewell("Too many failed logins")

    def mailbox_changed(self) -> None:
        """Somebody has changed the selected mailbox; a client that idles is told by `MailboxNews`."""
        self._has_news = True

    def go_on(self) -> None:
        """`Breather` is over."""
        self._answered_in_one_go = 0
        self._is_answer_due = False

    def news_shown(self) -> None:
        """`MailboxNews` is answered."""
        self._is_answer_due = False

    # --- input ------------------------------------------------------------------------------------------------------

    def _next_command(self) -> tuple[bool, object | None]:
        match self._reader.next_command():
            case None:
                return False, None
            case Ask():
                self._replies.continuation(b"OK")
                return True, None
            case Unreadable() as unreadable:
                self._answer_unreadable(unreadable)
                return True, None
            case RawCommand() as raw:
                return True, self._begin(raw)

    def _begin(self, raw: RawCommand) -> object | None:
        self._tag = raw.tag
        self._commands_before_login += not self._gate.is_authenticated
        if self._commands_before_login > self._settings.max_commands_before_login:
            self._farewell("Too many commands without a login")
            return None
        states = ALLOWED_STATES.get(raw.name)
        if states is None:
            self.bad("Unknown command")
        elif self._state not in states:
            self.bad(f"Not allowed in the {self._state.value} state")
        else:
            try:
                command = parse_command(raw)
            except BadSyntax as error:
                self.bad(str(error))
            except CommandRefused as refused:
                self.no(refused.text, refused.code)
            else:
                self._bad_commands = 0
                return self._execute(command)
        return None

    def _execute(self, command: Command) -> object | None:
        """Answer what needs no store; everything else is an event."""
        answer = immediate_answer(command, self._gate, self._enabled)
        if answer is not None:
            self._replies.untagged(answer[0])
            self.ok(answer[1])
            return None
        match command:
            case commands.Noop() if self.view is None:
                self.ok("Nothing done")
            case commands.Logout():
                self._replies.condition("BYE", "Logging out")
                self.ok("Logged out")
                self._mode = _Mode.CLOSING
            case commands.Idle():
                self._replies.continuation(b"Idling")
                self._mode = _Mode.IDLING
                self._has_news = True
            case commands.BeginTls():
                return self._begin_tls()
            case commands.Login() | commands.Authenticate():
                return self._begin_login(command)
            case _:
                return command
        return None

    def _next_while_idling(self) -> tuple[bool, object | None]:
        if self._has_news and self.view is not None:
            self._has_news = False
            return True, commands.MailboxNews()
        line = self._line()
        if line is None:
            return False, None
        self._mode = _Mode.COMMANDS
        if line.strip().upper() == b"DONE":
            self.ok("Idle ended")
        else:
            self.bad("Expected DONE")
        return True, None

    # --- logging in -------------------------------------------------------------------------------------------------

    def _begin_tls(self) -> StartTls | None:
        """Octets in clear behind the command end the connection: whoever put them there must not be believed."""
        if not self._gate.may_start_tls:
            self.bad("TLS is active already" if self._gate.is_tls else "TLS is not offered here")
            return None
        if self._reader.unread:
            self.bad("Commands behind STARTTLS are not accepted")
            self._farewell("Clear text behind STARTTLS")
            return None
        self.ok("Begin TLS negotiation now")
        return StartTls()

    def _begin_login(self, command: commands.Login | commands.Authenticate) -> object | None:
        try:
            return self._ask_or_log_in(self._gate.begin(command))
        except CommandRefused as refused:
            self.no(refused.text, refused.code)
        except SaslError as error:
            self.bad(f"Authentication ended: {error}")
        return None

    def _next_response(self) -> tuple[bool, object | None]:
        line = self._line()
        if line is None:
            return False, None
        try:
            return True, self._ask_or_log_in(self._gate.go_on(line))
        except SaslError as error:
            self._mode = _Mode.COMMANDS
            self.bad(f"Authentication ended: {error}")
            return True, None

    def _ask_or_log_in(self, outcome: bytes | Credentials) -> commands.LogIn | None:
        if isinstance(outcome, bytes):
            self._replies.continuation(outcome)
            self._mode = _Mode.AUTHENTICATING
            return None
        self._mode = _Mode.COMMANDS
        return commands.LogIn(outcome)

    # --- answers of its own -----------------------------------------------------------------------------------------

    @property
    def _state(self) -> State:
        if not self._gate.is_authenticated:
            return State.NOT_AUTHENTICATED
        return State.AUTHENTICATED if self.view is None else State.SELECTED

    def _capability_code(self) -> bytes:
        return b"CAPABILITY " + capabilities_now(self._gate)

    def _line(self) -> bytes | None:
        try:
            return self._reader.next_line()
        except LineTooLong:
            return b"\0"  # what is neither DONE nor base64 is refused as such

    def _complete(self, condition: str, text: str, code: str | bytes = "") -> None:
        self._replies.tagged(self._tag, condition, text, code)
        self._is_answer_due = False

    def _answer_unreadable(self, unreadable: Unreadable) -> None:
        tag = unreadable.tag or b"*"
        if unreadable.is_too_big and self._gate.is_authenticated:
            self._replies.tagged(tag, "NO", unreadable.text, "TOOBIG")
        else:
            self._replies.tagged(tag, "BAD", unreadable.text)
        if unreadable.is_hopeless:
            self._farewell("Too much to read")
        self._count_bad_command()

    def _count_bad_command(self) -> None:
        self._bad_commands += 1
        if self._bad_commands >= self._settings.max_bad_commands:
            self._farewell("Too many bad commands")

    def _farewell(self, text: str, code: str = "") -> None:
        if self._mode not in (_Mode.CLOSING, _Mode.CLOSED):
            if not self._is_in_response:
                self._replies.condition("BYE", text, code)
            self._mode = _Mode.CLOSING
            self._reader.clear()
