"""The POP3 state machine by RFC 1939, 2449, 2595, 3206 and 5034, without a socket."""

from __future__ import annotations

import base64
import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.protocols.engine import Breather, Close, Refusal, StartTls
from gatepost.protocols.pop3.engine import Pop3Engine
from gatepost.protocols.pop3.events import LoginAttempt, LoginRefusal, MaildropMessage, Retrieve, Update
from gatepost.protocols.pop3.settings import Pop3Limits, Pop3Settings
from gatepost.protocols.sasl import Credentials
from gatepost.values.secret import Secret

SETTINGS = Pop3Settings("mail.example.org", is_tls=True)
CLEAR = Pop3Settings("mail.example.org", offers_tls=True)
MESSAGES = [MaildropMessage(120, "7.1"), MaildropMessage(200, "7.2"), MaildropMessage(30, "7.9")]
ALICE = Credentials("", "alice", Secret("open  sesame "))


def begun(settings: Pop3Settings = SETTINGS) -> Pop3Engine:
    engine = Pop3Engine(settings)
    engine.start()
    assert engine.data_to_send() == b"+OK mail.example.org gatepost POP3 ready\r\n"
    return engine


def logged_in(messages: list[MaildropMessage] = MESSAGES, settings: Pop3Settings = SETTINGS) -> Pop3Engine:
    engine = begun(settings)
    engine.receive_data(b"USER alice\r\nPASS open  sesame \r\n")
    assert engine.next_event() == LoginAttempt(ALICE)
    engine.login_accepted(messages)
    engine.data_to_send()
    return engine


def said(engine: Pop3Engine, data: bytes) -> str:
    """What the engine answers when it needs nobody's help."""
    engine.receive_data(data)
    assert engine.next_event() is None
    return engine.data_to_send().decode("ascii")


def hung_up(engine: Pop3Engine, data: bytes) -> str:
    """What the engine says before it closes."""
    engine.receive_data(data)
    assert engine.next_event() == Close()
    assert engine.next_event() is None
    return engine.data_to_send().decode("ascii")


# --- logging in -----------------------------------------------------------------------------------------------------


def test_rfc_1939_section_7_user_and_pass_spaces_belong_to_the_password() -> None:
    engine = begun()
    assert said(engine, b"user alice\r\n") == "+OK Send PASS\r\n"
    engine.receive_data(b"pass open  sesame \n")
    assert engine.next_event() == LoginAttempt(ALICE)
    assert engine.next_event() is None
    engine.login_accepted(MESSAGES)
    assert engine.data_to_send() == b"+OK Maildrop has 3 messages\r\n"


def test_pass_needs_user_each_time() -> None:
    engine = begun()
    assert said(engine, b"PASS x\r\n").startswith("-ERR")
    engine.receive_data(b"USER alice\r\nPASS x\r\n")
    assert isinstance(engine.next_event(), LoginAttempt)
    engine.login_refused(LoginRefusal.WRONG_CREDENTIALS)
    assert said(engine, b"PASS y\r\n").endswith("-ERR [AUTH] Authentication failed\r\n-ERR Send USER first\r\n")


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (LoginRefusal.WRONG_CREDENTIALS, "AUTH"),
        (LoginRefusal.MAILDROP_IN_USE, "IN-USE"),
        (LoginRefusal.TEMPORARY, "SYS/TEMP"),
    ],
)
def test_rfc_3206_and_rfc_2449_response_codes_of_a_refused_login(refusal: LoginRefusal, code: str) -> None:
    engine = begun()
    engine.receive_data(b"USER alice\r\nPASS x\r\n")
    engine.next_event()
    engine.data_to_send()
    engine.login_refused(refusal)
    assert engine.data_to_send().startswith(f"-ERR [{code}] ".encode())


def test_a_password_in_an_old_character_set_is_read() -> None:
    engine = begun()
    engine.receive_data(b"USER alice\r\nPASS caf\xe9\r\n")
    assert engine.next_event() == LoginAttempt(Credentials("", "alice", Secret("café")))


@pytest.mark.parametrize("initial", [True, False])
def test_rfc_5034_auth_plain(initial: bool) -> None:
    engine = begun()
    response = base64.b64encode(b"\0alice\0open  sesame ")
    if initial:
        engine.receive_data(b"AUTH PLAIN " + response + b"\r\n")
    else:
        assert said(engine, b"auth plain\r\n") == "+ \r\n"
        engine.receive_data(response + b"\r\n")
    assert engine.next_event() == LoginAttempt(ALICE)


def test_auth_login() -> None:
    engine = begun()
    assert said(engine, b"AUTH LOGIN\r\n") == "+ VXNlcm5hbWU6\r\n"
    assert said(engine, base64.b64encode(b"alice") + b"\r\n") == "+ UGFzc3dvcmQ6\r\n"
    engine.receive_data(base64.b64encode(b"open  sesame ") + b"\r\n")
    assert engine.next_event() == LoginAttempt(ALICE)


@pytest.mark.parametrize("answer", [b"*", b"!!!", b"", b"AGFsaWNl", b"x" * 9000])
def test_an_exchange_that_is_cancelled_or_damaged_is_over(answer: bytes) -> None:
    engine = begun()
    said(engine, b"AUTH PLAIN\r\n")
    assert said(engine, answer + b"\r\n").startswith("-ERR")
    assert said(engine, b"USER alice\r\n").startswith("+OK")


def test_auth_without_arguments_lists_the_mechanisms_and_unknown_ones_are_refused() -> None:
    engine = begun()
    assert said(engine, b"AUTH\r\n") == "+OK Mechanisms follow\r\nPLAIN\r\nLOGIN\r\n.\r\n"
    assert said(engine, b"AUTH CRAM-MD5\r\n").startswith("-ERR")
    assert said(engine, b"AUTH PLAIN a b\r\n").startswith("-ERR")
    assert said(engine, b"APOP alice 0123456789abcdef\r\n") == "-ERR Unknown command\r\n"


@pytest.mark.parametrize("command", [b"USER alice", b"PASS x", b"AUTH PLAIN", b"AUTH LOGIN", b"AUTH"])
def test_nobody_logs_in_over_a_clear_connection_unless_that_is_allowed(command: bytes) -> None:
    assert said(begun(CLEAR), command + b"\r\n").startswith("-ERR [AUTH] Logging in needs TLS here")
    assert "needs TLS" not in said(begun(replace(CLEAR, may_auth_in_clear=True)), command + b"\r\n")


def test_too_many_failed_logins_end_the_session() -> None:
    engine = begun(replace(SETTINGS, limits=Pop3Limits(failed_logins=2)))
    for _ in range(2):
        engine.receive_data(b"USER a\r\nPASS b\r\n")
        assert isinstance(engine.next_event(), LoginAttempt)
        engine.login_refused(LoginRefusal.WRONG_CREDENTIALS)
    assert engine.next_event() == Close()
    assert engine.data_to_send().endswith(b"-ERR [AUTH] Authentication failed\r\n")


# --- capabilities ---------------------------------------------------------------------------------------------------


def test_rfc_2449_capa_names_what_may_be_used_now() -> None:
    in_clear = said(begun(CLEAR), b"CAPA\r\n").split("\r\n")
    assert "STLS" in in_clear
    assert "USER" not in in_clear
    assert not any(line.startswith("SASL") for line in in_clear)
    in_tls = said(begun(), b"CAPA\r\n").split("\r\n")
    assert {"USER", "SASL PLAIN LOGIN", "TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING"} <= set(in_tls)
    assert "STLS" not in in_tls
    assert in_tls[-2:] == [".", ""]
    assert "UIDL" in said(logged_in(), b"CAPA\r\n").split("\r\n")


# --- the maildrop ---------------------------------------------------------------------------------------------------


def test_rfc_1939_section_5_stat_list_uidl_and_marks() -> None:
    engine = logged_in()
    assert said(engine, b"STAT\r\n") == "+OK 3 350\r\n"
    assert said(engine, b"LIST\r\n") == "+OK 3 messages\r\n1 120\r\n2 200\r\n3 30\r\n.\r\n"
    assert said(engine, b"UIDL\r\n") == "+OK 3 messages\r\n1 7.1\r\n2 7.2\r\n3 7.9\r\n.\r\n"
    assert said(engine, b"LIST 2\r\n") == "+OK 2 200\r\n"
    assert said(engine, b"UIDL 3\r\n") == "+OK 3 7.9\r\n"
    assert said(engine, b"DELE 2\r\n").startswith("+OK")
    assert said(engine, b"STAT\r\n") == "+OK 2 150\r\n"
    assert said(engine, b"LIST\r\n") == "+OK 2 messages\r\n1 120\r\n3 30\r\n.\r\n"
    for command in (b"DELE 2", b"RETR 2", b"TOP 2 0", b"LIST 2", b"UIDL 2"):
        assert said(engine, command + b"\r\n") == "-ERR No such message\r\n"
    assert said(engine, b"RSET\r\n").startswith("+OK 3")
    assert said(engine, b"STAT\r\n") == "+OK 3 350\r\n"


def test_an_empty_maildrop() -> None:
    engine = logged_in([])
    assert said(engine, b"STAT\r\nLIST\r\n") == "+OK 0 0\r\n+OK 0 messages\r\n.\r\n"


@pytest.mark.parametrize("number", [b"0", b"4", b"-1", b"+1", b"1x", b"99999999999", b"\xb2"])
def test_numbers_of_no_message_are_refused(number: bytes) -> None:
    assert said(logged_in(), b"RETR " + number + b"\r\n") == "-ERR No such message\r\n"


@pytest.mark.parametrize("command", [b"STAT 1", b"LIST 1 2", b"RETR", b"TOP 1", b"TOP 1 x", b"DELE", b"XTND", b""])
def test_malformed_commands_are_refused(command: bytes) -> None:
    assert said(logged_in(), command + b"\r\n").startswith("-ERR")


def test_retr_streams_a_message_in_parts() -> None:
    engine = logged_in()
    engine.receive_data(b"RETR 1\r\nNOOP\r\n")
    assert engine.next_event() == Retrieve(1)
    engine.message_started(120)
    engine.message_part(b"Subject: x\r\n\r")
    engine.message_part(b"\n.dot\r\n")
    assert engine.next_event() is None
    engine.message_finished()
    assert said(engine, b"") == "+OK 120 octets\r\nSubject: x\r\n\r\n..dot\r\n.\r\n+OK \r\n"


def test_top_asks_for_some_lines_and_a_message_may_be_gone() -> None:
    engine = logged_in()
    engine.receive_data(b"TOP 3 0\r\n")
    assert engine.next_event() == Retrieve(3, 0)
    engine.message_refused(is_temporary=False)
    assert engine.data_to_send().startswith(b"-ERR ")
    engine.receive_data(b"RETR 3\r\n")
    engine.next_event()
    engine.message_refused(is_temporary=True)
    assert engine.data_to_send().startswith(b"-ERR [SYS/TEMP] ")


def test_rfc_1939_section_6_quit_updates_before_it_answers() -> None:
    engine = logged_in()
    said(engine, b"DELE 3\r\nDELE 1\r\n")
    engine.receive_data(b"QUIT\r\nSTAT\r\n")
    assert engine.next_event() == Update((1, 3))
    assert engine.data_to_send() == b""
    engine.update_finished(is_complete=True)
    assert engine.next_event() == Close()
    assert engine.data_to_send() == b"+OK Bye\r\n"


def test_quit_says_when_the_update_has_failed_and_asks_for_the_lock_without_marks_too() -> None:
    engine = logged_in()
    engine.receive_data(b"QUIT\r\n")
    assert engine.next_event() == Update(())
    engine.update_finished(is_complete=False)
    assert engine.next_event() == Close()
    assert engine.data_to_send().startswith(b"-ERR [SYS/TEMP] Some deleted messages not removed")


def test_the_end_of_input_removes_nothing() -> None:
    engine = logged_in()
    engine.receive_data(b"DELE 1\r\nQUI")
    engine.receive_eof()
    assert engine.next_event() == Close()
    assert engine.data_to_send().startswith(b"+OK Message 1 marked")


def test_what_is_complete_is_answered_after_the_end_of_input() -> None:
    engine = logged_in()
    engine.receive_data(b"RETR 1\r\nQUIT\r\n")
    engine.receive_eof()
    assert engine.next_event() == Retrieve(1)
    engine.message_started(0)
    engine.message_finished()
    assert engine.next_event() == Update(())


def test_quit_before_the_login() -> None:
    assert hung_up(begun(), b"QUIT\r\n") == "+OK Bye\r\n"


def test_commands_of_the_other_state_are_refused() -> None:
    assert said(begun(), b"STAT\r\n") == "-ERR Log in first\r\n"
    assert said(logged_in(), b"USER bob\r\nSTLS\r\n") == "-ERR Already logged in\r\n-ERR Already logged in\r\n"


# --- TLS ------------------------------------------------------------------------------------------------------------


def test_rfc_2595_section_4_stls_begins_a_new_session() -> None:
    engine = begun(replace(CLEAR, may_auth_in_clear=True))
    said(engine, b"USER mallory\r\n")
    engine.receive_data(b"STLS\r\n")
    assert engine.next_event() == StartTls()
    assert engine.data_to_send().startswith(b"+OK")
    assert engine.next_event() is None
    engine.tls_established()
    assert said(engine, b"PASS x\r\n").startswith("-ERR")
    assert said(engine, b"STLS\r\n") == "-ERR TLS is active already\r\n"
    assert "SASL PLAIN LOGIN" in said(engine, b"CAPA\r\n")


@pytest.mark.parametrize("behind", [b"CAPA\r\n", b"\x16\x03\x01", b"\n"])
def test_clear_octets_behind_stls_end_the_session(behind: bytes) -> None:
    assert hung_up(begun(CLEAR), b"STLS\r\n" + behind).startswith("-ERR")


def test_clear_octets_between_stls_and_tls_end_the_session() -> None:
    engine = begun(CLEAR)
    engine.receive_data(b"STLS\r\n")
    assert engine.next_event() == StartTls()
    engine.receive_data(b"USER mallory\r\n")
    assert engine.next_event() == Close()


def test_stls_where_it_is_not_offered() -> None:
    assert said(begun(Pop3Settings("mail.example.org")), b"STLS\r\n") == "-ERR TLS is not offered here\r\n"


# --- limits and farewells ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("length", "is_too_long"), [(99, False), (100, False), (101, True)])
def test_the_limit_on_the_length_of_a_line(length: int, is_too_long: bool) -> None:
    engine = begun(replace(SETTINGS, limits=Pop3Limits(line=100)))
    answer = said(engine, b"USER ".ljust(length - 2, b"x") + b"\r\n")
    assert answer == ("-ERR Line too long\r\n" if is_too_long else "+OK Send PASS\r\n")
    assert said(engine, b"USER alice\r\n") == "+OK Send PASS\r\n"


def test_too_many_bad_commands_end_the_session() -> None:
    engine = begun(replace(SETTINGS, limits=Pop3Limits(bad_commands=3)))
    assert said(engine, b"X\r\nY\r\n") == "-ERR Unknown command\r\n" * 2
    assert hung_up(engine, b"Z\r\nUSER a\r\n") == "-ERR Unknown command\r\n-ERR Too many bad commands\r\n"


def test_too_many_commands_without_a_login_end_the_session() -> None:
    engine = begun(replace(SETTINGS, limits=Pop3Limits(commands_before_login=2)))
    said(engine, b"CAPA\r\nCAPA\r\n")
    assert hung_up(engine, b"CAPA\r\n") == "-ERR Too many commands without a login\r\n"


def test_reading_pauses_while_much_is_pipelined_behind_a_question() -> None:
    engine = logged_in()
    engine.receive_data(b"RETR 1\r\n" + b"NOOP\r\n" * 10922)
    assert engine.next_event() == Retrieve(1)
    assert engine.wants_input
    engine.receive_data(b"NOOP\r\n")
    assert not engine.wants_input
    engine.message_refused(is_temporary=False)
    while engine.next_event() == Breather():
        engine.go_on()
    assert engine.wants_input


def test_the_door_turns_away_in_the_protocol() -> None:
    engine = Pop3Engine(SETTINGS)
    engine.refuse(Refusal.TOO_MANY_CONNECTIONS)
    assert engine.data_to_send() == b"-ERR [SYS/TEMP] Too many connections\r\n"
    engine.receive_data(b"CAPA\r\n")
    assert engine.next_event() is None


@pytest.mark.parametrize("refusal", [Refusal.SHUTTING_DOWN, Refusal.INTERNAL_ERROR])
def test_a_session_is_ended_with_words_but_never_inside_a_message(refusal: Refusal) -> None:
    engine = logged_in()
    engine.refuse(refusal)
    assert engine.data_to_send().startswith(b"-ERR [SYS/TEMP] ")
    engine = logged_in()
    engine.receive_data(b"RETR 1\r\n")
    engine.next_event()
    engine.message_started(120)
    engine.data_to_send()
    engine.refuse(refusal)
    assert engine.data_to_send() == b""


def test_rfc_1939_section_3_an_idle_session_ends_without_a_response() -> None:
    engine = logged_in()
    engine.refuse(Refusal.IDLE_TIMEOUT)
    assert engine.data_to_send() == b""


def test_rfc_1939_section_3_the_idle_timeout_is_at_least_ten_minutes_once_logged_in() -> None:
    assert logged_in().idle_timeout >= 600
    assert 0 < begun().idle_timeout < 600


# --- however the octets come ------------------------------------------------------------------------------------------

SESSION = b"CAPA\r\nUSER alice\r\nPASS open  sesame \r\nSTAT\nUIDL\r\nTOP 1 3\r\nDELE 1\r\nRETR 2\r\nBAD\r\nQUIT\r\n"


def play(pieces: list[bytes]) -> bytes:
    """A whole session with a world that always says yes."""
    engine, out = begun(), b""
    for piece in pieces:
        engine.receive_data(piece)
        while (event := engine.next_event()) is not None:
            match event:
                case LoginAttempt():
                    engine.login_accepted(MESSAGES)
                case Retrieve():
                    engine.message_started(5)
                    engine.message_part(b".x\r\n")
                    engine.message_finished()
                case Update():
                    engine.update_finished(is_complete=True)
                case Close():
                    return out + engine.data_to_send()
        out += engine.data_to_send()
    return out


@given(st.lists(st.integers(0, len(SESSION)), max_size=12))
def test_where_the_input_is_cut_makes_no_difference(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(SESSION)]
    pieces = [SESSION[start:end] for start, end in itertools.pairwise(edges)]
    assert play(pieces) == play([SESSION])


def test_input_octet_by_octet_makes_no_difference() -> None:
    assert play([SESSION[i : i + 1] for i in range(len(SESSION))]) == play([SESSION])
    assert play([SESSION]).endswith(b"+OK Bye\r\n")


@given(st.lists(st.binary(max_size=40) | st.sampled_from([b"AUTH PLAIN\r\n", b"USER a\r\n", b"\r\n", b"RETR 1\r\n"])))
def test_nothing_that_a_client_sends_raises(pieces: list[bytes]) -> None:
    play(pieces)
    engine = logged_in()
    for piece in pieces:
        engine.receive_data(piece)
        engine.next_event()
        assert all(octet in b"\r\n" or 32 <= octet < 127 for octet in engine.data_to_send())
