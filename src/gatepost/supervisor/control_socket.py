"""The way for `gatepost upgrade` to the supervisor: a UNIX socket in the data directory, for its owner and root alone.

One line is asked and one is answered; see docs/adr/0017. Nothing from the network comes here.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import stat
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path

NAME = "control.sock"
UPGRADE = b"upgrade\n"
DONE, FAILED = "done", "failed"
_LONGEST_QUESTION = 64
_PATIENCE = 10.0  # seconds for the question


class AnotherServer(Exception):
    """A server that runs has the data directory."""

    def __init__(self, data_directory: Path) -> None:
        advice = f"stop it, give another --data, or go over to new code by `gatepost upgrade --data {data_directory}`"
        super().__init__(f"another server runs on the data directory {data_directory}: {advice}")


def listen(data_directory: Path) -> socket.socket:
    """A new socket, which says that the data directory has a server. Raises AnotherServer where it has one, and OSError."""
    descriptor = os.open(data_directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # of two that start at once, one looks and binds before the other looks
        path = f"/proc/self/fd/{descriptor}/{NAME}"  # unix(7): a path of an address is 108 octets at most
        if not _make_room(path):
            raise AnotherServer(data_directory)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            sock.bind(path)
        except BaseException:
            sock.close()
            raise
        finally:
            os.umask(before)
        sock.listen()
        return sock
    finally:
        os.close(descriptor)


def connect(data_directory: Path) -> socket.socket:
    """For the command. Raises OSError where no server runs."""
    descriptor = os.open(data_directory, os.O_PATH | os.O_DIRECTORY)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.connect(f"/proc/self/fd/{descriptor}/{NAME}")
    except BaseException:
        sock.close()
        raise
    finally:
        os.close(descriptor)
    return sock


def _make_room(path: str) -> bool:
    """Remove what a server that was killed has left; False where one still listens."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise FileExistsError(f"{NAME} in the data directory is not a socket")
    except FileNotFoundError:
        return True
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            Path(path).unlink()
            return True
    return False


class ControlSocket:
    """Answers what is asked there. `upgrade` gives the words of the answer."""

    def __init__(self, sock: socket.socket, upgrade: Callable[[], Awaitable[str]]) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._upgrade = upgrade
        self._answers: set[asyncio.Task[None]] = set()
        self._accepting = asyncio.get_running_loop().create_task(self._accept())

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._sock)
            except OSError:
                await asyncio.sleep(1)  # no descriptor; the next attempt may do better
                continue
            task = loop.create_task(self._answer(connection))
            self._answers.add(task)
            task.add_done_callback(self._answers.discard)

    async def _answer(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with connection:
            connection.setblocking(False)
            if _peer(connection) not in (0, os.geteuid()):
                return
            try:
                question = await asyncio.wait_for(loop.sock_recv(connection, _LONGEST_QUESTION), _PATIENCE)
                answer = await self._upgrade() if question == UPGRADE else f"{FAILED} what is asked is not understood"
                await loop.sock_sendall(connection, f"{answer}\n".encode())
            except (OSError, TimeoutError):
                pass  # whoever asked does not wait for the answer

    async def finish(self) -> None:
        """Accept no more, and answer what was asked. The socket itself may go on in another process."""
        self._accepting.cancel()
        self._sock.close()
        if self._answers:
            await asyncio.wait(self._answers, timeout=_PATIENCE)


def _peer(connection: socket.socket) -> int:
    """The user id of the process on the other side."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    uid: int = struct.unpack("3i", credentials)[1]
    return uid
