"""Tests of a program that sends mail: `gatepost_server` is a fresh mail server for each of them."""

import smtplib
import ssl
from pathlib import Path

import gatepost


def send_newsletter(host: str, port: int, trusted: Path, password: str) -> None:
    """What is tested."""
    with smtplib.SMTP(host, port) as smtp:
        smtp.starttls(context=ssl.create_default_context(cafile=trusted))
        smtp.login("news@example.org", password)
        smtp.sendmail("news@example.org", ["ann@example.org"], "Subject: News\r\n\r\nThere are none.\r\n")


def test_a_subscriber_gets_the_newsletter(gatepost_server: gatepost.MailServerInThread) -> None:
    gatepost_server.add_account("news@example.org", "secret")
    gatepost_server.add_account("ann@example.org", "another")
    send_newsletter("localhost", gatepost_server.smtp.port, gatepost_server.certificate_file, "secret")
    assert [message["Subject"] for message in gatepost_server.messages("ann@example.org")] == ["News"]


def test_a_full_server_is_no_reason_to_give_up(gatepost_server: gatepost.MailServerInThread) -> None:
    gatepost_server.update("smtp", max_connections=1)
    with smtplib.SMTP(*gatepost_server.smtp):
        try:
            smtplib.SMTP(*gatepost_server.smtp)
        except smtplib.SMTPConnectError as refused:
            assert refused.smtp_code == 421
