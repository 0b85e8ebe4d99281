"""A listener's TLS policy changes again and again: what nobody is served with any more takes no memory, and who came in under
the first policy stays."""

from __future__ import annotations

import imaplib
import itertools
import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.certificates import certificate_pem, key_pem, new_certificate, new_key
from tests.integration.running_server import RunningServer, running_server
from tests.tls_client import trusting_context

_NAMES = 20  # each has a context of its own, some 27 KiB
_WARM_UP = 4  # changes
_GROWTH = 6 * 1024  # KiB; the contexts of all policies together would be 30 MiB
_SUITES = (
    "tls13Aes256GcmSha384",
    "tls13Chacha20Poly1305Sha256",
    "tlsEcdheEcdsaWithAes256GcmSha384",
    "tlsEcdheEcdsaWithChacha20Poly1305Sha256",
    "tlsEcdheRsaWithAes256GcmSha384",
    "tlsEcdheRsaWithAes128GcmSha256",
)
POLICIES = [set(some) for count in range(1, len(_SUITES) + 1) for some in itertools.combinations(_SUITES, count)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("server"), workers=1) as server:
        names = tuple(f"n{number}.example.org" for number in range(_NAMES))
        key, now = new_key("ecdsa"), datetime.now(UTC)
        made = new_certificate(names[0], key, (now - timedelta(days=2), now + timedelta(days=30)), names=names)
        server.set("Certificate", create={"c": {"certificate": certificate_pem(made), "privateKey": key_pem(key)}})
        yield server


def memory_of_worker(server: RunningServer) -> int:
    """KiB that are resident."""
    [pid] = server.worker_pids()
    found = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


def suite_of_new_connection(server: RunningServer) -> str | None:
    context = trusting_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with imaplib.IMAP4_SSL(*server.address("imaps"), ssl_context=context, timeout=10) as client:
        assert isinstance(client.sock, ssl.SSLSocket)
        cipher = client.sock.cipher()
        return cipher[0] if cipher else None


def test_policies_that_have_gone_leave_no_contexts_behind(server: RunningServer) -> None:
    listener_id = server.listener("imaps")["id"]
    held = imaplib.IMAP4_SSL(*server.address("imaps"), ssl_context=trusting_context(), timeout=10)
    not_upgraded = imaplib.IMAP4(*server.address("imap"), timeout=10)
    memory = 0
    for number, suites in enumerate(POLICIES):
        server.update_listener(listener_id, tlsDisableCipherSuites=dict.fromkeys(suites, True))
        if number == _WARM_UP:
            memory = memory_of_worker(server)
    assert memory_of_worker(server) - memory < _GROWTH
    assert suite_of_new_connection(server) == "ECDHE-ECDSA-AES128-GCM-SHA256"  # the only one that is left
    assert held.noop()[0] == "OK"
    assert not_upgraded.starttls(trusting_context())[0] == "OK"
    held.logout()
    not_upgraded.logout()
