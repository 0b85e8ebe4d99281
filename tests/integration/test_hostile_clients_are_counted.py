"""Each way in which a client can be turned away or cut off, done by a real client: counted under its reason in the status, and
the same in the metrics of whichever worker answers."""

from __future__ import annotations

import re
import resource
import socket
import ssl
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.free_port import free_port
from tests.integration.running_server import RunningServer, eventually
from tests.tls_client import trusting_context

Address = tuple[str, int]


@pytest.fixture
def clients() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def connect(clients: ExitStack, address: Address) -> socket.socket:
    return clients.enter_context(socket.create_connection(address, timeout=30))


def rest(sock: socket.socket) -> bytes:
    seen = b""
    try:
        while more := sock.recv(4096):
            seen += more
    except ConnectionResetError:
        pass
    return seen


def make(clients: ExitStack, server: RunningServer, name: str, **properties: Any) -> Address:
    """A listener for the time of the test."""
    port = free_port()
    listener_id = server.create_listener(name=name, bind=[f"127.0.0.1:{port}"], **{"protocol": "smtp", **properties})
    clients.callback(server.destroy_listener, listener_id)
    return "127.0.0.1", port


@pytest.fixture
def impatient(shared_server: RunningServer) -> Iterator[RunningServer]:
    """The shared server, which waits for PROXY headers for a second alone."""
    shared_server.set("SystemSettings", update={"singleton": {"proxyHeaderTimeout": "1s"}})
    yield shared_server
    shared_server.set("SystemSettings", update={"singleton": {"proxyHeaderTimeout": "5s"}})


def scraped(server: RunningServer, *, is_new_connection: bool = True) -> dict[tuple[str, ...], float]:
    """Name and label values → value, as a scrape gets them."""
    url = f"http://127.0.0.1:{server.ports['http']}/metrics"
    answer = httpx.get(url, trust_env=False, timeout=30) if is_new_connection else server.http.get("/metrics")
    assert answer.status_code == 200, answer.text
    samples = [sample for family in text_string_to_metric_families(answer.text) for sample in family.samples]
    told = {(each.name, *(value for _, value in sorted(each.labels.items()))): each.value for each in samples}
    assert len(told) == len(samples), "a sample is there twice"
    return told


def assert_counted(server: RunningServer, name: str, property_name: str, reason: str, metric: str) -> None:
    """Once, in the status; and in the metrics, whichever of the workers is asked."""
    eventually(lambda: server.status(name)[property_name][reason] == 1)
    for _ in range(4):
        assert scraped(server)[metric, name, reason] == 1


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"", "timeout"),
        (b"PROXY TCP4 198.51", "timeout"),
        (b"EHLO client.example\r\n", "missing"),
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 99999 25\r\n", "malformed"),
    ],
)
def test_a_proxy_that_sends_no_good_header(
    impatient: RunningServer, clients: ExitStack, sent: bytes, reason: str
) -> None:
    name = f"proxy-{reason}-{len(sent)}"
    address = make(clients, impatient, name, overrideProxyTrustedNetworks=["127.0.0.0/8"])
    sock = connect(clients, address)
    sock.sendall(sent)
    assert rest(sock) == b""
    assert_counted(impatient, name, "proxyRejected", reason, "gatepost_proxy_rejected_total")
    assert_counted(impatient, name, "ended", "proxyRejected", "gatepost_ended_total")
    assert impatient.status(name)["refused"]["proxyHeader"] == 1


def client_hello() -> bytes:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        trusting_context().wrap_bio(incoming, outgoing).do_handshake()
    return outgoing.read()


@pytest.mark.parametrize(
    ("make_octets", "reason"),
    [
        (lambda: b"", "timeout"),
        (lambda: client_hello()[:60], "timeout"),
        (client_hello, "timeout"),
        (lambda: b"EHLO client.example\r\n", "notTls"),
        (lambda: b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", "notTls"),
    ],
    ids=["silent", "half a ClientHello", "no Finished", "SMTP", "HTTP"],
)
def test_a_handshake_that_is_slow_or_none(
    shared_server: RunningServer,
    clients: ExitStack,
    request: pytest.FixtureRequest,
    make_octets: Callable[[], bytes],
    reason: str,
) -> None:
    name = "tls-" + request.node.callspec.id.replace(" ", "-")
    address = make(clients, shared_server, name, tlsImplicit=True, tlsTimeout="1s")
    sock = connect(clients, address)
    sock.sendall(make_octets())
    rest(sock)
    assert_counted(shared_server, name, "tlsFailureReasons", reason, "gatepost_tls_failures_total")
    assert_counted(shared_server, name, "ended", "tlsFailed", "gatepost_ended_total")
    assert shared_server.status(name)["tlsHandshakes"] == 0


def test_a_client_that_has_no_version_in_common_with_the_server(
    shared_server: RunningServer, clients: ExitStack
) -> None:
    address = make(clients, shared_server, "tls-version", tlsImplicit=True, tlsDisableProtocols=["tls12"])
    context = trusting_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        context.wrap_socket(connect(clients, address))
    assert_counted(shared_server, "tls-version", "tlsFailureReasons", "version", "gatepost_tls_failures_total")


def test_handshakes_are_counted_by_version_with_their_time(shared_server: RunningServer, clients: ExitStack) -> None:
    address = make(clients, shared_server, "tls-good", tlsImplicit=True)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = trusting_context()
        context.minimum_version = context.maximum_version = version
        with context.wrap_socket(connect(clients, address)) as tls:
            assert tls.recv(4096).startswith(b"220 ")
    assert shared_server.status("tls-good")["tlsVersions"] == {"TLSv1.2": 1, "TLSv1.3": 1}
    told = scraped(shared_server)
    assert told["gatepost_tls_handshake_seconds_count", "tls-good"] == 2
    assert 0 < told["gatepost_tls_handshake_seconds_sum", "tls-good"] < 60


def test_resets_goodbyes_and_clients_that_just_leave(shared_server: RunningServer, clients: ExitStack) -> None:
    address = make(clients, shared_server, "ways-to-go")
    polite, leaving, rude = (connect(clients, address) for _ in range(3))
    for sock in (polite, leaving, rude):
        assert sock.recv(4096).startswith(b"220 ")
    polite.sendall(b"QUIT\r\n")
    assert rest(polite).startswith(b"221 ")
    leaving.close()
    rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    rude.close()
    for reason in ("completed", "clientClosed", "reset"):
        assert_counted(shared_server, "ways-to-go", "ended", reason, "gatepost_ended_total")
    status = shared_server.status("ways-to-go")
    assert (status["accepted"], status["connections"], sum(status["ended"].values())) == (3, 0, 3)
    eventually(lambda: shared_server.status("ways-to-go")["bytesReceived"] == len(b"QUIT\r\n"))
    lines = eventually(
        lambda: (
            [
                line
                for line in shared_server.log().splitlines()
                if " connection.closed " in line and "ways-to-go" in line
            ][2:]
            and shared_server.log()
        )
    )
    for ending in ("completed", "clientClosed", "reset"):
        assert f"ending={ending} " in lines


def test_each_cap_counts_whom_it_refuses(server: RunningServer, clients: ExitStack) -> None:
    server.set("SystemSettings", update={"singleton": {"maxConnectionsPerAddress": 2}})  # the API has one already
    address = make(clients, server, "crowded", maxConnections=1)
    assert connect(clients, address).recv(4096).startswith(b"220 ")
    assert rest(connect(clients, address)).startswith(b"421 ")
    server.update_listener(server.listener("crowded")["id"], maxConnections=None)
    assert rest(connect(clients, address)).startswith(b"421 ")
    server.set("SystemSettings", update={"singleton": {"maxConnectionsPerAddress": None, "maxConnections": 2}})
    assert rest(connect(clients, address)).startswith(b"421 ")
    told = scraped(server, is_new_connection=False)
    for reason in ("maxConnections", "maxConnectionsPerAddress", "serverMaxConnections"):
        assert server.status("crowded")["refused"][reason] == 1
        assert told["gatepost_refused_total", "crowded", reason] == 1


def test_running_out_of_descriptors_is_counted_and_passes(server: RunningServer, clients: ExitStack) -> None:
    address = make(clients, server, "short-of-descriptors")
    normal = {pid: resource.prlimit(pid, resource.RLIMIT_NOFILE) for pid in server.worker_pids()}
    for pid, (_, hard) in normal.items():
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (8, hard))  # below what it has open: none can be made
    waiting = [connect(clients, address) for _ in range(4)]
    eventually(lambda: server.log().count("accept.paused") >= 1)
    told = server.status("short-of-descriptors")
    assert re.fullmatch("[12] of 2 workers accept nothing now: out of descriptors or memory", told["reason"])
    while told["state"] == "active":  # by the other worker, until a client has come to it
        waiting.append(connect(clients, address))
        told = server.status("short-of-descriptors")
    assert (told["state"], told["addresses"][0]["workersAccepting"]) == ("paused", 0)
    readiness = server.http.get("/healthz/ready")
    assert (readiness.status_code, "short-of-descriptors" in readiness.json()["notRunning"]) == (503, True)
    for pid, limits in normal.items():
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    assert all(sock.recv(4096).startswith(b"220 ") for sock in waiting)
    eventually(lambda: server.status("short-of-descriptors")["state"] == "active")
    told = server.status("short-of-descriptors")
    assert (told["reason"], told["addresses"][0]["workersAccepting"]) == (None, 2)
    assert told["acceptPauses"] >= 1
    assert server.http.get("/healthz/ready").status_code == 200
    assert scraped(server)["gatepost_accept_pauses_total", "short-of-descriptors"] >= 1


def test_a_listener_that_was_removed_drains_in_sight(server: RunningServer, clients: ExitStack) -> None:
    port = free_port()
    listener_id = server.create_listener(name="going", protocol="smtp", bind=[f"127.0.0.1:{port}"])
    sock = connect(clients, ("127.0.0.1", port))
    sock.recv(4096)
    server.destroy_listener(listener_id)
    status = server.status("going")
    assert (status["state"], status["connections"], status["addresses"]) == ("draining", 1, [])
    assert scraped(server)["gatepost_listener_state", "going", "draining"] == 1
    server.create_listener(name="going", protocol="smtp", bind=[f"127.0.0.1:{port}"])
    told = scraped(server)  # each figure once, although there are two of that name
    assert told["gatepost_listener_state", "going", "active"] == 1
    assert told["gatepost_connections", "going"] == 1
    sock.close()
    eventually(lambda: scraped(server)["gatepost_connections", "going"] == 0)
    server.destroy_listener(server.listener("going")["id"])
    eventually(lambda: "going" not in {each["name"] for each in server.call("x:ListenerStatus/get", ids=None)["list"]})


def test_promtool_finds_nothing_wrong_with_the_metrics_of_a_server(
    shared_server: RunningServer, needs_program: Callable[[str], str]
) -> None:
    text = httpx.get(f"http://127.0.0.1:{shared_server.ports['http']}/metrics", trust_env=False, timeout=30).text
    checked = subprocess.run(
        [needs_program("promtool"), "check", "metrics"],
        input=text,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
