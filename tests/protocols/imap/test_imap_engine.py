"""The state machine of a connection: greeting, login, TLS, limits, IDLE and farewells."""

from __future__ import annotations

import base64
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocols.imap.test_imap_mailbox_view import Entry

from gatepost.protocols.engine import Close, Refusal, StartTls
from gatepost.protocols.imap import commands
from gatepost.protocols.imap.engine import ImapEngine
from gatepost.protocols.imap.mailbox_view import MailboxView
from gatepost.protocols.imap.settings import ImapSettings
from gatepost.protocols.imap.states import ALLOWED_STATES, State

TLS = ImapSettings("mail.example.org", is_tls=True)
CLEAR = ImapSettings("mail.example.org", offers_tls=True)
LOOPBACK = ImapSettings("mail.example.org", may_auth_in_clear=True)


def connect(settings: ImapSettings = TLS) -> ImapEngine[Entry]:
    engine = ImapEngine[Entry](settings)
    engine.start()
    engine.data_to_send()
    return engine


def events(engine: ImapEngine[Entry], data: bytes) -> list[object]:
    engine.receive_data(data)
    found = []
    while (event := engine.next_event()) is not None:
        found.append(event)
    return found


def say(engine: ImapEngine[Entry], data: bytes) -> bytes:
    """What the engine answers to input that needs no store."""
    assert events(engine, data) == []
    return engine.data_to_send()


def log_in(engine: ImapEngine[Entry]) -> None:
    (event,) = events(engine, b"l login joe secret\r\n")
    assert isinstance(event, commands.LogIn)
    engine.logged_in()
    engine.data_to_send()


def logged_in(settings: ImapSettings = TLS) -> ImapEngine[Entry]:
    engine = connect(settings)
    log_in(engine)
    return engine


def selected() -> ImapEngine[Entry]:
    engine = logged_in()
    engine.view = MailboxView([Entry(1)], 1, 1, is_read_only=False)
    return engine


# --- greeting and capabilities --------------------------------------------------------------------------------------


def test_the_greeting_has_the_capabilities() -> None:
    """RFC 3501 section 7.1"""
    engine = ImapEngine[Entry](TLS)
    engine.start()
    greeting = engine.data_to_send()
    assert greeting.startswith(b"* OK [CAPABILITY IMAP4rev1 ")
    assert b"AUTH=PLAIN" in greeting
    assert greeting.endswith(b"] mail.example.org ready\r\n")


def test_without_tls_no_login_is_offered() -> None:
    """RFC 3501 section 6.2.3"""
    answer = say(connect(CLEAR), b"a capability\r\n")
    assert b" STARTTLS LOGINDISABLED\r\n" in answer
    assert b"AUTH=" not in answer


@pytest.mark.parametrize("settings", [TLS, LOOPBACK])
def test_starttls_is_offered_only_where_it_works(settings: ImapSettings) -> None:
    engine = connect(settings)
    assert b"STARTTLS" not in say(engine, b"a capability\r\n")
    assert say(engine, b"b starttls\r\n").startswith(b"b BAD ")


def test_extensions_are_shown_after_login() -> None:
    engine = logged_in()
    answer = say(engine, b"a capability\r\n")
    for name in (b"IDLE", b"UIDPLUS", b"MOVE", b"UNSELECT", b"NAMESPACE", b"SPECIAL-USE", b"CHILDREN", b"ENABLE"):
        assert b" " + name in answer
    assert b"AUTH=" not in answer


# --- TLS ------------------------------------------------------------------------------------------------------------


def test_starttls_asks_for_the_upgrade_and_login_works_after_it() -> None:
    """RFC 3501 section 6.2.1"""
    engine = connect(CLEAR)
    assert events(engine, b"a starttls\r\n") == [StartTls()]
    assert engine.data_to_send() == b"a OK Begin TLS negotiation now\r\n"
    engine.tls_established()
    answer = say(engine, b"b capability\r\n")
    assert b"STARTTLS" not in answer
    assert b"AUTH=PLAIN" in answer


def test_clear_text_pipelined_behind_starttls_ends_the_connection() -> None:
    """RFC 2595 section 3.1"""
    engine = connect(CLEAR)
    assert events(engine, b"a starttls\r\nb login joe secret\r\n") == [Close()]
    assert engine.data_to_send().startswith(b"a BAD ")


@pytest.mark.parametrize("command", [b"login joe secret", b"authenticate plain", b"authenticate plain AGEAYg=="])
def test_no_password_is_taken_in_clear(command: bytes) -> None:
    """RFC 3501 sections 6.2.2 and 6.2.3, RFC 5530 section 3"""
    assert say(connect(CLEAR), b"a " + command + b"\r\n").startswith(b"a NO [PRIVACYREQUIRED] ")


# --- login ----------------------------------------------------------------------------------------------------------

PLAIN = base64.b64encode(b"\0joe\0secret")


@pytest.mark.parametrize(
    "script",
    [
        [b"a login joe secret\r\n"],
        [b'a LOGIN "joe" {6}\r\n', b"secret\r\n"],
        [b"a authenticate plain " + PLAIN + b"\r\n"],  # RFC 4959
        [b"a authenticate plain\r\n", PLAIN + b"\r\n"],
        [b"a authenticate login\r\n", base64.b64encode(b"joe") + b"\r\n", base64.b64encode(b"secret") + b"\r\n"],
    ],
)
def test_ways_to_log_in(script: list[bytes]) -> None:
    engine = connect()
    for line in script[:-1]:
        assert say(engine, line).startswith(b"+ ")
    (event,) = events(engine, script[-1])
    assert isinstance(event, commands.LogIn)
    assert (event.credentials.login_name, event.credentials.password.reveal()) == ("joe", "secret")
    engine.logged_in()
    assert engine.data_to_send().startswith(b"a OK [CAPABILITY IMAP4rev1 ")


@pytest.mark.parametrize("response", [b"*", b"!!!", b"", base64.b64encode(b"x"), b"A" * 70_000])
def test_a_sasl_exchange_that_is_cancelled_or_broken_is_bad(response: bytes) -> None:
    """RFC 3501 section 6.2.2"""
    engine = connect()
    say(engine, b"a authenticate plain\r\n")
    assert say(engine, response + b"\r\n").startswith(b"a BAD ")
    assert say(engine, b"b noop\r\n").startswith(b"b OK ")


def test_an_unknown_mechanism_is_refused() -> None:
    assert say(connect(), b"a authenticate cram-md5\r\n").startswith(b"a NO ")


@pytest.mark.parametrize("failures", [4, 5])
def test_failed_logins_end_the_connection_at_the_limit(failures: int) -> None:
    engine = connect()
    for _ in range(failures):
        events(engine, b"a login joe wrong\r\n")
        engine.log_in_failed(is_temporary=False)
        assert engine.data_to_send().startswith(b"a NO [AUTHENTICATIONFAILED] ")
    assert (engine.next_event() == Close()) == (failures == 5)


def test_a_temporary_failure_says_so() -> None:
    """RFC 5530 section 3"""
    engine = connect()
    events(engine, b"a login joe secret\r\n")
    engine.log_in_failed(is_temporary=True)
    assert engine.data_to_send().startswith(b"a NO [UNAVAILABLE] ")


def test_the_idle_timeout_is_short_before_the_login_and_long_after_it() -> None:
    """RFC 3501 section 5.4: at least 30 minutes"""
    assert connect().idle_timeout <= 120
    assert logged_in().idle_timeout >= 30 * 60


# --- states ---------------------------------------------------------------------------------------------------------

ENGINES = {State.NOT_AUTHENTICATED: connect, State.AUTHENTICATED: logged_in, State.SELECTED: selected}


@pytest.mark.parametrize("name", ALLOWED_STATES)
@pytest.mark.parametrize("state", ENGINES)
def test_commands_are_bad_in_states_where_they_are_not_allowed(name: str, state: State) -> None:
    """RFC 3501 section 3"""
    engine = ENGINES[state]()
    engine.receive_data(f"a {name}\r\n".encode())
    engine.next_event()
    is_out_of_place = b"a BAD Not allowed in the" in engine.data_to_send()
    assert is_out_of_place == (state not in ALLOWED_STATES[name])


def test_pipelined_commands_are_answered_in_order_one_at_a_time() -> None:
    """RFC 3501 section 5.5"""
    engine = logged_in()
    assert events(engine, b"a capability\r\nb select x\r\nc noop\r\nd logout\r\n") == [commands.Select("x", False)]
    assert b"a OK" in engine.data_to_send()
    engine.no("no such mailbox", "NONEXISTENT")
    assert events(engine, b"") == [Close()]
    lines = engine.data_to_send().split(b"\r\n")
    assert [line[:5] for line in lines] == [b"b NO ", b"c OK ", b"* BYE", b"d OK ", b""]


def test_what_the_engine_answers_itself() -> None:
    engine = logged_in()
    assert say(engine, b"a id nil\r\n") == b'* ID ("name" "gatepost")\r\na OK Identified\r\n'
    assert say(engine, b"b namespace\r\n").startswith(b'* NAMESPACE (("" "/")) NIL NIL\r\nb OK')
    assert say(engine, b"c enable condstore\r\n").startswith(b"* ENABLED\r\nc OK")


STREAM = (
    b"a capability\r\nb noop\r\nc id {3+}\r\nabc\r\nd nonsense\r\ne authenticate plain\r\n*\r\n"
    b"f authenticate plain\r\n!\r\ng starttls\r\n"
)


@given(st.lists(st.integers(0, len(STREAM)), max_size=10))
def test_how_the_input_is_split_makes_no_difference(cuts: list[int]) -> None:
    whole, split = connect(), connect()
    expected = say(whole, STREAM)
    points = [0, *sorted(cuts), len(STREAM)]
    assert b"".join(say(split, STREAM[a:b]) for a, b in itertools.pairwise(points)) == expected


@given(st.binary(max_size=400))
def test_nothing_that_a_client_sends_raises(data: bytes) -> None:
    for engine in (connect(), logged_in(), selected()):
        engine.receive_data(data + b"\r\n")
        engine.next_event()
        engine.receive_eof()
        engine.data_to_send()


# --- limits ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [19, 20])
def test_bad_commands_end_the_connection_at_the_limit(count: int) -> None:
    engine = connect()
    found = events(engine, b"x nonsense\r\n" * count)
    assert found == ([Close()] if count == 20 else [])
    assert (b"* BYE" in engine.data_to_send()) == (count == 20)


def test_a_good_command_in_between_forgives() -> None:
    assert events(connect(), (b"x nonsense\r\n" * 15 + b"y noop\r\n") * 3) == []


def test_before_login_no_literal_is_large() -> None:
    assert say(connect(), b"a append x {100000}\r\n").startswith(b"a BAD ")


@pytest.mark.parametrize(("size", "is_taken"), [(1000, True), (1001, False)])
def test_a_message_over_the_limit_is_refused_before_it_is_sent(size: int, is_taken: bool) -> None:
    engine = logged_in(ImapSettings("h", is_tls=True, max_message_size=1000))
    answer = say(engine, b"a append x {%d}\r\n" % size)
    assert answer.startswith(b"+ " if is_taken else b"a NO [TOOBIG] ")


def test_a_line_that_is_too_long_is_bad_and_the_next_one_is_read() -> None:
    engine = connect()
    answer = say(engine, b"a login " + b"x" * 70_000 + b"\r\nb noop\r\n")
    assert answer.split(b"\r\n")[0].startswith(b"* BAD ")
    assert b"b OK" in answer


# --- IDLE -----------------------------------------------------------------------------------------------------------


def test_idle_hands_out_news_and_ends_with_done() -> None:
    """RFC 2177"""
    engine = selected()
    assert events(engine, b"a idle\r\n") == [commands.MailboxNews()]
    assert engine.data_to_send() == b"+ Idling\r\n"
    engine.news_shown()
    assert engine.next_event() is None
    engine.mailbox_changed()
    assert engine.next_event() == commands.MailboxNews()
    assert events(engine, b"done\r\n") == []
    engine.news_shown()
    assert engine.next_event() is None
    assert engine.data_to_send() == b"a OK Idle ended\r\n"


def test_idle_without_a_mailbox_waits_for_done() -> None:
    engine = logged_in()
    assert say(engine, b"a idle\r\n") == b"+ Idling\r\n"
    engine.mailbox_changed()
    assert say(engine, b"DONE\r\n").startswith(b"a OK ")


def test_idle_ended_by_anything_else_is_bad() -> None:
    engine = logged_in()
    say(engine, b"a idle\r\n")
    assert say(engine, b"b noop\r\n").startswith(b"a BAD ")


def test_outside_of_idle_news_wait_for_the_next_command() -> None:
    """RFC 3501 section 7.4.1: no EXPUNGE when no command is in progress"""
    engine = selected()
    engine.mailbox_changed()
    assert engine.next_event() is None


# --- farewells ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (Refusal.TOO_MANY_CONNECTIONS, b"* BYE [UNAVAILABLE] Too many connections\r\n"),
        (Refusal.SHUTTING_DOWN, b"* BYE [UNAVAILABLE] Server is shutting down\r\n"),
        (Refusal.IDLE_TIMEOUT, b"* BYE Idle for too long\r\n"),
        (Refusal.INTERNAL_ERROR, b"* BYE [SERVERBUG] Internal error\r\n"),
    ],
)
def test_refusals(refusal: Refusal, words: bytes) -> None:
    """RFC 3501 section 7.1.5"""
    engine = ImapEngine[Entry](TLS)
    engine.refuse(refusal)
    assert engine.data_to_send() == words
    assert events(engine, b"a noop\r\n") == [Close()]
    assert engine.data_to_send() == b""


def test_logout_says_bye_first() -> None:
    """RFC 3501 section 6.1.3"""
    engine = connect()
    assert events(engine, b"a logout\r\n") == [Close()]
    assert engine.data_to_send() == b"* BYE Logging out\r\na OK Logged out\r\n"


def test_at_the_end_of_input_what_is_complete_is_answered() -> None:
    engine = connect()
    engine.receive_data(b"a noop\r\nb no")
    engine.receive_eof()
    assert engine.next_event() == Close()
    assert engine.data_to_send() == b"a OK Nothing done\r\n"
    assert engine.next_event() is None


@pytest.mark.parametrize("size", [16_000, 17_000])
def test_commands_are_shorter_before_the_login_than_after_it(size: int) -> None:
    """Who has not logged in may not have long ones looked at; what a login needs fits."""
    padding = b"x" * size
    is_taken = size < 16 * 1024
    assert (b"BAD Command line too long" in say(connect(), b"a noop " + padding + b"\r\n")) is not is_taken
    assert (b"BAD Literal too big" in say(connect(), b"a login {%d}\r\n" % size)) is not is_taken
    assert b"Too many arguments" in say(logged_in(), b"a noop " + padding + b"\r\n")
    assert say(logged_in(), b"a select {%d}\r\n" % size).startswith(b"+ ")


def test_a_long_message_may_stand_right_behind_the_login() -> None:
    engine = connect()
    (event,) = events(engine, b"l login joe secret\r\na append x {40000+}\r\n" + b"m" * 40_000 + b"\r\n")
    assert isinstance(event, commands.LogIn)
    engine.logged_in()
    assert isinstance(engine.next_event(), commands.Append)
