"""The socket for `gatepost upgrade`."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gatepost.supervisor import control_socket
from gatepost.supervisor.control_socket import AnotherServer, ControlSocket


async def _upgrade() -> str:
    return "done 4711"


@pytest.fixture
async def directory(tmp_path: Path) -> AsyncIterator[Path]:
    deep = tmp_path / ("long name " * 20)  # longer than the address of a UNIX socket may be
    deep.mkdir()
    sock = control_socket.listen(deep)
    control = ControlSocket(sock, _upgrade)
    yield deep
    await control.finish()


def _ask(directory: Path, question: bytes) -> bytes:
    with control_socket.connect(directory) as sock:
        sock.settimeout(20)
        sock.sendall(question)
        return sock.recv(100)


async def test_a_question_is_answered_once(directory: Path) -> None:
    assert await asyncio.to_thread(_ask, directory, control_socket.UPGRADE) == b"done 4711\n"
    assert await asyncio.to_thread(_ask, directory, control_socket.UPGRADE) == b"done 4711\n"


@pytest.mark.parametrize("question", [b"\n", b"upgrade", b"upgrade now\n", b"\xff" * 64])
async def test_nothing_else_is_understood(directory: Path, question: bytes) -> None:
    assert (await asyncio.to_thread(_ask, directory, question)).startswith(b"failed ")


async def test_it_is_for_its_owner_alone(directory: Path) -> None:
    assert (directory / control_socket.NAME).stat().st_mode & 0o777 == 0o600


async def test_a_second_server_leaves_the_first_ones_alone(directory: Path) -> None:
    with pytest.raises(AnotherServer, match="another server runs on the data directory"):
        control_socket.listen(directory)
    assert await asyncio.to_thread(_ask, directory, control_socket.UPGRADE) == b"done 4711\n"


def test_what_a_killed_server_has_left_is_replaced(tmp_path: Path) -> None:
    for _ in range(2):
        control_socket.listen(tmp_path).close()
    with pytest.raises(ConnectionRefusedError):
        control_socket.connect(tmp_path)


def test_of_servers_that_start_at_once_where_one_was_killed_one_gets_the_directory(tmp_path: Path) -> None:
    for _ in range(20):
        together = threading.Barrier(6)

        def begin(together: threading.Barrier = together) -> socket.socket | AnotherServer:
            together.wait(20)
            try:
                return control_socket.listen(tmp_path)
            except AnotherServer as refusal:
                return refusal

        with ThreadPoolExecutor(6) as threads:
            ended = [each.result() for each in [threads.submit(begin) for _ in range(6)]]
        sockets = [each for each in ended if isinstance(each, socket.socket)]
        assert len(sockets) == 1
        sockets[0].close()


def test_a_file_of_that_name_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / control_socket.NAME).write_text("mine")
    with pytest.raises(FileExistsError):
        control_socket.listen(tmp_path)
    assert (tmp_path / control_socket.NAME).read_text() == "mine"


async def test_nobody_waits_for_a_client_that_asks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_socket, "_PATIENCE", 0.1)
    sock = control_socket.listen(tmp_path)
    control = ControlSocket(sock, _upgrade)
    with control_socket.connect(tmp_path) as silent:
        silent.setblocking(False)
        assert await asyncio.wait_for(asyncio.get_running_loop().sock_recv(silent, 10), 10) == b""
    await control.finish()
