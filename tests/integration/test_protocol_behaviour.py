"""What protocols promise across workers, against real sockets: news, locks, durability, octets, and clients that misbehave."""

from __future__ import annotations

import imaplib
import poplib
import re
import smtplib
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.integration.running_server import PASSWORDS, RunningServer, eventually
from tests.tls_client import trusting_context

SENDER = "somebody@example.net"


_to_close: list[Callable[[], object]] = []


@pytest.fixture(autouse=True)
def _no_fault_is_logged(request: pytest.FixtureRequest) -> Iterator[None]:
    name = "server" if "server" in request.fixturenames else "shared_server"
    server: RunningServer = request.getfixturevalue(name)
    yield
    while _to_close:
        with suppress(OSError):
            _to_close.pop()()
    assert "Traceback" not in server.log()


def _imap(server: RunningServer, user: str = "bob", mailbox: str = "INBOX") -> imaplib.IMAP4:
    client = imaplib.IMAP4(*server.address("imap-clear"), timeout=30)
    _to_close.append(client.shutdown)
    client.login(user, PASSWORDS[user])
    client.select(mailbox)
    return client


def _pop3(server: RunningServer, user: str = "bob") -> poplib.POP3:
    client = poplib.POP3(*server.address("pop3"), timeout=30)
    _to_close.append(client.close)
    client.stls(trusting_context())
    client.user(user)
    client.pass_(PASSWORDS[user])
    return client


def _deliver(server: RunningServer, message: bytes = b"Subject: x\r\n\r\nx\r\n", user: str = "bob") -> None:
    with smtplib.SMTP(*server.address("smtp"), timeout=30) as client:
        client.sendmail(SENDER, [f"{user}@example.org"], message)


class Wire:
    """A connection that is spoken to by hand."""

    def __init__(self, server: RunningServer, name: str, *, receive_buffer: int | None = None) -> None:
        self.sock = socket.socket()
        _to_close.append(lambda: self.sock.close())  # noqa: PLW0108 - STARTTLS makes another socket
        if receive_buffer is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(30)
        self.sock.connect(server.address(name))

    def say(self, words: bytes, end: bytes) -> bytes:
        """What comes back, up to a line that begins with `end`."""
        self.sock.sendall(words)
        return self.hear(end)

    def hear(self, end: bytes) -> bytes:
        """What comes, up to a line that begins with `end`."""
        seen = b""
        while not (seen.endswith(b"\n") and any(line.startswith(end) for line in seen.split(b"\n"))):
            more = self.sock.recv(65536)
            assert more, seen
            seen += more
        return seen

    def rest(self) -> bytes:
        """What comes until the server closes."""
        seen = b""
        try:
            while more := self.sock.recv(65536):
                seen += more
        except ConnectionResetError:
            pass
        return seen

    def log_in(self, user: str = "bob") -> None:
        """By IMAP, into INBOX."""
        self.say(f'l LOGIN {user} "{PASSWORDS[user]}"\r\n'.encode(), b"l OK")
        self.say(b"s SELECT INBOX\r\n", b"s OK")


# --- several sessions -----------------------------------------------------------------------------------------------


def test_sessions_in_all_workers_see_deliveries_while_they_idle(server: RunningServer) -> None:
    """RFC 2177. With eight connections, both workers have some."""
    wires = [Wire(server, "imap-clear") for _ in range(8)]
    for wire in wires:
        wire.log_in()
        wire.say(b"i IDLE\r\n", b"+ ")
    for _ in range(5):
        _deliver(server)
    for wire in wires:
        wire.hear(b"* 5 EXISTS")
        assert wire.say(b"DONE\r\n", b"i OK")


def test_numbers_stay_right_when_others_expunge(server: RunningServer) -> None:
    """RFC 3501 section 7.4.1: no EXPUNGE during FETCH; each session counts for itself."""
    for number in range(6):
        _deliver(server, b"Subject: %d\r\n\r\nx\r\n" % number)
    first, others = _imap(server), [_imap(server) for _ in range(4)]
    first.store("2,4", "+FLAGS", "\\Deleted")
    assert list(first.expunge()[1]) == [b"4", b"2"]
    for other in others:
        answer = other.fetch("5", "(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
        assert b"UID 5 " in answer[0][0]  # type: ignore[index,operator]  # imaplib: a pair, then what is behind the literal
        assert other.response("EXPUNGE") == ("EXPUNGE", [None])
        other.noop()
        assert sorted(other.response("EXPUNGE")[1]) == [b"2", b"4"]
        assert re.findall(rb"UID (\d+)", b" ".join(other.fetch("1:*", "(UID)")[1])) == [b"1", b"3", b"5", b"6"]  # type: ignore[arg-type]  # imaplib: only octets here
    for client in (first, *others):
        client.logout()


def test_the_maildrop_is_locked_in_all_workers_until_its_session_ends_in_whatever_way(server: RunningServer) -> None:
    """RFC 1939 section 4."""
    _deliver(server)
    held = _pop3(server)
    held.dele(1)
    for _ in range(6):
        with pytest.raises(poplib.error_proto, match="IN-USE"):
            _pop3(server)
    held.sock.shutdown(socket.SHUT_RDWR)
    held.close()
    again = eventually(lambda: _try_pop3(server))
    assert again.stat()[0] == 1  # nothing is removed without QUIT
    for pid in server.worker_pids():
        server.kill_worker(pid)
    after_the_kill = eventually(lambda: _try_pop3(server))
    assert after_the_kill.stat()[0] == 1
    after_the_kill.dele(1)
    after_the_kill.quit()
    assert _pop3(server).stat()[0] == 0


def _try_pop3(server: RunningServer) -> poplib.POP3 | None:
    try:
        return _pop3(server)
    except (poplib.error_proto, OSError):
        return None


# --- durability and octets --------------------------------------------------------------------------------------------


def test_what_was_acknowledged_is_there_once_when_the_worker_is_killed_right_after_it(server: RunningServer) -> None:
    begun, acknowledged = Wire(server, "smtp"), 0
    _begin_message(begun)
    begun.sock.sendall(b"Subject: half\r\n\r\nhalf")
    for _ in range(3):
        wire = Wire(server, "smtp")
        _begin_message(wire)
        pids = server.worker_pids()
        assert wire.say(b"Subject: whole\r\n\r\nwhole\r\n.\r\n", b"250 ")
        for pid in pids:
            server.kill_worker(pid)
        acknowledged += 1
        eventually(lambda pids=pids: len(set(server.worker_pids()) - set(pids)) == 2)  # type: ignore[misc]  # bound now
    assert begun.rest() == b""
    client = _imap(server)
    assert client.search(None, "ALL")[1] == [b" ".join(b"%d" % number for number in range(1, acknowledged + 1))]
    assert client.search(None, "SUBJECT", "half")[1] == [b""]
    client.logout()


def _begin_message(wire: Wire) -> None:
    wire.hear(b"220 ")
    wire.say(b"EHLO me\r\n", b"250 ")
    wire.say(b"MAIL FROM:<a@example.net>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n", b"354 ")


@pytest.mark.parametrize(
    "message",
    [
        b"Subject: \xfc\r\n\r\n\xff\xfe\x80\r\n",
        b"Subject: dots\r\n\r\n.\r\n..\r\n.x\r\n\r\n.\r\n",
        b"Subject: long\r\n\r\n" + b"x" * 60_000 + b"\r\n",
        b"Subject: nul\r\n\r\na\0b\r\n",
        b"Subject: header only\r\n",
        b"",
    ],
    ids=["8-bit", "dots", "long line", "NUL", "header only", "empty"],
)
def test_octets_come_out_as_they_went_in(shared_server: RunningServer, message: bytes) -> None:
    """RFC 5321 section 4.5.2, RFC 1939 section 3."""
    wire = Wire(shared_server, "smtp")
    _begin_message(wire)
    stuffed = (b"\r\n" + message).replace(b"\r\n.", b"\r\n..")[2:]
    assert wire.say(stuffed + b".\r\n", b"250 ")
    client = _imap(shared_server)
    number = client.select()[1][0]
    assert number is not None
    by_imap = client.fetch(number.decode(), "(BODY.PEEK[])")[1][0][1]  # type: ignore[index]  # imaplib: a pair
    assert by_imap.endswith(message)  # type: ignore[union-attr]  # octets
    pop3 = Wire(shared_server, "pop3")
    pop3.say(b"STLS\r\n", b"+OK Begin")
    pop3.sock = trusting_context().wrap_socket(pop3.sock)
    pop3.say(f"USER bob\r\nPASS {PASSWORDS['bob']}\r\n".encode(), b"+OK Maildrop")
    answer = pop3.say(b"RETR %b\r\n" % number, b".\r")
    assert answer.partition(b"\r\n")[2].removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n.") == by_imap
    pop3.say(b"QUIT\r\n", b"+OK")
    client.logout()


def test_lmtp_has_an_answer_for_each_recipient(shared_server: RunningServer) -> None:
    """RFC 2033 section 4.2: alice had the message before, bob gets it."""
    wire = Wire(shared_server, "lmtp")
    wire.hear(b"220 ")
    wire.say(b"LHLO me\r\n", b"250 ")
    wire.say(
        b"MAIL FROM:<>\r\nRCPT TO:<alice@example.org>\r\nRCPT TO:<nobody@example.org>\r\nRCPT TO:<bob@example.org>\r\n"
        b"DATA\r\n",
        b"354 ",
    )
    wire.sock.sendall(b"Delivered-To: alice@example.org\r\n\r\nx\r\n.\r\nQUIT\r\n")
    assert [line[:4] for line in wire.rest().split(b"\r\n")] == [b"554 ", b"250 ", b"221 ", b""]


# --- clients that misbehave -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "greeting", "hello", "command", "behind", "words"),
    [
        ("submission", b"220 ", b"EHLO me\r\n", b"STARTTLS\r\n", b"NOOP\r\n", b"503 "),
        ("imap", b"* OK", b"", b"a STARTTLS\r\n", b"b NOOP\r\n", b"a BAD"),
        ("pop3", b"+OK", b"", b"STLS\r\n", b"NOOP\r\n", b"-ERR"),
        ("sieve", b"OK ", b"", b"STARTTLS\r\n", b"NOOP\r\n", b"BYE"),
    ],
)
def test_clear_text_behind_starttls_ends_the_connection(
    shared_server: RunningServer, name: str, greeting: bytes, hello: bytes, command: bytes, behind: bytes, words: bytes
) -> None:
    """RFC 3207 section 6, RFC 2595 section 3.1."""
    wire = Wire(shared_server, name)
    wire.hear(greeting)
    if hello:
        wire.say(hello, b"250 ")
    wire.sock.sendall(command + behind)
    assert wire.rest().startswith(words)


def test_clear_text_after_the_answer_to_starttls_is_never_obeyed(shared_server: RunningServer) -> None:
    wire = Wire(shared_server, "submission")
    wire.hear(b"220 ")
    wire.say(b"EHLO me\r\n", b"250 ")
    wire.say(b"STARTTLS\r\n", b"220 ")
    wire.sock.sendall(b"EHLO injected\r\nNOOP\r\n")
    assert b"250" not in wire.rest()


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n", b"\r\n.\r", b"\r.\r\n"])
def test_no_message_can_be_smuggled_in_another(shared_server: RunningServer, end: bytes) -> None:
    wire = Wire(shared_server, "smtp")
    _begin_message(wire)
    inside = b"MAIL FROM:<b@example.net>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\nSubject: smuggled\r\n\r\nx"
    wire.sock.sendall(b"Subject: outer\r\n\r\nx" + end + inside + b"\r\n.\r\nQUIT\r\n")
    assert [line[:4] for line in wire.rest().split(b"\r\n")] == [b"550 ", b"221 ", b""]


@pytest.mark.parametrize(
    "request_octets",
    [
        b"POST /jmap HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /jmap HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 30\r\n\r\n",
        b"POST /jmap HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\nHost: x\n\n",
        b"POST /jmap HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n",
    ],
    ids=["length and chunked", "two lengths", "folded", "bare LF", "chunk size"],
)
def test_ambiguous_http_framing_is_400_and_close(shared_server: RunningServer, request_octets: bytes) -> None:
    """RFC 9112 section 11.2."""
    wire = Wire(shared_server, "http")
    wire.sock.sendall(request_octets + b"GET /healthz/live HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = wire.rest()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1


def test_slow_readers_of_a_large_message_hold_little_of_it(server: RunningServer) -> None:
    size = 16 * 1024 * 1024
    client = _imap(server)
    client.append("INBOX", "", "", b"Subject: large\r\n\r\n" + b"x\r\n" * (size // 3))
    before = _memory(server)
    wires = [Wire(server, "imap-clear", receive_buffer=4096) for _ in range(16)]
    for wire in wires:
        wire.log_in()
        wire.sock.sendall(b"f FETCH 1 BODY.PEEK[]\r\n")
    for wire in wires:
        assert wire.sock.recv(100).startswith(b"* 1 FETCH (BODY[] {")
    assert client.noop()[0] == "OK"
    assert _memory(server) - before < 8 * size  # two workers, each with a few copies on their way; all would be 16
    client.logout()


def _memory(server: RunningServer) -> int:
    """Octets that the workers have in memory."""
    status = "".join(Path(f"/proc/{pid}/status").read_text() for pid in server.worker_pids())
    return sum(int(kibibytes) * 1024 for kibibytes in re.findall(r"VmRSS:\s+(\d+) kB", status))


def test_a_client_that_floods_and_takes_no_answers_keeps_nobody_waiting(server: RunningServer) -> None:
    flooding = Wire(server, "imap-clear", receive_buffer=4096)
    flooding.log_in()
    flooding.sock.settimeout(0.5)
    with pytest.raises(TimeoutError):  # the server stops reading what it would have to answer
        while True:
            flooding.sock.sendall(b"a CAPABILITY\r\n" * 10_000)
    before = _memory(server)
    others = [_imap(server) for _ in range(6)]
    for other in others:
        assert other.noop()[0] == "OK"
        other.logout()
    assert _memory(server) - before < 64 * 1024 * 1024
    flooding.sock.close()


def test_logging_in_takes_tls_where_the_listener_has_it(shared_server: RunningServer) -> None:
    client = imaplib.IMAP4(*shared_server.address("imap"), timeout=30)
    _to_close.append(client.shutdown)
    with pytest.raises(imaplib.IMAP4.error, match="PRIVACYREQUIRED"):
        client.login("bob", PASSWORDS["bob"])
    client.starttls(trusting_context())
    assert client.login("bob", PASSWORDS["bob"])[0] == "OK"
    client.logout()
    with smtplib.SMTP(*shared_server.address("submission"), timeout=30) as submission:
        submission.ehlo()
        assert not submission.has_extn("auth")
        assert submission.docmd("AUTH PLAIN", "AGJvYgB4")[0] == 538
        submission.starttls(context=trusting_context())
        assert submission.login("bob", PASSWORDS["bob"])[0] == 235
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            submission.sendmail("bob@example.org", ["somebody@example.net"], b"Subject: x\r\n\r\nx\r\n")
