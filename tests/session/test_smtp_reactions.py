"""What SMTP and LMTP sessions do: engine, reactions and delivery together, over fakes of the ports."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from ipaddress import ip_address
from typing import cast

import pytest

from gatepost.mail.delivery import Deliverer
from gatepost.mail.directory import DirectoryAccount, NoSuchRecipient
from gatepost.protocols.engine import Close, StartTls
from gatepost.protocols.smtp.engine import SmtpEngine
from gatepost.protocols.smtp.settings import LMTP, SMTP, Dialect, SmtpSettings
from gatepost.session.link import Peer
from gatepost.session.reactions import AuthenticationFailed
from gatepost.session.smtp_reactions import SmtpReactions
from gatepost.store.interface import Broken, Busy, Mailbox, MailStore, NewMessage
from gatepost.values.ids import Id
from gatepost.values.secret import Secret

PEER = Peer(ip_address("192.0.2.1"), 40000, ip_address("192.0.2.2"), 25)


def account(name: str) -> DirectoryAccount:
    address = f"{name}@example.org"
    return DirectoryAccount(Id(name), address, frozenset({address}), "user", Secret(""), 100)


class World:
    """Directory, authenticator, quota, mail store and link in one, with a switch for each way to fail."""

    def __init__(self) -> None:
        self.store_failure: Exception | None = None
        self.directory_failure: Exception | None = None
        self.login_failure: Exception | None = None
        self.appended: list[NewMessage] = []
        self.logged_in: list[str] = []
        self.full: set[str] = set()
        self.gone: set[str] = set()
        self.peer = PEER
        self.is_tls = False
        self.tls_description: str | None = None

    # --- Directory

    async def recipient(self, address: str) -> DirectoryAccount | NoSuchRecipient:
        if self.directory_failure is not None:
            raise self.directory_failure
        name, _, domain = address.lower().partition("@")
        if domain != "example.org" and address != "postmaster":
            return NoSuchRecipient.NOT_LOCAL
        name = name.partition("+")[0]
        return NoSuchRecipient.UNKNOWN if name == "nobody" or name in self.gone else account(name)

    async def login(self, login_name: str) -> DirectoryAccount | None:
        raise NotImplementedError

    # --- Authenticator

    async def authenticate(self, login_name: str, password: Secret, peer: Peer) -> DirectoryAccount:
        assert peer == PEER
        if self.login_failure is not None:
            raise self.login_failure
        if password != Secret("secret"):
            raise AuthenticationFailed
        return account(login_name.partition("@")[0])

    # --- Quota

    async def has_room(self, account: DirectoryAccount, octets: int) -> bool:
        return account.id not in self.full and octets <= (account.quota or octets)

    # --- MailStore

    async def mailbox(self, account_id: Id, name: str) -> Mailbox | None:
        return Mailbox(Id(f"inbox-{account_id}"), account_id, name, 1, 1, 1, True)

    async def append(self, messages: Sequence[NewMessage]) -> Sequence[int]:
        if self.store_failure is not None:
            raise self.store_failure
        self.appended.extend(messages)
        return [1] * len(messages)

    # --- Link

    def send_queued(self) -> None:
        raise NotImplementedError

    async def drained(self) -> None:
        """The client takes everything at once."""

    def wake(self) -> None:
        raise NotImplementedError

    def authenticated(self, account_id: Id, login_name: str) -> None:
        self.logged_in.append(login_name)


class Session:
    """Pumps octets through engine and reactions, as a conversation does."""

    def __init__(self, world: World, dialect: Dialect, *, is_tls: bool, offers_tls: bool) -> None:
        settings = SmtpSettings("mx.example.org", dialect, offers_tls=offers_tls, is_tls=is_tls, may_auth_in_clear=True)
        self.engine = SmtpEngine(settings)
        deliverer = Deliverer(cast(MailStore, world), world, "mx.example.org", quota=world)
        self.reactions = SmtpReactions(self.engine, world, world, world, deliverer, settings)
        self.is_closed = False

    async def say(self, octets: bytes) -> list[bytes]:
        self.engine.receive_data(octets)
        while (event := self.engine.next_event()) is not None:
            if isinstance(event, Close):
                self.is_closed = True
            elif isinstance(event, StartTls):
                self.engine.tls_established()
            elif self.reactions.may_react_at_once(event):
                self.reactions.react_at_once(event)
            else:
                await self.reactions.react(event)
        return self.engine.data_to_send().splitlines()

    async def codes(self, octets: bytes) -> list[int]:
        return [int(line[:3]) for line in await self.say(octets) if line[3:4] == b" "]

    async def log_in(self, identity: str = "", name: str = "alice", password: str = "secret") -> list[int]:
        response = base64.b64encode(f"{identity}\0{name}\0{password}".encode())
        return await self.codes(b"AUTH PLAIN " + response + b"\r\n")


@pytest.fixture
def world() -> World:
    return World()


async def begin(world: World, dialect: Dialect = SMTP, *, is_tls: bool = False, offers_tls: bool = False) -> Session:
    session = Session(world, dialect, is_tls=is_tls, offers_tls=offers_tls)
    await session.say(dialect.extended_hello.encode() + b" client.example\r\n")
    return session


MAIL = b"MAIL FROM:<carol@example.net>\r\n"
OWN_MAIL = b"MAIL FROM:<alice@example.org>\r\n"
MESSAGE = b"DATA\r\nSubject: x\r\n\r\ny\r\n.\r\n"


def rcpt(address: str) -> bytes:
    return f"RCPT TO:<{address}>\r\n".encode()


# --- who may send to whom -------------------------------------------------------------------------------------------


async def test_a_stranger_sends_to_a_local_account(world: World) -> None:
    session = await begin(world)
    assert await session.codes(MAIL + rcpt("bob@example.org") + MESSAGE) == [250, 250, 354, 250]
    assert [message.mailbox_id for message in world.appended] == ["inbox-bob"]


async def test_a_stranger_cannot_relay(world: World) -> None:
    session = await begin(world)
    answer = await session.say(MAIL + rcpt("dave@example.com") + MESSAGE.partition(b"\r\n")[0] + b"\r\n")
    assert answer[1] == b"550 5.7.1 Relaying denied"
    assert answer[2].startswith(b"503")


@pytest.mark.parametrize("sender", [b"<>", b"<alice@example.org>", b"<dave@example.com>", b"<postmaster@example.org>"])
async def test_no_sender_address_makes_a_stranger_a_relay_user(world: World, sender: bytes) -> None:
    session = await begin(world)
    assert await session.codes(b"MAIL FROM:" + sender + b"\r\n" + rcpt("dave@example.com")) == [250, 550]


@pytest.mark.parametrize(
    "recipient",
    [
        "@example.org:dave@example.com",
        '"dave@example.com"@example.net',
        "dave%example.org@example.com",
        "a@[192.0.2.9]",
    ],
)
async def test_old_tricks_do_not_relay(world: World, recipient: str) -> None:
    session = await begin(world)
    assert await session.codes(MAIL + rcpt(recipient)) == [250, 550]


async def test_an_unknown_local_user(world: World) -> None:
    session = await begin(world)
    assert (await session.say(MAIL + rcpt("nobody@example.org")))[1].startswith(b"550 5.1.1 ")


async def test_postmaster_without_domain_is_taken_rfc5321_section_4_5_1(world: World) -> None:
    session = await begin(world)
    assert await session.codes(MAIL + rcpt("Postmaster")) == [250, 250]


async def test_who_has_logged_in_sends_as_themselves_or_as_nobody(world: World) -> None:
    session = await begin(world)
    assert await session.log_in() == [235]
    assert world.logged_in == ["alice@example.org"]
    assert await session.codes(OWN_MAIL + b"RSET\r\n") == [250, 250]
    assert await session.codes(b"MAIL FROM:<Alice+work@Example.org>\r\nRSET\r\n") == [250, 250]
    assert await session.codes(b"MAIL FROM:<>\r\nRSET\r\n") == [250, 250]
    for sender in (b"<bob@example.org>", b"<carol@example.net>", b"<nobody@example.org>"):
        assert (await session.say(b"MAIL FROM:" + sender + b"\r\n"))[0].startswith(b"553 5.7.1 ")


async def test_who_has_logged_in_is_told_that_other_domains_are_out_of_reach(world: World) -> None:
    session = await begin(world)
    await session.log_in()
    answer = await session.say(OWN_MAIL + rcpt("dave@example.com"))
    assert answer[1] == b"550 5.7.1 This server does not send to other domains"


async def test_answers_keep_the_order_of_pipelined_commands(world: World) -> None:
    session = await begin(world)
    batch = (
        MAIL + rcpt("bob@example.org") + rcpt("nobody@example.org") + rcpt("x@example.com") + rcpt("eve@example.org")
    )
    answer = await session.say(batch + MESSAGE + b"QUIT\r\n")
    assert [line[:9] for line in answer] == [
        b"250 2.1.0",
        b"250 2.1.5",
        b"550 5.1.1",
        b"550 5.7.1",
        b"250 2.1.5",
        b"354 Send ",
        b"250 2.0.0",
        b"221 2.0.0",
    ]
    assert session.is_closed


# --- logging in -----------------------------------------------------------------------------------------------------


async def test_a_wrong_password(world: World) -> None:
    session = await begin(world)
    assert await session.log_in(password="wrong") == [535]
    assert world.logged_in == []
    assert await session.codes(MAIL + rcpt("dave@example.com")) == [250, 550]


async def test_a_login_that_cannot_be_checked_now(world: World) -> None:
    world.login_failure = AuthenticationFailed(is_temporary=True)
    session = await begin(world)
    assert await session.log_in() == [454]


@pytest.mark.parametrize(("identity", "code"), [("alice", 235), ("alice@example.org", 235), ("bob", 535)])
async def test_nobody_acts_for_somebody_else_rfc4616_section_2(world: World, identity: str, code: int) -> None:
    session = await begin(world)
    assert await session.log_in(identity=identity) == [code]


async def test_a_login_before_starttls_does_not_count_after_it_rfc3207_section_4_2(world: World) -> None:
    session = await begin(world, offers_tls=True)
    await session.log_in()
    await session.say(b"STARTTLS\r\n")
    await session.say(b"EHLO client.example\r\n")
    assert (await session.say(MAIL + rcpt("dave@example.com")))[-1] == b"550 5.7.1 Relaying denied"


# --- delivery -------------------------------------------------------------------------------------------------------


async def test_the_received_field_tells_how_the_message_came(world: World) -> None:
    world.is_tls, world.tls_description = True, "TLSv1.3 TLS_AES_128_GCM_SHA256"
    session = await begin(world, is_tls=True)
    await session.log_in()
    await session.codes(OWN_MAIL + rcpt("bob@example.org") + MESSAGE)
    content = world.appended[0].content
    assert content.startswith(b"Return-Path: <alice@example.org>\r\nDelivered-To: bob@example.org\r\n")
    assert b"from client.example ([192.0.2.1])\r\n\t(TLSv1.3 TLS_AES_128_GCM_SHA256)\r\n" in content
    assert b"by mx.example.org with ESMTPSA id " in content


async def test_the_answer_names_the_id_of_the_received_field(world: World) -> None:
    session = await begin(world)
    answer = await session.say(MAIL + rcpt("bob@example.org") + MESSAGE)
    assert b" id " + answer[-1].rpartition(b" ")[2] in world.appended[0].content


@pytest.mark.parametrize("failure", [Busy("x"), Broken("disk full at /secret/path")])
async def test_a_store_that_fails_is_a_temporary_failure_without_details(world: World, failure: Exception) -> None:
    world.store_failure = failure
    session = await begin(world)
    answer = await session.say(MAIL + rcpt("bob@example.org") + MESSAGE + b"NOOP\r\n")
    assert answer[-2] == b"451 4.3.0 Temporary failure, try again later"
    assert answer[-1].startswith(b"250")


async def test_a_directory_that_fails_is_a_temporary_failure(world: World) -> None:
    world.directory_failure = Broken("x")
    session = await begin(world)
    assert await session.codes(MAIL + rcpt("bob@example.org")) == [250, 451]
    await session.say(b"RSET\r\n")
    await session.log_in()
    assert await session.codes(OWN_MAIL) == [451]


async def test_a_full_mailbox_is_known_at_rcpt_already(world: World) -> None:
    world.full = {"bob"}
    session = await begin(world)
    assert (await session.say(MAIL + rcpt("bob@example.org")))[1] == b"452 4.2.2 Mailbox is full"


@pytest.mark.parametrize(("size", "code"), [(99, 250), (100, 250), (101, 452)])
async def test_the_announced_size_counts_at_rcpt_rfc1870_section_6_1(world: World, size: int, code: int) -> None:
    session = await begin(world)
    line = b"MAIL FROM:<carol@example.net> SIZE=%d\r\n" % size
    assert await session.codes(line + rcpt("bob@example.org")) == [250, code]


async def test_a_loop_is_cut(world: World) -> None:
    session = await begin(world)
    data = b"DATA\r\nDelivered-To: bob@example.org\r\n\r\n.\r\n"
    assert (await session.say(MAIL + rcpt("bob@example.org") + data))[-1].startswith(b"554 5.4.6 ")


async def test_smtp_delivers_to_all_or_none(world: World) -> None:
    session = await begin(world)
    await session.say(MAIL + rcpt("eve@example.org") + rcpt("bob@example.org"))
    world.full = {"bob"}
    assert await session.codes(MESSAGE) == [354, 452]
    assert world.appended == []


# --- LMTP -----------------------------------------------------------------------------------------------------------


async def test_lmtp_answers_for_each_recipient_rfc2033_section_4_2(world: World) -> None:
    session = await begin(world, LMTP)
    recipients = b"".join(rcpt(f"{name}@example.org") for name in ("eve", "bob", "nobody", "dan"))
    assert await session.codes(MAIL + recipients) == [250, 250, 250, 550, 250]
    world.full = {"bob"}
    world.gone = {"dan"}
    assert await session.codes(MESSAGE) == [354, 250, 452, 550]
    assert [message.mailbox_id for message in world.appended] == ["inbox-eve"]


async def test_lmtp_tells_each_recipient_that_the_store_fails(world: World) -> None:
    world.store_failure = Broken("x")
    session = await begin(world, LMTP)
    answer = await session.codes(MAIL + rcpt("eve@example.org") + rcpt("bob@example.org") + MESSAGE)
    assert answer[-2:] == [451, 451]


async def test_what_is_no_event_is_a_mistake_of_the_caller(world: World) -> None:
    session = await begin(world)
    with pytest.raises(TypeError):
        await session.reactions.react(object())
    await session.reactions.ended()
