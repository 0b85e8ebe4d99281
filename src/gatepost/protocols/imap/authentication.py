"""AUTHENTICATE: a SASL exchange in lines of base64 (RFC 3501 section 6.2.2)."""

from __future__ import annotations

import binascii

from gatepost.protocols.sasl import Credentials, SaslExchange, decode_base64


class Cancelled(ValueError):
    """The client has sent `*`."""


class AuthenticationDialogue:
    """One exchange. Raises SaslError for a mechanism that is not offered."""

    def __init__(self, mechanism: str) -> None:
        self._exchange = SaslExchange.begin(mechanism)

    @property
    def first_challenge(self) -> bytes:
        """In base64, for a client that sent no initial response."""
        return _encoded(self._exchange.first_challenge)

    def take(self, line: bytes) -> bytes | Credentials:
        """The next challenge in base64, or what the client claims. Raises Cancelled and SaslError."""
        if line == b"*":
            raise Cancelled("cancelled by the client")
        answer = self._exchange.step(decode_base64(line))
        return answer if isinstance(answer, Credentials) else _encoded(answer)


def _encoded(challenge: bytes) -> bytes:
    return binascii.b2a_base64(challenge, newline=False)
