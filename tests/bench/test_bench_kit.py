"""The measuring kit measures what it says: its client counts what it did and what went wrong."""

from __future__ import annotations

import os
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.cannot_run import cannot_run

sys.path.append(str(Path(__file__).parents[2]))  # `bench` is not installed with the package

from bench.abuse import Abuse, cut_session
from bench.load import Load, Seen
from bench.pairs import Contestant, interleave, ratios
from bench.peer_servers import greeting_floor
from bench.ports import Port
from bench.processes import running
from bench.relaying import escaped, version2_header
from bench.rig import NotMeasurable, Rig, rig
from bench.soak import Done, abuse_row, log_row
from bench.table import Row, comparison, percentile, render


def free_port_base() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1]) - Port.FLOOR


@pytest.fixture
def small_rig(tmp_path: Path, needs_program: Callable[[str], str]) -> Iterator[Rig]:
    for program in ("gcc", "openssl", "taskset"):
        needs_program(program)
    if len(os.sched_getaffinity(0)) < 2:
        cannot_run("two cores are needed")
    with rig(free_port_base(), tmp_path) as made:
        yield made


def test_the_client_sees_every_greeting_and_counts_every_surprise(small_rig: Rig) -> None:
    port = Port.FLOOR.of(small_rig)
    with greeting_floor(small_rig) as floor:
        greeted = Load((("begin",), ("expect", "220 "), ("end",)), 200, 8).run(small_rig, port)
        surprised = Load((("expect", "* OK"),), 5, 2).run(small_rig, port)
        assert floor.cpu_seconds() > 0
        assert floor.pss_kib() > 0
    assert (greeted.done, greeted.errors, greeted.samples) == (200, 0, 200)
    assert 0 < greeted.p50 <= greeted.p99 <= greeted.worst
    assert (surprised.done, surprised.errors) == (0, 5)
    assert "220 mail.example.org" in surprised.first_error


def test_held_connections_stay_open_until_the_measurement_is_over(small_rig: Rig) -> None:
    with greeting_floor(small_rig) as floor:
        (worker,) = floor.pids()
        with Load((("expect", "220"), ("hold",)), 50, 8).held(small_rig, Port.FLOOR.of(small_rig)) as seen:
            assert len(list(Path(f"/proc/{worker}/fd").iterdir())) >= 50
    assert (seen[0].done, seen[0].errors) == (50, 0)


def test_contestants_take_turns_and_the_warm_up_does_not_count() -> None:
    order: list[str] = []

    def measuring(name: str, figures: Iterator[float]) -> Contestant:
        def measure() -> tuple[float, int]:
            order.append(name)
            return next(figures), 0

        return Contestant(name, measure)

    ours, peer = measuring("A", iter([99.0, 2.0, 6.0])), measuring("B", iter([1.0, 1.0, 2.0]))
    interleave((ours, peer), 2)
    assert order == ["A", "B"] * 3
    assert ratios(ours, peer) == [2.0, 3.0]
    (row,) = comparison("work", "µs", ours, [peer])
    assert row.ratio == "2.50 (2.00-3.00)"


def test_a_line_with_errors_is_no_result() -> None:
    table = render([Row("work", "1 µs", errors=3)])
    assert "no result" in table
    assert "1 µs" not in table


def test_processes_that_have_ended_still_count(tmp_path: Path) -> None:
    burn = "import time\nwhile time.process_time() < 0.2: pass"
    parent = (
        f"import subprocess, sys, time; subprocess.run([sys.executable, '-c', {burn!r}]); print('ready', flush=True)"
    )
    with running((sys.executable, "-c", f"{parent}; time.sleep(60)"), tmp_path / "log") as server:
        server.wait_for_line("ready")
        assert len(server.pids()) == 1
        assert server.cpu_seconds() > 0.2


def test_a_port_that_somebody_has_is_not_shared_with_him(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = int(taken.getsockname()[1])
        with pytest.raises(NotMeasurable, match=f"port {port}"), running(("true",), tmp_path / "log", ports=[port]):
            pass


def test_a_second_run_on_the_same_ports_is_refused(small_rig: Rig, tmp_path: Path) -> None:
    with pytest.raises(NotMeasurable, match="another run"), rig(small_rig.port_base, tmp_path):
        pass


def test_a_script_sends_any_octet(small_rig: Rig) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = int(listening.getsockname()[1])
        with ThreadPoolExecutor() as pool:
            octets = version2_header()
            sending = pool.submit(Load((("send", escaped(octets)),), 1, 1).run, small_rig, port)
            accepted, _ = listening.accept()
            with accepted, accepted.makefile("rb") as stream:
                assert stream.read() == octets
            assert sending.result().errors == 0


def test_a_percentile_is_one_of_the_values() -> None:
    values = [5.0, 1.0, 4.0, 2.0, 3.0]
    assert [percentile(values, share) for share in (0.2, 0.5, 0.99, 1.0)] == [1.0, 3.0, 5.0, 5.0]


def test_a_client_waits_until_the_server_closes(small_rig: Rig) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor() as pool:
        port = int(listening.getsockname()[1])
        waiting = pool.submit(Load((("finish",), ("closed",), ("end",)), 1, 1).run, small_rig, port)
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.recv(1) == b""  # the client said that it will send no more
            assert not waiting.done()
        assert (waiting.result().done, waiting.result().samples) == (1, 1)


def test_a_client_can_end_a_connection_with_a_reset(small_rig: Rig) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor() as pool:
        port = int(listening.getsockname()[1])
        resetting = pool.submit(Load((("expect", "220"), ("reset",)), 1, 1).run, small_rig, port)
        accepted, _ = listening.accept()
        with accepted:
            accepted.sendall(b"220 hello\r\n")
            with pytest.raises(ConnectionResetError):
                accepted.recv(1)
        assert resetting.result().done == 1


def test_a_session_cut_anywhere_is_whole_for_the_server(small_rig: Rig) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(small_rig.certificate, small_rig.private_key)
    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor() as pool:
        port = int(listening.getsockname()[1])
        session = pool.submit(cut_session, port)
        accepted, _ = listening.accept()
        with context.wrap_socket(accepted, server_side=True) as connection:
            connection.sendall(b"* OK ready\r\n")
            assert connection.recv(100) == b"a LOGOUT\r\n"
            connection.sendall(b"* BYE\r\n")
        session.result()


SLOW = Abuse("slow", "smtp", lambda *_: Seen(0, 0, 0.0), frozenset({"proxyRejected"}), deadline=5.0)


@pytest.mark.parametrize(
    ("came", "latest", "ended", "errors"),
    [
        (10, 5.1, {"proxyRejected": 10, "idle": 0}, 0),
        (10, 9.0, {"proxyRejected": 10}, 1),  # late
        (10, 5.1, {"proxyRejected": 7}, 3),  # not counted
        (10, 5.1, {"proxyRejected": 7, "idle": 3}, 3),  # counted as something else
    ],
)
def test_a_bad_client_has_to_be_closed_in_time_and_counted_under_its_reason(
    came: int, latest: float, ended: dict[str, int], errors: int
) -> None:
    assert abuse_row(SLOW, Done(connections=came, latest=latest), {"ended": ended}).errors == errors


def test_what_the_log_should_not_have_is_an_error(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text('{"event": "server.ready"}\n{"event": "loop.error"}\nTraceback (most recent call last):\n')
    assert log_row(log).errors == 2
