"""What the SMTP engine does with too much, and how a conversation ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gatepost.protocols.engine import Close, Refusal
from gatepost.protocols.smtp.engine import SmtpEngine
from gatepost.protocols.smtp.replies import OK
from gatepost.protocols.smtp.settings import SmtpLimits, SmtpSettings

MakeDialogue = Callable[..., Any]

MAIL = b"MAIL FROM:<bob@example.net>\r\n"
RCPT = b"RCPT TO:<alice@example.org>\r\n"
DATA = b"DATA\r\n"
MESSAGE = b"Subject: hello\r\n\r\nfirst\r\n..\r\n...dots\r\n.\r\n"
CONTENT = b"Subject: hello\r\n\r\nfirst\r\n.\r\n..dots\r\n"


# --- limits ---


@pytest.mark.parametrize(("length", "code"), [(2047, 250), (2048, 250), (2049, 500)])
def test_the_longest_command_line(dialogue: MakeDialogue, length: int, code: int) -> None:
    assert dialogue().codes(b"NOOP ".ljust(length - 2, b"x") + b"\r\nNOOP\r\n") == [code, 250]


def test_a_line_without_end_is_dropped_and_memory_stays_bounded(dialogue: MakeDialogue) -> None:
    smtp = dialogue()
    assert smtp.codes(*[b"x" * 10_000] * 100) == [500]
    assert smtp.codes(b"\r\nNOOP\r\n") == [250]


@pytest.mark.parametrize(("size", "code"), [(99, 250), (100, 250), (101, 552)])
def test_the_biggest_message(dialogue: MakeDialogue, size: int, code: int) -> None:
    smtp = dialogue(limits=SmtpLimits(message_octets=100))
    smtp.say(MAIL, RCPT, DATA)
    assert smtp.codes(b"x" * (size - 2) + b"\r\n.\r\nNOOP\r\n") == [code, 250]


def test_stuffed_dots_do_not_count_as_size(dialogue: MakeDialogue) -> None:
    smtp = dialogue(limits=SmtpLimits(message_octets=6))
    smtp.say(MAIL, RCPT, DATA)
    assert smtp.codes(b"..\r\n..\r\n.\r\n") == [250]


def test_the_longest_line_of_a_message(dialogue: MakeDialogue) -> None:
    smtp = dialogue(limits=SmtpLimits(text_line=100))
    for length, code in ((99, 250), (100, 250), (101, 550)):
        smtp.say(MAIL, RCPT, DATA)
        assert smtp.codes(b"a\r\n" + b"x" * length + b"\r\nb\r\n.\r\n") == [code]


def test_the_most_recipients_rfc5321_section_4_5_3_1_10(dialogue: MakeDialogue) -> None:
    smtp = dialogue(limits=SmtpLimits(recipients=2))
    smtp.say(MAIL)
    assert smtp.codes(RCPT, RCPT, RCPT) == [250, 250, 452]
    assert smtp.codes(DATA + MESSAGE) == [354, 250]


def test_too_many_bad_commands_end_the_session(dialogue: MakeDialogue) -> None:
    smtp = dialogue(limits=SmtpLimits(bad_commands=3))
    assert smtp.codes(b"X\r\n" * 5) == [500, 500, 421]
    assert smtp.is_closed


def test_too_many_rejected_recipients_end_the_session(dialogue: MakeDialogue) -> None:
    smtp = dialogue(limits=SmtpLimits(rejected_recipients=3))
    assert smtp.codes(MAIL + b"RCPT TO:<nobody@example.org>\r\n" * 5) == [250, 550, 550, 421]
    assert smtp.is_closed


@pytest.mark.parametrize(
    ("before", "command", "codes"),
    [
        (b"", b"MAIL FROM:<> SIZE=99999999\r\n", [552] * 3),
        (b"", "MAIL FROM:<é@example.org>\r\n".encode(), [553] * 3),
        (MAIL + RCPT, RCPT, [452] * 3),
        (MAIL + RCPT, b"BDAT 0\r\n", [250] * 3),
        (MAIL + RCPT, b"BDAT 1\r\nx", [250] * 3),
    ],
)
def test_no_command_can_be_repeated_without_end(
    dialogue: MakeDialogue, before: bytes, command: bytes, codes: list[int]
) -> None:
    """They are answered at once: the answers to a client that does not read them would fill the memory."""
    smtp = dialogue(limits=SmtpLimits(idle_commands=5, recipients=1))
    smtp.say(before)
    assert smtp.codes(command * 100_000) == [*codes, 421]
    assert smtp.is_closed


def test_large_chunks_are_not_counted(dialogue: MakeDialogue) -> None:
    smtp = dialogue(limits=SmtpLimits(idle_commands=5))
    smtp.say(MAIL, RCPT)
    assert smtp.codes(*[b"BDAT 1024\r\n" + b"x" * 1024] * 10, b"BDAT 2 LAST\r\n\r\n") == [250] * 11


def test_commands_that_bring_no_message_are_counted_until_a_message_comes(dialogue: MakeDialogue) -> None:
    smtp = dialogue(limits=SmtpLimits(idle_commands=5))
    smtp.say(b"NOOP\r\n" * 3)
    smtp.say(MAIL, RCPT, DATA, MESSAGE)
    assert smtp.codes(b"NOOP\r\n" * 9) == [250] * 4 + [421]


def test_reading_pauses_while_a_question_is_open_and_input_piles_up() -> None:
    engine = SmtpEngine(SmtpSettings(hostname="mx.example.org"))
    engine.receive_data(b"EHLO x\r\n" + MAIL)
    engine.next_event()
    assert engine.wants_input
    engine.receive_data(b"x" * 200_000)
    assert not engine.wants_input


# --- endings ---


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (Refusal.TOO_MANY_CONNECTIONS, b"421 4.3.2 mx.example.org Too many connections, try again later\r\n"),
        (Refusal.SHUTTING_DOWN, b"421 4.3.2 mx.example.org Service shutting down, try again later\r\n"),
        (Refusal.IDLE_TIMEOUT, b"421 4.4.2 mx.example.org Idle for too long, closing connection\r\n"),
        (Refusal.INTERNAL_ERROR, b"421 4.3.0 mx.example.org Internal error, try again later\r\n"),
    ],
)
def test_refusal_instead_of_a_greeting(refusal: Refusal, words: bytes) -> None:
    engine = SmtpEngine(SmtpSettings(hostname="mx.example.org"))
    engine.refuse(refusal)
    assert engine.data_to_send() == words
    assert engine.next_event() == Close()
    assert engine.next_event() is None


def test_refusal_while_a_question_is_open_makes_its_answer_void() -> None:
    engine = SmtpEngine(SmtpSettings(hostname="mx.example.org"))
    engine.receive_data(b"EHLO x\r\n" + MAIL)
    engine.next_event()
    engine.data_to_send()
    engine.refuse(Refusal.SHUTTING_DOWN)
    engine.accept()
    engine.reject(OK)
    engine.answer_message([OK])
    assert engine.data_to_send().count(b"\r\n") == 1
    assert engine.next_event() == Close()


def test_what_was_complete_before_the_end_of_input_is_served(dialogue: MakeDialogue) -> None:
    smtp = dialogue()
    smtp.engine.receive_data(b"NOOP\r\n" + MAIL + b"RCPT TO:<al")
    smtp.engine.receive_eof()
    assert smtp.codes(b"") == [250, 250]
    assert smtp.is_closed


def test_a_message_cut_off_is_dropped_rfc5321_section_4_1_1_5(dialogue: MakeDialogue) -> None:
    smtp = dialogue()
    smtp.say(MAIL, RCPT, DATA, MESSAGE[:-1])
    smtp.engine.receive_eof()
    smtp.say(b"")
    assert smtp.messages == []
    assert smtp.is_closed
