"""The whole mail server in the process of a program, from mail clients' side."""

from __future__ import annotations

import asyncio
import imaplib
import poplib
import smtplib
import ssl
import time
from pathlib import Path

import httpx
import pytest
from argon2 import PasswordHasher
from tests.embedding.own_threads import own_threads
from tests.open_descriptors import open_descriptors

import gatepost
from gatepost import Listener, MailServer, MailServerInThread, MethodError, Refused
from gatepost.embedding import temporary_store
from gatepost.embedding.mail import EVERY_PROTOCOL

ALICE, PASSWORD = "alice@example.org", "secret"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def send(server: MailServer | MailServerInThread, text: str = "hello") -> None:
    trusting = ssl.create_default_context(cafile=server.certificate_file)
    with smtplib.SMTP("localhost", server.address("smtp").port, timeout=15) as smtp:
        smtp.starttls(context=trusting)
        smtp.login(ALICE, PASSWORD)
        smtp.sendmail(ALICE, ALICE, f"Subject: {text}\r\n\r\n{text}\r\n")


def fetch(server: MailServer | MailServerInThread) -> bytes:
    trusting = ssl.create_default_context(cafile=server.certificate_file)
    with imaplib.IMAP4_SSL("localhost", server.address("imaps").port, ssl_context=trusting, timeout=15) as imap:
        imap.login(ALICE, PASSWORD)
        assert imap.select() == ("OK", [b"1"])
        found = imap.fetch("1", "(BODY[])")[1][0]
        assert found is not None
        return bytes(found[1])


def count_by_pop3(server: MailServer | MailServerInThread) -> int:
    trusting = ssl.create_default_context(cafile=server.certificate_file)
    pop3 = poplib.POP3_SSL("localhost", server.address("pop3s").port, context=trusting, timeout=15)
    pop3.user(ALICE)
    pop3.pass_(PASSWORD)
    count, _ = pop3.stat()
    pop3.quit()
    return count


async def test_a_message_goes_in_by_smtp_and_out_by_imap_and_pop3() -> None:
    begun = time.perf_counter()
    async with gatepost.mail_server(hasher=QUICK) as server:
        print(f"started in {(time.perf_counter() - begun) * 1000:.0f} ms")  # noqa: T201 - to look at
        await server.add_account(ALICE, PASSWORD)
        await asyncio.to_thread(send, server)
        content = await asyncio.to_thread(fetch, server)
        assert content.endswith(b"Subject: hello\r\n\r\nhello\r\n")
        assert await asyncio.to_thread(count_by_pop3, server) == 1
        assert await server.contents(ALICE) == [content]
        (message,) = await server.messages(ALICE)
        assert (message["subject"], message.get_content()) == ("hello", "hello\r\n")


async def test_mail_for_nobody_is_refused() -> None:
    def client(server: MailServer) -> int:
        with (
            smtplib.SMTP(*server.address("smtp"), timeout=15) as smtp,
            pytest.raises(smtplib.SMTPRecipientsRefused) as refused,
        ):
            smtp.sendmail("a@client.example", "nobody@example.org", b"x")
        return refused.value.recipients["nobody@example.org"][0]

    async with gatepost.mail_server(hasher=QUICK) as server:
        await server.add_account(ALICE, PASSWORD)
        assert await asyncio.to_thread(client, server) == 550
        with pytest.raises(LookupError, match=r"no account has the address nobody@example\.org"):
            await server.messages("nobody@example.org")


async def test_the_management_api_is_there_for_an_administrator() -> None:
    async with (
        gatepost.mail_server(hasher=QUICK) as server,
        httpx.AsyncClient(auth=("root@example.org", PASSWORD)) as client,
    ):
        await server.add_account("root@example.org", PASSWORD, role="admin")
        session = (await client.get(f"{server.url('http')}/jmap/session")).json()
        assert session["username"] == "root@example.org"
        listed = await server.api("x:NetworkListener/get", {"ids": None})
        assert {each["name"] for each in listed["list"]} == {each.name for each in EVERY_PROTOCOL}


async def test_listeners_change_while_it_runs() -> None:
    def greeted(server: MailServer, name: str) -> bytes:
        with smtplib.SMTP(timeout=15) as smtp:
            smtp.connect(*server.address(name))
            return smtp.ehlo()[1]

    async with gatepost.mail_server([EVERY_PROTOCOL[0]], hasher=QUICK) as server:
        await server.update("smtp", use_tls=False, bind=["127.0.0.1:0"])
        assert b"STARTTLS" not in await asyncio.to_thread(greeted, server, "smtp")
        await server.add(Listener(name="more", bind=["127.0.0.1:0"]))
        assert b"STARTTLS" in await asyncio.to_thread(greeted, server, "more")
        address = server.address("more")
        await server.remove("more")
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*address)


async def test_the_number_of_workers_may_be_set_as_in_a_server() -> None:
    """Although it is of no use: all of them are in the one process."""
    async with gatepost.mail_server(hasher=QUICK) as server:
        await server.add_account(ALICE, PASSWORD)
        for workers in (3, 1):
            answer = await server.api("x:SystemSettings/set", {"update": {"singleton": {"workers": workers}}})
            assert "singleton" in answer["updated"]
            for _ in range(4):
                await asyncio.to_thread(send, server)
        assert len(await server.messages(ALICE)) == 8


async def test_what_cannot_be_is_refused_with_the_name_of_the_field() -> None:
    async with gatepost.mail_server([], hasher=QUICK) as server:
        with pytest.raises(Refused, match=r"x\.bind: 192\.0\.2\.1:2525 cannot be bound.*EADDRNOTAVAIL"):
            await server.add(Listener(name="x", bind=["192.0.2.1:2525"]))
        with pytest.raises(Refused, match="Not a domain"):
            await server.add_account("alice@Not a domain", PASSWORD)


def test_it_leaves_nothing_behind_however_often_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(temporary_store, "_place", lambda: tmp_path)

    async def once() -> None:
        async with gatepost.mail_server(hasher=QUICK) as server, gatepost.mail_server([], hasher=QUICK):
            await server.add_account(ALICE, PASSWORD)
            await asyncio.to_thread(send, server)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with asyncio.Runner() as runner:
        runner.run(once())
        before, threads = open_descriptors(), own_threads()
        for _ in range(3):
            runner.run(once())
        assert open_descriptors() == before
        assert own_threads() == threads
    assert list(tmp_path.iterdir()) == []


def test_in_a_thread_it_serves_clients_that_block() -> None:
    with MailServerInThread(hasher=QUICK) as server:
        server.add_account(ALICE, PASSWORD)
        send(server, "from a thread")
        assert fetch(server).endswith(b"from a thread\r\n")
        assert [message["subject"] for message in server.messages(ALICE)] == ["from a thread"]
        assert server.smtp == server.address("smtp")
        assert httpx.get(server.http_url).status_code == 302
        assert (
            len({server.smtp, server.submissions, server.lmtp, server.imap, server.pop3, server.pop3s, server.sieve})
            == 7
        )


def test_a_thread_whose_server_cannot_start_says_why() -> None:
    before = own_threads()
    with (
        pytest.raises(Refused, match=r"x\.bind: 192\.0\.2\.1:2525 cannot be bound"),
        MailServerInThread([Listener(name="x", bind=["192.0.2.1:2525"])], hasher=QUICK),
    ):
        pass
    assert own_threads() == before


@pytest.mark.parametrize(
    ("address", "role", "words"),
    [
        ("alice", "user", "address: 'alice' is not an address: write alice@example.org"),
        ("@example.org", "user", "is not an address"),
        (ALICE, "boss", "role: 'boss' is not one of admin, operator, user"),
    ],
)
async def test_an_account_that_cannot_be_is_refused_with_the_reason(address: str, role: str, words: str) -> None:
    async with gatepost.mail_server(hasher=QUICK) as server:
        with pytest.raises(Refused, match=words):
            await server.add_account(address, PASSWORD, role=role)


async def test_a_method_that_there_is_none_of_is_told_by_name() -> None:
    async with gatepost.mail_server() as server:
        with pytest.raises(MethodError, match="there is no method 'x:Acount/get'"):
            await server.api("x:Acount/get", {"ids": None})


def test_in_a_thread_it_answers_between_start_and_end_only() -> None:
    server = MailServerInThread(hasher=QUICK)
    with pytest.raises(RuntimeError, match="does not run"):
        server.add_account(ALICE, PASSWORD)
    with server:
        with pytest.raises(RuntimeError, match="is started once"):
            server.__enter__()
        server.add_account(ALICE, PASSWORD)
    with pytest.raises(RuntimeError, match="does not run"):
        server.messages(ALICE)
    with pytest.raises(RuntimeError, match="is started once"), server:
        pass
