"""AUTH and the lines that follow it (RFC 4954).

Called from the command table, and by the engine with each response of the client. Says what the client claims; whether
it is true is asked by the LoginAttempt that comes out.
"""

from __future__ import annotations

from gatepost.protocols.sasl import MECHANISMS, Credentials, SaslError, SaslExchange, decode_base64
from gatepost.protocols.smtp import replies
from gatepost.protocols.smtp.events import LoginAttempt
from gatepost.protocols.smtp.replies import Reply
from gatepost.protocols.smtp.session_state import ReadAuthResponse, SessionState

_CANCEL = b"*"
_EMPTY_INITIAL_RESPONSE = "="


def auth(state: SessionState, argument: str) -> Reply | ReadAuthResponse | LoginAttempt:
    """AUTH mechanism [initial response]."""
    mechanism, _, initial_response = argument.partition(" ")
    refusal = _refusal(state, mechanism)
    if refusal is not None:
        return refusal
    exchange = SaslExchange.begin(mechanism)
    if not initial_response:
        return ReadAuthResponse(exchange, exchange.first_challenge)
    if initial_response == _EMPTY_INITIAL_RESPONSE:
        initial_response = ""
    return auth_response(exchange, initial_response.encode("utf-8"))


def auth_response(exchange: SaslExchange, line: bytes) -> Reply | ReadAuthResponse | LoginAttempt:
    """A line of the client behind a challenge, or an initial response (RFC 4954 section 4)."""
    if line == _CANCEL:
        return Reply(501, "5.7.0", "Authentication cancelled")
    try:
        answer = exchange.step(decode_base64(line))
    except SaslError as error:
        return Reply(501, "5.5.2", f"Authentication failed: {error}")
    if isinstance(answer, Credentials):
        return LoginAttempt(answer)
    return ReadAuthResponse(exchange, answer)


def _refusal(state: SessionState, mechanism: str) -> Reply | None:
    if not state.settings.offers_auth:
        return replies.NOT_IMPLEMENTED
    if state.is_authenticated:
        return Reply(503, "5.5.1", "Already authenticated")
    if not mechanism:
        return Reply(501, "5.5.4", "Syntax: AUTH mechanism [initial-response]")
    if mechanism.upper() not in MECHANISMS:
        return Reply(504, "5.5.4", "Authentication mechanism not supported")
    if not state.may_log_in:
        return Reply(538, "5.7.11", "Encryption required for authentication")
    return None
