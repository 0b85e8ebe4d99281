"""ALPN (RFC 7301) as clients see it: each protocol answers to its own names, and to no other protocol's."""

from __future__ import annotations

import socket
import ssl

import pytest
from tests.transport.tls_server import BOTH, EXACT, Server, client_context, handshake, policy, serving

from gatepost.plan.plan import ProtocolName
from gatepost.transport.alpn import ALPN_NAMES
from gatepost.transport.tls_failure import TlsFailure


def naming(*names: str) -> ssl.SSLContext:
    context = client_context()
    context.set_alpn_protocols(list(names))
    return context


def protocol_agreed(server: Server, context: ssl.SSLContext, name: str = "mail.example.org") -> str | None:
    """What the client says."""
    sock = socket.create_connection(server.address, timeout=20)
    with sock, context.wrap_socket(sock, server_hostname=name) as tls:
        tls.recv(1000)
        return tls.selected_alpn_protocol()


@pytest.mark.parametrize(
    ("protocol", "offered", "agreed"),
    [
        (ProtocolName.HTTP, ("h2", "http/1.1"), "http/1.1"),
        (ProtocolName.HTTP, ("http/1.0",), "http/1.0"),
        (ProtocolName.IMAP, ("imap",), "imap"),
        (ProtocolName.POP3, ("pop3",), "pop3"),
        (ProtocolName.MANAGESIEVE, ("managesieve",), "managesieve"),
        (ProtocolName.SMTP, ("smtp",), "smtp"),
        (ProtocolName.LMTP, ("lmtp",), "lmtp"),
    ],
)
def test_a_protocol_answers_to_its_own_name(protocol: ProtocolName, offered: tuple[str, ...], agreed: str) -> None:
    with serving(policy(), protocol=protocol) as server:
        assert protocol_agreed(server, naming(*offered)) == agreed
    assert server.channel is not None
    assert server.channel.application_protocol == agreed


@pytest.mark.parametrize("protocol", list(ProtocolName))
def test_a_client_that_names_no_protocol_is_served(protocol: ProtocolName) -> None:
    with serving(policy(), protocol=protocol) as server:
        assert protocol_agreed(server, client_context()) is None


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("protocol", list(ProtocolName))
def test_rfc_7301_3_2_a_client_of_another_protocol_gets_the_alert(
    protocol: ProtocolName, version: ssl.TLSVersion
) -> None:
    foreign = [name.decode() for other in ProtocolName if other is not protocol for name in ALPN_NAMES[other]]
    context = naming("h2", *foreign)
    context.minimum_version = context.maximum_version = version
    with serving(policy(), protocol=protocol) as server:
        with pytest.raises(ssl.SSLError, match="alert no application protocol"):
            handshake(server, context)
        assert handshake(server, client_context())[0], "the next client is served"
    assert server.failures == [TlsFailure.NO_COMMON_PROTOCOL]
    assert server.words[0].startswith("the client wants to speak h2, ")
    assert server.words[0].endswith(f"; this is {protocol.value}")


def test_the_protocol_is_looked_at_for_a_certificate_chosen_by_name_too() -> None:
    with serving(policy(), *BOTH, EXACT, protocol=ProtocolName.POP3) as server:
        with pytest.raises(ssl.SSLError, match="alert no application protocol"):
            handshake(server, naming("imap"), "exact.example.org")
        assert protocol_agreed(server, naming("pop3"), "exact.example.org") == "pop3"
