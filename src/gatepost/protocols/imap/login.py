"""How a client may log in on a connection: when passwords are taken, and the SASL exchange (RFC 3501 section 6.2)."""

from __future__ import annotations

import binascii

from gatepost.protocols.imap import commands
from gatepost.protocols.imap.errors import CommandRefused
from gatepost.protocols.imap.settings import ImapSettings
from gatepost.protocols.sasl import Credentials, SaslError, SaslExchange, decode_base64

Challenge = bytes  # in base64, as it is sent


class LoginGate:
    """Knows whether TLS is active and who has logged in; never whether a password is right."""

    def __init__(self, settings: ImapSettings) -> None:
        self._settings = settings
        self._exchange: SaslExchange | None = None
        self._failures = 0
        self.is_tls = settings.is_tls
        self.is_authenticated = False

    @property
    def may_start_tls(self) -> bool:
        """Whether STARTTLS works now."""
        return self._settings.offers_tls and not self.is_tls

    @property
    def may_authenticate(self) -> bool:
        """Whether a password is taken now."""
        return self.is_tls or self._settings.may_auth_in_clear

    def begin(self, command: commands.Login | commands.Authenticate) -> Challenge | Credentials:
        """What to send to the client, or what it claims. Raises CommandRefused, and SaslError for a broken response."""
        if not self.may_authenticate:
            raise CommandRefused("PRIVACYREQUIRED", "Passwords are taken under TLS only")
        if isinstance(command, commands.Login):
            return Credentials("", command.login_name, command.password)
        try:
            self._exchange = SaslExchange.begin(command.mechanism)
        except SaslError:
            raise CommandRefused("CANNOT", "Unsupported authentication mechanism") from None
        if command.initial_response is None:
            return _encoded(self._exchange.first_challenge)
        # RFC 4959 section 3: an empty response is written as `=`
        return self.go_on(b"" if command.initial_response == b"=" else command.initial_response)

    def go_on(self, line: bytes) -> Challenge | Credentials:
        """Take a response. Raises SaslError; the exchange is over then."""
        if line == b"*" or self._exchange is None:
            raise SaslError("cancelled by the client")
        answer = self._exchange.step(decode_base64(line))
        return answer if isinstance(answer, Credentials) else _encoded(answer)

    def failed(self) -> bool:
        """Count a failed login; whether that was one too many."""
        self._failures += 1
        return self._failures >= self._settings.max_failed_logins


def _encoded(challenge: bytes) -> Challenge:
    return binascii.b2a_base64(challenge, newline=False)
