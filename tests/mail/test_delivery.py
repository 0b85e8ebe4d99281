"""Delivery: what is added, who gets it, who does not, and what happens when the store fails."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import cast

import pytest

from gatepost.mail import delivery as delivery_module
from gatepost.mail.delivery import Deliverer, Delivery, IncomingMessage, Outcome
from gatepost.mail.directory import DirectoryAccount, NoSuchRecipient
from gatepost.mail.trace_fields import Arrival
from gatepost.protocols.smtp.paths import Path
from gatepost.store.interface import Broken, Gone, Mailbox, MailStore, NewMessage
from gatepost.values.ids import Id
from gatepost.values.secret import Secret

ALICE, BOB = Path("alice", "example.org"), Path("Bob", "example.org")
ARRIVAL = Arrival("client.example", ip_address("192.0.2.1"), None, "ESMTP")
CONTENT = b"Subject: hello\r\n\r\nbody\r\n"


class FakeDirectory:
    async def recipient(self, address: str) -> DirectoryAccount | NoSuchRecipient:
        name, _, domain = address.lower().partition("@")
        if domain != "example.org":
            return NoSuchRecipient.NOT_LOCAL
        if name == "nobody":
            return NoSuchRecipient.UNKNOWN
        return DirectoryAccount(Id(name), f"{name}@{domain}", frozenset({address}), "user", Secret(""), None)

    async def login(self, login_name: str) -> DirectoryAccount | None:
        raise NotImplementedError


class FakeMailStore:
    """Keeps what is appended, one list for each call."""

    def __init__(self) -> None:
        self.appended: list[Sequence[NewMessage]] = []
        self.failure: Exception | None = None
        self.has_inboxes = True

    async def mailbox(self, account_id: Id, name: str) -> Mailbox | None:
        assert name == "INBOX"
        return Mailbox(Id(f"inbox-{account_id}"), account_id, name, 1, 1, 1, True) if self.has_inboxes else None

    async def append(self, messages: Sequence[NewMessage]) -> Sequence[int]:
        if self.failure is not None:
            raise self.failure
        self.appended.append(messages)
        return [1] * len(messages)


class RoomForNone:
    async def has_room(self, account: DirectoryAccount, octets: int) -> bool:
        return account.id != "bob"


@pytest.fixture
def store() -> FakeMailStore:
    return FakeMailStore()


@pytest.fixture
def deliverer(store: FakeMailStore) -> Deliverer:
    numbers = itertools.count(1)
    return Deliverer(
        cast(MailStore, store),
        FakeDirectory(),
        "mx.example.org",
        quota=RoomForNone(),
        clock=lambda: datetime(2026, 11, 23, tzinfo=UTC),
        new_id=lambda: Id(f"i{next(numbers)}"),
    )


def message(*recipients: Path, content: bytes = CONTENT) -> IncomingMessage:
    return IncomingMessage(content, Path("carol", "example.net"), recipients, ARRIVAL)


async def test_trace_fields_stand_in_front(deliverer: Deliverer, store: FakeMailStore) -> None:
    assert await deliverer.deliver(message(ALICE), separately=False) == Delivery(Id("i1"), (Outcome.DELIVERED,))
    [[stored]] = store.appended
    assert stored.mailbox_id == "inbox-alice"
    assert stored.content == (
        b"Return-Path: <carol@example.net>\r\n"
        b"Delivered-To: alice@example.org\r\n"
        b"Received: from client.example ([192.0.2.1])\r\n"
        b"\tby mx.example.org with ESMTP id i1\r\n"
        b"\tfor <alice@example.org>;\r\n"
        b"\tMon, 23 Nov 2026 00:00:00 +0000\r\n" + CONTENT
    )


async def test_a_return_path_that_was_there_is_replaced(deliverer: Deliverer, store: FakeMailStore) -> None:
    forged = b"Return-Path: <ceo@example.org>\r\n" + CONTENT
    await deliverer.deliver(message(ALICE, content=forged), separately=False)
    [[stored]] = store.appended
    assert stored.content.lower().count(b"return-path:") == 1
    assert stored.content.endswith(b"+0000\r\n" + CONTENT)


async def test_a_message_without_header_keeps_its_first_line_in_the_body(
    deliverer: Deliverer, store: FakeMailStore
) -> None:
    await deliverer.deliver(message(ALICE, content=b"words\r\n"), separately=False)
    [[stored]] = store.appended
    assert stored.content.endswith(b"+0000\r\n\r\nwords\r\n")


async def test_all_recipients_get_it_in_one_transaction(deliverer: Deliverer, store: FakeMailStore) -> None:
    dave = Path("dave", "example.org")
    delivery = await deliverer.deliver(message(ALICE, dave), separately=False)
    assert delivery.outcomes == (Outcome.DELIVERED, Outcome.DELIVERED)
    [messages] = store.appended
    assert [each.mailbox_id for each in messages] == ["inbox-alice", "inbox-dave"]
    assert b"dave" not in messages[0].content


async def test_an_address_given_twice_gets_it_once(deliverer: Deliverer, store: FakeMailStore) -> None:
    delivery = await deliverer.deliver(message(ALICE, ALICE), separately=True)
    assert delivery.outcomes == (Outcome.DELIVERED, Outcome.DELIVERED)
    assert len(store.appended[0]) == 1


async def test_copies_of_a_big_message_share_their_content(
    deliverer: Deliverer, store: FakeMailStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = len(CONTENT) * 2
    dave = Path("dave", "example.org")
    for octets, is_shared in ((limit - 1, True), (limit, False), (limit + 1, False)):
        monkeypatch.setattr(delivery_module, "_OCTETS_OF_PERSONAL_COPIES", octets)
        await deliverer.deliver(message(ALICE, dave), separately=False)
        first, second = store.appended[-1]
        assert (first.content is second.content) is is_shared
        assert (b"Delivered-To" not in first.content) is is_shared


async def test_one_recipient_always_gets_delivered_to(
    deliverer: Deliverer, store: FakeMailStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_module, "_OCTETS_OF_PERSONAL_COPIES", 0)
    await deliverer.deliver(message(ALICE), separately=False)
    assert b"Delivered-To: alice@example.org\r\n" in store.appended[0][0].content


NOBODY = Path("nobody", "example.org")


async def test_separate_answers_deliver_to_whom_it_is_possible(deliverer: Deliverer, store: FakeMailStore) -> None:
    delivery = await deliverer.deliver(message(NOBODY, ALICE, BOB), separately=True)
    assert delivery.outcomes == (Outcome.NO_SUCH_RECIPIENT, Outcome.DELIVERED, Outcome.NO_ROOM)
    assert [each.mailbox_id for each in store.appended[0]] == ["inbox-alice"]


async def test_one_answer_for_all_delivers_to_all_or_none(deliverer: Deliverer, store: FakeMailStore) -> None:
    delivery = await deliverer.deliver(message(ALICE, BOB), separately=False)
    assert delivery.outcomes == (Outcome.HELD_BACK, Outcome.NO_ROOM)
    assert store.appended == []


async def test_nothing_is_appended_where_nobody_can_have_it(deliverer: Deliverer, store: FakeMailStore) -> None:
    delivery = await deliverer.deliver(message(NOBODY), separately=True)
    assert delivery.outcomes == (Outcome.NO_SUCH_RECIPIENT,)
    assert store.appended == []


async def test_a_message_that_was_here_before_is_a_loop(deliverer: Deliverer, store: FakeMailStore) -> None:
    content = b"Delivered-To: ALICE@example.org\r\n" + CONTENT
    delivery = await deliverer.deliver(message(ALICE, Path("dave", "example.org"), content=content), separately=True)
    assert delivery.outcomes == (Outcome.LOOP, Outcome.DELIVERED)


@pytest.mark.parametrize(
    ("hops", "outcome"), [(98, Outcome.DELIVERED), (99, Outcome.DELIVERED), (100, Outcome.LOOP), (101, Outcome.LOOP)]
)
async def test_too_many_hops_are_a_loop_rfc5321_section_6_3(deliverer: Deliverer, hops: int, outcome: Outcome) -> None:
    content = b"Received: from somewhere\r\n" * hops + CONTENT
    assert (await deliverer.deliver(message(ALICE, content=content), separately=False)).outcomes == (outcome,)


async def test_an_error_of_the_store_comes_through(deliverer: Deliverer, store: FakeMailStore) -> None:
    store.failure = Broken("disk full")
    with pytest.raises(Broken):
        await deliverer.deliver(message(ALICE), separately=True)


@pytest.mark.parametrize(
    ("separately", "outcomes"),
    [
        (True, (Outcome.NO_SUCH_RECIPIENT, Outcome.DELIVERED)),
        (False, (Outcome.NO_SUCH_RECIPIENT, Outcome.HELD_BACK)),
    ],
)
async def test_an_account_that_is_destroyed_meanwhile_has_no_address_any_more(
    deliverer: Deliverer,
    store: FakeMailStore,
    monkeypatch: pytest.MonkeyPatch,
    separately: bool,
    outcomes: tuple[Outcome, ...],
) -> None:
    """The store finds out last."""
    look_up = FakeDirectory.recipient

    async def recipient(directory: FakeDirectory, address: str) -> DirectoryAccount | NoSuchRecipient:
        is_gone = store.failure is None and address.startswith("alice")
        return NoSuchRecipient.UNKNOWN if is_gone else await look_up(directory, address)

    async def append(messages: Sequence[NewMessage]) -> Sequence[int]:
        if store.failure is not None:
            store.failure = None
            raise Gone("mailbox")
        store.appended.append(messages)
        return [1] * len(messages)

    store.failure = Gone("mailbox")
    monkeypatch.setattr(FakeDirectory, "recipient", recipient)
    monkeypatch.setattr(store, "append", append)
    delivery = await deliverer.deliver(message(ALICE, Path("carol", "example.org")), separately=separately)
    assert delivery.outcomes == outcomes
    assert [each.mailbox_id for call in store.appended for each in call] == ["inbox-carol"] * separately


async def test_a_store_that_always_finds_an_account_gone_is_not_asked_for_ever(
    deliverer: Deliverer, store: FakeMailStore
) -> None:
    store.failure = Gone("mailbox")
    with pytest.raises(Gone):
        await deliverer.deliver(message(ALICE), separately=True)


async def test_an_account_without_inbox_is_a_fault_of_the_store(deliverer: Deliverer, store: FakeMailStore) -> None:
    store.has_inboxes = False
    with pytest.raises(Broken):
        await deliverer.deliver(message(ALICE), separately=True)


async def test_ids_and_times_come_from_the_world_by_default(store: FakeMailStore) -> None:
    deliverer = Deliverer(cast(MailStore, store), FakeDirectory(), "mx.example.org")
    first = await deliverer.deliver(message(ALICE), separately=False)
    second = await deliverer.deliver(message(ALICE), separately=False)
    assert first.id != second.id
    account = await FakeDirectory().recipient("alice@example.org")
    assert isinstance(account, DirectoryAccount)
    assert await deliverer.has_room(account, 10**12)
