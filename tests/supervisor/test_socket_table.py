"""Which addresses are bound, prepared, released and retired: on real sockets, with descriptors counted."""

from __future__ import annotations

import gc
import os
import socket
from collections.abc import Collection, Iterator

import pytest
from tests.sockets.socket_plans import free_port
from tests.supervisor.plans import listener, plan

from gatepost.plan.plan import ListenerPlan
from gatepost.sockets.listening_socket import bound_address, cookie
from gatepost.supervisor.retirement import Retirement
from gatepost.supervisor.socket_table import SocketTable

WORKERS = 3


def local_address() -> str:
    return f"127.0.0.1:{free_port()}"


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a number is all that is wanted


def is_connectable(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.fixture
def table() -> Iterator[SocketTable]:
    gc.collect()  # what other tests have left
    before = open_descriptors()
    made = SocketTable(WORKERS, {})
    yield made
    made.close()
    assert open_descriptors() == before


def run(table: SocketTable, *listeners: ListenerPlan) -> Retirement:
    """Both phases, and what is given up is closed at once."""
    prepared = table.prepare(plan(*listeners))
    assert prepared.failures == []
    retirement = table.activate(prepared)
    retirement.close()
    return retirement


def numbers(table: SocketTable, address: str) -> list[int]:
    """The socket of each worker."""
    return [kept.number for index in range(WORKERS) for at, _, kept in table.for_worker(index) if at == address]


def test_every_worker_gets_a_socket_of_every_address(table: SocketTable) -> None:
    own, shared = local_address(), local_address()
    run(table, listener("own", own), listener("shared", shared, reuse_port=False))
    assert len(set(numbers(table, own))) == WORKERS
    assert len(set(numbers(table, shared))) == 1
    assert {listener_id for _, listener_id, _ in table.for_worker(0)} == {"own", "shared"}


def test_what_is_prepared_is_bound_and_lets_nobody_in(table: SocketTable) -> None:
    address = local_address()
    prepared = table.prepare(plan(listener("a", address)))
    assert not is_connectable(address)
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", int(address.rpartition(":")[2])))
    table.release(prepared)
    assert list(table.addresses) == []


def test_released_preparations_leave_no_descriptor_and_no_trace(table: SocketTable) -> None:
    one, other = local_address(), local_address()
    wildcard = f"0.0.0.0:{one.rpartition(':')[2]}"
    run(table, listener("a", one, reuse_port=False))
    before, running = open_descriptors(), numbers(table, one)
    for changed in (
        listener("a", one, other),
        listener("a", one, reuse_port=True),
        listener("a", wildcard, reuse_port=False),
    ):
        table.release(table.prepare(plan(changed)))
        assert open_descriptors() == before
        assert numbers(table, one) == running
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        with pytest.raises(OSError, match="in use"):
            stranger.bind(("127.0.0.1", int(one.rpartition(":")[2])))


def test_an_address_that_is_taken_is_a_failure_and_the_others_are_still_prepared(table: SocketTable) -> None:
    free = local_address()
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        taken = f"127.0.0.1:{stranger.getsockname()[1]}"
        prepared = table.prepare(plan(listener("a", taken, free)))
        assert [(failure.address, failure.errno_name) for failure in prepared.failures] == [(taken, "EADDRINUSE")]
        assert prepared.opened_addresses == [free]
        retirement = table.activate(prepared)
        assert [failure.address for failure in table.failures] == [taken]
        retirement.close()
    assert is_connectable(free)
    run(table, listener("a", taken, free))
    assert table.failures == ()
    assert is_connectable(taken)


def test_an_unchanged_address_keeps_its_sockets(table: SocketTable) -> None:
    address, added = local_address(), local_address()
    run(table, listener("a", address))
    before = numbers(table, address)
    assert run(table, listener("a", address, added)).sockets == []
    assert numbers(table, address) == before


def test_an_address_that_goes_to_another_listener_keeps_its_sockets(table: SocketTable) -> None:
    address = local_address()
    run(table, listener("a", address))
    before = numbers(table, address)
    run(table, listener("b", address))
    assert numbers(table, address) == before
    assert {listener_id for _, listener_id, _ in table.for_worker(1)} == {"b"}


def test_two_listeners_that_share_an_address_have_sockets_of_their_own_and_leave_one_by_one(table: SocketTable) -> None:
    address = local_address()
    run(table, listener("a", address), listener("b", address))
    granted = [(listener_id, kept.number) for _, listener_id, kept in table.for_worker(0)]
    assert {listener_id for listener_id, _ in granted} == {"a", "b"}
    assert len({number for _, number in granted}) == 2
    assert sorted(status.listener_id for status in table.status(len)) == ["a", "b"]
    run(table, listener("b", address))
    assert all(is_connectable(address) for _ in range(20))
    run(table, listener("b", address), listener("c", address))
    assert {listener_id for _, listener_id, _ in table.for_worker(0)} == {"b", "c"}


def test_listeners_that_share_an_address_leave_at_the_same_time(table: SocketTable) -> None:
    address = local_address()
    run(table, *(listener(name, address) for name in ("a", "b", "c")))
    run(table, listener("c", address))
    assert {listener_id for _, listener_id, _ in table.for_worker(0)} == {"c"}
    assert all(is_connectable(address) for _ in range(20))
    run(table, listener("c", address), listener("d", address))
    run(table)
    assert not is_connectable(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_of_neighbours_whose_packets_still_get_in_one_at_most_is_in_a_socket_that_is_closed(
    table: SocketTable, host: str
) -> None:
    address = f"{host}:{free_port()}"
    run(table, listener("a", address, reuse_port=False))
    retirement = table.activate(table.prepare(plan()))
    retirement.stop_new_connections()
    with neighbour() as early, neighbour() as first, neighbour() as second:
        early.connect(where(address))
        assert retirement.with_clients()
        retirement.sockets[0].kept.sock.accept()[0].close()
        retirement.shorten_queues()
        first.connect(where(address))
        second.settimeout(0.3)
        with pytest.raises(TimeoutError):
            second.connect(where(address))
        retirement.close()


def neighbour() -> socket.socket:
    """A client of both families whose packets have the highest TTL."""
    sock = socket.socket(socket.AF_INET6)
    sock.settimeout(5)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 255)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
    return sock


def where(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return f"::ffff:{host}" if "." in host else host.strip("[]"), int(port)


def test_an_address_that_is_not_wanted_any_more_is_handed_over_for_retirement(table: SocketTable) -> None:
    address = local_address()
    run(table, listener("a", address))
    retirement = table.activate(table.prepare(plan()))
    assert len(retirement.sockets) == WORKERS
    assert not retirement.with_clients()
    assert table.for_worker(0) == []
    retirement.close()
    assert not is_connectable(address)


def test_what_waits_in_a_retired_socket_is_seen(table: SocketTable) -> None:
    address = local_address()
    run(table, listener("a", address, reuse_port=False))
    with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), timeout=5):
        retirement = table.activate(table.prepare(plan()))
        assert retirement.with_clients()
        retirement.sockets[0].kept.sock.accept()[0].close()
        assert not retirement.with_clients()
    retirement.close()


def test_sockets_that_another_server_has_no_use_for_are_given_up_alone(table: SocketTable) -> None:
    goes, stays = local_address(), local_address()
    run(table, listener("a", goes, stays))
    kept = {
        address: [kept for index in range(WORKERS) for at, _, kept in table.for_worker(index) if at == address]
        for address in (goes, stays)
    }
    left_over = [*kept[goes], kept[stays][0]]
    retirement = table.give_up([cookie(each.sock) for each in left_over])
    assert [each.kept for each in retirement.sockets] == left_over
    assert list(table.addresses) == [stays]
    assert set(numbers(table, stays)) == {each.number for each in kept[stays][1:]}
    retirement.close()
    assert not is_connectable(goes)


def test_sockets_are_spread_and_gathered(table: SocketTable) -> None:
    address = local_address()
    run(table, listener("a", address, reuse_port=False))
    (shared,) = set(numbers(table, address))
    run(table, listener("a", address, reuse_port=True))
    assert numbers(table, address)[0] == shared
    assert len(set(numbers(table, address))) == WORKERS
    assert len(run(table, listener("a", address, reuse_port=False)).sockets) == WORKERS - 1
    assert set(numbers(table, address)) == {shared}


@pytest.mark.parametrize("worker_count", [1, 2])
def test_without_reuse_port_nobody_can_join_however_many_workers_there_are(worker_count: int) -> None:
    address, table = local_address(), SocketTable(worker_count, {})
    run(table, listener("a", address, reuse_port=True))
    run(table, listener("a", address, reuse_port=False))
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        with pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", int(address.rpartition(":")[2])))
    run(table, listener("a", address, reuse_port=True))
    assert is_connectable(address)
    table.close()


def test_an_address_gives_way_to_the_wildcard_that_covers_it_and_back(table: SocketTable) -> None:
    address = local_address()
    wildcard = f"0.0.0.0:{address.rpartition(':')[2]}"
    for wanted in (address, wildcard, address, wildcard):
        run(table, listener("a", wanted, reuse_port=False))
        assert list(table.addresses) == [wanted]
        assert is_connectable(address)


def test_the_status_says_what_the_kernel_has(table: SocketTable) -> None:
    address = local_address()
    run(table, listener("a", address))
    asked: list[Collection[int]] = []

    def accepting(numbers: Collection[int]) -> int:
        asked.append(numbers)
        return WORKERS

    (status,) = table.status(accepting)
    assert (status.listener_id, status.address, status.workers_accepting) == ("a", address, WORKERS)
    assert asked == [[kept.number for index in range(WORKERS) for _, _, kept in table.for_worker(index)]]
    assert [(queue.length, queue.limit, queue.drops) for queue in status.accept_queues] == [(0, 64, 0)] * WORKERS
    assert status.socket_options["socketReusePort"] == (1, 1)


def test_a_port_that_another_process_shares_is_told(table: SocketTable) -> None:
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        run(table, listener("a", f"127.0.0.1:{stranger.getsockname()[1]}"))
        (status,) = table.status(len)
        assert "another process" in (status.note or "")


def test_an_inherited_socket_is_taken_given_up_and_taken_again() -> None:
    before = open_descriptors()
    inherited = socket.create_server(("127.0.0.1", 0))
    inherited.setblocking(False)
    address = bound_address(inherited)
    table = SocketTable(WORKERS, {address: inherited})
    for _ in range(2):
        run(table, listener("a", str(address)))
        assert is_connectable(str(address))
        assert len(table.status(len)) == 1
        run(table)
    table.close()
    inherited.close()
    assert open_descriptors() == before


def test_an_inherited_socket_stays_the_only_one_whatever_its_listener_says() -> None:
    inherited = socket.create_server(("127.0.0.1", 0))
    address = bound_address(inherited)
    table = SocketTable(WORKERS, {address: inherited})
    for reuse_port, receive_buffer in ((True, None), (False, None), (True, 9000), (True, None)):
        run(table, listener("a", str(address), reuse_port=reuse_port, receive_buffer=receive_buffer))
        assert len(set(numbers(table, str(address)))) == 1
        assert is_connectable(str(address))
    kept = table.for_worker(0)[0][2]
    assert os.fstat(kept.sock.fileno()).st_ino == os.fstat(inherited.fileno()).st_ino
    table.close()
    inherited.close()
