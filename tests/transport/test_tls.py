"""TLS as clients see it: versions, suites, preference, certificates by name and key type, no resumption."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator

import pytest
from cryptography import x509
from tests.transport.certificates import certificate
from tests.transport.loopback import connected_pair
from tests.transport.tls_server import (
    BOTH,
    ECDSA,
    EXACT,
    RSA,
    TLS12_ECDSA,
    TLS12_RSA,
    TLS13,
    WILDCARD,
    Server,
    agreed_suite,
    client_context,
    handshake,
    policy,
    serving,
)

from gatepost.plan.plan import CertificatePlan, ProtocolName
from gatepost.registry.tls import TlsCipherSuite, TlsVersion
from gatepost.transport.tls_channel import TlsChannel, TlsFailed, WouldBlockOnRead, WouldBlockOnWrite
from gatepost.transport.tls_contexts import TlsContexts, UnusableTls


def served_names(server: Server, context: ssl.SSLContext, name: str | None) -> list[str]:
    sock = socket.create_connection(server.address, timeout=20)
    with sock, context.wrap_socket(sock, server_hostname=name) as tls:
        octets = tls.getpeercert(binary_form=True)
        assert octets is not None
    extensions = x509.load_der_x509_certificate(octets).extensions
    return extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)


# --- versions and suites --------------------------------------------------------------------------------------------------


def test_both_versions_are_offered_by_default() -> None:
    with serving(policy()) as server:
        assert handshake(server, client_context())[0].startswith("TLSv1.3 TLS_AES_256_GCM_SHA384")
        assert handshake(server, client_context(version=ssl.TLSVersion.TLSv1_2))[0].startswith("TLSv1.2 ECDHE-")


@pytest.mark.parametrize(
    ("disabled", "remaining", "refused"),
    [
        (TlsVersion.TLS12, ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2),
        (TlsVersion.TLS13, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3),
    ],
)
def test_a_disabled_version_is_refused(
    disabled: TlsVersion, remaining: ssl.TLSVersion, refused: ssl.TLSVersion
) -> None:
    with serving(policy(disabled=(disabled,))) as server:
        assert agreed_suite(server, client_context(version=remaining)) is not None
        assert agreed_suite(server, client_context(version=refused)) is None


def test_versions_before_tls_12_are_refused() -> None:
    context = client_context(tls12_ciphers="ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with serving(policy()) as server:
        assert agreed_suite(server, context) is None


def test_nothing_but_the_suites_of_the_plan_is_offered_in_tls_12() -> None:
    with serving(policy()) as server:
        offered = []
        for suite in {entry["name"] for entry in client_context(tls12_ciphers="ALL").get_ciphers()}:
            context = client_context(version=ssl.TLSVersion.TLSv1_2)
            try:
                context.set_ciphers(f"{suite}:@SECLEVEL=0")
            except ssl.SSLError:
                continue  # a TLS 1.3 suite
            offered.append(agreed_suite(server, context))
        assert {suite for suite in offered if suite} == {*TLS12_ECDSA, *TLS12_RSA}


@pytest.mark.parametrize("suite", list(TlsCipherSuite)[3:])
def test_a_disabled_tls_12_suite_is_not_offered(suite: TlsCipherSuite) -> None:
    names = dict(zip(list(TlsCipherSuite)[3:], (*TLS12_ECDSA, *TLS12_RSA), strict=True))
    with serving(policy(without=(suite,))) as server:
        for name in names.values():
            context = client_context(tls12_ciphers=name, version=ssl.TLSVersion.TLSv1_2)
            assert agreed_suite(server, context) == (None if name == names[suite] else name)


@pytest.mark.parametrize(
    ("disabled", "agreed"), [((), TLS13[0]), ((0,), TLS13[1]), ((0, 1), TLS13[2]), ((2,), TLS13[0])]
)
def test_a_disabled_tls_13_suite_is_not_agreed_on(disabled: tuple[int, ...], agreed: str) -> None:
    suites = tuple(list(TlsCipherSuite)[index] for index in disabled)
    with serving(policy(without=suites)) as server:
        assert agreed_suite(server, client_context(version=ssl.TLSVersion.TLSv1_3)) == agreed


def test_the_order_of_the_server_or_of_the_client_decides_as_the_policy_says() -> None:
    wanted = client_context(
        tls12_ciphers="ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384",
        version=ssl.TLSVersion.TLSv1_2,
    )
    with serving(policy(prefer_server_order=True)) as server:
        assert agreed_suite(server, wanted) == "ECDHE-ECDSA-AES256-GCM-SHA384"
    with serving(policy(prefer_server_order=False)) as server:
        assert agreed_suite(server, wanted) == "ECDHE-ECDSA-CHACHA20-POLY1305"


# --- resumption -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("certificates", [(ECDSA,), (*BOTH, EXACT)])
@pytest.mark.parametrize("name", [None, "mail.example.org", "exact.example.org"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_neither_resumed_nor_are_tickets_given_out(
    version: ssl.TLSVersion, name: str | None, certificates: tuple[CertificatePlan, ...]
) -> None:
    context = client_context(version=version)
    session: ssl.SSLSession | None = None
    with serving(policy(), *certificates) as server:
        for _ in range(3):
            sock = socket.create_connection(server.address, timeout=20)
            with sock, context.wrap_socket(sock, server_hostname=name, session=session) as tls:
                assert tls.recv(1000), "what comes behind the tickets, if there are any"
                assert not tls.session_reused
                session = tls.session
                assert session is None or not session.has_ticket


# --- certificates ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "served"),
    [
        ("exact.example.org", "exact.example.org"),
        ("EXACT.example.ORG", "exact.example.org"),
        ("one.example.net", "*.example.net"),
        ("example.net", "mail.example.org"),  # a wildcard stands for exactly one label (RFC 6125 section 6.4.3)
        ("two.labels.example.net", "mail.example.org"),
        ("unknown.example.com", "mail.example.org"),
        (None, "mail.example.org"),
    ],
)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_certificate_is_chosen_by_the_name_asked_for(
    asked: str | None, served: str, version: ssl.TLSVersion
) -> None:
    with serving(policy(), *BOTH, EXACT, WILDCARD) as server:
        assert served_names(server, client_context(version=version), asked) == [served]


def test_a_policy_holds_for_every_name() -> None:
    tls = policy(disabled=(TlsVersion.TLS13,), without=(TlsCipherSuite.ECDHE_ECDSA_AES_256_GCM_SHA384,))
    with serving(tls, *BOTH, EXACT) as server:
        agreed, _ = handshake(server, client_context(), "exact.example.org")
        assert agreed.startswith("TLSv1.2 ECDHE-ECDSA-AES128-GCM-SHA256 ")


@pytest.mark.parametrize("ciphers", [TLS12_RSA, TLS12_ECDSA])
def test_the_client_decides_between_rsa_and_ecdsa_and_gets_the_whole_chain(ciphers: tuple[str, ...]) -> None:
    context = client_context(tls12_ciphers=":".join(ciphers), version=ssl.TLSVersion.TLSv1_2, verify=True)
    with serving(policy()) as server:
        agreed, _ = handshake(server, context)
        assert agreed.split()[1] == ciphers[0]


@pytest.mark.parametrize("alone", [RSA, ECDSA])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_single_certificate_is_served_with_its_chain(alone: CertificatePlan, version: ssl.TLSVersion) -> None:
    with serving(policy(), alone) as server:
        assert handshake(server, client_context(version=version, verify=True))[0]


def test_a_name_with_two_certificates_serves_both_key_types_with_their_chains() -> None:
    rsa, ecdsa = certificate("rsa", "two.example.org"), certificate("ecdsa", "two.example.org")
    with serving(policy(), *BOTH, rsa, ecdsa) as server:
        for ciphers in (TLS12_RSA, TLS12_ECDSA):
            context = client_context(tls12_ciphers=":".join(ciphers), version=ssl.TLSVersion.TLSv1_2, verify=True)
            assert handshake(server, context, "two.example.org")[0].split()[1] == ciphers[0]


def test_of_several_fallbacks_of_a_key_type_the_first_is_served() -> None:
    first = certificate("ecdsa", "first.example.org", is_fallback=True)
    with serving(policy(), first, ECDSA) as server:
        assert served_names(server, client_context(), None) == ["first.example.org"]


def test_without_a_fallback_there_is_no_tls() -> None:
    with pytest.raises(UnusableTls, match="no certificate"):
        TlsContexts([EXACT]).of(policy(), ProtocolName.IMAP)


def broken(plan: CertificatePlan, **changes: str) -> CertificatePlan:
    fields = {name: getattr(plan, name) for name in plan.__struct_fields__}
    return CertificatePlan(**{**fields, **changes})


@pytest.mark.parametrize(
    "unusable",
    [
        broken(EXACT, chain_pem="no PEM"),
        broken(EXACT, private_key_pem="no PEM"),
        broken(EXACT, private_key_pem=ECDSA.private_key_pem),
        broken(EXACT, private_key_pem=RSA.private_key_pem),
    ],
)
def test_a_certificate_that_cannot_be_used_is_found_when_everything_is_built(unusable: CertificatePlan) -> None:
    contexts = TlsContexts([*BOTH, unusable])
    with pytest.raises(UnusableTls, match="ecdsa-exact-example-org"):
        contexts.of(policy(), ProtocolName.IMAP).build_all()


def test_a_certificate_that_turns_out_unusable_in_a_handshake_does_not_break_it(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with serving(policy(), *BOTH, broken(EXACT, chain_pem="no PEM")) as server:
        assert served_names(server, client_context(), "exact.example.org") == ["mail.example.org"]
    assert capfd.readouterr().err == ""


def test_contexts_are_made_once() -> None:
    contexts = TlsContexts(BOTH)
    assert contexts.of(policy(), ProtocolName.IMAP) is contexts.of(policy(), ProtocolName.IMAP)


@pytest.mark.parametrize("certificates", [(ECDSA,), (*BOTH, EXACT)])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("asked", ["Exact.Example.org", "unknown.example.com", None])
def test_the_name_that_was_asked_for_is_known_whichever_certificate_is_served(
    certificates: tuple[CertificatePlan, ...], version: ssl.TLSVersion, asked: str | None
) -> None:
    with serving(policy(), *certificates) as server:
        handshake(server, client_context(version=version), asked)
    assert server.channel is not None
    assert server.channel.server_name == asked


# --- the channel itself -----------------------------------------------------------------------------------------------------


@pytest.fixture
async def ends() -> AsyncIterator[tuple[ssl.SSLSocket, TlsChannel]]:
    """A client and the server's channel, the handshake done; the server does not block."""
    sock, accepted = connected_pair()
    channel = TlsChannel(TlsContexts(BOTH).of(policy(), ProtocolName.IMAP).context, accepted.fileno())
    wrapping = asyncio.create_task(asyncio.to_thread(client_context().wrap_socket, sock))
    while True:
        try:
            channel.handshake()
            break
        except WouldBlockOnRead:
            await asyncio.sleep(0.001)
    client = await wrapping
    yield client, channel
    client.close()
    accepted.close()


async def test_reading_says_that_it_would_block(ends: tuple[ssl.SSLSocket, TlsChannel]) -> None:
    with pytest.raises(WouldBlockOnRead):
        ends[1].receive()


async def test_writing_says_that_it_would_block_and_goes_on_with_what_was_not_taken(
    ends: tuple[ssl.SSLSocket, TlsChannel],
) -> None:
    client, channel = ends
    data, sent = bytes(range(256)) * 100_000, 0
    reading: asyncio.Task[bytes] | None = None

    def read_all() -> bytes:
        seen = bytearray()
        while len(seen) < len(data):
            seen += client.recv(65536)
        return bytes(seen)

    while sent < len(data):
        try:
            sent += channel.send(memoryview(data)[sent:])
        except WouldBlockOnWrite:
            reading = reading or asyncio.create_task(asyncio.to_thread(read_all))
            await asyncio.sleep(0.001)
    assert reading is not None
    assert await reading == data


async def test_the_end_of_what_the_client_says_is_an_empty_read(ends: tuple[ssl.SSLSocket, TlsChannel]) -> None:
    client, channel = ends
    client.shutdown(socket.SHUT_WR)  # without a close_notify
    await asyncio.sleep(0)
    while True:
        try:
            assert channel.receive() == b""
            break
        except WouldBlockOnRead:
            await asyncio.sleep(0.001)


async def test_garbage_instead_of_a_handshake_is_a_failure_with_a_reason() -> None:
    client, accepted = connected_pair()
    channel = TlsChannel(TlsContexts(BOTH).of(policy(), ProtocolName.IMAP).context, accepted.fileno())
    client.sendall(b"EHLO mail.example.org\r\n")
    with pytest.raises(TlsFailed, match="did not speak TLS"):
        channel.handshake()
    client.close()
    accepted.close()
