"""Parameters of MAIL and RCPT: SIZE, BODY, SMTPUTF8, AUTH, RET, ENVID, NOTIFY, ORCPT.

Used by the command parsers; each parameter is one case of a `match`, with the RFC that it comes from.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from gatepost.protocols.smtp.replies import Reply

_XTEXT = re.compile(r"(?:[\x21-\x2a\x2c-\x3c\x3e-\x7e]|\+[0-9A-F]{2})*\Z")  # RFC 3461 section 4
_SIZE = re.compile(r"[0-9]{1,20}\Z")  # RFC 1870 section 3
_KEYWORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*\Z")
_ORIGINAL_RECIPIENT = re.compile(r"[\x21-\x3a\x3c\x3e-\x7e]+;[^\x00-\x20=\x7f]+\Z")  # RFC 3461 section 4.2, RFC 6533
_NOTIFY = frozenset({"SUCCESS", "FAILURE", "DELAY"})


@dataclass(frozen=True, slots=True)
class MailParameters:
    """What MAIL said beside the reverse-path. `size` is in octets, None where the client did not say it."""

    size: int | None = None
    is_8bit: bool = False
    is_utf8: bool = False
    ret: str | None = None  # FULL or HDRS
    envid: str | None = None  # xtext, as it came
    auth: str | None = None  # xtext, as it came


@dataclass(frozen=True, slots=True)
class RecipientParameters:
    """What RCPT said beside the forward-path. `notify` is None where the client did not say it, empty for NEVER."""

    notify: frozenset[str] | None = None
    orcpt: str | None = None  # address type, semicolon, xtext; as it came


class ParameterRefused(ValueError):
    """`reply` says why."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.text)
        self.reply = reply


def parse_mail_parameters(text: str) -> MailParameters:
    """Raises ParameterRefused: 555 for an unknown parameter, 501 for a wrong value (RFC 5321 section 4.1.1.11)."""
    parameters = MailParameters()
    for keyword, value in _split(text):
        parameters = _with_mail_parameter(parameters, keyword, value)
    return parameters


def parse_recipient_parameters(text: str) -> RecipientParameters:
    """Raises ParameterRefused, like `parse_mail_parameters`."""
    parameters = RecipientParameters()
    for keyword, value in _split(text):
        match keyword:
            case "NOTIFY":
                parameters = replace(parameters, notify=_parse_notify(value))
            case "ORCPT" if value is not None and len(value) <= 500 and _ORIGINAL_RECIPIENT.match(value):
                parameters = replace(parameters, orcpt=value)
            case "ORCPT":
                raise _wrong_value(keyword)
            case _:
                raise _unknown(keyword)
    return parameters


def _with_mail_parameter(parameters: MailParameters, keyword: str, value: str | None) -> MailParameters:
    match keyword, value and value.upper():
        case "SIZE", str(digits) if _SIZE.match(digits):
            return replace(parameters, size=int(digits))
        case "BODY", "7BIT":
            return parameters
        case "BODY", "8BITMIME":  # RFC 6152
            return replace(parameters, is_8bit=True)
        case "SMTPUTF8", None:  # RFC 6531
            return replace(parameters, is_utf8=True)
        case "RET", "FULL" | "HDRS" as ret:  # RFC 3461 section 4.3
            return replace(parameters, ret=ret)
        case "ENVID", str() if _is_xtext(value, 100):  # RFC 3461 section 4.4
            return replace(parameters, envid=value)
        case "AUTH", str() if _is_xtext(value, 500):  # RFC 4954 section 5: taken, and trusted by nobody
            return replace(parameters, auth=value)
        case (("SIZE" | "BODY" | "SMTPUTF8" | "RET" | "ENVID" | "AUTH"), _):
            raise _wrong_value(keyword)
        case _:
            raise _unknown(keyword)


def _split(text: str) -> list[tuple[str, str | None]]:
    """Pairs of keyword (upper case) and value; each keyword may come once."""
    pairs: dict[str, str | None] = {}
    for word in text.split():
        keyword, equals, value = word.partition("=")
        keyword = keyword.upper()
        if _KEYWORD.match(keyword) is None or (equals and not value) or keyword in pairs:
            raise ParameterRefused(Reply(501, "5.5.4", "Parameters are not well-formed"))
        pairs[keyword] = value if equals else None
    return list(pairs.items())


def _parse_notify(value: str | None) -> frozenset[str]:
    """RFC 3461 section 4.1: NEVER alone, or a list of the others."""
    words = (value or "").upper().split(",")
    if words == ["NEVER"]:
        return frozenset()
    if not _NOTIFY.issuperset(words):
        raise _wrong_value("NOTIFY")
    return frozenset(words)


def _is_xtext(value: str | None, limit: int) -> bool:
    return value is not None and len(value) <= limit and _XTEXT.match(value) is not None


def _wrong_value(keyword: str) -> ParameterRefused:
    return ParameterRefused(Reply(501, "5.5.4", f"The value of {keyword} is not valid"))


def _unknown(keyword: str) -> ParameterRefused:
    return ParameterRefused(Reply(555, "5.5.4", f"Parameter {keyword[:40]} is not recognized"))
