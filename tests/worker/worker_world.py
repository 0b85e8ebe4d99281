"""A worker in the process of the test, and the supervisor's end of its channel in the hands of the test."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import struct
from collections.abc import Callable
from typing import Any

from tests.session.line_conversation import LineEngine, Reactions
from tests.supervisor.plans import plan
from tests.tls_client import trusting_context
from tests.transport.certificates import certificate
from tests.transport.loopback import until

from gatepost.control.channel import Channel
from gatepost.control.messages import ApplyPlan, FromWorker, GrantedSocket, PlanApplied, ReleaseSockets, SocketsReleased
from gatepost.plan.plan import ListenerPlan, Plan
from gatepost.session.conversation import Conversation
from gatepost.session.link import Link
from gatepost.session.reactions import Opening, ProtocolParts
from gatepost.sockets import minimum_ttl
from gatepost.supervisor.counter_slots import CounterSlots
from gatepost.telemetry.access_log import ClosedConnection
from gatepost.transport.counter_page import SERVER_SLOT, Cell, CounterPage
from gatepost.values.ids import Id
from gatepost.worker.connection import Connection, Session
from gatepost.worker.worker import Worker

CERTIFICATES = (certificate("ecdsa", "mail.example.org", is_fallback=True),)
V1 = b"PROXY TCP4 192.0.2.7 192.0.2.1 4001 25\r\n"


class LineSessions:
    """Every connection speaks lines; see LineEngine."""

    def __init__(self) -> None:
        self.engines: list[LineEngine] = []
        self.reactions: list[Reactions] = []
        self.connections: list[Connection] = []
        self.failure: Exception | None = None
        self.tasks: list[asyncio.Task[None]] = []
        self.idle_timeout = 60.0
        self.login_deadline: float | None = None

    def session(self, connection: Connection, /) -> Session:
        if self.failure is not None:
            raise self.failure
        self.connections.append(connection)
        opening = Opening(b"hello\n", self.idle_timeout, "new", self.login_deadline)
        return Conversation(connection.policy.plan.name, opening, connection)

    def parts(self, connection: Connection, /) -> ProtocolParts:
        engine = LineEngine()
        engine.idle_timeout = self.idle_timeout
        self.engines.append(engine)

        def make(link: Link) -> Reactions:
            self.reactions.append(Reactions(engine, link))
            return self.reactions[-1]

        return ProtocolParts(engine, make)

    def left_behind(self, task: asyncio.Task[None], /) -> None:
        self.tasks.append(task)


class RecordedLog:
    """An access log in memory."""

    is_on = True

    def __init__(self) -> None:
        self.connections: list[ClosedConnection] = []

    def closed(self, connection: ClosedConnection, /) -> None:
        self.connections.append(connection)

    def flush(self) -> None:
        pass


class WorkerWorld:
    """Binds what a plan asks for, hands it to the worker, and closes everything in the end."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.page = CounterPage.create(2)
        self.slots = CounterSlots(self.page)
        self.worker = Worker(theirs, self.page, 0)
        self.worker.access_log = self.log = RecordedLog()
        self.sessions = LineSessions()
        self.worker.sessions = self.sessions
        self.received: list[FromWorker] = []
        self.channel: Channel[FromWorker] = Channel(ours, FromWorker, self._received, lambda: None)  # type: ignore[arg-type]  # a union of types is decoded
        self.listening: dict[str, tuple[int, socket.socket]] = {}
        self.clients: list[socket.socket] = []
        self._sent: set[int] = set()
        self._number = 0
        self.worker.begin()

    def _received(self, message: FromWorker, descriptors: list[int]) -> None:
        assert descriptors == []
        self.received.append(message)

    def listen(self, host: str = "127.0.0.1") -> str:
        """An address that is listened on."""
        sock = socket.create_server((host, 0))
        sock.setblocking(False)
        address = f"{host}:{sock.getsockname()[1]}"
        self.listening[address] = (len(self.listening) + 1, sock)
        return address

    async def apply(self, *listeners: ListenerPlan, **settings: Any) -> PlanApplied:
        """Have the worker run a plan; its answer."""
        wanted: Plan = plan(*listeners, **settings)
        self.slots.follow(wanted)
        return await self.apply_plan(wanted)

    async def apply_plan(self, wanted: Plan) -> PlanApplied:
        granted: list[GrantedSocket] = []
        descriptors: list[int] = []
        for listener in wanted.listeners:
            for address in listener.addresses:
                number, sock = self.listening[address]
                if number not in self._sent:
                    descriptors.append(sock.fileno())
                granted.append(
                    GrantedSocket(
                        number=number, address=address, listener_id=listener.id, is_attached=number not in self._sent
                    )
                )
                self._sent.add(number)
        self._number += 1
        message = ApplyPlan(
            number=self._number, plan=wanted, sockets=tuple(granted), counter_slots=self.slots.by_listener
        )
        self.channel.send(message, descriptors)
        answer: PlanApplied = await self.answer(PlanApplied)
        return answer

    async def release(self, *addresses: str) -> None:
        self._number += 1
        numbers = tuple(self.listening[address][0] for address in addresses)
        self._sent.difference_update(numbers)
        self.channel.send(ReleaseSockets(number=self._number, sockets=numbers))
        await self.answer(SocketsReleased)

    async def answer(self, kind: type[Any]) -> Any:
        """The next message of that kind; it is taken out."""
        found: Callable[[], Any] = lambda: next((m for m in self.received if isinstance(m, kind)), None)  # noqa: E731 - a name for the type
        message = await until(found)
        self.received.remove(message)
        return message

    def connect(self, address: str) -> socket.socket:
        host, _, port = address.rpartition(":")
        client = socket.create_connection((host, int(port)), timeout=15)
        self.clients.append(client)
        return client

    async def greeted(self, address: str) -> socket.socket:
        client = self.connect(address)
        assert await asyncio.to_thread(client.recv, 100) == b"hello\n"
        return client

    async def connect_late(self, address: str) -> socket.socket:
        """Have new connections kept out of the socket; a client whose handshake was under way then."""
        _, listening = self.listening[address]
        minimum_ttl.drop_new_connections(listening)
        client = socket.socket()
        self.clients.append(client)
        client.settimeout(15)
        client.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)  # so that it gets in
        await asyncio.to_thread(client.connect, listening.getsockname())
        client.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 64)
        return client

    def count(self, name: str, cell: Cell = Cell.CONNECTIONS) -> int:
        return self.page.total(self.slots.by_listener[Id(name)], cell)

    def server_count(self) -> int:
        return self.page.total(SERVER_SLOT, Cell.CONNECTIONS)

    async def end(self) -> None:
        for client in self.clients:
            client.close()
        self.channel.close()
        self.worker.drain(0.01)
        await asyncio.wait_for(self.worker.is_finished.wait(), 15)
        self.worker.byte_meter.stop()
        for _, sock in self.listening.values():
            sock.close()
        await until(lambda: self.server_count() == 0)
        os.close(self.page.descriptor)


async def rest_of(client: socket.socket) -> bytes:
    """What comes until the end."""

    def read() -> bytes:
        seen = b""
        while more := client.recv(4096):
            seen += more
        return seen

    return await asyncio.to_thread(read)


async def tls_client(sock: socket.socket) -> ssl.SSLSocket:
    return await asyncio.to_thread(trusting_context().wrap_socket, sock)


def reset(sock: socket.socket) -> None:
    """Close it so that the server sees a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
