"""LIST, LSUB, STATUS, CREATE, DELETE, RENAME and SUBSCRIBE of an IMAP session."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import AsyncMock

import pytest
from tests.hang_deadline import hang_deadline
from tests.session.imap_client import Client, Server, logged_in, selected


@pytest.fixture
async def client() -> Client:
    client = await logged_in(Server())
    for name in ("a/b/c", "d", "Entw&APw-rfe", '"two words"'):
        assert "x OK" in await client.say(f"x create {name}")
    return client


async def listed(client: Client, command: str) -> list[str]:
    answer = (await client.say(f"t {command}")).split("\r\n")
    assert answer[-2].startswith("t OK")
    return answer[:-2]


async def test_list_shows_names_with_attributes(client: Client) -> None:
    """RFC 3501 section 7.2.2, RFC 3348"""
    assert await listed(client, 'list "" *') == [
        '* LIST (\\HasNoChildren) "/" INBOX',
        '* LIST (\\HasNoChildren) "/" Entw&APw-rfe',
        '* LIST (\\HasChildren) "/" a',
        '* LIST (\\HasChildren) "/" a/b',
        '* LIST (\\HasNoChildren) "/" a/b/c',
        '* LIST (\\HasNoChildren) "/" d',
        '* LIST (\\HasNoChildren) "/" "two words"',
    ]


async def test_list_with_an_empty_pattern_gives_the_delimiter(client: Client) -> None:
    """RFC 3501 section 6.3.8"""
    assert await listed(client, 'list "" ""') == ['* LIST (\\Noselect) "/" ""']


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ('"" %', ["INBOX", "Entw&APw-rfe", "a", "d", '"two words"']),
        ('"a/" %', ["a/b"]),
        ('"" inbox', ["INBOX"]),
        ('"" {1+}\r\nd', ["d"]),
        ('"" none', []),
    ],
)
async def test_patterns(client: Client, arguments: str, names: list[str]) -> None:
    """RFC 3501 section 6.3.8"""
    assert [line.split(' "/" ')[1] for line in await listed(client, f"list {arguments}")] == names


async def test_special_use_is_shown(client: Client) -> None:
    """RFC 6154 sections 2, 3"""
    await client.say("x create Out (use (\\Sent))")
    assert await listed(client, 'list "" Out') == ['* LIST (\\HasNoChildren \\Sent) "/" Out']


async def test_a_parent_that_was_deleted_is_listed_while_it_has_children(client: Client) -> None:
    """RFC 3501 section 6.3.4"""
    assert "x OK" in await client.say("x delete a/b")
    assert await listed(client, 'list "" a/%') == ['* LIST (\\Noselect \\HasChildren) "/" a/b']
    assert "x NO [NONEXISTENT]" in await client.say("x select a/b")


async def test_lsub_shows_subscribed_names_and_hints_at_those_below(client: Client) -> None:
    """RFC 3501 section 6.3.9"""
    await client.say("x subscribe a/b/c")
    await client.say("x subscribe d")
    assert await listed(client, 'lsub "" %') == ['* LSUB (\\Noselect) "/" a', '* LSUB () "/" d']
    assert await listed(client, 'lsub "" a/b/c') == ['* LSUB () "/" a/b/c']
    await client.say("x unsubscribe d")
    assert await listed(client, 'lsub "" d') == []


async def test_subscribing_to_nothing_is_refused(client: Client) -> None:
    assert "x NO [NONEXISTENT]" in await client.say("x subscribe none")


async def test_status(client: Client) -> None:
    """RFC 3501 section 6.3.10, RFC 8438"""
    await client.append("Subject: x\n\n", "d", "(\\Seen) ")
    await client.append("Subject: y\n\n", "d")
    (line,) = await listed(client, "status d (messages recent unseen uidnext size)")
    assert line == "* STATUS d (MESSAGES 2 RECENT 0 UNSEEN 1 UIDNEXT 3 SIZE 28)"
    assert "x NO [NONEXISTENT]" in await client.say("x status none (messages)")


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("create d", "ALREADYEXISTS"),
        ("create inbox", "ALREADYEXISTS"),
        ('create ""', "CANNOT"),
        ("create x//y", "CANNOT"),
        ('create "x*"', "CANNOT"),
        ("delete INBOX", "CANNOT"),
        ("delete none", "NONEXISTENT"),
        ("rename none x", "NONEXISTENT"),
        ("rename d a", "ALREADYEXISTS"),
        ("rename a a/x", "CANNOT"),
        ('rename d "x%"', "CANNOT"),
        ('select ""', "NONEXISTENT"),
        ('list "" ' + "*a" * 30, "LIMIT"),
    ],
)
async def test_refusals_have_codes(client: Client, command: str, code: str) -> None:
    """RFC 5530 section 3"""
    assert (await client.say(f"x {command}")).startswith(f"x NO [{code}] ")


async def test_rename_takes_children_along(client: Client) -> None:
    """RFC 3501 section 6.3.5"""
    assert "x OK" in await client.say("x rename a z/y")
    names = [line.split(' "/" ')[1] for line in await listed(client, 'list "" z*')]
    assert names in (["z/y", "z/y/b", "z/y/b/c"], ["z", "z/y", "z/y/b", "z/y/b/c"])


async def test_renaming_inbox_moves_its_messages() -> None:
    """RFC 3501 section 6.3.5"""
    client = await selected(Server())
    await client.append("Subject: x\n\n")
    assert "* 1 EXPUNGE\r\nx OK" in await client.say("x rename INBOX old")
    assert "MESSAGES 1" in await client.say("x status old (messages)")


async def test_mailboxes_below_each_other_hundreds_of_times_are_listed_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is above each of them was made up for each anew: seconds, in which nobody else was served."""
    server = Server()
    client = await logged_in(server)
    (inbox,) = await server.store.mailboxes(client.account_id)  # type: ignore[arg-type]
    names = ["/".join([chain] * levels) for chain in "abcdefghijklmnopqrstuvwx" for levels in range(1, 501)]
    monkeypatch.setattr(
        server.store, "mailboxes", AsyncMock(return_value=[replace(inbox, name=name) for name in names])
    )
    with hang_deadline(6):
        found = await client.say('a list "" *')
    assert found.count("* LIST (\\HasChildren)") == 24 * 499
