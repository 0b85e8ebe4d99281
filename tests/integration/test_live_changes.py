"""Listeners are changed over the API while clients come and go: nobody else notices, and each change is true when answered."""

from __future__ import annotations

import errno
import re
import smtplib
import socket
import subprocess
from pathlib import Path

import pytest
from tests.free_port import free_port
from tests.integration.accepted_socket import option_of_accepted_socket
from tests.integration.client_load import clients_in_a_loop
from tests.integration.running_server import RunningServer, eventually
from tests.tls_client import trusting_context


def _greeting(port: int, host: str = "127.0.0.1") -> bytes:
    with socket.create_connection((host, port), timeout=10) as sock:
        return sock.recv(4096)


def _is_refused(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket() as sock:
        sock.settimeout(10)
        return sock.connect_ex((host, port)) == errno.ECONNREFUSED


def _ehlo(port: int) -> set[str]:
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
        client.ehlo()
        return set(client.esmtp_features)


def test_every_kind_of_change_under_load_without_an_error_on_an_untouched_address(server: RunningServer) -> None:
    first, added = free_port(), free_port()
    with clients_in_a_loop(server.address("smtp")) as load:
        listener_id = server.create_listener(name="edge", protocol="smtp", bind={f"127.0.0.1:{first}": True})
        assert _greeting(first).startswith(b"220 ")

        server.update_listener(listener_id, **{f"bind/127.0.0.1:{added}": True})
        assert _greeting(added).startswith(b"220 ")
        assert _greeting(first).startswith(b"220 ")

        server.update_listener(listener_id, maxConnections=1)
        with socket.create_connection(("127.0.0.1", first), timeout=10) as held:
            assert held.recv(4096).startswith(b"220 ")
            assert _greeting(added).startswith(b"421 4.3.2 ")
            server.update_listener(listener_id, maxConnections=2)
            assert _greeting(added).startswith(b"220 ")
        server.update_listener(listener_id, maxConnections=None)

        assert "starttls" in _ehlo(first)
        server.update_listener(listener_id, useTls=False)
        assert "starttls" not in _ehlo(first)
        server.update_listener(listener_id, useTls=True, tlsImplicit=True)
        with smtplib.SMTP_SSL("127.0.0.1", first, context=trusting_context(), timeout=10) as client:
            assert client.noop()[0] == 250
        server.update_listener(listener_id, tlsImplicit=False)

        server.update_listener(listener_id, protocol="imap")
        assert _greeting(first).startswith(b"* OK")
        assert _greeting(added).startswith(b"* OK")

        server.update_listener(listener_id, **{f"bind/127.0.0.1:{added}": None})
        assert _is_refused(added)
        assert _greeting(first).startswith(b"* OK")

        server.destroy_listener(listener_id)
        assert _is_refused(first)
        assert load.visits > 0
    assert load.errors == []


def test_an_open_connection_lives_on_under_its_old_policy_when_its_address_is_removed(server: RunningServer) -> None:
    port, other = free_port(), free_port()
    listener_id = server.create_listener(
        name="edge", protocol="smtp", bind={f"127.0.0.1:{port}": True, f"127.0.0.1:{other}": True}
    )
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        assert sock.recv(4096).startswith(b"220 ")
        server.update_listener(listener_id, protocol="imap", useTls=False)
        server.update_listener(listener_id, **{f"bind/127.0.0.1:{port}": None})
        server.destroy_listener(listener_id)
        assert _is_refused(port)
        assert _is_refused(other)
        sock.sendall(b"EHLO client.example\r\n")
        answer = sock.recv(4096)
        assert answer.startswith(b"250-")
        assert b"STARTTLS" in answer


def test_changing_reuse_port_back_and_forth_under_load_loses_no_connection(server: RunningServer) -> None:
    listener = server.listener("smtp")
    with clients_in_a_loop(server.address("smtp"), count=30) as load:
        for reuse_port in (False, True, False, True):
            server.update_listener(listener["id"], socketReusePort=reuse_port)
            assert _number_of_listening_sockets(server.ports["smtp"]) == (2 if reuse_port else 1)
        assert load.visits > 0
    assert load.errors == []
    # Each has its worker and the supervisor that keeps it, and nobody else.
    lines = subprocess.check_output(["ss", "-Hltnp", f"sport = :{server.ports['smtp']}"], text=True).splitlines()
    assert [line.count("pid=") for line in lines] == [2, 2]


def _number_of_listening_sockets(port: int) -> int:
    lines = subprocess.check_output(["ss", "-Hltn", f"sport = :{port}"], text=True).splitlines()
    return len(lines)


def test_a_buffer_size_that_is_no_longer_asked_for_is_the_kernels_again_without_losing_a_connection(
    server: RunningServer,
) -> None:
    listener = server.listener("smtp")
    before = server.status("smtp")["addresses"][0]["socketOptions"]["socketReceiveBufferSize"]
    with clients_in_a_loop(server.address("smtp"), count=30) as load:
        for reuse_port in (True, False):
            server.update_listener(listener["id"], socketReusePort=reuse_port)
            server.update_listener(listener["id"], socketReceiveBufferSize=50_000)
            changed = server.status("smtp")["addresses"][0]["socketOptions"]["socketReceiveBufferSize"]
            assert changed == {"configured": 50_000, "kernel": 100_000}
            server.update_listener(listener["id"], socketReceiveBufferSize=None)
            assert server.status("smtp")["addresses"][0]["socketOptions"]["socketReceiveBufferSize"] == before
            assert _number_of_listening_sockets(server.ports["smtp"]) == (2 if reuse_port else 1)
    assert load.errors == []


def test_listeners_that_share_an_address_come_and_go_without_a_gap_and_count_each_for_itself(
    server: RunningServer,
) -> None:
    port = free_port()
    address = f"127.0.0.1:{port}"
    first = server.create_listener(name="first", protocol="smtp", bind=[address], useTls=False)
    with clients_in_a_loop(("127.0.0.1", port), count=30) as load:
        second = server.create_listener(name="second", protocol="smtp", bind=[address], useTls=False)
        eventually(lambda: server.status("first")["accepted"] and server.status("second")["accepted"])
        server.destroy_listener(first)
        third = server.create_listener(name="third", protocol="smtp", bind=[address], useTls=False)
        server.set("NetworkListener", destroy=[second])
        eventually(lambda: server.status("third")["accepted"])
        assert load.visits > 0
    assert load.errors == []
    server.destroy_listener(third)
    assert _is_refused(port)


def test_addresses_that_come_and_go_leave_no_socket_in_any_process(server: RunningServer) -> None:
    before = None
    for number in range(8):
        listener_id = server.create_listener(
            name="edge",
            protocol="smtp",
            bind=[f"127.0.0.1:{free_port()}", f"[::1]:{free_port()}"],
            socketReusePort=bool(number % 2),
        )
        server.update_listener(listener_id, socketReusePort=not number % 2)
        server.destroy_listener(listener_id)
        if number == 1:
            before = _sockets(server)
    assert _sockets(server) == before


def _sockets(server: RunningServer) -> list[int]:
    """How many each process has open."""
    return [
        sum(map(_is_socket, Path(f"/proc/{pid}/fd").iterdir())) for pid in (server.process.pid, *server.worker_pids())
    ]


def _is_socket(entry: Path) -> bool:
    try:
        return str(entry.readlink()).startswith("socket:")
    except FileNotFoundError:
        return False  # closed since


def test_a_wildcard_replaces_a_specific_address_of_the_same_port_without_a_gap(server: RunningServer) -> None:
    port = free_port()
    listener_id = server.create_listener(name="edge", protocol="smtp", bind={f"127.0.0.1:{port}": True})
    with clients_in_a_loop(("127.0.0.1", port), count=20) as load:
        server.update_listener(listener_id, bind={f"[::]:{port}": True})
        assert _greeting(port, "127.0.0.7").startswith(b"220 ")
        server.update_listener(listener_id, socketReusePort=False)
        server.update_listener(listener_id, bind={f"127.0.0.1:{port}": True})
        assert _is_refused(port, "127.0.0.7")
    assert load.errors == []


@pytest.mark.parametrize(
    ("address", "errno_name"),
    [("127.0.0.1:{taken}", "EADDRINUSE"), ("192.0.2.1:{free}", "EADDRNOTAVAIL")],
)
def test_an_address_that_cannot_be_bound_is_refused_with_its_errno_and_nothing_changes(
    server: RunningServer, address: str, errno_name: str
) -> None:
    before = server.listener("smtp")
    with socket.socket() as other_process:
        other_process.bind(("127.0.0.1", 0))
        other_process.listen()
        taken = address.format(taken=other_process.getsockname()[1], free=free_port())
        good = free_port()
        answer = server.call(
            "x:NetworkListener/set",
            update={before["id"]: {f"bind/{taken}": True, f"bind/127.0.0.1:{good}": True, "protocol": "imap"}},
        )
    error = answer["notUpdated"][before["id"]]
    assert error["type"] == "invalidProperties"
    assert error["properties"] == ["bind"]
    assert error["validationErrors"][0]["value"] == taken
    assert errno_name in error["validationErrors"][0]["description"]
    assert server.listener("smtp") == before
    assert _is_refused(good)
    assert _greeting(server.ports["smtp"]).startswith(b"220 ")


def test_socket_options_reach_the_kernel_live_and_the_status_shows_both_sides(server: RunningServer) -> None:
    listener = server.listener("smtp")
    server.update_listener(
        listener["id"],
        socketReceiveBufferSize=65536,
        socketSendBufferSize=32768,
        socketBacklog=17,
        socketTtl=33,
        socketTosV4=16,
        socketNoDelay=False,
    )
    status = server.status("smtp")["addresses"][0]
    options = status["socketOptions"]
    assert options["socketReceiveBufferSize"] == {"configured": 65536, "kernel": 131072}
    assert options["socketSendBufferSize"] == {"configured": 32768, "kernel": 65536}
    assert options["socketTtl"] == {"configured": 33, "kernel": 33}
    assert options["socketTosV4"] == {"configured": 16, "kernel": 16}
    assert options["socketBacklog"] == {"configured": 17, "kernel": 17}
    assert [queue["limit"] for queue in status["acceptQueues"]] == [17, 17]  # each worker has a socket of its own
    output = subprocess.check_output(["ss", "-Hltnm", f"sport = :{server.ports['smtp']}"], text=True)
    assert "rb131072" in output
    assert "tb65536" in output
    assert re.search(r"LISTEN\s+0\s+17\s", output)
    with socket.create_connection(server.address("smtp"), timeout=10) as sock:
        assert sock.recv(4096).startswith(b"220 ")
        accepted = option_of_accepted_socket(server, sock, socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert accepted == 0
        assert option_of_accepted_socket(server, sock, socket.IPPROTO_IP, socket.IP_TTL) == 33
        assert option_of_accepted_socket(server, sock, socket.IPPROTO_IP, socket.IP_TOS) == 16


def test_the_listener_that_the_request_came_through_is_not_removed_by_mistake(server: RunningServer) -> None:
    listener = server.listener("http")
    answer = server.call("x:NetworkListener/set", destroy=[listener["id"]])
    assert listener["id"] in answer["notDestroyed"]
    assert server.listener("http") == listener
