"""What bad clients do in the soak. Each kind has a listener of its own, so that the server's counts say how each ended."""

from __future__ import annotations

import random
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TypeVar

from bench.load import Load, Script, Seen
from bench.relaying import escaped, version2_header
from bench.rig import Rig

PROXY_DEADLINE = HANDSHAKE_DEADLINE = 5.0  # seconds, as the soak's server is configured
LOGIN_DEADLINE = 60.0  # for an IMAP client that says nothing before its login
_SILENT_AT_ONCE = 10_000
_STORM = 64  # at a time, each followed by the next one at once
_ENOUGH = 536  # octets, all that a PROXY header may take
_OVERSIZE_V1 = b"PROXY TCP4 192.0.2.1 198.51.100.1 " + b"1" * 200
_NICE = 15  # bad clients make way for the good one on the core that they share: what is measured is the server
_CUT_SESSIONS = 20
_TIMEOUT = 20.0  # seconds
_UNTIL_CLOSED: Script = (("closed",), ("end",))

Run = Callable[[Rig, int], Seen]
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Abuse:
    """`endings` are the words of the status under which the server may count such a connection. `deadline`: seconds within
    which it has to be closed by the server; None where the client closes. `rest`: seconds between two rounds.
    `may_go_unseen`: the kernel need not give all of them to the server."""

    name: str
    protocol: str
    run: Run
    endings: frozenset[str]
    deadline: float | None = None
    rest: float = 1.0
    listener: Mapping[str, object] = field(default_factory=dict)
    may_go_unseen: bool = False


_PROXIED: dict[str, object] = {"overrideProxyTrustedNetworks": {"127.0.0.0/8": True}}
_IMPLICIT_TLS: dict[str, object] = {"tlsImplicit": True, "tlsTimeout": int(HANDSHAKE_DEADLINE * 1000)}


def abuses() -> tuple[Abuse, ...]:
    """All kinds."""
    return (*_at_the_proxy_header(), *_at_the_handshake(), *_in_clear())


def _at_the_proxy_header() -> tuple[Abuse, ...]:
    header, rejected = version2_header(), frozenset({"proxyRejected"})
    slow = (*_dripped(header[:3], 1_000), *_UNTIL_CLOSED)
    oversize = header[:14] + b"\xff\xff" + bytes(_ENOUGH)
    return (
        Abuse("slow PROXY header", "smtp", _script(slow, 200), rejected, PROXY_DEADLINE, listener=_PROXIED),
        Abuse("no PROXY header", "smtp", _script(_UNTIL_CLOSED, 200), rejected, PROXY_DEADLINE, listener=_PROXIED),
        Abuse("oversize PROXY v2 header", "smtp", _script(_sent(oversize), 200), rejected, 1.0, listener=_PROXIED),
        Abuse("oversize PROXY v1 header", "smtp", _script(_sent(_OVERSIZE_V1), 200), rejected, 1.0, listener=_PROXIED),
        Abuse("garbage as PROXY header", "imap", _script(_sent(_garbage()), 200), rejected, 1.0, listener=_PROXIED),
    )


def _at_the_handshake() -> tuple[Abuse, ...]:
    hello, failed = client_hello(), frozenset({"tlsFailed"})
    slow = (*_dripped(hello[:3], 1_000), ("send", escaped(hello[3:100])), *_UNTIL_CLOSED)
    cut_off: Script = (("send", escaped(hello[:200])), ("reset",))
    return (
        Abuse("slow handshake", "imap", _script(slow, 200), failed, HANDSHAKE_DEADLINE, listener=_IMPLICIT_TLS),
        Abuse("no handshake", "pop3", _script(_UNTIL_CLOSED, 200), failed, HANDSHAKE_DEADLINE, listener=_IMPLICIT_TLS),
        Abuse("garbage as handshake", "imap", _script(_sent(_garbage()), 200), failed, 1.0, listener=_IMPLICIT_TLS),
        Abuse("handshake, then RST", "imap", _script(cut_off, 500, at_a_time=_STORM), failed, listener=_IMPLICIT_TLS),
        Abuse("TLS records cut anywhere", "imap", _cut_records, frozenset({"completed"}), listener=_IMPLICIT_TLS),
    )


def _in_clear() -> tuple[Abuse, ...]:
    silent = _script((("expect", "* OK"), ("begin",), *_UNTIL_CLOSED), _SILENT_AT_ONCE, seconds=LOGIN_DEADLINE + 60)
    vanishing: Script = (("expect", "* OK"), ("vanish",))
    half: Script = (("expect", "* OK"), ("finish",), *_UNTIL_CLOSED)
    gone, closed, silence = map(frozenset, (("reset", "clientClosed"), ("clientClosed",), ("idle", "loginDeadline")))
    return (
        Abuse("silent", "imap", silent, silence, LOGIN_DEADLINE),
        Abuse("vanished without a FIN", "imap", _script(vanishing, 100), silence | {"reset"}),
        Abuse("half-open: FIN, and stays", "imap", _script(half, 200), closed, 1.0),
        Abuse("RST storm at once", "smtp", _script((("reset",),), 2_000, at_a_time=_STORM), gone, may_go_unseen=True),
        Abuse(
            "RST after the greeting", "smtp", _script((("expect", "220"), ("reset",)), 2_000, at_a_time=_STORM), gone
        ),
        Abuse("garbage as commands", "pop3", _script((*_sent(_garbage(), ()), ("reset",)), 200), gone | {"completed"}),
    )


def _script(script: Script, connections: int, *, at_a_time: int | None = None, seconds: float = 60.0) -> Run:
    return Load(script, connections, at_a_time or connections, nice=_NICE, deadline=int(seconds)).run


def _sent(octets: bytes, then: Script = _UNTIL_CLOSED) -> Script:
    return (("send", escaped(octets)), *then)


def _dripped(octets: bytes, milliseconds: int) -> Script:
    return tuple(
        step for octet in octets for step in (("send", escaped(bytes((octet,)))), ("pause", str(milliseconds)))
    )


@cache
def _garbage() -> bytes:
    return random.Random(1).randbytes(1_000).replace(b"\n", b"x") + b"\r\n"


@cache
def client_hello() -> bytes:
    """The first flight of a real client."""
    outgoing = ssl.MemoryBIO()
    try:
        _trusting().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="mail.example.org").do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def _trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _cut_records(_rig: Rig, port: int) -> Seen:
    """Whole sessions whose every flight is cut at random places: these have to succeed."""
    began, errors, first_error = time.monotonic(), 0, ""
    for _ in range(_CUT_SESSIONS):
        try:
            cut_session(port)
        except (OSError, AssertionError) as error:
            errors, first_error = errors + 1, first_error or repr(error)
    return Seen(_CUT_SESSIONS - errors, errors, time.monotonic() - began, first_error=first_error)


def cut_session(port: int) -> None:
    """One IMAP session under TLS, every flight in pieces. Raises OSError or AssertionError where it does not succeed."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = _trusting().wrap_bio(incoming, outgoing, server_hostname="mail.example.org")
    with socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _carry(tls.do_handshake, connection, incoming, outgoing)
        assert _carry(lambda: tls.read(512), connection, incoming, outgoing).startswith(b"* OK")
        _carry(lambda: tls.write(b"a LOGOUT\r\n"), connection, incoming, outgoing)
        assert _carry(lambda: tls.read(512), connection, incoming, outgoing).startswith(b"* BYE")


def _carry(
    step: Callable[[], _Result], connection: socket.socket, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO
) -> _Result:
    while True:
        try:
            result = step()
        except ssl.SSLWantReadError:
            _send_cut(connection, outgoing.read())
            octets = connection.recv(65536)
            assert octets, "the server closed"
            incoming.write(octets)
        else:
            _send_cut(connection, outgoing.read())
            return result


def _send_cut(connection: socket.socket, octets: bytes) -> None:
    cuts = sorted({random.randrange(1, len(octets)) for _ in range(4)}) if len(octets) > 1 else []
    for start, end in zip([0, *cuts], [*cuts, len(octets)], strict=True):
        connection.sendall(octets[start:end])
        time.sleep(0.001)  # so that each piece is read by itself
