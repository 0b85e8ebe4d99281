"""AUTH (RFC 4954) and STARTTLS (RFC 3207) at the SMTP engine."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from gatepost.protocols.engine import StartTls
from gatepost.protocols.smtp.events import LoginAttempt
from gatepost.protocols.smtp.settings import SmtpLimits

MakeDialogue = Callable[..., Any]

MAIL = b"MAIL FROM:<bob@example.net>\r\n"
RCPT = b"RCPT TO:<alice@example.org>\r\n"
DATA = b"DATA\r\n"
MESSAGE = b"Subject: hello\r\n\r\nfirst\r\n..\r\n...dots\r\n.\r\n"
CONTENT = b"Subject: hello\r\n\r\nfirst\r\n.\r\n..dots\r\n"


# --- AUTH ---


def b64(octets: bytes) -> bytes:
    return base64.b64encode(octets)


GOOD_PLAIN = b64(b"\0alice\0secret")
WRONG_PLAIN = b64(b"\0alice\0wrong")


@pytest.mark.parametrize(
    "segments",
    [
        (b"AUTH PLAIN " + GOOD_PLAIN + b"\r\n",),
        (b"auth plain\r\n", GOOD_PLAIN + b"\r\n"),
        (b"AUTH LOGIN\r\n", b64(b"alice") + b"\r\n", b64(b"secret") + b"\r\n"),
        (b"AUTH LOGIN " + b64(b"alice") + b"\r\n", b64(b"secret") + b"\r\n"),
    ],
)
def test_ways_to_log_in_rfc4954(dialogue: MakeDialogue, segments: tuple[bytes, ...]) -> None:
    smtp = dialogue(is_tls=True)
    assert smtp.codes(*segments)[-1] == 235
    attempt = smtp.events[0]
    assert isinstance(attempt, LoginAttempt)
    assert attempt.credentials.login_name == "alice"
    smtp.say(MAIL, RCPT, DATA, MESSAGE)
    assert smtp.messages[0].with_keyword == "ESMTPSA"


def test_challenges_of_auth_login(dialogue: MakeDialogue) -> None:
    smtp = dialogue(is_tls=True)
    assert smtp.say(b"AUTH LOGIN\r\n") == b"334 " + b64(b"Username:") + b"\r\n"
    assert smtp.say(b64(b"alice") + b"\r\n") == b"334 " + b64(b"Password:") + b"\r\n"


def test_challenge_of_auth_plain_is_empty_rfc4954_section_4(dialogue: MakeDialogue) -> None:
    assert dialogue(is_tls=True).say(b"AUTH PLAIN\r\n") == b"334 \r\n"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"AUTH\r\n", 501),
        (b"AUTH CRAM-MD5\r\n", 504),
        (b"AUTH PLAIN =\r\n", 501),
        (b"AUTH PLAIN not-base64\r\n", 501),
        (b"AUTH PLAIN " + b64(b"no nul") + b"\r\n", 501),
        ("AUTH PLAIN é\r\n".encode(), 501),
        (b"AUTH PLAIN " + WRONG_PLAIN + b"\r\n", 535),
    ],
)
def test_auth_that_fails(dialogue: MakeDialogue, line: bytes, code: int) -> None:
    smtp = dialogue(is_tls=True)
    assert smtp.codes(line + b"NOOP\r\n") == [code, 250]


def test_auth_can_be_cancelled_rfc4954_section_4(dialogue: MakeDialogue) -> None:
    assert dialogue(is_tls=True).codes(b"AUTH PLAIN\r\n*\r\nNOOP\r\n") == [334, 501, 250]


def test_auth_in_clear_is_refused_without_a_look_at_the_password(dialogue: MakeDialogue) -> None:
    smtp = dialogue(offers_tls=True)
    assert smtp.lines(b"AUTH PLAIN " + GOOD_PLAIN + b"\r\n")[0].startswith(b"538 5.7.11")
    assert smtp.events == []


def test_auth_only_once_and_not_in_a_transaction_rfc4954_section_4(dialogue: MakeDialogue) -> None:
    smtp = dialogue(is_tls=True)
    line = b"AUTH PLAIN " + GOOD_PLAIN + b"\r\n"
    assert smtp.codes(MAIL + line + b"RSET\r\n" + line + line) == [250, 503, 250, 235, 503]


def test_auth_where_it_is_not_offered(dialogue: MakeDialogue) -> None:
    assert dialogue(is_tls=True, offers_auth=False).codes(b"AUTH PLAIN " + GOOD_PLAIN + b"\r\n") == [502]


@pytest.mark.parametrize(("length", "code"), [(12287, 501), (12288, 501), (12289, 500)])
def test_the_longest_auth_line_rfc4954_section_4(dialogue: MakeDialogue, length: int, code: int) -> None:
    line = b"AUTH PLAIN ".ljust(length - 2, b"!") + b"\r\n"
    assert dialogue(is_tls=True).codes(line + b"NOOP\r\n") == [code, 250]


def test_too_many_failed_logins_end_the_session(dialogue: MakeDialogue) -> None:
    smtp = dialogue(is_tls=True, limits=SmtpLimits(failed_logins=3))
    line = b"AUTH PLAIN " + WRONG_PLAIN + b"\r\n"
    assert smtp.codes(line, line) == [535, 535]
    assert smtp.codes(line, line) == [421]
    assert smtp.is_closed


# --- STARTTLS ---


def test_starttls_forgets_what_was_said_before_rfc3207_section_4_2(dialogue: MakeDialogue) -> None:
    smtp = dialogue(offers_tls=True)
    smtp.say(MAIL)
    assert smtp.say(b"STARTTLS\r\n") == b"220 2.0.0 Ready to start TLS\r\n"
    assert smtp.events[-1] == StartTls()
    smtp.engine.tls_established()
    assert smtp.codes(MAIL) == [503]
    answer = smtp.say(b"EHLO client.example\r\n")
    assert b"STARTTLS" not in answer
    assert b"AUTH" in answer
    assert smtp.codes(MAIL, b"STARTTLS\r\n") == [250, 503]


def test_clear_text_in_the_segment_of_starttls_never_reaches_tls(dialogue: MakeDialogue) -> None:
    smtp = dialogue(offers_tls=True)
    assert smtp.codes(b"STARTTLS\r\nRSET\r\n") == [503]
    assert smtp.is_closed
    assert not smtp.has_tls_begun


def test_clear_text_right_behind_starttls_never_reaches_tls(dialogue: MakeDialogue) -> None:
    smtp = dialogue(offers_tls=True)
    assert smtp.codes(b"STARTTLS\r\n", b"RSET\r\n") == [220, 503]
    smtp.engine.tls_established()
    assert smtp.is_closed
    assert smtp.say(b"NOOP\r\n") == b""


@pytest.mark.parametrize(("settings", "code"), [({}, 502), ({"offers_tls": True, "is_tls": True}, 503)])
def test_starttls_where_it_is_not_offered(dialogue: MakeDialogue, settings: dict[str, Any], code: int) -> None:
    assert dialogue(**settings).codes(b"STARTTLS\r\n") == [code]


def test_starttls_takes_no_parameter_rfc3207_section_4(dialogue: MakeDialogue) -> None:
    assert dialogue(offers_tls=True).codes(b"STARTTLS now\r\n") == [501]
