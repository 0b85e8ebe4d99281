"""An account's quota holds for every way in."""

from __future__ import annotations

import imaplib
import smtplib

import pytest
from tests.integration.running_server import PASSWORDS, RunningServer

ALICE = "alice@example.org"
MESSAGE = b"Subject: big\r\n\r\n" + b"x" * 70 + b"\r\n" + b"y" * 4000 + b"\r\n"


def test_a_full_account_takes_no_more_by_smtp_lmtp_or_imap_until_there_is_room(server: RunningServer) -> None:
    accounts = server.call("x:Account/get", ids=None)["list"]
    alice = next(account for account in accounts if account["name"] == "alice")
    server.set("Account", update={alice["id"]: {"quota": 10_000}})
    with smtplib.SMTP(*server.address("smtp"), timeout=20) as client:
        for _ in range(2):
            client.sendmail("somebody@example.net", [ALICE], MESSAGE)
        with pytest.raises(smtplib.SMTPException) as refused:
            client.sendmail("somebody@example.net", [ALICE], MESSAGE)
    assert "452" in str(refused.value)
    with smtplib.LMTP(*server.address("lmtp")) as client:
        with pytest.raises(smtplib.SMTPException) as refused:
            client.sendmail("somebody@example.net", [ALICE], MESSAGE)
        assert "452" in str(refused.value)
    with imaplib.IMAP4(*server.address("imap-clear"), timeout=20) as imap:
        imap.login(ALICE, PASSWORDS["alice"])
        answer, data = imap.append("INBOX", "", "", MESSAGE)
        assert answer == "NO"
        assert b"OVERQUOTA" in data[0]
        imap.select("INBOX")
        assert imap.copy("1:*", "INBOX")[0] == "NO"
        imap.store("1", "+FLAGS", "\\Deleted")
        imap.expunge()
        assert imap.append("INBOX", "", "", MESSAGE)[0] == "OK"
