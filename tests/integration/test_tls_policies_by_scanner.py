"""What a listener offers, as sslscan and `openssl s_client` see it: exactly what was configured, through every door."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from xml.etree import ElementTree

import pytest
from tests.certificates import certificate_pem, key_pem, new_certificate, new_key
from tests.free_port import free_port
from tests.integration.running_server import RunningServer, running_server

NAME = "scanned.example.org"
TLS13 = ["TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"]
ECDSA = ["ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"]
RSA = ["ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-CHACHA20-POLY1305"]
ALL = TLS13 + ECDSA + RSA
WIRE_NAMES = dict(
    zip(
        ALL,
        [
            "tls13Aes256GcmSha384",
            "tls13Aes128GcmSha256",
            "tls13Chacha20Poly1305Sha256",
            "tlsEcdheEcdsaWithAes256GcmSha384",
            "tlsEcdheEcdsaWithAes128GcmSha256",
            "tlsEcdheEcdsaWithChacha20Poly1305Sha256",
            "tlsEcdheRsaWithAes256GcmSha384",
            "tlsEcdheRsaWithAes128GcmSha256",
            "tlsEcdheRsaWithChacha20Poly1305Sha256",
        ],
        strict=True,
    )
)


class Door(NamedTuple):
    """A way to TLS. `starttls` is the name that the tools know the protocol by; None for TLS from the first octet."""

    protocol: str
    starttls: str | None


SCANNED = [
    *(Door(protocol, None) for protocol in ("smtp", "lmtp", "imap", "pop3", "manageSieve", "http")),
    Door("smtp", "smtp"),
    Door("imap", "imap"),
    Door("pop3", "pop3"),
]
NOT_SCANNED = [Door("lmtp", "lmtp"), Door("manageSieve", "sieve")]  # sslscan does not speak them

POLICIES: dict[str, tuple[list[str], list[str]]] = {  # disabled versions and suites
    "everything": ([], []),
    "TLS 1.3 only": (["tls12"], []),
    "TLS 1.2 only": (["tls13"], []),
    "no ChaCha20": ([], [TLS13[2], ECDSA[2], RSA[2]]),
    "one of each": ([], [TLS13[0], TLS13[1], *ECDSA[:2], *RSA]),
}


def offered(policy: str) -> list[str]:
    """The suites that a policy leaves, in server order."""
    versions, suites = POLICIES[policy]
    return [suite for suite in ALL if suite not in suites and ("tls13" if suite in TLS13 else "tls12") not in versions]


class Scanned:
    """A server with certificates of both key types, and one listener for each door."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        self._listeners: dict[Door, tuple[str, int]] = {}
        now = datetime.now(UTC)
        for kind in ("ecdsa", "rsa"):
            key = new_key(kind)
            made = new_certificate(NAME, key, (now - timedelta(days=1), now + timedelta(days=90)), names=(NAME,))
            pair = {"certificate": certificate_pem(made), "privateKey": key_pem(key)}
            server.set("Certificate", create={"c": pair})

    def port(self, door: Door, **policy: object) -> int:
        """Where the door is, under that policy from now on."""
        if door not in self._listeners:
            port = free_port()
            listener_id = self.server.create_listener(
                name=f"{door.protocol}-{door.starttls}",
                protocol=door.protocol,
                bind=[f"127.0.0.1:{port}"],
                tlsImplicit=door.starttls is None,
            )
            self._listeners[door] = listener_id, port
        listener_id, port = self._listeners[door]
        defaults = {"tlsDisableProtocols": [], "tlsDisableCipherSuites": [], "tlsIgnoreClientOrder": True}
        self.server.update_listener(listener_id, **{**defaults, **policy})
        return port

    def port_under(self, door: Door, policy: str) -> int:
        versions, suites = POLICIES[policy]
        return self.port(
            door, tlsDisableProtocols=versions, tlsDisableCipherSuites=[WIRE_NAMES[suite] for suite in suites]
        )


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scanned]:
    with running_server(tmp_path_factory.mktemp("server")) as server:
        yield Scanned(server)


@pytest.fixture
def sslscan(needs_program: Callable[[str], str]) -> Callable[..., ElementTree.Element]:
    program = needs_program("sslscan")

    def scan(port: int, starttls: str | None, *options: str) -> ElementTree.Element:
        upgrade = [f"--starttls-{starttls}"] if starttls else []
        output = subprocess.check_output(
            [program, "--xml=-", f"--sni-name={NAME}", *upgrade, *options, f"127.0.0.1:{port}"], timeout=120
        )
        return ElementTree.fromstring(output)

    return scan


def s_client(port: int, *options: str, send: bytes = b"Q\n") -> str:
    """What openssl says about a connection."""
    finished = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", NAME, *options],
        input=send,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
    )
    return finished.stdout.decode("latin-1")


def agreed(output: str) -> str | None:
    """The suite that a handshake ended with."""
    found = re.search(r"^New, TLSv[\d.]+, Cipher is (\S+)$", output, re.MULTILINE)
    return found[1] if found else None


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("door", SCANNED, ids=str)
def test_exactly_the_configured_versions_and_suites_are_offered_in_server_order(
    scanned: Scanned, sslscan: Callable[..., ElementTree.Element], door: Door, policy: str
) -> None:
    only_suites = ("--no-groups", "--no-heartbleed", "--no-renegotiation", "--no-fallback", "--no-compression")
    found = sslscan(scanned.port_under(door, policy), door.starttls, *only_suites)
    versions = {f"tls{each.get('version')}" for each in found.iter("protocol") if each.get("enabled") == "1"}
    suites = offered(policy)
    assert versions == {"tls1.3" if suite in TLS13 else "tls1.2" for suite in suites}
    assert [each.get("cipher") for each in found.iter("cipher")] == suites


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("door", NOT_SCANNED, ids=str)
def test_through_doors_that_no_scanner_knows_each_suite_is_accepted_or_refused_as_configured(
    scanned: Scanned, door: Door, policy: str
) -> None:
    port = scanned.port_under(door, policy)
    accepted = []
    for suite in [*ALL, "AES128-SHA", "ECDHE-RSA-AES128-SHA", "DHE-RSA-AES128-GCM-SHA256"]:
        one = ("-tls1_3", "-ciphersuites", suite) if suite in TLS13 else ("-tls1_2", "-cipher", f"{suite}:@SECLEVEL=0")
        if agreed(s_client(port, "-starttls", str(door.starttls), *one)) == suite:
            accepted.append(suite)
    assert accepted == offered(policy)


@pytest.mark.parametrize("suite", ALL)
def test_each_suite_can_be_switched_off_by_itself(
    scanned: Scanned, sslscan: Callable[..., ElementTree.Element], suite: str
) -> None:
    port = scanned.port(Door("imap", None), tlsDisableCipherSuites=[WIRE_NAMES[suite]])
    found = sslscan(port, None, "--no-groups", "--no-heartbleed", "--no-renegotiation", "--no-fallback")
    assert [each.get("cipher") for each in found.iter("cipher")] == [other for other in ALL if other != suite]


@pytest.mark.parametrize("door", SCANNED, ids=str)
def test_a_scanner_finds_no_weakness(scanned: Scanned, sslscan: Callable[..., ElementTree.Element], door: Door) -> None:
    found = sslscan(scanned.port(door), door.starttls)
    assert not [each.attrib for each in found.iter("compression") if each.get("supported") == "1"]
    assert not [each.attrib for each in found.iter("heartbleed") if each.get("vulnerable") == "1"]
    assert not [each.attrib for each in found.iter("renegotiation") if each.get("supported") == "1"]
    groups = {(each.get("sslversion"), str(each.get("name")).split()[0]) for each in found.iter("group")}
    curves = ("x25519", "secp256r1", "secp384r1", "secp521r1")
    assert groups == {(version, curve) for version in ("TLSv1.2", "TLSv1.3") for curve in curves}


@pytest.mark.parametrize("is_server_order", [True, False])
def test_the_order_of_server_or_client_decides(scanned: Scanned, is_server_order: bool) -> None:
    port = scanned.port(Door("pop3", None), tlsIgnoreClientOrder=is_server_order)
    for option, version, suites in (("-ciphersuites", "-tls1_3", TLS13), ("-cipher", "-tls1_2", ECDSA)):
        for wanted in (suites, suites[::-1]):
            chosen = agreed(s_client(port, version, option, ":".join(wanted)))
            assert chosen == (suites[0] if is_server_order else wanted[0])


@pytest.mark.parametrize("door", [Door("imap", None), Door("smtp", "smtp")], ids=str)
def test_renegotiation_by_the_client_is_refused(scanned: Scanned, door: Door) -> None:
    upgrade = ("-starttls", door.starttls) if door.starttls else ()
    output = s_client(scanned.port(door), "-tls1_2", *upgrade, send=b"R\n")
    _, renegotiating, then = output.partition("RENEGOTIATING")
    assert renegotiating
    assert "verify return" not in then, "a second certificate was sent"
    assert ":error:" in then


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_nothing_is_resumed_and_no_ticket_is_given_out(scanned: Scanned, version: str) -> None:
    output = s_client(scanned.port(Door("imap", None)), version, "-reconnect", send=b"")
    assert output.count("New, TLSv1") >= (6 if version == "-tls1_2" else 1)
    assert "Reused, " not in output
    assert "session ticket:" not in output


@pytest.mark.parametrize(
    ("door", "name"),
    [
        (Door("http", None), "http/1.1"),
        (Door("imap", None), "imap"),
        (Door("pop3", "pop3"), "pop3"),
        (Door("smtp", "smtp"), "smtp"),
        (Door("manageSieve", "sieve"), "managesieve"),
    ],
    ids=str,
)
def test_a_client_that_means_another_protocol_is_turned_away(scanned: Scanned, door: Door, name: str) -> None:
    port, upgrade = scanned.port(door), ("-starttls", door.starttls) if door.starttls else ()
    assert f"ALPN protocol: {name}\n" in s_client(port, "-alpn", f"h2,{name}", *upgrade)
    refused = s_client(port, "-alpn", "h2,ftp", *upgrade)
    assert "alert no application protocol" in refused
    assert agreed(refused) is None
