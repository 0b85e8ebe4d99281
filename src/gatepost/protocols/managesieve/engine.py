"""The ManageSieve server's state machine. Implements `protocols.engine.Engine`; driven by a conversation.

The non-authenticated and the authenticated state are told apart by whether there is an owner (RFC 5804 section 1.1).
"""

from __future__ import annotations

from collections.abc import Sequence

from gatepost.protocols.engine import COMMANDS_IN_ONE_GO, Breather, Close, Refusal, StartTls
from gatepost.protocols.managesieve import authentication
from gatepost.protocols.managesieve.authentication import Challenge
from gatepost.protocols.managesieve.command_reader import Atom, CommandReader, LiteralTooLong, Token, Unreadable
from gatepost.protocols.managesieve.events import ManageSieveEvent, ManageSieveQuestion
from gatepost.protocols.managesieve.responses import FAREWELL, Response, ResponseCode, bye, mistake, no, ok
from gatepost.protocols.managesieve.script_commands import SCRIPT_COMMANDS, TOO_LARGE, script_question
from gatepost.protocols.managesieve.settings import ManageSieveSettings
from gatepost.protocols.managesieve.strings import encode_literal, encode_string
from gatepost.protocols.sasl import MECHANISMS, SaslExchange

_MOST_BUFFERED = 65536  # octets of pipelined commands that wait for an answer

Outcome = Response | Challenge | StartTls | ManageSieveQuestion


class ManageSieveEngine:
    """One ManageSieve conversation, server side."""

    def __init__(self, settings: ManageSieveSettings) -> None:
        self._settings = settings
        self._limits = settings.limits
        self._input = CommandReader(line_limit=self._limits.line, literal_limit=self._limits.login_literal)
        self._output: list[bytes] = []
        self._is_tls = settings.is_tls
        self._owner: str | None = None
        self._exchange: SaslExchange | None = None
        self._unanswered: ManageSieveQuestion | StartTls | Breather | None = None
        self._bad_commands = self._failed_logins = self._commands_before_login = self._answered_in_one_go = 0
        self._has_eof = self._is_hanging_up = self._is_closed = False

    # --- the conversation's side --------------------------------------------------------------------------------------

    def start(self) -> None:
        """Queue the capabilities as greeting (RFC 5804 section 1.1)."""
        self._say(self._capabilities(f"{self._settings.hostname} gatepost ManageSieve ready"))

    def receive_data(self, data: bytes) -> None:
        """Take octets. What comes in clear between STARTTLS and TLS ends the session (RFC 5804 section 2.2)."""
        if isinstance(self._unanswered, StartTls):
            self._is_hanging_up = True
        elif not self._is_closed:
            self._input.feed(data)

    def receive_eof(self) -> None:
        """The client sends nothing more."""
        self._has_eof = True

    def next_event(self) -> ManageSieveEvent | None:
        """The next thing to do: a question, StartTls, Breather, or Close."""
        while not self._is_closed:
            if self._is_hanging_up:
                self._is_closed = True
                return Close()
            if self._unanswered is not None:
                return None
            try:
                read = self._input.read()
            except LiteralTooLong:
                self._follow(bye("The literal is too long", ResponseCode.QUOTA_MAXSIZE))
                continue
            if read is not None:
                event = self._follow(self._obey(read)) or self._breather()
                if event is not None:
                    return event
            elif self._has_eof:
                self._is_hanging_up = True
            else:
                return None
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
        """Forget what was said in clear; the capabilities are given again (RFC 5804 section 2.2)."""
        self._unanswered = None
        self._input.clear()
        self._is_tls = True
        self._say(self._capabilities("TLS negotiation successful"))

    def refuse(self, refusal: Refusal) -> None:
        """Queue BYE with its reason."""
        if not self._is_closed and not self._is_hanging_up:
            self._output.append(FAREWELL[refusal].encode())
        self._is_closed = True
        self._input.clear()

    @property
    def state_name(self) -> str:
        """RFC 5804 section 1.1."""
        return "non-authenticated" if self._owner is None else "authenticated"

    @property
    def wants_input(self) -> bool:
        """False while many pipelined commands wait."""
        return len(self._input) < _MOST_BUFFERED

    @property
    def idle_timeout(self) -> float:
        """Seconds."""
        return self._limits.login_seconds if self._owner is None else self._limits.idle_seconds

    def go_on(self) -> None:
        """Breather is over."""
        self._answered_in_one_go = 0
        self._unanswered = None

    # --- answers --------------------------------------------------------------------------------------------------------

    def login_accepted(self, owner: str) -> None:
        """The answer to LoginAttempt. `owner`: the login name, shown as capability (RFC 5804 section 1.7)."""
        self._owner = owner
        self._input.literal_limit = self._limits.script
        self._answer(ok("Logged in"))

    def login_refused(self, *, is_temporary: bool) -> None:
        """The other answer to LoginAttempt. Too many of them end the session."""
        self._failed_logins += 1
        if self._failed_logins >= self._limits.failed_logins:
            self._answer(bye("Too many failed logins"))
        elif is_temporary:
            self._answer(no("Temporary failure, try again later", ResponseCode.TRYLATER))
        else:
            self._answer(no("Authentication failed"))

    def accept(self, text: str, *, warning: str | None = None) -> None:
        """OK, with what the script's owner should know (RFC 5804 section 1.3, WARNINGS)."""
        self._answer(ok(text) if warning is None else ok(warning, ResponseCode.WARNINGS))

    def reject(self, text: str, code: ResponseCode | None = None) -> None:
        """NO."""
        self._answer(no(text, code))

    def give_script(self, text: bytes) -> None:
        """The answer to GetScript."""
        self._output.append(encode_literal(text) + b"\r\n")
        self._answer(ok("That is it"))

    def list_scripts(self, scripts: Sequence[tuple[str, bool]]) -> None:
        """The answer to ListScripts: names, and whether each is active."""
        for name, is_active in scripts:
            self._output.append(encode_string(name) + (b" ACTIVE\r\n" if is_active else b"\r\n"))
        self._answer(ok("That is all"))

    # --- commands -------------------------------------------------------------------------------------------------------

    def _obey(self, read: tuple[Token, ...] | Unreadable) -> Outcome:
        if self._owner is None:
            self._commands_before_login += 1
            if self._commands_before_login > self._limits.commands_before_login:
                return bye("Too many commands without a login")
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            return authentication.respond(exchange, read)
        match read:
            case Unreadable(is_too_large=True):
                return TOO_LARGE
            case Unreadable():
                return mistake(read.text)
            case [Atom(name), *arguments]:
                return self._command(name, arguments)
            case []:
                return mistake("A command expected")
            case _:
                return mistake("A command begins with its name")

    def _command(self, name: str, arguments: list[Token]) -> Outcome:
        match name, arguments:
            case "AUTHENTICATE", _:
                return self._authenticate(arguments)
            case "STARTTLS", []:
                return self._begin_tls()
            case "LOGOUT", []:
                self._is_hanging_up = True
                return ok("Bye")
            case "CAPABILITY", []:
                return self._capabilities("That is all")
            case "NOOP", []:
                return ok("Done")
            case "NOOP", [bytes(tag)]:  # it comes back, so that a client knows where it is (RFC 5804 section 2.13)
                return Response("OK", "Done", ResponseCode.TAG, code_argument=tag.decode("utf-8", "replace"))
            case "UNAUTHENTICATE", []:
                return self._unauthenticate()
            case "STARTTLS" | "LOGOUT" | "CAPABILITY" | "NOOP" | "UNAUTHENTICATE", _:
                return mistake(f"Wrong arguments for {name}")
        if name not in SCRIPT_COMMANDS:
            return mistake("Unknown command")
        if self._owner is None:
            return mistake("Log in first")
        return script_question(name, arguments, self._limits.script)

    def _capabilities(self, text: str) -> Response:
        """RFC 5804 section 1.7. The mechanisms are only named where they may be used."""
        capabilities = {
            "IMPLEMENTATION": "gatepost",
            "SASL": " ".join(MECHANISMS) if self._may_log_in else "",
            "SIEVE": " ".join(self._settings.extensions),
            "VERSION": "1.0",
        }
        if self._owner is not None:
            capabilities["OWNER"] = self._owner
        for name, value in capabilities.items():
            self._output.append(encode_string(name) + b" " + encode_string(value) + b"\r\n")
        if self._offers_starttls:
            self._output.append(b'"STARTTLS"\r\n')
        self._output.append(b'"UNAUTHENTICATE"\r\n')
        return ok(text)

    def _authenticate(self, arguments: list[Token]) -> Outcome:
        if self._owner is not None:
            return mistake("Already logged in")
        if not self._may_log_in:
            advice = "use STARTTLS first" if self._offers_starttls else "connect with TLS"
            return mistake(f"Logging in needs TLS here: {advice}", ResponseCode.ENCRYPT_NEEDED)
        return authentication.begin(arguments)

    def _begin_tls(self) -> Response | StartTls:
        if self._is_tls or self._owner is not None:
            return mistake("STARTTLS is not possible now")
        if not self._settings.offers_tls:
            return mistake("TLS is not offered here")
        if len(self._input):
            return bye("Nothing may follow STARTTLS before TLS has begun")
        self._output.append(ok("Begin TLS negotiation now").encode())
        return StartTls()

    def _unauthenticate(self) -> Response:
        if self._owner is None:
            return mistake("Not logged in")
        self._owner = None
        self._input.literal_limit = self._limits.login_literal
        return ok("Logged out")

    @property
    def _may_log_in(self) -> bool:
        return self._is_tls or self._settings.may_auth_in_clear

    @property
    def _offers_starttls(self) -> bool:
        return self._settings.offers_tls and not self._is_tls and self._owner is None

    # --- what an outcome leads to -----------------------------------------------------------------------------------------

    def _follow(self, outcome: Outcome) -> ManageSieveEvent | None:
        match outcome:
            case Response():
                self._say(outcome)
                return None
            case Challenge(exchange, line):
                self._exchange = exchange
                self._output.append(line)
                return None
            case _:
                self._unanswered = outcome
                return outcome

    def _answer(self, response: Response) -> None:
        self._unanswered = None
        self._say(response)

    def _say(self, response: Response) -> None:
        self._output.append(response.encode())
        self._bad_commands += response.is_mistake
        self._is_hanging_up |= response.condition == "BYE"
        if self._bad_commands >= self._limits.bad_commands and not self._is_hanging_up:
            self._say(bye("Too many bad commands"))
