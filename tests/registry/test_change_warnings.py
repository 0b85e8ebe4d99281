"""What a dry run warns of."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from gatepost.registry.account import Account
from gatepost.registry.certificate import Certificate
from gatepost.registry.configuration import Configuration, ObjectRef, Proposal
from gatepost.registry.network_listener import NetworkListener, NetworkListenerProtocol
from gatepost.registry.warnings import warnings
from gatepost.values.ids import Id
from gatepost.values.secret import Secret
from gatepost.values.socket_address import SocketAddress


def words_about(type_name: str, value: object, now: datetime) -> str:
    ref = ObjectRef(type_name, Id("a"))
    before = Configuration.load([])
    proposal = Proposal(before=before, after=before.replace(ref, value), touched=(ref,))
    found = warnings(proposal, now)
    assert all(about == ref for about, _ in found)
    return "; ".join(words for _, words in found)


def listener(address: str, protocol: str, **fields: Any) -> NetworkListener:
    bind = (SocketAddress.parse(address),)
    return NetworkListener(name="a", bind=bind, protocol=NetworkListenerProtocol(protocol), **fields)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (listener("[::]:25", "imap"), "the port of SMTP"),
        (listener("[::]:993", "imap"), "begin with TLS"),
        (listener("[::]:143", "imap", tls_implicit=True), "begin in clear"),
        (listener("[::]:8080", "http", use_tls=False), "nobody can sign in"),
        (listener("[::]:1143", "imap", use_tls=False), "nobody can log in"),
        (listener("[::]:25", "smtp", use_tls=False), "mail comes in clear"),
    ],
)
def test_unusual_listeners_are_warned_of(value: NetworkListener, words: str, now: datetime) -> None:
    assert words in words_about("NetworkListener", value, now)


@pytest.mark.parametrize(
    "value",
    [
        listener("[::]:25", "smtp"),
        listener("[::]:993", "imap", tls_implicit=True),
        listener("127.0.0.1:8080", "http", use_tls=False),
        listener("[::]:2525", "smtp"),
    ],
)
def test_usual_listeners_are_not(value: NetworkListener, now: datetime) -> None:
    assert words_about("NetworkListener", value, now) == ""


def test_certificates_that_are_not_valid_long_are_warned_of(now: datetime) -> None:
    def certificate(begins: timedelta, ends: timedelta) -> Certificate:
        return Certificate(
            certificate="", private_key=Secret(""), not_valid_before=now + begins, not_valid_after=now + ends
        )

    day = timedelta(days=1)
    assert "expires" in words_about("Certificate", certificate(-day, 29 * day), now)
    assert "not valid before" in words_about("Certificate", certificate(day, 90 * day), now)
    assert words_about("Certificate", certificate(-day, 30 * day), now) == ""


def test_that_mail_goes_with_its_account_is_warned_of(now: datetime) -> None:
    ref = ObjectRef("Account", Id("a"))
    alice = Account(name="alice", password=Secret("x"))
    before = Configuration.load([]).replace(ref, alice)
    gone = Proposal(before=before, after=before.replace(ref, None), touched=(ref,))
    [(about, words)] = [each for each in warnings(gone, now) if each[0] == ref]
    assert (about, "mail" in words, "no revert" in words) == (ref, True, True)
    assert words_about("Account", alice, now) == ""
