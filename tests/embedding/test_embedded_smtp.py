"""SMTP and LMTP with code of the program behind them, from a client's side."""

from __future__ import annotations

import asyncio
import logging
import smtplib
import socket
import ssl
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

import gatepost
from gatepost import Address, Answer, Listener, Reply, Server, SmtpClient, SmtpMessage

T = TypeVar("T")

IN_CLEAR = Listener(name="in", protocol="smtp", bind=["127.0.0.1:0"], use_tls=False)
WITH_TLS = Listener(name="in", protocol="smtp", bind=["127.0.0.1:0"])
LMTP = Listener(name="in", protocol="lmtp", bind=["127.0.0.1:0"], use_tls=False)
FULL = Reply(452, "4.2.2", "Mailbox is full")
UNKNOWN = Reply(550, "5.1.1", "Nobody here has that name")


class Recorder(gatepost.SmtpHandler):
    """Knows a few people, remembers what it was asked."""

    def __init__(self, answer: Answer = None) -> None:
        self.answer = answer
        self.failure: Exception | None = None
        self.messages: list[SmtpMessage] = []
        self.senders: list[str] = []

    async def sender(self, sender: str, client: SmtpClient, /) -> Reply | None:
        self.senders.append(sender)
        return Reply(553, "5.7.1", "Not from there") if sender.endswith("@spam.example") else None

    async def recipient(self, recipient: str, sender: str, client: SmtpClient, /) -> Reply | None:
        return UNKNOWN if recipient.startswith("nobody@") else None

    async def message(self, message: SmtpMessage, /) -> Answer:
        self.messages.append(message)
        if self.failure is not None:
            raise self.failure
        return self.answer


def send(address: Address, *recipients: str, sender: str = "a@client.example") -> dict[str, tuple[int, bytes]]:
    with smtplib.SMTP(*address, timeout=15) as client:
        return client.sendmail(sender, recipients, b"Subject: hello\r\n\r\n.dot\r\nend\r\n")


def dialogue(address: Address, *lines: str, first: bytes = b"") -> list[str]:
    """What is answered, last lines only, to lines that are sent one after the other."""
    answers = []
    with socket.create_connection(address, timeout=15) as client, client.makefile("rb") as answered:
        client.sendall(first)
        for line in ("", *lines):
            if line:
                client.sendall(f"{line}\r\n".encode())
            answer = answered.readline()
            while answer[3:4] == b"-":
                answer = answered.readline()
            answers.append(answer.decode().strip())
    return answers


async def blocking(work: Callable[..., T], *arguments: object) -> T:
    return await asyncio.to_thread(work, *arguments)


def trusting(server: Server) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=server.certificate)


async def test_a_function_gets_envelope_content_and_what_is_known_of_the_client() -> None:
    taken: list[SmtpMessage] = []

    async def on_message(message: SmtpMessage) -> None:
        taken.append(message)

    def client(server: Server) -> None:
        with smtplib.SMTP("localhost", server.address("in").port, "me.client.example", timeout=15) as smtp:
            smtp.starttls(context=trusting(server))
            smtp.sendmail("a@client.example", ["b@here.example", "c@here.example"], b"Subject: x\r\n\r\n.dot\r\n")

    async with gatepost.listen([WITH_TLS], smtp=on_message) as server:
        await blocking(client, server)
        address = server.address("in")
    (message,) = taken
    assert (message.sender, message.recipients) == ("a@client.example", ("b@here.example", "c@here.example"))
    assert message.content == b"Subject: x\r\n\r\n.dot\r\n"
    assert message.protocol == "ESMTPS"
    seen = message.client
    assert (seen.listener, seen.hello_name, seen.login_name) == ("in", "me.client.example", None)
    assert (seen.source.host, seen.destination) == ("127.0.0.1", address)
    assert seen.tls is not None
    assert (seen.tls.version, seen.tls.server_name) == ("TLSv1.3", "localhost")


async def test_a_recipient_is_refused_in_the_handlers_words_and_the_others_get_the_message() -> None:
    handler = Recorder()
    async with gatepost.listen([IN_CLEAR], smtp=handler) as server:
        refused = await blocking(send, server.address("in"), "nobody@here.example", "b@here.example")
    assert refused == {"nobody@here.example": (550, b"5.1.1 Nobody here has that name")}
    assert handler.messages[0].recipients == ("b@here.example",)


async def test_a_sender_is_refused_in_the_handlers_words() -> None:
    handler = Recorder()
    async with gatepost.listen([IN_CLEAR], smtp=handler) as server:
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:
            await asyncio.to_thread(send, server.address("in"), "b@here.example", sender="x@spam.example")
    assert (refused.value.smtp_code, refused.value.smtp_error) == (553, b"5.7.1 Not from there")


async def test_the_reply_to_a_message_is_the_handlers() -> None:
    async with gatepost.listen([IN_CLEAR], smtp=Recorder(Reply(554, "5.7.1", "No, thanks"))) as server:
        with pytest.raises(smtplib.SMTPDataError) as refused:
            await blocking(send, server.address("in"), "b@here.example")
    assert (refused.value.smtp_code, refused.value.smtp_error) == (554, b"5.7.1 No, thanks")


async def test_smtp_has_one_reply_so_the_first_refusal_is_everybodys() -> None:
    answer = {"b@here.example": Reply(250, "2.0.0", "Thanks"), "c@here.example": FULL}
    async with gatepost.listen([IN_CLEAR], smtp=Recorder(answer)) as server:
        with pytest.raises(smtplib.SMTPDataError) as refused:
            await blocking(send, server.address("in"), "b@here.example", "c@here.example")
    assert refused.value.smtp_code == 452


async def test_lmtp_has_a_reply_for_each_recipient() -> None:
    def client(address: Address) -> list[bytes]:
        with socket.create_connection(address, timeout=15) as sock, sock.makefile("rb") as answers:
            sock.sendall(b"LHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<b@here.example>\r\nRCPT TO:<c@here.example>\r\nDATA\r\n")
            while not answers.readline().startswith(b"354"):
                pass
            sock.sendall(b"Subject: x\r\n\r\nhello\r\n.\r\n")
            return [answers.readline().strip() for _ in range(2)]

    handler = Recorder({"b@here.example": Reply(250, "2.0.0", "Thanks"), "c@here.example": FULL})
    async with gatepost.listen([LMTP], lmtp=handler) as server:
        assert await blocking(client, server.address("in")) == [b"250 2.0.0 Thanks", b"452 4.2.2 Mailbox is full"]
    assert handler.messages[0].sender == ""
    assert handler.messages[0].protocol == "LMTP"


async def test_an_exception_is_answered_451_and_logged_and_the_connection_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    handler = Recorder()
    handler.failure = ZeroDivisionError("a slip")

    def client(address: Address) -> None:
        with smtplib.SMTP(*address, timeout=15) as smtp:
            with pytest.raises(smtplib.SMTPDataError) as refused:
                smtp.sendmail("a@client.example", "b@here.example", b"x\r\n")
            assert refused.value.smtp_code == 451
            handler.failure = None
            assert smtp.sendmail("a@client.example", "b@here.example", b"y\r\n") == {}

    async with gatepost.listen([IN_CLEAR], smtp=handler) as server:
        await blocking(client, server.address("in"))
    assert [message.content for message in handler.messages] == [b"x\r\n", b"y\r\n"]
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert (record.name, record.getMessage()) == ("gatepost", "handler.failed listener='in'")
    assert record.exc_info is not None
    assert record.exc_info[1] is not None
    assert str(record.exc_info[1]) == "a slip"


@pytest.mark.parametrize(
    "answer",
    [
        "250 fine",  # no Reply
        Reply(354, None, "Go on"),
        Reply(99, None, "What"),
        {"b@here.example": Reply(250, "2.0.0", "Thanks")},  # c is forgotten
    ],
)
async def test_an_answer_that_is_none_takes_no_mail(answer: Answer, caplog: pytest.LogCaptureFixture) -> None:
    async with gatepost.listen([IN_CLEAR], smtp=Recorder(answer)) as server:
        with pytest.raises(smtplib.SMTPDataError) as refused:
            await blocking(send, server.address("in"), "b@here.example", "c@here.example")
    assert refused.value.smtp_code == 451
    assert "handler.failed" in caplog.text


async def test_a_function_need_not_be_async() -> None:
    taken: list[SmtpMessage] = []
    async with gatepost.listen([IN_CLEAR], smtp=taken.append) as server:
        await blocking(send, server.address("in"), "b@here.example")
    assert [message.recipients for message in taken] == [("b@here.example",)]


@pytest.mark.parametrize("wrong", ["a text", object(), Recorder])
async def test_what_can_take_no_message_is_refused_at_the_start(wrong: Any) -> None:
    with pytest.raises(TypeError, match="smtp= takes a function, or an object of a class"):
        async with gatepost.listen([IN_CLEAR], smtp=wrong):
            pass


@pytest.mark.parametrize("asked", ["message", "recipient"])
async def test_a_handler_whose_own_task_was_cancelled_has_failed_and_the_client_is_told(
    asked: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def wait_for_what_is_cancelled() -> Reply | None:
        task = asyncio.ensure_future(asyncio.Event().wait())
        task.cancel()
        await task
        return None

    class Cancelled(Recorder):
        async def recipient(self, recipient: str, sender: str, client: SmtpClient, /) -> Reply | None:
            return await wait_for_what_is_cancelled() if asked == "recipient" else None

        async def message(self, message: SmtpMessage, /) -> Answer:
            return await wait_for_what_is_cancelled()

    async with gatepost.listen([IN_CLEAR], smtp=Cancelled()) as server:
        with pytest.raises((smtplib.SMTPDataError, smtplib.SMTPRecipientsRefused), match="451"):
            await blocking(send, server.address("in"), "b@here.example")
    assert "handler.failed" in caplog.text


async def test_the_program_says_who_may_log_in(caplog: pytest.LogCaptureFixture) -> None:
    handler = Recorder()

    async def authenticate(name: str, password: str, client: SmtpClient) -> bool:
        if name == "broken":
            raise LookupError("no directory")
        return (name, password) == ("alice", "secret")

    def client(server: Server) -> None:
        with smtplib.SMTP("localhost", server.address("in").port, timeout=15) as smtp:
            smtp.ehlo()
            assert not smtp.has_extn("auth"), "no password in clear"
            smtp.starttls(context=trusting(server))
            with pytest.raises(smtplib.SMTPAuthenticationError) as wrong:
                smtp.login("alice", "guessed")
            assert wrong.value.smtp_code == 535
            with pytest.raises(smtplib.SMTPAuthenticationError) as broken:
                smtp.login("broken", "x")
            assert broken.value.smtp_code == 454
            smtp.login("alice", "secret")
            smtp.sendmail("a@client.example", "b@here.example", b"x\r\n")

    async with gatepost.listen([WITH_TLS], smtp=handler, authenticate=authenticate) as server:
        await blocking(client, server)
    assert handler.messages[0].client.login_name == "alice"
    assert handler.messages[0].protocol == "ESMTPSA"
    assert "secret" not in caplog.text


async def test_without_somebody_who_checks_them_no_logins_are_offered() -> None:
    async with gatepost.listen([IN_CLEAR], smtp=Recorder()) as server:
        answers = await blocking(dialogue, server.address("in"), "EHLO me", "AUTH PLAIN AGFsaWNlAHNlY3JldA==")
    assert answers[-1].startswith(("502 ", "503 ", "538 ", "500 "))


async def test_a_proxy_says_who_the_client_is() -> None:
    handler = Recorder()
    trusting_loopback = Listener(
        name="in",
        protocol="smtp",
        bind=["127.0.0.1:0"],
        use_tls=False,
        override_proxy_trusted_networks=["127.0.0.0/8"],
    )
    mail = ("HELO me", "MAIL FROM:<a@client.example>", "RCPT TO:<b@here.example>", "DATA", "hello\r\n.")
    async with gatepost.listen([trusting_loopback], smtp=handler) as server:
        await asyncio.to_thread(
            dialogue, server.address("in"), *mail, first=b"PROXY TCP4 192.0.2.7 198.51.100.1 4321 25\r\n"
        )
    client = handler.messages[0].client
    assert (str(client.source), str(client.destination)) == ("192.0.2.7:4321", "198.51.100.1:25")
    assert client.peer.host == "127.0.0.1"
    assert client.proxy_header is not None
