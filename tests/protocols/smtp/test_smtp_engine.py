"""The SMTP engine command by command: transcripts of RFC 5321, RFC 2033 and RFC 3030."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gatepost.protocols.smtp.engine import SmtpEngine
from gatepost.protocols.smtp.events import MessageReceived, RecipientGiven, SenderGiven
from gatepost.protocols.smtp.paths import Path
from gatepost.protocols.smtp.replies import OK, Reply
from gatepost.protocols.smtp.settings import LMTP, SmtpLimits, SmtpSettings

MakeDialogue = Callable[..., Any]

MAIL = b"MAIL FROM:<bob@example.net>\r\n"
RCPT = b"RCPT TO:<alice@example.org>\r\n"
DATA = b"DATA\r\n"
MESSAGE = b"Subject: hello\r\n\r\nfirst\r\n..\r\n...dots\r\n.\r\n"
CONTENT = b"Subject: hello\r\n\r\nfirst\r\n.\r\n..dots\r\n"


# --- session ---


def test_greeting_names_the_host_rfc5321_section_4_2(dialogue: MakeDialogue) -> None:
    assert dialogue(hello=False).greeting == b"220 mx.example.org ESMTP ready\r\n"
    assert dialogue(hello=False, dialect=LMTP).greeting == b"220 mx.example.org LMTP ready\r\n"


def test_ehlo_lists_what_is_offered(dialogue: MakeDialogue) -> None:
    lines = dialogue(hello=False, offers_tls=True).lines(b"EHLO client.example\r\n")
    assert lines[0] == b"250-mx.example.org"
    assert [line[4:] for line in lines[1:]] == [
        b"PIPELINING",
        b"SIZE 52428800",
        b"8BITMIME",
        b"SMTPUTF8",
        b"CHUNKING",
        b"ENHANCEDSTATUSCODES",
        b"STARTTLS",
    ]
    assert lines[-1].startswith(b"250 ")


@pytest.mark.parametrize(
    ("settings", "is_offered"),
    [
        ({}, False),
        ({"may_auth_in_clear": True}, True),
        ({"is_tls": True}, True),
        ({"is_tls": True, "offers_auth": False}, False),
    ],
)
def test_auth_is_offered_only_where_it_is_allowed(
    dialogue: MakeDialogue, settings: dict[str, Any], is_offered: bool
) -> None:
    answer = dialogue(hello=False, **settings).say(b"EHLO client.example\r\n")
    assert (b"AUTH PLAIN LOGIN" in answer) is is_offered


def test_starttls_is_not_offered_under_tls(dialogue: MakeDialogue) -> None:
    assert b"STARTTLS" not in dialogue(hello=False, offers_tls=True, is_tls=True).say(b"EHLO client.example\r\n")


def test_helo_brings_no_extensions(dialogue: MakeDialogue) -> None:
    smtp = dialogue(hello=False)
    assert smtp.lines(b"HELO client.example\r\n") == [b"250 mx.example.org"]
    smtp.say(MAIL, RCPT, DATA, MESSAGE)
    assert smtp.messages[0].with_keyword == "SMTP"
    assert smtp.messages[0].client_name == "client.example"


@pytest.mark.parametrize("line", [b"EHLO\r\n", b"EHLO \r\n", b"EHLO a b\r\n", b"EHLO " + b"x" * 256 + b"\r\n"])
def test_hello_needs_one_name(dialogue: MakeDialogue, line: bytes) -> None:
    assert dialogue(hello=False).codes(line) == [501]


@pytest.mark.parametrize("line", [b"ehlo client\r\n", b"EHLO [IPv6:::1]\r\n", b"EHLO my_laptop\r\n", b"eHlO x \r\n"])
def test_hello_takes_whatever_clients_call_themselves(dialogue: MakeDialogue, line: bytes) -> None:
    assert dialogue(hello=False).codes(line) == [250]


def test_lmtp_knows_lhlo_alone_rfc2033_section_4_1(dialogue: MakeDialogue) -> None:
    lmtp = dialogue(hello=False, dialect=LMTP)
    assert lmtp.codes(b"HELO x\r\nEHLO x\r\nLHLO x\r\n") == [500, 500, 250]
    assert dialogue(hello=False).codes(b"LHLO x\r\n") == [500]


def test_commands_that_the_engine_answers_alone(dialogue: MakeDialogue) -> None:
    smtp = dialogue()
    assert smtp.codes(b"NOOP\r\nNOOP words\r\nRSET\r\nVRFY alice\r\nEXPN list\r\nHELP\r\nHELP MAIL\r\n") == [
        250,
        250,
        250,
        252,
        502,
        214,
        214,
    ]
    assert smtp.events == []


def test_quit_is_answered_and_closes(dialogue: MakeDialogue) -> None:
    smtp = dialogue()
    assert smtp.say(b"QUIT\r\nNOOP\r\n") == b"221 2.0.0 mx.example.org Goodbye\r\n"
    assert smtp.is_closed
    assert smtp.say(b"NOOP\r\n") == b""
    assert not smtp.engine.wants_input


@pytest.mark.parametrize("line", [b"\r\n", b"BOGUS\r\n", b"NOOPS\r\n", b"\xff\xfe\r\n", b" NOOP\r\n"])
def test_what_is_no_command_is_answered_with_500(dialogue: MakeDialogue, line: bytes) -> None:
    assert dialogue().codes(line) == [500]


@pytest.mark.parametrize("line", [b"RSET now\r\n", b"QUIT now\r\n", b"DATA now\r\n", b"VRFY\r\n"])
def test_parameters_that_a_command_does_not_have_are_501(dialogue: MakeDialogue, line: bytes) -> None:
    smtp = dialogue()
    smtp.say(MAIL, RCPT)
    assert smtp.codes(line) == [501]
    assert not smtp.is_closed


@pytest.mark.parametrize("verb", [b"GET / HTTP/1.1", b"POST /x HTTP/1.1", b"CONNECT mx:25 HTTP/1.1"])
def test_a_browser_is_sent_away_before_its_body_is_read(dialogue: MakeDialogue, verb: bytes) -> None:
    smtp = dialogue(hello=False)
    assert smtp.codes(verb + b"\r\nHost: x\r\n\r\nEHLO x\r\n") == [421]
    assert smtp.is_closed


# --- mail transaction ---


def test_a_transaction_rfc5321_section_3_3(dialogue: MakeDialogue) -> None:
    smtp = dialogue()
    assert smtp.codes(MAIL) == [250]
    assert smtp.codes(RCPT) == [250]
    assert smtp.codes(DATA) == [354]
    assert smtp.codes(MESSAGE) == [250]
    message = smtp.messages[0]
    assert message.content == CONTENT
    assert message.sender == SenderGiven(Path("bob", "example.net"))
    assert [recipient.forward_path for recipient in message.recipients] == [Path("alice", "example.org")]
    assert message.with_keyword == "ESMTP"


def test_everything_pipelined_keeps_its_order_rfc2920(dialogue: MakeDialogue) -> None:
    smtp = dialogue()
    batch = MAIL + RCPT + b"RCPT TO:<nobody@example.org>\r\n" + RCPT + DATA + MESSAGE + MAIL + b"QUIT\r\n"
    assert smtp.codes(batch) == [250, 250, 550, 250, 354, 250, 250, 221]
    assert len(smtp.messages[0].recipients) == 2


def test_input_waits_while_a_question_is_open() -> None:
    engine = SmtpEngine(SmtpSettings(hostname="mx.example.org"))
    engine.receive_data(b"EHLO x\r\n" + MAIL + RCPT)
    assert isinstance(engine.next_event(), SenderGiven)
    engine.data_to_send()
    assert engine.next_event() is None
    assert engine.data_to_send() == b""
    engine.accept()
    assert engine.data_to_send() == b"250 2.1.0 Sender OK\r\n"
    assert isinstance(engine.next_event(), RecipientGiven)


@pytest.mark.parametrize(
    ("before", "line"),
    [
        ((), RCPT),
        ((), DATA),
        ((MAIL,), MAIL),
        ((MAIL,), DATA),
        ((MAIL, b"RCPT TO:<nobody@example.org>\r\n"), DATA),
        ((MAIL, RCPT), MAIL),
        ((MAIL, RCPT, b"RSET\r\n"), DATA),
        ((MAIL, RCPT, b"EHLO again\r\n"), DATA),
        ((MAIL, RCPT, b"BDAT 2\r\nab"), DATA),
        ((MAIL, RCPT, b"BDAT 2\r\nab"), RCPT),
        ((MAIL, RCPT, b"BDAT 2\r\nab"), MAIL),
        ((MAIL, RCPT, DATA, MESSAGE), DATA),
    ],
)
def test_a_command_out_of_place_is_503(dialogue: MakeDialogue, before: tuple[bytes, ...], line: bytes) -> None:
    smtp = dialogue()
    smtp.say(*before)
    assert smtp.codes(line) == [503]


@pytest.mark.parametrize("line", [MAIL, b"STARTTLS\r\n", b"AUTH PLAIN AGEAYg==\r\n"])
def test_nothing_comes_before_hello(dialogue: MakeDialogue, line: bytes) -> None:
    assert dialogue(hello=False, offers_tls=True, may_auth_in_clear=True).codes(line) == [503]


def test_a_rejected_sender_opens_no_transaction() -> None:
    engine = SmtpEngine(SmtpSettings(hostname="mx.example.org"))
    engine.receive_data(b"EHLO x\r\n" + MAIL + RCPT)
    assert isinstance(engine.next_event(), SenderGiven)
    engine.reject(Reply(553, "5.7.1", "Not yours"))
    engine.data_to_send()
    assert engine.next_event() is None
    assert engine.data_to_send() == b"503 5.5.1 Send MAIL first\r\n"


@pytest.mark.parametrize(
    ("line", "codes"),
    [
        (b"MAIL FROM:<>\r\n", [250]),
        (b"mail from: <a@b.example>\r\n", [250]),
        (b"MAIL FROM:<a@b.example> SIZE=1000 BODY=8BITMIME RET=HDRS ENVID=QQ314159 AUTH=<>\r\n", [250]),
        (b"MAIL FROM:<a@b.example> size=52428800\r\n", [250]),
        (b"MAIL FROM:<a@b.example> SIZE=52428801\r\n", [552]),
        (b"MAIL FROM:<a@b.example> SIZE=\r\n", [501]),
        (b"MAIL FROM:<a@b.example> SIZE=-1\r\n", [501]),
        (b"MAIL FROM:<a@b.example> SIZE=1 SIZE=1\r\n", [501]),
        (b"MAIL FROM:<a@b.example> BODY=BINARYMIME\r\n", [501]),
        (b"MAIL FROM:<a@b.example> BOGUS=1\r\n", [555]),
        (b"MAIL FROM:<a@b.example>SIZE=1\r\n", [501]),
        (b"MAIL FROM:a@b.example\r\n", [501]),
        (b"MAIL <a@b.example>\r\n", [501]),
        (b"MAIL\r\n", [501]),
        ("MAIL FROM:<jürgen@b.example>\r\n".encode(), [553]),
        ("MAIL FROM:<jürgen@b.example> SMTPUTF8\r\n".encode(), [250]),
    ],
)
def test_mail(dialogue: MakeDialogue, line: bytes, codes: list[int]) -> None:
    assert dialogue().codes(line) == codes


@pytest.mark.parametrize(
    ("line", "codes"),
    [
        (b"RCPT TO:<postmaster>\r\n", [250]),
        (b"RCPT TO:<PostMaster>\r\n", [250]),
        (b"RCPT TO:<@relay.example:alice@example.org>\r\n", [250]),
        (b"RCPT TO:<alice@[127.0.0.1]>\r\n", [250]),
        (b"RCPT TO:<a@b.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a@b.example\r\n", [250]),
        (b"RCPT TO:<a@b.example> NOTIFY=NEVER\r\n", [250]),
        (b"RCPT TO:<a@b.example> NOTIFY=NEVER,DELAY\r\n", [501]),
        (b"RCPT TO:<a@b.example> ORCPT=a@b.example\r\n", [501]),
        (b"RCPT TO:<a@b.example> BOGUS\r\n", [555]),
        (b"RCPT TO:<>\r\n", [501]),
        (b"RCPT TO:alice\r\n", [501]),
        ("RCPT TO:<jürgen@b.example>\r\n".encode(), [553]),
    ],
)
def test_rcpt(dialogue: MakeDialogue, line: bytes, codes: list[int]) -> None:
    smtp = dialogue()
    smtp.say(MAIL)
    assert smtp.codes(line) == codes


def test_smtputf8_reaches_recipients_and_the_received_keyword_rfc6531(dialogue: MakeDialogue) -> None:
    smtp = dialogue(is_tls=True)
    smtp.say(b"MAIL FROM:<> SMTPUTF8\r\n", "RCPT TO:<jürgen@bücher.example>\r\n".encode(), DATA, MESSAGE)
    assert smtp.messages[0].recipients[0].forward_path == Path("jürgen", "bücher.example")
    assert smtp.messages[0].with_keyword == "UTF8SMTPS"


def test_lmtp_answers_for_each_accepted_recipient_rfc2033_section_4_2(dialogue: MakeDialogue) -> None:
    lmtp = dialogue(dialect=LMTP)
    lmtp.say(MAIL, RCPT, b"RCPT TO:<nobody@example.org>\r\n", RCPT)
    assert lmtp.codes(DATA + MESSAGE) == [354, 250, 250]
    assert lmtp.messages[0].with_keyword == "LMTP"


def test_lmtp_refuses_a_message_once_for_each_recipient(dialogue: MakeDialogue) -> None:
    lmtp = dialogue(dialect=LMTP, limits=SmtpLimits(message_octets=5))
    lmtp.say(MAIL, RCPT, RCPT)
    assert lmtp.codes(DATA + MESSAGE + b"NOOP\r\n") == [354, 552, 552, 250]


def test_a_wrong_number_of_answers_is_a_mistake_of_the_caller() -> None:
    engine = SmtpEngine(SmtpSettings(hostname="mx.example.org", dialect=LMTP))
    engine.receive_data(b"LHLO x\r\n" + MAIL + RCPT + RCPT + DATA + MESSAGE)
    for _ in range(3):
        engine.next_event()
        engine.accept()
    assert isinstance(engine.next_event(), MessageReceived)
    with pytest.raises(ValueError, match="2 replies"):
        engine.answer_message([OK])


def test_answers_without_a_question_are_mistakes_of_the_caller() -> None:
    engine = SmtpEngine(SmtpSettings(hostname="mx.example.org"))
    with pytest.raises(RuntimeError):
        engine.accept()
    with pytest.raises(RuntimeError):
        engine.reject(OK)
    with pytest.raises(RuntimeError):
        engine.answer_message([OK])


# --- BDAT ---


def test_chunks_make_one_message_and_are_not_unstuffed_rfc3030_section_2(dialogue: MakeDialogue) -> None:
    smtp = dialogue()
    smtp.say(MAIL, RCPT)
    assert smtp.codes(b"BDAT 10\r\na\r\n..b\r\n.\r" + b"BDAT 3 last\r\n\nc\r") == [250, 550]
    smtp.say(MAIL, RCPT)
    assert smtp.codes(b"BDAT 10\r\na\r\n..b\r\n.\r" + b"BDAT 4 last\r\n\nc\r\n") == [250, 250]
    assert smtp.messages[0].content == b"a\r\n..b\r\n.\r\nc\r\n"


def test_an_empty_last_chunk_ends_the_message(dialogue: MakeDialogue) -> None:
    smtp = dialogue()
    assert smtp.codes(MAIL + RCPT + b"BDAT 3\r\na\r\nBDAT 0 LAST\r\n") == [250, 250, 250, 250]
    assert smtp.messages[0].content == b"a\r\n"


def test_a_chunk_without_a_recipient_is_read_and_refused(dialogue: MakeDialogue) -> None:
    smtp = dialogue()
    assert smtp.codes(b"BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n") == [503, 250]
    assert smtp.codes(MAIL + b"BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n") == [250, 503, 250]


@pytest.mark.parametrize("argument", [b"", b"x", b"-1", b"1 LATER", b"1LAST", b"9" * 21])
def test_a_chunk_of_unknown_size_ends_the_session(dialogue: MakeDialogue, argument: bytes) -> None:
    smtp = dialogue()
    assert smtp.codes(MAIL + RCPT + b"BDAT " + argument + b"\r\nQUIT\r\n") == [250, 250, 501]
    assert smtp.is_closed


def test_rset_between_chunks_drops_the_message(dialogue: MakeDialogue) -> None:
    smtp = dialogue()
    assert smtp.codes(MAIL + RCPT + b"BDAT 3\r\na\r\nRSET\r\n" + MAIL) == [250, 250, 250, 250, 250]
    assert smtp.messages == []


def test_chunks_beyond_the_size_limit(dialogue: MakeDialogue) -> None:
    smtp = dialogue(limits=SmtpLimits(message_octets=6))
    chunks = b"BDAT 4\r\na\r\nbBDAT 3\r\nb\r\nBDAT 3 LAST\r\nc\r\nNOOP\r\n"
    assert smtp.codes(MAIL + RCPT + chunks) == [250, 250, 250, 552, 503, 250]
    assert smtp.codes(MAIL + RCPT + b"BDAT 6 LAST\r\nabcd\r\n") == [250, 250, 250]


def test_lmtp_answers_the_last_chunk_for_each_recipient(dialogue: MakeDialogue) -> None:
    lmtp = dialogue(dialect=LMTP)
    assert lmtp.codes(MAIL + RCPT + RCPT + b"BDAT 3\r\na\r\nBDAT 3 LAST\r\nb\r\n") == [250, 250, 250, 250, 250, 250]
