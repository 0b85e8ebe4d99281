"""What somebody sees who runs `make run` for the first time: the demonstration, used with ordinary clients."""

from __future__ import annotations

import imaplib
import poplib
import smtplib
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import managesieve
import pytest
from tests.cannot_run import cannot_run
from tests.integration.running_server import ADMIN, RunningServer, passwords_in
from tests.tls_client import trusting_context

PORTS = {
    "smtp": 10025,
    "submission": 10587,
    "submissions": 10465,
    "imap": 10143,
    "imaps": 10993,
    "pop3": 10110,
    "pop3s": 10995,
    "https": 10443,
    "lmtp": 10024,
    "sieve": 4190,
    "http": 8080,
}
ALICE = "alice@example.org"
NeedsProgram = Callable[[str], str]


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """`gatepost serve --demo` on its fixed ports."""
    taken = [port for port in PORTS.values() if _is_listening(port)]
    if taken:
        cannot_run(f"ports {taken} of the demonstration are in use on this machine")
    directory = tmp_path_factory.mktemp("demonstration")
    server = RunningServer(directory, ["--demo", "--data", str(directory / "data")], PORTS, ADMIN)
    yield server
    assert server.stop() == 0


def _is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def password(demonstration: RunningServer) -> str:
    """Alice's, as it was printed."""
    return passwords_in(demonstration.output)[ALICE]


def _message(subject: str) -> bytes:
    return f"From: {ALICE}\r\nTo: {ALICE}\r\nSubject: {subject}\r\n\r\nHello.\r\n.a line with a dot\r\n".encode()


def _imap(password: str) -> imaplib.IMAP4_SSL:
    client = imaplib.IMAP4_SSL("127.0.0.1", PORTS["imaps"], ssl_context=trusting_context(), timeout=20)
    client.login(ALICE, password)
    return client


def _subjects(password: str) -> list[str]:
    client = _imap(password)
    client.select("INBOX", readonly=True)
    _, data = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    client.logout()
    return [item[1].decode().strip().removeprefix("Subject: ") for item in data if isinstance(item, tuple)]


def test_the_table_of_listeners_is_printed_and_then_ready(demonstration: RunningServer) -> None:
    lines = demonstration.output.splitlines()
    heading = next(index for index, line in enumerate(lines) if line.startswith("NAME"))
    assert lines[heading].split() == ["NAME", "PROTOCOL", "ADDRESS", "TLS", "STATE"]
    rows = {tuple(line.split()) for line in lines[heading + 1 : -1]}
    assert ("imaps", "imap", "127.0.0.1:10993", "implicit", "active") in rows
    assert ("submission", "smtp", "127.0.0.1:10587", "starttls", "active") in rows
    assert len(rows) == len(PORTS)
    assert lines[-1] == "ready"
    assert {ALICE, "bob@example.org"} <= passwords_in(demonstration.output).keys()


def test_a_message_sent_with_starttls_is_read_over_imap_by_curl_and_deleted_over_pop3(
    demonstration: RunningServer, password: str, needs_program: NeedsProgram, tmp_path: Path
) -> None:
    with smtplib.SMTP("127.0.0.1", PORTS["submission"], timeout=20) as client:
        client.starttls(context=trusting_context())
        client.login(ALICE, password)
        client.sendmail(ALICE, [ALICE], _message("by starttls"))
    with smtplib.SMTP_SSL("127.0.0.1", PORTS["submissions"], context=trusting_context(), timeout=20) as client:
        client.login(ALICE, password)
        client.sendmail(ALICE, [ALICE], _message("by implicit tls"))
    with smtplib.LMTP("127.0.0.1", PORTS["lmtp"]) as client:
        assert client.sendmail("somebody@example.net", [ALICE], _message("by lmtp")) == {}
    subjects = _subjects(password)
    assert subjects[-3:] == ["by starttls", "by implicit tls", "by lmtp"]

    curl = [needs_program("curl"), "-sS", "-k", "-u", f"{ALICE}:{password}"]
    number = len(subjects)
    by_imap = subprocess.check_output([*curl, f"imaps://127.0.0.1:{PORTS['imaps']}/INBOX;MAILINDEX={number}"])
    assert b"Subject: by lmtp\r\n" in by_imap
    assert by_imap.endswith(b"Hello.\r\n.a line with a dot\r\n")
    by_pop3 = subprocess.check_output([*curl, f"pop3s://127.0.0.1:{PORTS['pop3s']}/{number}"])
    assert by_pop3.rstrip(b"\r\n") == by_imap.rstrip(b"\r\n")

    maildrop = poplib.POP3_SSL("127.0.0.1", PORTS["pop3s"], context=trusting_context(), timeout=20)
    maildrop.user(ALICE)
    maildrop.pass_(password)
    assert maildrop.stat()[0] == number
    maildrop.dele(number)
    maildrop.quit()
    assert _subjects(password) == subjects[:-1]


def test_a_client_in_idle_sees_a_delivery_within_a_second_whichever_worker_made_it(
    demonstration: RunningServer, password: str
) -> None:
    for attempt in range(6):  # two workers: some of these are delivered by the other one
        watcher = _imap(password)
        count = int(watcher.select("INBOX")[1][0] or 0)
        watcher.send(b"x IDLE\r\n")
        assert watcher.readline().startswith(b"+")
        with smtplib.LMTP("127.0.0.1", PORTS["lmtp"]) as client:
            client.sendmail("somebody@example.net", [ALICE], _message(f"news {attempt}"))
        acknowledged = time.monotonic()
        assert watcher.readline() == f"* {count + 1} EXISTS\r\n".encode()
        assert time.monotonic() - acknowledged < 1
        watcher.send(b"DONE\r\n")
        while not watcher.readline().startswith(b"x OK"):
            pass
        watcher.logout()


def test_the_managesieve_package_stores_and_lists_a_script(demonstration: RunningServer, password: str) -> None:
    client = managesieve.MANAGESIEVE("127.0.0.1", PORTS["sieve"], use_tls=True, tls_verify=False)
    assert client.authenticate("PLAIN", ALICE, password) == "OK"
    assert client.putscript("lists", 'require ["fileinto"];\r\nfileinto "INBOX";\r\n') == "OK"
    result, scripts = client.listscripts()
    assert result == "OK"
    assert [name for name, _is_active in scripts] == ["lists"]
    client.logout()
    client.sock.sslobj.close()  # the package leaves that to its users


def test_curl_gets_the_jmap_session_with_the_password_and_nothing_without(
    demonstration: RunningServer, needs_program: NeedsProgram
) -> None:
    curl = [needs_program("curl"), "-sS", "-w", "%{http_code}"]
    url = f"http://127.0.0.1:{PORTS['http']}/jmap/session"
    assert subprocess.check_output([*curl, "-o", "/dev/null", url]) == b"401"
    answer = subprocess.check_output([*curl, "-u", ":".join(ADMIN), url])
    assert b"urn:stalwart:jmap" in answer
    assert answer.endswith(b"200")
    over_tls = subprocess.check_output(
        [*curl, "-k", "-u", ":".join(ADMIN), f"https://127.0.0.1:{PORTS['https']}/jmap/session"]
    )
    assert over_tls.endswith(b"200")
