"""The ManageSieve state machine by RFC 5804, without a socket."""

from __future__ import annotations

import base64
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.protocols.engine import Close, Refusal, StartTls
from gatepost.protocols.managesieve.engine import ManageSieveEngine
from gatepost.protocols.managesieve.events import (
    CheckScript,
    DeleteScript,
    GetScript,
    HaveSpace,
    ListScripts,
    LoginAttempt,
    ManageSieveEvent,
    PutScript,
    RenameScript,
    SetActive,
)
from gatepost.protocols.managesieve.responses import ResponseCode
from gatepost.protocols.managesieve.settings import ManageSieveLimits, ManageSieveSettings
from gatepost.protocols.sasl import Credentials
from gatepost.values.secret import Secret

SETTINGS = ManageSieveSettings("mail.example.org", is_tls=True)
CLEAR = ManageSieveSettings("mail.example.org", offers_tls=True)
ALICE = Credentials("", "alice", Secret("secret"))
PLAIN = base64.b64encode(b"\0alice\0secret")


def begun(settings: ManageSieveSettings = SETTINGS) -> ManageSieveEngine:
    engine = ManageSieveEngine(settings)
    engine.start()
    engine.data_to_send()
    return engine


def logged_in(settings: ManageSieveSettings = SETTINGS) -> ManageSieveEngine:
    engine = begun(settings)
    assert asked(engine, b'AUTHENTICATE "PLAIN" "' + PLAIN + b'"\r\n') == LoginAttempt(ALICE)
    engine.login_accepted("alice@example.org")
    assert engine.data_to_send() == b'OK "Logged in"\r\n'
    return engine


def asked(engine: ManageSieveEngine, data: bytes) -> ManageSieveEvent | None:
    engine.receive_data(data)
    return engine.next_event()


def said(engine: ManageSieveEngine, data: bytes) -> str:
    assert asked(engine, data) is None
    return engine.data_to_send().decode()


def hung_up(engine: ManageSieveEngine, data: bytes) -> str:
    assert asked(engine, data) == Close()
    assert engine.next_event() is None
    return engine.data_to_send().decode()


# --- capabilities ---------------------------------------------------------------------------------------------------


def test_rfc_5804_section_1_7_the_greeting_has_the_capabilities() -> None:
    engine = ManageSieveEngine(SETTINGS)
    engine.start()
    lines = engine.data_to_send().decode().split("\r\n")
    assert {'"IMPLEMENTATION" "gatepost"', '"SASL" "PLAIN LOGIN"', '"VERSION" "1.0"', '"UNAUTHENTICATE"'} <= set(lines)
    (sieve,) = [line for line in lines if line.startswith('"SIEVE" ')]
    assert "fileinto" in sieve
    assert '"STARTTLS"' not in lines
    assert lines[-2:] == ['OK "mail.example.org gatepost ManageSieve ready"', ""]


def test_in_clear_tls_is_offered_and_no_mechanism() -> None:
    lines = said(begun(CLEAR), b"capability\r\n").split("\r\n")
    assert '"STARTTLS"' in lines
    assert '"SASL" ""' in lines


def test_the_owner_is_named_once_logged_in() -> None:
    assert '"OWNER" "alice@example.org"\r\n' in said(logged_in(), b"CAPABILITY\r\n")
    assert "OWNER" not in said(begun(), b"CAPABILITY\r\n")


# --- logging in -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pieces",
    [
        [b'Authenticate "plain" "' + PLAIN + b'"\r\n'],
        [b'AUTHENTICATE "PLAIN" {%d+}\r\n%b\r\n' % (len(PLAIN), PLAIN)],
        [b'AUTHENTICATE "PLAIN"\r\n', b'"' + PLAIN + b'"\r\n'],
        [b'AUTHENTICATE "PLAIN"\r\n', b"{%d+}\r\n%b\r\n" % (len(PLAIN), PLAIN)],
        [b'AUTHENTICATE "LOGIN"\r\n', b'"YWxpY2U="\r\n', b'"c2VjcmV0"\r\n'],
        [b'AUTHENTICATE "LOGIN" "YWxpY2U="\r\n', b'"c2VjcmV0"\r\n'],
    ],
)
def test_rfc_5804_section_2_1_authenticate(pieces: list[bytes]) -> None:
    engine = begun()
    for piece in pieces[:-1]:
        assert said(engine, piece) in ('""\r\n', '"VXNlcm5hbWU6"\r\n', '"UGFzc3dvcmQ6"\r\n')
    assert asked(engine, pieces[-1]) == LoginAttempt(ALICE)


@pytest.mark.parametrize("answer", [b'"*"', b'"!!!"', b"NOOP", b"", b'"a" "b"', b'"AGFsaWNl"', b'"x'])
def test_an_exchange_that_is_cancelled_or_damaged_is_over(answer: bytes) -> None:
    engine = begun()
    said(engine, b'AUTHENTICATE "PLAIN"\r\n')
    assert said(engine, answer + b"\r\n").startswith("NO ")
    assert said(engine, b"NOOP\r\n") == 'OK "Done"\r\n'


@pytest.mark.parametrize(
    "command", [b'AUTHENTICATE "CRAM-MD5"', b"AUTHENTICATE", b"AUTHENTICATE PLAIN", b'AUTHENTICATE "PLAIN" "a" "b"']
)
def test_authenticate_that_cannot_work(command: bytes) -> None:
    assert said(begun(), command + b"\r\n").startswith("NO ")


def test_rfc_5804_section_1_3_encrypt_needed() -> None:
    command = b'AUTHENTICATE "PLAIN" "' + PLAIN + b'"\r\n'
    assert said(begun(CLEAR), command).startswith("NO (ENCRYPT-NEEDED) ")
    assert asked(begun(replace(CLEAR, may_auth_in_clear=True)), command) == LoginAttempt(ALICE)


def test_refused_logins_say_whether_to_try_later_and_too_many_end_the_session() -> None:
    engine = begun(replace(SETTINGS, limits=ManageSieveLimits(failed_logins=3)))
    command = b'AUTHENTICATE "PLAIN" "' + PLAIN + b'"\r\n'
    for is_temporary, answer in ((False, b'NO "'), (True, b"NO (TRYLATER) "), (False, b"BYE ")):
        assert isinstance(asked(engine, command), LoginAttempt)
        engine.login_refused(is_temporary=is_temporary)
        assert engine.data_to_send().startswith(answer)
    assert engine.next_event() == Close()


def test_rfc_5804_section_2_14_unauthenticate() -> None:
    engine = logged_in()
    assert said(engine, b"UNAUTHENTICATE\r\n") == 'OK "Logged out"\r\n'
    assert said(engine, b"LISTSCRIPTS\r\n") == 'NO "Log in first"\r\n'
    assert said(engine, b"UNAUTHENTICATE\r\n").startswith("NO ")
    assert asked(engine, b'AUTHENTICATE "PLAIN" "' + PLAIN + b'"\r\n') == LoginAttempt(ALICE)


def test_logging_in_twice_is_refused() -> None:
    assert said(logged_in(), b'AUTHENTICATE "PLAIN"\r\n') == 'NO "Already logged in"\r\n'


# --- scripts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "question"),
    [
        (b'HAVESPACE "a" 262144', HaveSpace("a", 262144)),
        (b'PUTSCRIPT "a" {5+}\r\nkeep;', PutScript("a", b"keep;")),
        (b'PUTSCRIPT {1+}\r\na "keep;"', PutScript("a", b"keep;")),
        (b'CHECKSCRIPT ""', CheckScript(b"")),
        (b"listscripts", ListScripts()),
        (b'SETACTIVE "a b"', SetActive("a b")),
        (b'SETACTIVE ""', SetActive(None)),
        (b"SETACTIVE {0+}\r\n", SetActive(None)),
        (b'GETSCRIPT "a"', GetScript("a")),
        (b'DELETESCRIPT "a"', DeleteScript("a")),
        (b'RENAMESCRIPT "a" "cafe\xcc\x81"', RenameScript("a", "caf\u00e9")),
    ],
)
def test_commands_become_questions_and_need_a_login(command: bytes, question: ManageSieveEvent) -> None:
    engine = logged_in()
    assert asked(engine, command + b"\r\n") == question
    assert said(begun(), command + b"\r\n") == 'NO "Log in first"\r\n'


@pytest.mark.parametrize(
    "command",
    [
        b'HAVESPACE "a"',
        b'HAVESPACE "a" "5"',
        b'PUTSCRIPT "a"',
        b'PUTSCRIPT "" "keep;"',
        b"CHECKSCRIPT",
        b"LISTSCRIPTS 1",
        b'SETACTIVE "a" "b"',
        b'GETSCRIPT ""',
        b'DELETESCRIPT "a\x01"',
        b'RENAMESCRIPT "a"',
        b'RENAMESCRIPT "a" ""',
        b"RENAMESCRIPT 1 2",
        b"FROBNICATE",
        b'"a"',
        b"",
        b"NOOP 1",
        b"LOGOUT 1",
    ],
)
def test_malformed_commands_are_refused(command: bytes) -> None:
    assert said(logged_in(), command + b"\r\n").startswith("NO ")


def test_answers_to_questions() -> None:
    engine = logged_in()
    asked(engine, b"LISTSCRIPTS\r\n")
    engine.list_scripts([("a", False), ('b"', True), ("x\u00e9", False)])
    assert said(engine, b"") == '"a"\r\n"b\\"" ACTIVE\r\n"x\u00e9"\r\nOK "That is all"\r\n'
    asked(engine, b'GETSCRIPT "a"\r\n')
    engine.give_script(b"keep;\r\n")
    assert said(engine, b"") == '{7}\r\nkeep;\r\n\r\nOK "That is it"\r\n'
    asked(engine, b'SETACTIVE "a"\r\n')
    engine.accept("Done", warning="but")
    assert said(engine, b"") == 'OK (WARNINGS) "but"\r\n'
    asked(engine, b'GETSCRIPT "a"\r\n')
    engine.reject("none", ResponseCode.NONEXISTENT)
    assert said(engine, b"") == 'NO (NONEXISTENT) "none"\r\n'
    asked(engine, b'CHECKSCRIPT "a"\r\n')
    engine.reject("line 1: x\r\nline 2: y")
    assert said(engine, b"") == "NO {20}\r\nline 1: x\r\nline 2: y\r\n"


def test_pipelined_commands_wait_for_their_turn() -> None:
    engine = logged_in()
    assert asked(engine, b'LISTSCRIPTS\r\nGETSCRIPT "a"\r\nNOOP\r\n') == ListScripts()
    assert engine.next_event() is None
    engine.list_scripts([])
    assert engine.next_event() == GetScript("a")
    engine.give_script(b"")
    assert engine.next_event() is None
    assert engine.data_to_send().endswith(b'OK "Done"\r\n')


@pytest.mark.parametrize(("size", "is_too_large"), [(99, False), (100, False), (101, True)])
def test_rfc_5804_section_1_3_quota_maxsize(size: int, is_too_large: bool) -> None:
    engine = logged_in(replace(SETTINGS, limits=ManageSieveLimits(script=100)))
    for command in (
        b'HAVESPACE "a" %d' % size,
        b'PUTSCRIPT "a" {%d+}\r\n%b' % (size, b"x" * size),
        b'PUTSCRIPT "a" "%b"' % (b"x" * size),
        b"CHECKSCRIPT {%d+}\r\n%b" % (size, b"x" * size),
    ):
        event = asked(engine, command + b"\r\n")
        assert (event is None) is is_too_large
        if event is not None:
            engine.accept("fine")
        assert engine.data_to_send().startswith(b"NO (QUOTA/MAXSIZE) " if is_too_large else b"OK ")


def test_a_huge_literal_ends_the_session() -> None:
    assert hung_up(logged_in(), b'PUTSCRIPT "a" {4194305+}\r\n').startswith("BYE (QUOTA/MAXSIZE) ")
    assert hung_up(begun(), b'PUTSCRIPT "a" {262144+}\r\n').startswith("BYE (QUOTA/MAXSIZE) ")


# --- NOOP, LOGOUT, TLS ------------------------------------------------------------------------------------------------


def test_rfc_5804_section_2_13_noop_gives_the_tag_back() -> None:
    assert said(begun(), b'NOOP "STARTTLS-SYNC-42"\r\n') == 'OK (TAG "STARTTLS-SYNC-42") "Done"\r\n'
    assert said(begun(), b'NOOP {2+}\r\na"\r\n') == 'OK (TAG "a\\"") "Done"\r\n'


def test_logout() -> None:
    assert hung_up(logged_in(), b"LOGOUT\r\nNOOP\r\n") == 'OK "Bye"\r\n'


def test_rfc_5804_section_2_2_starttls_gives_the_capabilities_again() -> None:
    engine = begun(CLEAR)
    assert asked(engine, b"STARTTLS\r\n") == StartTls()
    assert engine.data_to_send().startswith(b"OK ")
    assert engine.next_event() is None
    engine.tls_established()
    again = engine.data_to_send().decode()
    assert '"SASL" "PLAIN LOGIN"\r\n' in again
    assert '"STARTTLS"' not in again
    assert again.endswith('OK "TLS negotiation successful"\r\n')
    assert said(engine, b"STARTTLS\r\n").startswith("NO ")


@pytest.mark.parametrize("behind", [b"NOOP\r\n", b"\x16\x03\x01", b"\n"])
def test_clear_octets_behind_starttls_end_the_session(behind: bytes) -> None:
    assert hung_up(begun(CLEAR), b"STARTTLS\r\n" + behind).startswith("BYE ")


def test_clear_octets_between_starttls_and_tls_end_the_session() -> None:
    engine = begun(CLEAR)
    assert asked(engine, b"STARTTLS\r\n") == StartTls()
    assert asked(engine, b"NOOP\r\n") == Close()


def test_starttls_where_it_is_not_offered_or_comes_too_late() -> None:
    assert said(begun(ManageSieveSettings("x")), b"STARTTLS\r\n") == 'NO "TLS is not offered here"\r\n'
    assert said(logged_in(replace(CLEAR, may_auth_in_clear=True)), b"STARTTLS\r\n").startswith("NO ")


# --- limits and farewells ---------------------------------------------------------------------------------------------


def test_too_many_bad_commands_end_the_session() -> None:
    engine = begun(replace(SETTINGS, limits=ManageSieveLimits(bad_commands=3)))
    said(engine, b"X\r\nX\r\n")
    assert hung_up(engine, b"X\r\nNOOP\r\n") == 'NO "Unknown command"\r\nBYE "Too many bad commands"\r\n'


def test_too_many_commands_without_a_login_end_the_session() -> None:
    engine = begun(replace(SETTINGS, limits=ManageSieveLimits(commands_before_login=2)))
    said(engine, b"NOOP\r\nNOOP\r\n")
    assert hung_up(engine, b"NOOP\r\n") == 'BYE "Too many commands without a login"\r\n'


def test_the_door_turns_away_in_the_protocol() -> None:
    engine = ManageSieveEngine(SETTINGS)
    engine.refuse(Refusal.TOO_MANY_CONNECTIONS)
    assert engine.data_to_send() == b'BYE (TRYLATER) "Too many connections"\r\n'
    assert asked(engine, b"NOOP\r\n") is None


@pytest.mark.parametrize("refusal", list(Refusal))
def test_a_session_is_ended_with_bye(refusal: Refusal) -> None:
    engine = logged_in()
    engine.refuse(refusal)
    assert engine.data_to_send().startswith(b"BYE ")


def test_rfc_5804_section_1_2_the_idle_timeout_is_at_least_thirty_minutes_once_logged_in() -> None:
    assert logged_in().idle_timeout >= 1800
    assert 0 < begun().idle_timeout < 1800


def test_the_end_of_input_closes_after_what_is_complete() -> None:
    engine = logged_in()
    engine.receive_data(b'LISTSCRIPTS\r\nNOOP\r\nPUTSCRIPT "a" {9+}\r\nkeep')
    engine.receive_eof()
    assert engine.next_event() == ListScripts()
    engine.list_scripts([])
    assert engine.next_event() == Close()
    assert engine.data_to_send().endswith(b'OK "Done"\r\n')


def test_reading_pauses_while_much_is_pipelined_but_never_inside_a_literal() -> None:
    engine = logged_in()
    assert asked(engine, b'PUTSCRIPT "a" {200000+}\r\n' + b"x" * 100_000) is None
    assert engine.wants_input
    assert isinstance(asked(engine, b"x" * 100_000 + b"\r\n"), PutScript)
    engine.receive_data(b"x" * 65536)
    assert not engine.wants_input


# --- however the octets come ------------------------------------------------------------------------------------------

SESSION = (
    b'CAPABILITY\r\nAUTHENTICATE "PLAIN"\r\n{20+}\r\n' + PLAIN + b'\r\nPUTSCRIPT "a" {7+}\r\nkeep;\r\n\r\nBAD\r\n'
    b'SETACTIVE "a"\nGETSCRIPT {1}\r\na\r\nNOOP "x"\r\nLOGOUT\r\n'
)


def play(pieces: list[bytes]) -> bytes:
    """A whole session with a world that always says yes."""
    engine, out = begun(), b""
    for piece in pieces:
        engine.receive_data(piece)
        while (event := engine.next_event()) is not None:
            match event:
                case LoginAttempt():
                    engine.login_accepted("alice")
                case GetScript():
                    engine.give_script(b"keep;")
                case Close():
                    return out + engine.data_to_send()
                case _:
                    engine.accept("yes")
        out += engine.data_to_send()
    return out


@given(st.lists(st.integers(0, len(SESSION)), max_size=12))
def test_where_the_input_is_cut_makes_no_difference(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(SESSION)]
    assert play([SESSION[start:end] for start, end in pairwise(edges)]) == play([SESSION])


def test_input_octet_by_octet_makes_no_difference() -> None:
    assert play([SESSION[i : i + 1] for i in range(len(SESSION))]) == play([SESSION])
    assert play([SESSION]).endswith(b'OK "Bye"\r\n')


@given(
    st.lists(
        st.binary(max_size=40) | st.sampled_from([b'AUTHENTICATE "PLAIN"\r\n', b"{3+}\r\n", b'"x"\r\n', b"SETACTIVE "])
    )
)
def test_nothing_that_a_client_sends_raises(pieces: list[bytes]) -> None:
    play(pieces)
    play([SESSION[:120], *pieces])
