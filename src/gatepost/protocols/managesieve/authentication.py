"""AUTHENTICATE (RFC 5804 section 2.1): from tokens to what the client claims to be. Pure; called by the engine."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from gatepost.protocols.managesieve.command_reader import Token, Unreadable
from gatepost.protocols.managesieve.events import LoginAttempt
from gatepost.protocols.managesieve.responses import Response, mistake, no
from gatepost.protocols.sasl import Credentials, SaslError, SaslExchange, decode_base64

_CANCEL = b"*"


@dataclass(frozen=True, slots=True)
class Challenge:
    """Send `line`; the next string of the client is its answer."""

    exchange: SaslExchange
    line: bytes


def begin(arguments: Sequence[Token]) -> Challenge | LoginAttempt | Response:
    """AUTHENTICATE mechanism [initial response]."""
    match arguments:
        case [bytes(mechanism), *rest] if len(rest) < 2:
            try:
                exchange = SaslExchange.begin(mechanism.decode("ascii", "replace"))
            except SaslError as error:
                return no(f"Authentication failed: {error}")
            if not rest:
                return _challenge(exchange, exchange.first_challenge)
            return respond(exchange, rest)
        case _:
            return mistake("AUTHENTICATE takes a mechanism and an initial response")


def respond(exchange: SaslExchange, answer: Sequence[Token] | Unreadable) -> Challenge | LoginAttempt | Response:
    """The client's answer: one string with base64 in it, or `"*"` to cancel."""
    match answer:
        case [bytes(response)] if response != _CANCEL:
            try:
                outcome = exchange.step(decode_base64(response))
            except SaslError as error:
                return mistake(f"Authentication failed: {error}")
            if isinstance(outcome, Credentials):
                return LoginAttempt(outcome)
            return _challenge(exchange, outcome)
        case [bytes()]:
            return mistake("Authentication cancelled")
        case _:
            return mistake("Authentication failed: one string expected")


def _challenge(exchange: SaslExchange, octets: bytes) -> Challenge:
    return Challenge(exchange, b'"' + base64.b64encode(octets) + b'"\r\n')
