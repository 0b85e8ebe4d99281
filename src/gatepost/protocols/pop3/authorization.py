"""The AUTHORIZATION state: USER and PASS, AUTH, STLS, CAPA (RFC 1939 section 4, RFC 2449, 2595, 5034).

Pure; called by the engine. It says what the client claims to be; whether that is true is asked by LoginAttempt.
"""

from __future__ import annotations

from gatepost.protocols.pop3.commands import BeginTls, Challenge, Command, Hangup, Outcome, text
from gatepost.protocols.pop3.events import LoginAttempt
from gatepost.protocols.pop3.replies import Reply, err, mistake, ok
from gatepost.protocols.pop3.settings import Pop3Settings
from gatepost.protocols.sasl import MECHANISMS, Credentials, SaslError, SaslExchange, decode_base64
from gatepost.values.secret import Secret

_CANCEL = b"*"
_EMPTY_INITIAL_RESPONSE = b"="


class Authorization:
    """What is known of a client that has not logged in. Thrown away as a whole when TLS begins (RFC 2595 section 4)."""

    def __init__(self, settings: Pop3Settings, *, is_tls: bool) -> None:
        self._settings = settings
        self._is_tls = is_tls
        self._user: str | None = None
        self._exchange: SaslExchange | None = None

    def obey(self, command: Command) -> Outcome | None:
        """What a command leads to; None for one that this state does not know."""
        match command.keyword:
            case "USER":
                return self._name_user(command)
            case "PASS":
                return self._check_password(command)
            case "AUTH":
                return self._begin_exchange(command)
            case "STLS":
                return self._begin_tls()
            case "QUIT":
                return Hangup(ok("Bye"))
            case _:
                return None

    def capabilities(self, *, is_logged_in: bool) -> Reply:
        """CAPA (RFC 2449 section 5). What logs in is only named where it may be used now."""
        lines = ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "EXPIRE NEVER"]
        if self._may_log_in and not is_logged_in:
            lines += ["USER", f"SASL {' '.join(MECHANISMS)}"]
        if self._offers_stls and not is_logged_in:
            lines.append("STLS")
        return ok("Capability list follows", (*lines, "IMPLEMENTATION gatepost"))

    def respond(self, line: bytes) -> Outcome | None:
        """What the answer to a challenge leads to (RFC 5034 section 4); None when there was none: it is a command."""
        exchange, self._exchange = self._exchange, None
        return None if exchange is None else self._step(exchange, line)

    def abandon_exchange(self) -> None:
        """A line was too long to be an answer."""
        self._exchange = None

    def _step(self, exchange: SaslExchange, line: bytes) -> Outcome:
        if line == _CANCEL:
            return mistake("Authentication cancelled")
        try:
            answer = exchange.step(decode_base64(line))
        except SaslError as error:
            return mistake(f"Authentication failed: {error}")
        if isinstance(answer, Credentials):
            return LoginAttempt(answer)
        self._exchange = exchange
        return Challenge(answer)

    @property
    def _may_log_in(self) -> bool:
        return self._is_tls or self._settings.may_auth_in_clear

    @property
    def _offers_stls(self) -> bool:
        return self._settings.offers_tls and not self._is_tls

    def _refused_in_clear(self) -> Reply:
        advice = "use STLS first" if self._offers_stls else "connect with TLS"
        return Reply(f"-ERR [AUTH] Logging in needs TLS here: {advice}", is_mistake=True)

    def _name_user(self, command: Command) -> Reply:
        if not self._may_log_in:
            return self._refused_in_clear()
        name = text(command.argument).strip()
        if not name:
            return mistake("USER needs a name")
        self._user = name
        return ok("Send PASS")  # the same whether or not the name exists (RFC 1939 section 13)

    def _check_password(self, command: Command) -> Reply | LoginAttempt:
        if not self._may_log_in:
            return self._refused_in_clear()
        user, self._user = self._user, None
        if user is None:
            return mistake("Send USER first")
        # RFC 1939 section 7: spaces are part of the password.
        return LoginAttempt(Credentials("", user, Secret(text(command.argument))))

    def _begin_exchange(self, command: Command) -> Outcome:
        if not self._may_log_in:
            return self._refused_in_clear()
        match command.words:
            case []:  # older clients ask for the mechanisms this way
                return ok("Mechanisms follow", MECHANISMS)
            case [mechanism, *rest] if len(rest) < 2:
                return self._begin_mechanism(text(mechanism), rest[0] if rest else None)
            case _:
                return mistake("AUTH takes a mechanism and an initial response")

    def _begin_mechanism(self, mechanism: str, initial_response: bytes | None) -> Outcome:
        try:
            exchange = SaslExchange.begin(mechanism)
        except SaslError as error:
            return err(f"Authentication failed: {error}")
        if initial_response is None:
            self._exchange = exchange
            return Challenge(exchange.first_challenge)
        return self._step(exchange, b"" if initial_response == _EMPTY_INITIAL_RESPONSE else initial_response)

    def _begin_tls(self) -> Outcome:
        if self._is_tls:
            return mistake("TLS is active already")
        return BeginTls() if self._settings.offers_tls else mistake("TLS is not offered here")
