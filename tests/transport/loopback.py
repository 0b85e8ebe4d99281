"""Connections over loopback for tests that drive one end by hand, and waiting for a condition on the event loop."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Any

from gatepost.transport.connection_info import ConnectionInfo
from gatepost.transport.descriptor_transport import DescriptorTransport
from gatepost.transport.poller import Poller

PATIENCE = 15.0  # seconds before a test that waits in vain fails


def connected_pair(
    *,
    receive_buffer: int | None = None,
    send_buffer: int | None = None,
    receive_buffer_of_server: int | None = None,
) -> tuple[socket.socket, socket.socket]:
    """A client, and the accepted socket, which does not block. The buffers are the client's receive and our send buffer."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        if receive_buffer_of_server is not None:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_of_server)
        client = socket.socket()
        if receive_buffer is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        client.settimeout(PATIENCE)
        client.connect(listening.getsockname())
        accepted, _ = listening.accept()
    if send_buffer is not None:
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    accepted.setblocking(False)
    return client, accepted


class Connected:
    """A transport over an accepted socket, and the client's end of it."""

    def __init__(
        self,
        *,
        receive_buffer: int | None = None,
        send_buffer: int | None = None,
        receive_buffer_of_server: int | None = None,
    ) -> None:
        self.client, accepted = connected_pair(
            receive_buffer=receive_buffer,
            send_buffer=send_buffer,
            receive_buffer_of_server=receive_buffer_of_server,
        )
        self.closed = 0
        self._descriptor, self._inode = accepted.fileno(), os.fstat(accepted.fileno()).st_ino
        info = ConnectionInfo(accepted.getpeername())
        info.note_local_address(accepted)
        self.poller = Poller(asyncio.get_running_loop())
        self.transport = DescriptorTransport(self.poller, accepted.detach(), info, self._on_closed)

    @property
    def accepted(self) -> socket.SocketType:
        """Our end, as long as it is open."""
        return self.transport.sock

    @property
    def is_descriptor_open(self) -> bool:
        """Whether the kernel still has our end."""
        try:
            return os.fstat(self._descriptor).st_ino == self._inode
        except OSError:
            return False

    def _on_closed(self, transport: DescriptorTransport) -> None:
        assert transport is self.transport
        self.closed += 1

    async def send(self, data: bytes) -> None:
        """From the client, while the loop goes on."""
        await asyncio.to_thread(self.client.sendall, data)

    async def receive(self, size: int = 65536) -> bytes:
        """What the client gets next; empty at the end."""
        return await asyncio.to_thread(self.client.recv, size)

    async def receive_until(self, end: bytes) -> bytes:
        """What the client gets, up to and including `end`, which must be the last that was sent."""
        seen = b""
        while not seen.endswith(end):
            more = await self.receive()
            assert more, f"the connection ended behind {seen!r}"
            seen += more
        return seen

    async def receive_all(self) -> bytes:
        """What the client gets until the end of the connection."""
        seen = b""
        while more := await self.receive():
            seen += more
        return seen

    def end(self) -> None:
        """Close both ends, whatever has happened."""
        self.transport.abort()
        self.poller.close()
        self.client.close()


async def until(condition: Callable[[], Any]) -> Any:
    """What `condition` gives once it is true; fails when it never is. Lets the loop run meanwhile."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE
    while not (value := condition()):
        assert loop.time() < deadline, "the condition did not become true"
        await asyncio.sleep(0.002)
    return value


async def some_turns(count: int = 20) -> None:
    """Let the loop do what it has to do now."""
    for _ in range(count):
        await asyncio.sleep(0)
