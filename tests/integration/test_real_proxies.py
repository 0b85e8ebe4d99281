"""Real proxies in front of real listeners: who the client is comes through, whatever the proxy sends and whatever follows."""

from __future__ import annotations

import imaplib
import itertools
import smtplib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.free_port import free_port
from tests.integration.real_proxies import HaProxy, Relay, haproxy, nginx_stream
from tests.integration.running_server import PASSWORDS, RunningServer, eventually, running_server
from tests.tls_client import trusting_context

from gatepost.protocols.proxy_header.decode import decode
from gatepost.protocols.proxy_header.header import Decoded, TcpAddresses

TRUSTED = ["127.0.0.1", "::1"]
HOSTS = {"IPv4": "127.0.0.1", "IPv6": "::1"}
KINDS = {"clear": (False, False), "starttls": (True, False), "implicit": (True, True)}  # useTls, tlsImplicit
SENDERS = {
    "send-proxy": "send-proxy",
    "send-proxy-v2": "send-proxy-v2",
    "v2 with CRC32c and unique id": "send-proxy-v2 proxy-v2-options crc32c,unique-id",
    "v2 with TLS facts": (
        "send-proxy-v2-ssl-cn proxy-v2-options ssl,cert-cn,ssl-cipher,cert-key,cert-sig,authority,crc32c,unique-id"
    ),
}
CHECKS = {  # a check has no more time than there is between two
    f"{sender} check{tls}": kind
    for sender in ("send-proxy", "send-proxy-v2")
    for kind, tls in (
        ("clear", " inter 50"),
        ("starttls", " inter 40"),
        ("implicit", " check-ssl verify none inter 1000"),
    )
}
_sources = (f"127.0.9.{number}" for number in itertools.count(1))


@dataclass
class Front:
    """A server whose listeners trust loopback, and a way to each of them through each proxy."""

    server: RunningServer
    relays: dict[tuple[str, str, str], Relay]  # by sender, kind of listener, family of the way to the server
    checked: dict[str, Relay]
    haproxy: HaProxy


def _target(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    directory = tmp_path_factory.mktemp("front")
    with running_server(directory) as server:
        targets = {(kind, family): _listener(server, kind, family) for kind in KINDS for family in HOSTS}
        by_haproxy = {
            (sender, *where): Relay(f"h{number}", target, options, is_tls="ssl" in options and where[0] != "starttls")
            for number, ((sender, options), (where, target)) in enumerate(
                itertools.product(SENDERS.items(), targets.items())
            )
        }
        for (_, kind, _), relay in by_haproxy.items():
            if relay.is_tls and kind == "implicit":
                relay.server_options += " ssl verify none"  # TLS on both sides of the proxy
        by_nginx = {
            ("nginx stream", *where): Relay("", target, "proxy_protocol on;") for where, target in targets.items()
        }
        checked = {
            options: Relay(f"c{number}", targets[kind, "IPv4"], f"{options} fall 1 rise 1")
            for number, (options, kind) in enumerate(CHECKS.items())
        }
        with (
            haproxy(directory / "haproxy", [*by_haproxy.values(), *checked.values()]) as running,
            nginx_stream(directory / "nginx", list(by_nginx.values())),
        ):
            yield Front(server, by_haproxy | by_nginx, checked, running)


def _listener(server: RunningServer, kind: str, family: str) -> str:
    host, port = HOSTS[family], free_port()
    use_tls, implicit = KINDS[kind]
    server.create_listener(
        name=f"{kind}-{family}",
        protocol="smtp",
        bind=[_target(host, port)],
        overrideProxyTrustedNetworks=TRUSTED,
        useTls=use_tls,
        tlsImplicit=implicit,
    )
    return _target(host, port)


@pytest.mark.parametrize("family", HOSTS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sender", [*SENDERS, "nginx stream"])
def test_a_message_through_a_proxy_is_traced_to_the_client_and_not_to_the_proxy(
    front: Front, sender: str, kind: str, family: str
) -> None:
    relay, source = front.relays[sender, kind, family], next(_sources)
    subject = f"{sender} {kind} {family}"
    message = f"Subject: {subject}\r\n\r\nx\r\n"
    with _smtp_client(relay, source, is_tls=relay.is_tls or kind == "implicit") as client:
        if kind == "starttls":
            client.starttls(context=trusting_context())
        client.sendmail("somebody@example.net", ["alice@example.org"], message)
    assert f"([{source}])" in _received_field(front.server, subject)


def test_a_client_of_ipv6_keeps_its_address_on_a_way_over_ipv4(front: Front, tmp_path: Path) -> None:
    for number, (sender, options) in enumerate(SENDERS.items()):
        target = front.relays[sender, "clear", "IPv4"].target
        relay = Relay("six", target, options.replace("-ssl-cn", ""), host="::1")
        with haproxy(tmp_path / str(number), [relay]), _smtp_client(relay, "::1", is_tls=False) as client:
            subject = f"over IPv6 {number}"
            client.sendmail("somebody@example.net", ["alice@example.org"], f"Subject: {subject}\r\n\r\nx\r\n")
            assert "([IPv6:::1])" in _received_field(front.server, subject)


def _smtp_client(relay: Relay, source: str, *, is_tls: bool) -> smtplib.SMTP:
    if is_tls:
        context = trusting_context()
        return smtplib.SMTP_SSL(*relay.address, context=context, timeout=30, source_address=(source, 0))
    return smtplib.SMTP(*relay.address, timeout=30, source_address=(source, 0))


def _received_field(server: RunningServer, subject: str) -> str:
    with imaplib.IMAP4(*server.address("imap-clear"), timeout=30) as client:
        client.login("alice", PASSWORDS["alice"])
        client.select("INBOX")
        (found,) = client.search(None, "SUBJECT", f'"{subject}"')[1]
        number = found.split()[-1].decode()
        answer = client.fetch(number, "(BODY.PEEK[HEADER.FIELDS (RECEIVED)])")[1][0]
    assert isinstance(answer, tuple)
    return answer[1].decode()


@pytest.mark.parametrize("options", CHECKS)
def test_health_checks_find_the_listener_up_and_are_no_failures(front: Front, options: str) -> None:
    name, before = front.checked[options].name, _number_of_connections(front.server, CHECKS[options])
    enough = before + (5 if "check-ssl" in options else 40)
    eventually(lambda: _number_of_connections(front.server, CHECKS[options]) > enough)
    server = front.haproxy.servers()[name]
    assert server["status"] == "UP"
    assert server["check_status"].removeprefix("* ") == ("L6OK" if "check-ssl" in options else "L4OK")
    assert server["chkdown"] == "0"
    assert front.server.status(f"{CHECKS[options]}-IPv4")["refused"]["proxyHeader"] == 0


def _number_of_connections(server: RunningServer, kind: str) -> int:
    accepted: int = server.status(f"{kind}-IPv4")["accepted"]
    return accepted


def test_the_cap_per_address_counts_clients_and_not_their_proxy(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        relay = Relay("capped", _listener(server, "clear", "IPv4"), "send-proxy-v2")
        with haproxy(tmp_path / "haproxy", [relay]):
            server.set("SystemSettings", update={"singleton": {"maxConnectionsPerAddress": 2}})
            words = {source: [_first_words(relay, source) for _ in range(3)] for source in ("127.0.0.3", "127.0.0.4")}
            for of_source in words.values():
                assert [text[:3] for _, text in of_source] == [b"220", b"220", b"421"]
            for sock, _ in itertools.chain(*words.values()):
                sock.close()


def _first_words(relay: Relay, source: str) -> tuple[socket.socket, bytes]:
    sock = socket.create_connection(relay.address, timeout=30, source_address=(source, 0))
    return sock, sock.recv(4096)


def _received(sock: socket.socket) -> bytes:
    octets = sock.recv(4096)
    assert octets, "the connection was closed"
    return octets


def test_trust_in_a_proxy_is_given_and_taken_while_it_sends(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        target = _listener(server, "clear", "IPv4")
        listener_id = server.listener("clear-IPv4")["id"]
        relay = Relay("trusted", target, "send-proxy")
        with haproxy(tmp_path / "haproxy", [relay]):
            open_before, text = _first_words(relay, "127.0.0.3")
            assert text.startswith(b"220 ")
            server.update_listener(listener_id, overrideProxyTrustedNetworks=[])
            sock, text = _first_words(relay, "127.0.0.3")  # its header is now a command like any other
            assert text.startswith(b"220 ")
            while b"500 " not in text:  # it may have come with the greeting
                text += _received(sock)
            sock.close()
            server.update_listener(listener_id, overrideProxyTrustedNetworks=TRUSTED)
            sock, text = _first_words(relay, "127.0.0.3")
            sock.sendall(b"NOOP\r\n")
            assert sock.recv(4096).startswith(b"250 ")
            sock.close()
            open_before.sendall(b"NOOP\r\n")
            assert open_before.recv(4096).startswith(b"250 ")
            open_before.close()


def test_what_haproxy_says_of_a_tls_client_is_understood_to_the_last_fact(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        target = _target(*server.getsockname())
        relay = Relay("facts", target, SENDERS["v2 with TLS facts"] + ",ssl-cipher", is_tls=True)
        with haproxy(tmp_path, [relay]), socket.create_connection(relay.address, timeout=30) as sock:
            server.settimeout(30)
            with trusting_context().wrap_socket(sock, server_hostname="mail.example.org") as client:
                while not isinstance(seen := _header_received(server), Decoded):
                    pass  # the connections by which the test found the proxy ready
                header, version = seen.header, client.version()
                addresses, source = header.addresses, client.getsockname()
    assert isinstance(addresses, TcpAddresses)
    assert (str(addresses.source.address), addresses.source.port) == source
    facts = header.extensions
    assert facts.has_checksum
    assert facts.authority == "mail.example.org"
    assert facts.unique_id
    assert facts.ssl is not None
    assert facts.ssl.is_tls
    assert facts.ssl.version == version
    assert facts.ssl.cipher
    assert facts.ssl.key_algorithm == "EC256"
    assert facts.ssl.signature_algorithm


def _header_received(server: socket.socket) -> object:
    accepted, _ = server.accept()
    with accepted:
        accepted.settimeout(30)
        data = accepted.recv(4096)
        return decode(data) if data else None
