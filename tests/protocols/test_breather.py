"""Engines that answer by themselves: one client may neither keep the others waiting nor pile up answers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gatepost.protocols.engine import COMMANDS_IN_ONE_GO, Breather, Close
from gatepost.protocols.imap import commands
from gatepost.protocols.imap.engine import ImapEngine
from gatepost.protocols.imap.settings import ImapSettings
from gatepost.protocols.managesieve.engine import ManageSieveEngine
from gatepost.protocols.managesieve.settings import ManageSieveSettings
from gatepost.protocols.pop3.engine import Pop3Engine
from gatepost.protocols.pop3.events import MaildropMessage
from gatepost.protocols.pop3.settings import Pop3Settings
from gatepost.store.interface import MessageEntry

AnyEngine = ImapEngine[MessageEntry] | Pop3Engine | ManageSieveEngine

PLAIN = b"AGFsaWNlAHNlY3JldA=="


def _imap() -> ImapEngine[MessageEntry]:
    engine = ImapEngine[MessageEntry](ImapSettings("mail.example.org", is_tls=True))
    engine.receive_data(b"l LOGIN alice secret\r\n")
    assert isinstance(engine.next_event(), commands.LogIn)
    engine.logged_in()
    return engine


def _pop3() -> Pop3Engine:
    engine = Pop3Engine(Pop3Settings("mail.example.org", is_tls=True))
    engine.receive_data(b"AUTH PLAIN " + PLAIN + b"\r\n")
    engine.next_event()
    engine.login_accepted([])
    return engine


def _managesieve() -> ManageSieveEngine:
    engine = ManageSieveEngine(ManageSieveSettings("mail.example.org", is_tls=True))
    engine.receive_data(b'AUTHENTICATE "PLAIN" "' + PLAIN + b'"\r\n')
    engine.next_event()
    engine.login_accepted("alice")
    return engine


ENGINES = pytest.mark.parametrize(
    ("make", "command"),
    [(_imap, b"a NOOP\r\n"), (_imap, b"a IDLE\r\nDONE\r\n"), (_pop3, b"NOOP\r\n"), (_managesieve, b"NOOP\r\n")],
    ids=["imap", "imap idle", "pop3", "manageSieve"],
)


@ENGINES
@pytest.mark.parametrize("is_cut", [False, True], ids=["in one piece", "one by one"])
def test_after_many_commands_others_have_their_turn(
    make: Callable[[], AnyEngine], command: bytes, is_cut: bool
) -> None:
    engine = make()
    engine.data_to_send()
    breathers = 0
    for octets in [command] * 450 if is_cut else [command * 450]:
        engine.receive_data(octets)
        while (event := engine.next_event()) is not None:
            assert event == Breather()
            assert engine.next_event() is None
            engine.go_on()
            breathers += 1
    lines = engine.data_to_send().count(b"OK ")
    assert lines >= 450
    assert breathers >= 450 // COMMANDS_IN_ONE_GO


@ENGINES
def test_what_was_not_looked_at_yet_waits(make: Callable[[], AnyEngine], command: bytes) -> None:
    engine = make()
    engine.data_to_send()
    engine.receive_data(command * 450)
    assert engine.next_event() == Breather()
    assert engine.data_to_send().count(b"OK ") <= COMMANDS_IN_ONE_GO
    assert engine.data_to_send() == b""


@pytest.mark.parametrize("count", [99, 100, 101])
def test_imap_commands_without_a_login_end_the_connection_at_the_limit(count: int) -> None:
    engine = ImapEngine[MessageEntry](ImapSettings("mail.example.org", is_tls=True))
    engine.receive_data(b"a NOOP\r\n" * count)
    ended = False
    while (event := engine.next_event()) is not None:
        if event == Breather():
            engine.go_on()
        else:
            assert event == Close()
            ended = True
    assert ended is (count > 100)
    assert (b"* BYE Too many commands" in engine.data_to_send()) is (count > 100)


def test_pop3_listings_of_a_large_maildrop_are_not_all_made_in_one_go() -> None:
    engine = Pop3Engine(Pop3Settings("mail.example.org", is_tls=True))
    engine.receive_data(b"AUTH PLAIN " + PLAIN + b"\r\n")
    assert engine.next_event() is not None
    engine.login_accepted([MaildropMessage(1000, f"1.{uid}") for uid in range(10_000)])
    engine.data_to_send()
    engine.receive_data(b"UIDL\r\n" * 50)
    assert engine.next_event() == Breather()
    assert engine.data_to_send().count(b"+OK") == 1
