"""All sockets of an address: one for each worker or one for all, changed while clients connect without a pause."""

from __future__ import annotations

import contextlib
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from tests.sockets.connect_loop import ConnectLoop
from tests.sockets.socket_plans import free_port, socket_plan

from gatepost.sockets import address_sockets, minimum_ttl, packet_filter
from gatepost.sockets.address_sockets import AddressSockets, KeptSocket, is_listened_to
from gatepost.sockets.listening_socket import accept_queue
from gatepost.values.socket_address import SocketAddress

WORKERS = 4
SHARED, ONE_EACH = socket_plan(reuse_port=False), socket_plan(reuse_port=True)


class Workers:
    """A thread that accepts from sockets as workers do: `ok` to everybody. Sockets come and go."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._is_over = False
        self.served = 0
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def add(self, kept: KeptSocket) -> None:
        with self._lock:
            self._selector.register(kept.sock.fileno(), selectors.EVENT_READ, kept.sock)

    def remove(self, kept: KeptSocket) -> None:
        """Accept it empty and forget it."""
        with self._lock:
            self._selector.unregister(kept.sock.fileno())
        while self._accept(kept.sock):
            pass

    def _serve(self) -> None:
        while not self._is_over:
            with self._lock:
                for key, _ in self._selector.select(0):
                    self._accept(key.fileobj if isinstance(key.fileobj, socket.socket) else key.data)
            time.sleep(0.0002)  # let others have the lock

    def _accept(self, sock: socket.socket) -> bool:
        try:
            accepted, _ = sock.accept()
        except BlockingIOError:
            return False
        with accepted:
            accepted.sendall(b"ok")
        self.served += 1
        return True

    def wait_for_more(self, count: int = 300) -> None:
        wanted, deadline = self.served + count, time.monotonic() + 30
        while self.served < wanted:
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def close(self) -> None:
        self._is_over = True
        self._thread.join(20)
        self._selector.close()


@contextlib.contextmanager
def serving(sockets: AddressSockets) -> Iterator[Workers]:
    workers = Workers()
    for kept in sockets.sockets:
        workers.add(kept)
    try:
        yield workers
    finally:
        workers.close()


@pytest.fixture
def address() -> SocketAddress:
    return SocketAddress.parse(f"127.0.0.1:{free_port()}")


def give_up(workers: Workers, leaving: list[KeptSocket]) -> None:
    """As the supervisor does: wait until nothing waits, have the workers let go, close."""
    quiet = 0
    while quiet < 5:
        time.sleep(0.02)
        quiet = quiet + 1 if all(accept_queue(kept.sock).length == 0 for kept in leaving) else 0
    for kept in leaving:
        workers.remove(kept)
        kept.close()


def another_process_may_join(address: SocketAddress, *, has_flag: bool = True) -> bool:
    """Whether another process (of this user) can listen on the address, with SO_REUSEPORT or without."""
    program = (
        "import socket, sys\n"
        "host, port, family, flag = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])\n"
        "sock = socket.socket(family)\n"
        "sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n"
        "sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, flag)\n"
        "try:\n"
        "    sock.bind((host, port)); sock.listen()\n"
        "except OSError as error:\n"
        "    sys.exit(0 if error.errno == 98 else repr(error))\n"
        "sys.exit(7)\n"
    )
    family = socket.AF_INET if address.ip.version == 4 else socket.AF_INET6
    arguments = [str(address.ip), str(address.port), str(int(family)), str(int(has_flag))]
    finished = subprocess.run([sys.executable, "-c", program, *arguments], check=False, capture_output=True, text=True)
    assert finished.returncode in (0, 7), finished.stderr
    return finished.returncode == 7


@pytest.mark.parametrize(("plan", "count"), [(ONE_EACH, WORKERS), (SHARED, 1)])
def test_an_address_has_one_socket_for_each_worker_or_one_for_all(
    address: SocketAddress, plan: object, count: int
) -> None:
    sockets = AddressSockets.bind(address, ONE_EACH if plan is ONE_EACH else SHARED, WORKERS)
    assert len(sockets.sockets) == count
    assert [sockets.for_worker(index).number for index in range(WORKERS)] == [
        sockets.sockets[index % count].number for index in range(WORKERS)
    ]
    sockets.close()


def test_nobody_can_connect_before_it_listens(address: SocketAddress) -> None:
    sockets = AddressSockets.bind(address, ONE_EACH, WORKERS)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((str(address.ip), address.port), timeout=5)
    sockets.listen()
    socket.create_connection((str(address.ip), address.port), timeout=5).close()
    sockets.close()


def test_what_is_taken_is_refused_and_nothing_stays_bound(address: SocketAddress) -> None:
    taken = AddressSockets.bind(address, SHARED, WORKERS)
    taken.listen()
    for plan in (SHARED, ONE_EACH):
        with pytest.raises(OSError, match="in use"):
            AddressSockets.bind(address, plan, WORKERS)
    taken.close()
    AddressSockets.bind(address, SHARED, WORKERS).close()


def test_whether_somebody_listens_there_already_can_be_asked(address: SocketAddress) -> None:
    assert not is_listened_to(address, ONE_EACH)
    sockets = AddressSockets.bind(address, ONE_EACH, WORKERS)
    sockets.listen()
    assert is_listened_to(address, ONE_EACH)
    sockets.close()
    assert not is_listened_to(address, ONE_EACH)


def test_the_number_of_sockets_changes_while_clients_connect_and_no_connect_fails(address: SocketAddress) -> None:
    sockets = AddressSockets.bind(address, SHARED, WORKERS)
    sockets.listen()
    with serving(sockets) as workers, ConnectLoop(str(address.ip), address.port) as loop:
        for _ in range(3):
            workers.wait_for_more()
            added = sockets.bind_more(ONE_EACH, WORKERS)
            sockets.set_live(ONE_EACH)
            before = len(sockets.sockets)
            sockets.spread(added)
            for kept in sockets.sockets[before:]:
                workers.add(kept)
            assert len(sockets.sockets) == WORKERS
            workers.wait_for_more()
            sockets.set_live(SHARED)
            give_up(workers, sockets.gather())
            sockets.gathered()
            assert len(sockets.sockets) == 1
        workers.wait_for_more()
    assert loop.failures == []
    assert loop.succeeded >= 2000
    sockets.close()


def test_there_are_fewer_and_more_workers_while_clients_connect_and_no_connect_fails(address: SocketAddress) -> None:
    sockets = AddressSockets.bind(address, ONE_EACH, WORKERS)
    sockets.listen()
    with serving(sockets) as workers, ConnectLoop(str(address.ip), address.port) as loop:
        for count in (2, 3, 1, WORKERS, 3):
            workers.wait_for_more()
            if count < len(sockets.sockets):
                give_up(workers, sockets.shrink(count))
                sockets.gathered()
            else:
                before = len(sockets.sockets)
                sockets.spread(sockets.bind_more(ONE_EACH, count))
                for kept in sockets.sockets[before:]:
                    workers.add(kept)
            assert len(sockets.sockets) == count
        workers.wait_for_more()
    assert loop.failures == []
    sockets.close()


def test_connections_go_evenly_to_the_sockets_that_stay(address: SocketAddress) -> None:
    sockets = AddressSockets.bind(address, ONE_EACH, WORKERS)
    sockets.listen()
    leaving = sockets.shrink(3)
    clients = [socket.create_connection((str(address.ip), address.port), timeout=5) for _ in range(120)]
    assert [accept_queue(kept.sock).length for kept in leaving] == [0]
    assert all(accept_queue(kept.sock).length >= 15 for kept in sockets.sockets)
    for client in clients:
        client.close()
    for kept in leaving:
        kept.close()
    sockets.close()


def test_two_listeners_at_one_address_give_up_sockets_at_the_same_time(address: SocketAddress) -> None:
    one, other = (AddressSockets.bind(address, ONE_EACH, WORKERS) for _ in range(2))
    one.listen()
    other.listen(one)
    leaving = one.shrink(1) + other.shrink(1)
    clients = [
        socket.create_connection((str(address.ip), address.port), timeout=0.9) for _ in range(60)
    ]  # no SYN twice
    assert sum(accept_queue(kept.sock).length for kept in leaving) == 0
    assert all(accept_queue(kept.sock).length >= 10 for kept in (*one.sockets, *other.sockets))
    for client in clients:
        client.close()
    for kept in reversed(leaving):
        kept.close()
    one.close()
    other.close()


def test_all_sockets_get_connections_once_they_are_spread(address: SocketAddress) -> None:
    sockets = AddressSockets.bind(address, SHARED, WORKERS)
    sockets.listen()
    added = sockets.bind_more(ONE_EACH, WORKERS)
    sockets.set_live(ONE_EACH)
    sockets.spread(added)
    clients = [socket.create_connection((str(address.ip), address.port), timeout=5) for _ in range(100)]
    assert all(accept_queue(kept.sock).length > 0 for kept in sockets.sockets)
    for client in clients:
        client.close()
    sockets.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "0.0.0.0", "[::]"])
def test_another_process_may_join_only_while_the_port_may_be_shared(host: str) -> None:
    address = SocketAddress.parse(f"{host}:{free_port()}")
    sockets = AddressSockets.bind(address, ONE_EACH, WORKERS)
    sockets.listen()
    assert another_process_may_join(address)
    assert not another_process_may_join(address, has_flag=False)
    sockets.set_live(SHARED)
    for kept in sockets.gather():
        kept.sock.close()
    sockets.gathered()
    assert not another_process_may_join(address)
    sockets.close()
    assert another_process_may_join(address)


def test_an_address_that_cannot_be_made_exclusive_again_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address_sockets, "_neighbours", lambda _: [])  # as without CAP_NET_ADMIN: nothing left to bind
    sockets = AddressSockets.bind(SocketAddress.parse(f"[::]:{free_port()}"), ONE_EACH, 2)
    sockets.listen()
    assert sockets.note is None
    sockets.set_live(SHARED)
    for kept in sockets.gather():
        kept.sock.close()
    sockets.gathered()
    assert another_process_may_join(sockets.address)
    assert "can still join" in (sockets.note or "")
    sockets.set_live(ONE_EACH)
    assert sockets.note is None
    sockets.close()


def test_a_change_that_does_not_happen_leaves_the_address_exclusive(address: SocketAddress) -> None:
    sockets = AddressSockets.bind(address, SHARED, WORKERS)
    sockets.listen()
    for sock in sockets.bind_more(ONE_EACH, WORKERS):
        sock.close()
    sockets.stop_joining()
    assert not another_process_may_join(address)
    sockets.close()


def test_an_address_may_give_way_to_one_that_covers_it(address: SocketAddress) -> None:
    leaving = AddressSockets.bind(address, SHARED, WORKERS)
    leaving.listen()
    wildcard = SocketAddress.parse(f"0.0.0.0:{address.port}")
    with pytest.raises(OSError, match="in use"):
        AddressSockets.bind(wildcard, SHARED, WORKERS)
    leaving.let_join()
    joined = AddressSockets.bind(wildcard, SHARED, WORKERS, is_joining=True)
    joined.listen()
    with serving(leaving) as workers, ConnectLoop(str(address.ip), address.port) as loop:
        for kept in joined.sockets:
            workers.add(kept)
        workers.wait_for_more()
        for kept in leaving.sockets:
            minimum_ttl.drop_new_connections(kept.sock)
        give_up(workers, leaving.sockets)
        joined.stop_joining()
        workers.wait_for_more()
    assert loop.failures == []
    assert not another_process_may_join(wildcard)
    joined.close()


# --- packet filters -------------------------------------------------------------------------------------------------------


def test_new_connections_can_be_steered_to_one_socket(address: SocketAddress) -> None:
    sockets = AddressSockets.bind(address, ONE_EACH, WORKERS)
    sockets.listen()
    packet_filter.steer_new_connections(sockets.sockets[0].sock, [2])
    clients = [socket.create_connection((str(address.ip), address.port), timeout=5) for _ in range(50)]
    assert [accept_queue(kept.sock).length for kept in sockets.sockets] == [0, 0, 50, 0]
    packet_filter.stop_steering(sockets.sockets[0].sock)
    packet_filter.stop_steering(sockets.sockets[0].sock)
    clients += [socket.create_connection((str(address.ip), address.port), timeout=5) for _ in range(100)]
    assert all(accept_queue(kept.sock).length for kept in sockets.sockets)
    for client in clients:
        client.close()
    sockets.close()
