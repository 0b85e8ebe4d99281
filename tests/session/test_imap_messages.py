"""APPEND, FETCH, STORE, SEARCH, COPY, MOVE and EXPUNGE of an IMAP session."""

from __future__ import annotations

import asyncio

import pytest
from tests.hang_deadline import hang_deadline
from tests.session.imap_client import Client, Server, selected

from gatepost.protocols.engine import Refusal
from gatepost.store.interface import NewMessage

PLAIN = "From: Joe <joe@example.org>\nSubject: hello\nDate: Tue, 2 Jan 2024 00:00:00 +0000\n\nplain body\n"
FANCY = (
    "From: ann@example.org\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nContent-Type: multipart/mixed; boundary=b\n\n"
    "--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nSch=C3=B6n\n"
    "--b\nContent-Type: application/pdf\n\nsecret\n--b--\n"
)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def client(server: Server) -> Client:
    """INBOX with three messages: 1 plain and seen, 2 fancy, 3 plain, flagged and long."""
    client = await selected(server)
    await client.append(PLAIN, options='(\\Seen) "01-Feb-2024 10:00:00 +0000" ')
    await client.append(FANCY, options='"02-Feb-2024 10:00:00 +0000" ')
    await client.append(PLAIN + "x" * 1000, options='(\\Flagged $key) "03-Feb-2024 10:00:00 +0000" ')
    return client


async def answer(client: Client, command: str) -> list[str]:
    """Untagged lines; the command must succeed."""
    found = (await client.say(f"t {command}")).split("\r\n")
    assert found[-2].startswith("t OK"), found
    return found[:-2]


# --- APPEND ---------------------------------------------------------------------------------------------------------


async def test_append_gives_the_uid_and_shows_the_message_at_once(server: Server) -> None:
    """RFC 3501 section 6.3.11, RFC 4315 section 3"""
    client = await selected(server)
    found = (await client.append(PLAIN)).split("\r\n")
    assert found[:2] == ["* 1 EXISTS", "* 0 RECENT"]
    mailbox = await server.store.mailbox(client.account_id, "INBOX")  # type: ignore[arg-type]
    assert mailbox is not None
    assert found[2] == f"app OK [APPENDUID {mailbox.uid_validity} 1] Appended"


async def test_append_keeps_octets_flags_and_date(server: Server) -> None:
    client = await selected(server)
    octets = b"A: b\n\n\xff\x00\r bare\n"
    await client.append(octets, options='(\\Draft x) "17-Jul-1996 02:44:25 -0700" ')
    found = await client.say("a fetch 1 (flags internaldate rfc822.size body.peek[])")
    assert found.startswith(
        '* 1 FETCH (FLAGS (\\Draft x) INTERNALDATE "17-Jul-1996 02:44:25 -0700" RFC822.SIZE 15 '
        "BODY[] {15}\r\n" + octets.decode("latin-1") + ")\r\n"
    )


async def test_append_to_a_mailbox_that_is_missing_says_trycreate(client: Client) -> None:
    """RFC 3501 section 6.3.11"""
    assert (await client.append(PLAIN, "none")).startswith("app NO [TRYCREATE] ")


async def test_an_empty_message_is_refused(client: Client) -> None:
    assert "app NO" in await client.append("")


# --- FETCH ----------------------------------------------------------------------------------------------------------


async def test_fetch_without_content_reads_none(server: Server, client: Client) -> None:
    server.store.contents_read = 0
    assert await answer(client, "fetch 1,3 (uid flags)") == [
        "* 1 FETCH (UID 1 FLAGS (\\Seen))",
        "* 3 FETCH (UID 3 FLAGS (\\Flagged $key))",
    ]
    assert server.store.contents_read == 0


async def test_reading_a_body_sets_seen_and_tells(client: Client) -> None:
    """RFC 3501 section 6.4.5"""
    found = "\r\n".join(await answer(client, "fetch 1:3 body[2]"))
    assert found == (
        "* 1 FETCH (BODY[2] NIL)\r\n* 2 FETCH (BODY[2] {6}\r\nsecret FLAGS (\\Seen))\r\n"
        "* 3 FETCH (BODY[2] NIL FLAGS (\\Flagged \\Seen $key))"
    )
    assert await answer(client, "noop") == []


@pytest.mark.parametrize("item", ["body.peek[]", "rfc822.header", "envelope", "bodystructure", "rfc822.size", "full"])
async def test_items_that_do_not_set_seen(client: Client, item: str) -> None:
    """RFC 3501 section 6.4.5"""
    await answer(client, f"fetch 2 {item}")
    assert await answer(client, "fetch 2 flags") == ["* 2 FETCH (FLAGS ())"]


@pytest.mark.parametrize(
    ("partial", "text"),
    [("<0.5>", "<0> {5}\r\nplain"), ("<6.100>", "<6> {6}\r\nbody\r\n"), ("<12.1>", '<12> ""'), ("<99.1>", '<99> ""')],
)
async def test_partial_fetches(client: Client, partial: str, text: str) -> None:
    """RFC 3501 section 6.4.5"""
    assert "\r\n".join(await answer(client, f"fetch 1 body[1]{partial}")) == f"* 1 FETCH (BODY[1]{text})"


async def test_a_message_fetched_in_pieces_is_read_once(server: Server, client: Client) -> None:
    server.store.contents_read = 0
    for start in range(0, 50, 10):
        await answer(client, f"fetch 3 body.peek[]<{start}.10>")
    assert server.store.contents_read == 1


@pytest.mark.parametrize("messages", ["4", "1:4", "0:1"])
async def test_numbers_that_nothing_has_are_bad(client: Client, messages: str) -> None:
    """RFC 3501 section 6.4.8 and section 9, seq-number"""
    assert "t BAD" in await client.say(f"t fetch {messages} flags")


async def test_uids_that_nothing_has_are_passed_over(client: Client) -> None:
    """RFC 3501 section 6.4.8"""
    assert await answer(client, "uid fetch 77:88 flags") == []
    assert await answer(client, "uid fetch 3:99 (flags)") == ["* 3 FETCH (UID 3 FLAGS (\\Flagged $key))"]


async def test_a_message_that_is_gone_meanwhile_is_reported(server: Server, client: Client) -> None:
    """RFC 2180 section 4.1, RFC 5530 section 3"""
    server.store.contents.clear()
    assert "t NO [EXPUNGEISSUED]" in await client.say("t fetch 1 body[]")
    assert "t OK" in await client.say("t uid fetch 1 body[]")


async def test_large_fetches_are_sent_message_by_message(client: Client) -> None:
    client.engine.receive_data(b"t fetch 1:3 body.peek[]\r\n")
    event = client.engine.next_event()
    await client.reactions.react(event)
    assert len(client.sent) == 3


LARGE = b"Subject: large\r\n\r\n" + b"".join(b"%07d\r\n" % number for number in range(400_000))


@pytest.mark.parametrize(
    ("item", "first", "end"),
    [
        ("body.peek[]", 0, len(LARGE)),
        ("body.peek[text]", 18, len(LARGE)),
        ("body.peek[]<1000.3000000>", 1000, 3001000),
        ("body.peek[]<1000.99999999>", 1000, len(LARGE)),
    ],
)
async def test_a_large_section_goes_out_in_pieces(client: Client, item: str, first: int, end: int) -> None:
    await client.append(LARGE)
    client.engine.receive_data(f"t fetch 4 (uid {item} rfc822.size)\r\n".encode())
    await client.reactions.react(client.engine.next_event())
    assert max(map(len, client.sent)) < 2**20 + 100
    client.send_queued()
    answer = b"".join(client.sent)
    literal = b"{%d}\r\n%b RFC822.SIZE %d)\r\nt OK " % (end - first, LARGE[first:end], len(LARGE))
    assert answer.startswith(b"* 4 FETCH (UID 4 BODY[")
    assert literal in answer


async def test_nobody_holds_a_large_message_while_the_client_is_waited_for(server: Server, client: Client) -> None:
    await client.append(LARGE)

    async def read_something_else() -> None:
        await server.recent.read(small)

    small = next(entry for entry, octets in server.store.contents.items() if octets != LARGE)
    client.before_more = read_something_else
    server.store.contents_read = 0
    assert LARGE.decode() in await client.say("t fetch 4 body.peek[]")
    assert server.store.contents_read == 2 * 4  # each of the four pieces had to be read anew, as had the other message


async def test_a_large_message_that_is_gone_half_way_ends_the_session_without_a_word_inside_it(
    server: Server, client: Client
) -> None:
    await client.append(LARGE)
    large, small = (
        next(entry for entry, octets in server.store.contents.items() if (octets == LARGE) is is_large)
        for is_large in (True, False)
    )

    async def removed_and_forgotten() -> None:
        server.store.contents.pop(large, None)
        await server.recent.read(small)

    client.before_more = removed_and_forgotten
    answer = await client.say("t fetch 4 body.peek[]")
    assert answer.endswith(LARGE[: 2**20].decode())
    assert client.is_closed


async def test_taking_leave_inside_a_large_response_says_nothing(client: Client) -> None:
    client.engine.untagged_in_pieces(b"4 FETCH (BODY[] {100}\r\n")
    client.engine.refuse(Refusal.SHUTTING_DOWN)
    assert await client.listen() == "* 4 FETCH (BODY[] {100}\r\n"


# --- STORE ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "flags"),
    [
        ("flags (\\deleted new)", "\\Deleted new"),
        ("+flags (\\Deleted)", "\\Flagged \\Deleted $key"),
        ("-flags (\\Flagged none)", "$key"),
        ("flags ()", ""),
    ],
)
async def test_store_changes_flags_and_tells(client: Client, item: str, flags: str) -> None:
    """RFC 3501 section 6.4.6"""
    assert (await answer(client, f"store 3 {item}"))[-1] == f"* 3 FETCH (FLAGS ({flags}))"
    assert await answer(client, "fetch 3 flags") == [f"* 3 FETCH (FLAGS ({flags}))"]


async def test_silent_store_tells_nothing(client: Client) -> None:
    """RFC 3501 section 6.4.6"""
    assert await answer(client, "store 1:3 +flags.silent \\Answered") == []
    assert await answer(client, "noop") == []


async def test_uid_store_tells_the_uid(client: Client) -> None:
    """RFC 3501 section 6.4.8"""
    assert await answer(client, "uid store 2 +flags \\Seen") == ["* 2 FETCH (UID 2 FLAGS (\\Seen))"]


async def test_a_new_keyword_is_announced_first(client: Client) -> None:
    """RFC 3501 section 7.2.6"""
    found = await answer(client, "store 1 +flags brandnew")
    assert found[0].startswith("* FLAGS (")
    assert " brandnew" in found[0]
    assert found[1] == "* 1 FETCH (FLAGS (\\Seen brandnew))"


async def test_storing_flags_of_a_message_that_is_gone_is_reported(server: Server, client: Client) -> None:
    other = await selected(server)
    await other.say("x store 1 +flags \\Deleted")
    await other.say("x expunge")
    assert "t NO [EXPUNGEISSUED]" in await client.say("t store 1 +flags x")


async def test_a_message_has_so_many_flags_and_no_more(client: Client) -> None:
    """Thirty thousand came in one command, and as many with the next: every look at the message paid for them."""
    flags = [f"k{number}" for number in range(101)]
    for given in (f"({' '.join(flags)})", " ".join(flags)):
        assert "t NO [LIMIT]" in await client.say(f"t store 1:3 flags {given}")
    assert "NO [LIMIT]" in await client.append(PLAIN, options=f"({' '.join(flags)}) ")
    await answer(client, f"store 2 flags.silent ({' '.join(flags[:100])})")
    await answer(client, "store 2 +flags (k7)")
    assert "t NO [LIMIT]" in await client.say("t store 1:3 +flags (another)")
    await answer(client, "store 2 -flags (k7)")
    await answer(client, "store 1:3 +flags (another)")


@pytest.mark.parametrize(
    "items",
    [
        "(" + " ".join(f"body.peek[header.fields (a{n})]" for n in range(20)) + ")",
        "(envelope bodystructure body)",
    ],
)
async def test_others_have_their_turn_while_a_message_is_taken_apart(server: Server, items: str) -> None:
    client = await selected(server)
    await client.append(b"From: a@b\n" + b"To: " + b"a()," * 16_000 + b"\n" + b"x\n" * 30_000 + b"\nbody\n" * 10_000)
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.001)

    others = asyncio.create_task(count_turns())
    found = await answer(client, f"fetch 1 {items}")
    others.cancel()
    assert found[0].startswith("* 1 FETCH (")
    assert turns > 5


async def test_a_header_without_an_end_is_taken_for_a_body_behind_some_length(server: Server) -> None:
    """Its millions of fields would be gone through again for each piece that is sent."""
    client = await selected(server)
    await client.append(b"From: a@b\n" + b"x\n" * 5_000_000)
    with hang_deadline():
        found = await client.say("a fetch 1 (envelope body.peek[header.fields.not (from)] bodystructure)")
    assert '((NIL NIL "a" "b"))' in found
    assert len(found) < 300 * 1024


# --- SEARCH ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "numbers"),
    [
        ("all", "1 2 3"),
        ("seen", "1"),
        ("unseen flagged", "3"),
        ("or seen flagged", "1 3"),
        ("not seen", "2 3"),
        ("keyword $KEY", "3"),
        ("unkeyword $key", "1 2"),
        ("new", ""),
        ("old", "1 2 3"),
        ("2:*", "2 3"),
        ("7", ""),
        ("uid 1,3", "1 3"),
        ("larger 500", "3"),
        ("smaller 500", "1 2"),
        ("before 2-Feb-2024", "1"),
        ("on 2-Feb-2024", "2"),
        ("since 2-Feb-2024", "2 3"),
        ("senton 2-Jan-2024", "1 3"),
        ("sentsince 3-Jan-2024", ""),
        ("from JOE", "1 3"),
        ('from "<joe@"', "1 3"),
        ("subject grü", "2"),
        ("charset utf-8 subject GRÜSSE", "2"),
        ('header content-type ""', "2"),
        ("header content-type multipart", "2"),
        ("body schön", "2"),
        ("body secret", ""),
        ("body hello", ""),
        ("text hello", "1 3"),
        ("not (or from joe from ann)", ""),
        ("or (seen from ann) (flagged text hello)", "3"),
    ],
)
async def test_search(client: Client, keys: str, numbers: str) -> None:
    """RFC 3501 section 6.4.4"""
    assert await answer(client, f"search {keys}") == [f"* SEARCH {numbers}".rstrip()]


async def test_uid_search_gives_uids(server: Server, client: Client) -> None:
    """RFC 3501 section 6.4.8"""
    await client.say("x store 1 +flags \\Deleted")
    await client.say("x expunge")
    assert await answer(client, "uid search all") == ["* SEARCH 2 3"]
    assert await answer(client, "search all") == ["* SEARCH 1 2"]


async def test_search_reads_only_what_it_must(server: Server, client: Client) -> None:
    server.store.contents_read = 0
    await answer(client, "search flagged text nothing")
    assert server.store.contents_read == 1
    await answer(client, "search or all text nothing")
    assert server.store.contents_read == 1


@pytest.mark.parametrize(
    "keys",
    [
        "1" + ",1" * 30_000,
        "uid 1" + ",1:*" * 15_000,
    ],
)
async def test_long_sets_do_not_cost_their_length_for_each_message(server: Server, keys: str) -> None:
    """Minutes, in which nobody else was served."""
    client = await selected(server)
    mailbox = await server.store.mailbox(client.account_id, "INBOX")  # type: ignore[arg-type]
    assert mailbox is not None
    await server.store.append([NewMessage(mailbox.id, b"x", frozenset(), None)] * 20_000)
    with hang_deadline():
        found = await answer(client, f"search {keys}")
    assert found[-1] == ("* SEARCH 1" if keys.startswith("1,") else "* SEARCH " + " ".join(map(str, range(1, 20_001))))


@pytest.mark.parametrize(
    "key", ["header x-none y", "subject nothing", "senton 1-Jan-2020", "text nothing", "body nothing"]
)
async def test_hundreds_of_keys_take_a_message_apart_once(server: Server, key: str) -> None:
    """A minute for each message, in which nobody else was served."""
    client = await selected(server)
    await client.append("a\n" * 100_000 + "\n" + "ü\n" * 10_000)
    with hang_deadline():
        assert await answer(client, "search " + " ".join([f"not {key}"] * 240)) == ["* SEARCH 1"]


async def test_others_have_their_turn_while_thousands_of_short_messages_are_searched(server: Server) -> None:
    client = await selected(server)
    mailbox = await server.store.mailbox(client.account_id, "INBOX")  # type: ignore[arg-type]
    assert mailbox is not None
    await server.store.append([NewMessage(mailbox.id, b"x", frozenset(), None)] * 1000)
    await answer(client, "search text y")  # from now on nothing has to be read
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    others = asyncio.create_task(count_turns())
    await answer(client, "search text y")
    others.cancel()
    assert turns > 30


# --- COPY, MOVE, EXPUNGE --------------------------------------------------------------------------------------------


async def test_copy_gives_both_uids(client: Client) -> None:
    """RFC 3501 section 6.4.7, RFC 4315 section 3"""
    await client.say("x create target")
    found = await client.say("t copy 1,3 target")
    assert found.startswith("t OK [COPYUID ")
    assert " 1,3 1:2] " in found
    await client.say("x select target")
    assert await answer(client, "fetch 2 flags") == ["* 2 FETCH (FLAGS (\\Flagged $key))"]


async def test_copy_to_a_mailbox_that_is_missing_says_trycreate(client: Client) -> None:
    """RFC 3501 section 6.4.7"""
    assert "t NO [TRYCREATE]" in await client.say("t uid copy 1 none")


async def test_copy_into_the_selected_mailbox_shows_the_copies(client: Client) -> None:
    assert "* 4 EXISTS" in await answer(client, "copy 1 INBOX")


async def test_move_tells_the_uids_before_the_expunges(client: Client) -> None:
    """RFC 6851 section 4.3"""
    await client.say("x create target")
    found = await answer(client, "move 1,3 target")
    assert found[0].startswith("* OK [COPYUID ")
    assert found[1:] == ["* 3 EXPUNGE", "* 1 EXPUNGE"]
    assert "MESSAGES 2" in await client.say("x status target (messages)")


async def test_move_of_nothing_is_ok(client: Client) -> None:
    await client.say("x create target")
    assert await answer(client, "uid move 99 target") == []


async def test_expunge_removes_what_is_deleted(client: Client) -> None:
    """RFC 3501 section 6.4.3"""
    await client.say("x store 1:2 +flags.silent \\Deleted")
    assert await answer(client, "expunge") == ["* 2 EXPUNGE", "* 1 EXPUNGE"]


async def test_uid_expunge_removes_only_what_is_named(client: Client) -> None:
    """RFC 4315 section 2.1"""
    await client.say("x store 1:2 +flags.silent \\Deleted")
    assert await answer(client, "uid expunge 2:99") == ["* 2 EXPUNGE"]
    assert await answer(client, "uid expunge 77") == []
    assert await answer(client, "search deleted") == ["* SEARCH 1"]
