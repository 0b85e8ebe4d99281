"""IMAP sessions against a mail store in memory: login, selecting, what other sessions do, and every way to fail."""

from __future__ import annotations

import base64

import pytest
from tests.session.imap_client import Client, Server, logged_in, selected
from tests.session.one_account import ALICE

from gatepost.session.link import Ended
from gatepost.store.interface import Broken, Busy, StoreError

MAIL = "From: joe@example.org\nSubject: hello\n\nbody\n"


@pytest.fixture
def server() -> Server:
    return Server()


def lines(answer: str) -> list[str]:
    return answer.split("\r\n")[:-1]


# --- login ----------------------------------------------------------------------------------------------------------


async def test_login(server: Server) -> None:
    client = Client(server)
    assert (await client.say("a login alice secret")).startswith("a OK [CAPABILITY ")
    assert client.account_id == ALICE.id


@pytest.mark.parametrize(("password", "code"), [("wrong", "AUTHENTICATIONFAILED"), ("later", "UNAVAILABLE")])
async def test_failed_logins(server: Server, password: str, code: str) -> None:
    """RFC 5530 section 3"""
    assert (await Client(server).say(f"a login alice {password}")).startswith(f"a NO [{code}] ")


@pytest.mark.parametrize(("identity", "result"), [("", "OK"), ("alice", "OK"), ("bob", "NO")])
async def test_nobody_acts_for_somebody_else(server: Server, identity: str, result: str) -> None:
    """RFC 4616 section 2"""
    response = base64.b64encode(f"{identity}\0alice\0secret".encode()).decode()
    assert (await Client(server).say(f"a authenticate plain {response}")).startswith(f"a {result}")


# --- SELECT ---------------------------------------------------------------------------------------------------------


async def test_select_tells_all_that_it_has_to(server: Server) -> None:
    """RFC 3501 section 6.3.1"""
    client = await logged_in(server)
    await client.append(MAIL, options="(\\Seen $x) ")
    await client.append(MAIL)
    answer = lines(await client.say("a select inbox"))
    flags = "\\Answered \\Flagged \\Deleted \\Seen \\Draft $x"
    assert answer[:4] == [f"* FLAGS ({flags})", "* 2 EXISTS", "* 0 RECENT", "* OK [UNSEEN 2] First unseen message"]
    assert answer[4].startswith("* OK [UIDVALIDITY ")
    assert answer[5].startswith("* OK [UIDNEXT 3]")
    assert answer[6].startswith(f"* OK [PERMANENTFLAGS ({flags} \\*)]")
    assert answer[7].startswith("a OK [READ-WRITE]")


async def test_examine_is_read_only(server: Server) -> None:
    """RFC 3501 section 6.3.2"""
    client = await logged_in(server)
    await client.append(MAIL, options="(\\Deleted) ")
    answer = await client.say("a examine INBOX")
    assert "[PERMANENTFLAGS ()]" in answer
    assert "a OK [READ-ONLY]" in answer
    for command in ("store 1 +flags (\\Seen)", "expunge", "move 1 INBOX"):
        assert "b NO [READ-ONLY]" in await client.say(f"b {command}")
    assert "\\Seen" not in await client.say("c fetch 1 body[]")
    assert "d OK" in await client.say("d close")
    assert "* 1 EXISTS" in await client.say("e select INBOX")


async def test_a_select_that_fails_leaves_nothing_selected(server: Server) -> None:
    """RFC 3501 section 6.3.1"""
    client = await selected(server)
    assert "a NO [NONEXISTENT]" in await client.say("a select none")
    assert "b BAD" in await client.say("b fetch 1 flags")


async def test_close_expunges_silently_and_unselect_does_not(server: Server) -> None:
    """RFC 3501 section 6.4.2, RFC 3691 section 2"""
    client = await selected(server)
    await client.append(MAIL, options="(\\Deleted) ")
    assert lines(await client.say("a unselect")) == ["a OK Unselected"]
    assert "* 1 EXISTS" in await client.say("b select INBOX")
    assert lines(await client.say("c close")) == ["c OK Closed"]
    assert "* 0 EXISTS" in await client.say("d select INBOX")


# --- two sessions ---------------------------------------------------------------------------------------------------


async def test_noop_shows_what_others_did(server: Server) -> None:
    """RFC 3501 sections 5.2, 6.1.2"""
    one, two = await selected(server), await selected(server)
    for _ in range(3):
        await one.append(MAIL)
    assert lines(await two.say("a noop")) == ["* 3 EXISTS", "* 0 RECENT", "a OK Nothing done"]
    await one.say("b store 2 +flags.silent (\\Seen k)")
    assert lines(await two.say("a noop"))[1:] == ["* 2 FETCH (FLAGS (\\Seen k))", "a OK Nothing done"]
    await one.say("c store 1:2 +flags.silent \\Deleted")
    await one.say("d expunge")
    assert lines(await two.say("a check")) == ["* 2 EXPUNGE", "* 1 EXPUNGE", "a OK Nothing done"]


@pytest.mark.parametrize("command", ["fetch 1:2 flags", "store 1 +flags x", "search all"])
async def test_no_expunge_is_shown_during_commands_with_numbers(server: Server, command: str) -> None:
    """RFC 3501 section 7.4.1"""
    one = await selected(server)
    await one.append(MAIL, options="(\\Deleted) ")
    await one.append(MAIL)
    two = await selected(server)
    await one.say("x expunge")
    assert " EXPUNGE\r\n" not in await two.say(f"a {command}")
    assert "* 1 EXPUNGE\r\n" in await two.say("b noop")


@pytest.mark.parametrize("command", ["uid fetch 1:2 flags", "uid store 2 +flags x", "uid search all"])
async def test_commands_with_uids_show_expunges(server: Server, command: str) -> None:
    """RFC 3501 section 7.4.1: UID FETCH, UID STORE and UID SEARCH are different commands"""
    one = await selected(server)
    await one.append(MAIL, options="(\\Deleted) ")
    await one.append(MAIL)
    two = await selected(server)
    await one.say("x expunge")
    assert "* 1 EXPUNGE\r\na OK" in await two.say(f"a {command}")


async def test_new_messages_can_be_fetched_at_once(server: Server) -> None:
    one, two = await selected(server), await selected(server)
    await one.append(MAIL)
    assert lines(await two.say("a uid fetch 1:* (flags)")) == [
        "* 1 EXISTS", "* 0 RECENT", "* 1 FETCH (UID 1 FLAGS ())", "a OK Fetched",
    ]  # fmt: skip


async def test_idle_shows_news_when_they_come(server: Server) -> None:
    """RFC 2177"""
    one, two = await selected(server), await selected(server)
    assert await two.say("i idle") == "+ Idling\r\n"
    await one.append(MAIL)
    assert two.woken > 0
    assert lines(await two.listen()) == ["* 1 EXISTS", "* 0 RECENT"]
    await one.say("x store 1 flags \\Deleted")
    assert await two.listen() == "* 1 FETCH (FLAGS (\\Deleted))\r\n"
    await one.say("x expunge")
    assert await two.listen() == "* 1 EXPUNGE\r\n"
    assert await two.say("DONE") == "i OK Idle ended\r\n"


async def test_idle_first_shows_what_happened_before_it(server: Server) -> None:
    one, two = await selected(server), await selected(server)
    await one.append(MAIL)
    assert lines(await two.say("i idle")) == ["+ Idling", "* 1 EXISTS", "* 0 RECENT"]


async def test_a_session_whose_mailbox_is_deleted_is_told_and_ended(server: Server) -> None:
    one = await logged_in(server)
    await one.say("a create x")
    idle, busy = await selected(server, "x"), await selected(server, "x")
    await idle.say("i idle")
    await one.say("b delete x")
    assert (await idle.listen()).startswith("* BYE ")
    assert idle.is_closed
    assert "c NO [NONEXISTENT]" in await busy.say("c noop")
    assert busy.is_closed


async def test_deleting_ones_own_selected_mailbox_unselects_it(server: Server) -> None:
    client = await logged_in(server)
    await client.say("a create x")
    await client.say("b select x")
    assert "c OK" in await client.say("c delete x")
    assert "d BAD" in await client.say("d fetch 1 flags")


async def test_the_watch_ends_with_the_session(server: Server) -> None:
    one, two = await selected(server), await selected(server)
    await two.reactions.ended()
    await one.append(MAIL)
    assert two.woken == 0


# --- failures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("failure", "code"), [(Busy("x"), "INUSE"), (Broken("x"), "UNAVAILABLE")])
@pytest.mark.parametrize("command", ['list "" *', "select INBOX", "status INBOX (messages)", "create x", "noop"])
async def test_a_store_that_fails_is_answered_with_no(
    server: Server, failure: StoreError, code: str, command: str
) -> None:
    """RFC 5530 section 3"""
    client = await selected(server)
    server.store.failure = failure
    assert f"a NO [{code}]" in await client.say(f"a {command}")
    server.store.failure = None
    assert "b OK" in await client.say('b list "" *')


async def test_a_client_that_floods_the_server_waits_until_it_has_taken_its_answers(server: Server) -> None:
    client = await logged_in(server)
    client.engine.receive_data(b"a NOOP\r\n" * 250)
    event = client.engine.next_event()
    client.drops_after = 0
    with pytest.raises(Ended):
        await client.reactions.react(event)
    client.drops_after = None
    await client.reactions.react(event)
    assert (await client.listen()).count("a OK") == 250


async def test_a_fetch_ends_when_the_client_is_gone(server: Server) -> None:
    client = await selected(server)
    for _ in range(5):
        await client.append(MAIL)
    client.drops_after, server.store.contents_read = 2, 0
    with pytest.raises(Ended):
        await client.say("a fetch 1:* body.peek[]")
    assert server.store.contents_read == 2
