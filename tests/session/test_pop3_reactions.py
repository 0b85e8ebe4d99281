"""A POP3 session against a mail store in memory: login and lock, reading, streaming, QUIT, and every way to fail."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import UTC, datetime
from ipaddress import ip_address
from types import TracebackType
from typing import cast

import pytest
from tests.session.one_account import ALICE, Gatekeeper

from gatepost.protocols.engine import Close
from gatepost.protocols.pop3.engine import Pop3Engine
from gatepost.protocols.pop3.settings import Pop3Settings
from gatepost.session.link import Ended, Peer
from gatepost.session.pop3_reactions import Pop3Reactions
from gatepost.session.reactions import AuthenticationFailed
from gatepost.session.recent_messages import RecentMessages
from gatepost.store.interface import Broken, Busy, FlagChange, Gone, Mailbox, MailStore, MessageEntry
from gatepost.values.ids import Id

INBOX = Mailbox(Id("m1"), ALICE.id, "INBOX", 77, 10, 5, True)
SETTINGS = Pop3Settings("mail.example.org", is_tls=True)


class Lock:
    def __init__(self, store: OneMaildrop) -> None:
        self._store = store

    async def __aenter__(self) -> None:
        if self._store.is_locked:
            raise Busy("locked")
        self._store.is_locked = True

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._store.is_locked = False


class OneMaildrop:
    """As much of a MailStore as POP3 needs."""

    def __init__(self, *contents: bytes) -> None:
        self.contents = {Id(f"c{uid}"): content for uid, content in enumerate(contents, 1)}
        self.flags: dict[int, set[str]] = {uid: set() for uid in range(1, len(contents) + 1)}
        self.removed: list[int] = []
        self.is_locked = False
        self.failing: dict[str, Exception] = {}

    def _fail(self, method: str) -> None:
        if method in self.failing:
            raise self.failing[method]

    def maildrop_lock(self, account_id: Id) -> Lock:
        assert account_id == ALICE.id
        return Lock(self)

    async def mailbox(self, account_id: Id, name: str) -> Mailbox | None:
        return INBOX

    async def messages(self, mailbox_id: Id) -> tuple[Mailbox, Sequence[MessageEntry]]:
        self._fail("messages")
        now = datetime(2026, 1, 1, tzinfo=UTC)
        return INBOX, [
            MessageEntry(uid, uid, frozenset(flags), now, len(self.contents[Id(f"c{uid}")]), Id(f"c{uid}"))
            for uid, flags in self.flags.items()
        ]

    async def content(self, content_id: Id) -> bytes:
        self._fail("content")
        if content_id not in self.contents:
            raise Gone("removed")
        return self.contents[content_id]

    async def remove(self, mailbox_id: Id, uids: Collection[int]) -> Sequence[int]:
        self._fail("remove")
        self.removed += uids
        return list(uids)

    async def change_flags(
        self, mailbox_id: Id, uids: Collection[int], change: FlagChange, flags: Collection[str]
    ) -> None:
        self._fail("change_flags")
        assert change is FlagChange.ADD
        for uid in uids:
            self.flags[uid].update(flags)


class Wire:
    """A Link that keeps what is sent, and plays the conversation."""

    def __init__(self, store: OneMaildrop, settings: Pop3Settings = SETTINGS) -> None:
        self.peer = Peer(ip_address("192.0.2.7"), 4001, ip_address("192.0.2.1"), 110)
        self.is_tls, self.tls_description = True, None
        self.account: tuple[Id, str] | None = None
        self.parts: list[bytes] = []
        self.is_gone = False
        self.gatekeeper = Gatekeeper()
        self.engine = Pop3Engine(settings)
        mail_store = cast(MailStore, store)
        self.recent = RecentMessages(mail_store, most_octets=0)
        self.before_more: Callable[[], Awaitable[None]] | None = None
        self.reactions = Pop3Reactions(self.engine, self, self.gatekeeper, mail_store, settings, self.recent)

    def send_queued(self) -> None:
        self.parts.append(self.engine.data_to_send())

    async def drained(self) -> None:
        if self.is_gone:
            raise Ended
        if self.before_more is not None and self.parts:
            await self.before_more()

    def wake(self) -> None:
        raise AssertionError

    def authenticated(self, account_id: Id, login_name: str) -> None:
        self.account = (account_id, login_name)

    async def say(self, *lines: bytes) -> str:
        """What comes back; the session is over when it ends in `(closed)`."""
        self.engine.receive_data(b"".join(line + b"\r\n" for line in lines))
        self.parts.clear()
        while (event := self.engine.next_event()) is not None:
            if isinstance(event, Close):
                self.send_queued()
                await self.reactions.ended()
                return b"".join(self.parts).decode("ascii") + "(closed)"
            assert not self.reactions.may_react_at_once(event)
            await self.reactions.react(event)
        self.send_queued()
        return b"".join(self.parts).decode("ascii")

    async def log_in(self) -> None:
        assert (await self.say(b"USER alice", b"PASS secret")).count("+OK") == 2


async def test_a_login_locks_the_maildrop_and_shows_inbox() -> None:
    store = OneMaildrop(b"one\r\n", b"three\r\n")
    wire = Wire(store)
    await wire.log_in()
    assert store.is_locked
    assert wire.account == (ALICE.id, "alice@example.org")
    assert await wire.say(b"STAT", b"UIDL 2") == "+OK 2 12\r\n+OK 2 77.2\r\n"


async def test_a_second_session_is_told_that_the_maildrop_is_in_use() -> None:
    store = OneMaildrop()
    first, second = Wire(store), Wire(store)
    await first.log_in()
    assert "-ERR [IN-USE]" in await second.say(b"USER alice", b"PASS secret")
    await second.reactions.ended()
    assert store.is_locked
    assert (await first.say(b"QUIT")).endswith("(closed)")
    await second.log_in()


@pytest.mark.parametrize(("is_temporary", "code"), [(False, "AUTH"), (True, "SYS/TEMP")])
async def test_a_failed_login_locks_nothing(is_temporary: bool, code: str) -> None:
    store = OneMaildrop()
    wire = Wire(store)
    wire.gatekeeper.failure = AuthenticationFailed(is_temporary=is_temporary)
    assert f"-ERR [{code}]" in await wire.say(b"USER alice", b"PASS secret")
    assert not store.is_locked
    assert wire.account is None


@pytest.mark.parametrize(
    ("identity", "answer"), [(b"", "+OK"), (b"alice", "+OK"), (b"alice@example.org", "+OK"), (b"bob", "-ERR [AUTH]")]
)
async def test_nobody_acts_for_somebody_else(identity: bytes, answer: str) -> None:
    response = base64.b64encode(identity + b"\0alice\0secret")
    assert (await Wire(OneMaildrop()).say(b"AUTH PLAIN " + response)).startswith(answer)


@pytest.mark.parametrize("failure", [Broken("disk"), Busy("database is locked")])
async def test_a_store_that_fails_after_the_lock_gives_it_back(failure: Exception) -> None:
    store = OneMaildrop()
    store.failing["messages"] = failure
    assert "-ERR [SYS/TEMP]" in await Wire(store).say(b"USER alice", b"PASS secret")
    assert not store.is_locked


async def test_retr_and_top_read_the_message() -> None:
    wire = Wire(OneMaildrop(b"Subject: x\r\n\r\n.dot\r\nend"))
    await wire.log_in()
    assert await wire.say(b"RETR 1") == "+OK 23 octets\r\nSubject: x\r\n\r\n..dot\r\nend\r\n.\r\n"
    assert await wire.say(b"TOP 1 1") == "+OK 23 octets\r\nSubject: x\r\n\r\n..dot\r\n.\r\n"
    assert await wire.say(b"TOP 1 0") == "+OK 23 octets\r\nSubject: x\r\n\r\n.\r\n"


async def test_a_large_message_goes_out_in_parts_and_stops_when_the_client_is_gone() -> None:
    wire = Wire(OneMaildrop(b"x" * 78 + b"\r\n", b"\r\n" + b".\r\n" * 1_000_000))
    await wire.log_in()
    assert (await wire.say(b"RETR 2")).count("..\r\n") == 1_000_000
    assert len(wire.parts) == 3
    wire.is_gone = True
    with pytest.raises(Ended):
        await wire.say(b"RETR 2")


async def test_a_large_message_that_is_gone_half_way_ends_the_session_without_a_word_inside_it() -> None:
    store = OneMaildrop(b"x\r\n" * 1_000_000, b"small\r\n")
    wire = Wire(store)
    await wire.log_in()

    async def removed_and_forgotten() -> None:
        store.contents.pop(Id("c1"), None)
        await wire.recent.read(Id("c2"))

    wire.before_more = removed_and_forgotten
    answer = await wire.say(b"RETR 1")
    assert answer.startswith("+OK 3000000 octets\r\nx\r\n")
    assert answer.endswith("x\r\nx\r\nx(closed)")


@pytest.mark.parametrize(
    ("failure", "answer"), [(Gone("x"), "-ERR The message is gone"), (Busy("x"), "-ERR [SYS/TEMP]")]
)
async def test_a_message_that_cannot_be_read(failure: Exception, answer: str) -> None:
    store = OneMaildrop(b"x\r\n")
    wire = Wire(store)
    await wire.log_in()
    store.failing["content"] = failure
    assert (await wire.say(b"RETR 1")).startswith(answer)


async def test_quit_removes_what_is_marked_and_unlocks_before_it_answers() -> None:
    store = OneMaildrop(b"a\r\n", b"b\r\n", b"c\r\n")
    wire = Wire(store)
    await wire.log_in()
    await wire.say(b"DELE 1", b"DELE 3")
    assert store.removed == []
    wire.engine.receive_data(b"QUIT\r\n")
    event = wire.engine.next_event()
    await wire.reactions.react(event)
    assert not store.is_locked
    assert store.removed == [1, 3]
    assert wire.engine.data_to_send() == b"+OK Bye\r\n"


async def test_without_quit_nothing_is_removed_and_the_lock_is_given_back() -> None:
    store = OneMaildrop(b"a\r\n")
    wire = Wire(store)
    await wire.log_in()
    await wire.say(b"RETR 1", b"DELE 1")
    await wire.reactions.ended()
    assert (store.removed, store.flags[1], store.is_locked) == ([], set(), False)


async def test_quit_says_when_the_store_has_failed() -> None:
    store = OneMaildrop(b"a\r\n")
    wire = Wire(store)
    await wire.log_in()
    store.failing["remove"] = Busy("x")
    assert await wire.say(b"DELE 1", b"QUIT") == (
        "+OK Message 1 marked\r\n-ERR [SYS/TEMP] Some deleted messages not removed\r\n(closed)"
    )
    assert not store.is_locked


async def test_what_was_fetched_and_kept_is_marked_as_seen() -> None:
    store = OneMaildrop(b"a\r\n", b"b\r\n", b"c\r\n", b"d\r\n")
    store.flags[4] = {"\\seen"}
    wire = Wire(store)
    await wire.log_in()
    await wire.say(b"RETR 1", b"RETR 2", b"DELE 2", b"TOP 3 0", b"RETR 4", b"QUIT")
    assert store.flags == {1: {"\\Seen"}, 2: set(), 3: set(), 4: {"\\seen"}}


async def test_a_mark_that_fails_does_not_fail_quit() -> None:
    store = OneMaildrop(b"a\r\n")
    wire = Wire(store)
    await wire.log_in()
    store.failing["change_flags"] = Busy("x")
    assert (await wire.say(b"RETR 1", b"QUIT")).endswith("+OK Bye\r\n(closed)")


async def test_marks_can_be_turned_off() -> None:
    store = OneMaildrop(b"a\r\n")
    wire = Wire(store, Pop3Settings("mail.example.org", is_tls=True, marks_as_seen=False))
    await wire.log_in()
    await wire.say(b"RETR 1", b"QUIT")
    assert store.flags[1] == set()
