"""The SASL mechanisms that a server offers before it knows the client: PLAIN (RFC 4616) and LOGIN.

Used by the SMTP, IMAP, POP3 and ManageSieve engines, which carry the responses in their own ways. Works on octets only:
it says what the client claims to be, never whether that is true.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from enum import Enum

from gatepost.values.secret import Secret

MECHANISMS = ("PLAIN", "LOGIN")

_LONGEST_LINE = 12288  # octets in base64, RFC 4954 section 4
_LONGEST_FIELD = 1024  # octets of a name or a password; RFC 4616 section 2 asks for at least 255


class SaslError(ValueError):
    """The exchange cannot go on: unknown mechanism, damaged base64, or a response of the wrong form.

    The text is for the client and never has a part of the response in it.
    """


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the client claims. `authorization_identity` is empty where the client asks for no identity but its own; a
    different one is for the session to judge."""

    authorization_identity: str
    login_name: str
    password: Secret


class _Step(Enum):
    """What the next response of the client is."""

    PLAIN_MESSAGE = "authorization identity, name and password in one"
    LOGIN_NAME = "the name"
    LOGIN_PASSWORD = "the password"  # noqa: S105 - says what is asked for
    FINISHED = "nothing more"


class SaslExchange:
    """One authentication exchange.

    >>> exchange = SaslExchange.begin("PLAIN")
    >>> exchange.step(decode_base64(b"AGFsaWNlAHNlY3JldA==")).login_name
    'alice'
    """

    __slots__ = ("_login_name", "_step")

    def __init__(self, first_step: _Step) -> None:
        self._step = first_step
        self._login_name = ""

    @classmethod
    def begin(cls, mechanism: str) -> SaslExchange:
        """An exchange of the named mechanism, in any case. Raises SaslError for one that is not in MECHANISMS."""
        match mechanism.upper():
            case "PLAIN":
                return cls(_Step.PLAIN_MESSAGE)
            case "LOGIN":
                return cls(_Step.LOGIN_NAME)
            case _:
                raise SaslError("unknown authentication mechanism")

    @property
    def first_challenge(self) -> bytes:
        """What to send, before base64, to a client that gave no initial response; empty for PLAIN."""
        return b"Username:" if self._step is _Step.LOGIN_NAME else b""

    def step(self, response: bytes) -> bytes | Credentials:
        """Take a response (octets after base64); the next challenge (octets before base64) or what the client claims.

        Raises SaslError; the exchange is over then.
        """
        current, self._step = self._step, _Step.FINISHED
        match current:
            case _Step.PLAIN_MESSAGE:
                return _parse_plain(response)
            case _Step.LOGIN_NAME:
                self._login_name = _text(response, "name")
                self._step = _Step.LOGIN_PASSWORD
                return b"Password:"
            case _Step.LOGIN_PASSWORD:
                return Credentials("", self._login_name, Secret(_text(response, "password")))
            case _Step.FINISHED:
                raise SaslError("the exchange is over")


def decode_base64(text: bytes) -> bytes:
    """The octets of one base64 line (RFC 4648 section 4): canonical alphabet, right padding, nothing around it.

    Raises SaslError.
    """
    if len(text) > _LONGEST_LINE:
        raise SaslError("response too long")
    try:
        octets = binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        raise SaslError("invalid base64") from None
    if binascii.b2a_base64(octets, newline=False) != text:
        raise SaslError("invalid base64")
    return octets


def _parse_plain(message: bytes) -> Credentials:
    """RFC 4616 section 2: [authzid] NUL authcid NUL passwd."""
    parts = message.split(b"\0")
    if len(parts) != 3:
        raise SaslError("a PLAIN response has three parts")
    identity, login_name, password = parts
    return Credentials(
        _text(identity, "authorization identity", may_be_empty=True),
        _text(login_name, "name"),
        Secret(_text(password, "password")),
    )


def _text(octets: bytes, field: str, *, may_be_empty: bool = False) -> str:
    if not octets and not may_be_empty:
        raise SaslError(f"the {field} is empty")
    if len(octets) > _LONGEST_FIELD:
        raise SaslError(f"the {field} is too long")
    if b"\0" in octets:
        raise SaslError(f"the {field} has a NUL in it")
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        raise SaslError(f"the {field} is not UTF-8") from None
