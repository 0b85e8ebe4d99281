"""A conversation over a small engine of the tests' own, whose lines say what its reactions do, on a real transport."""

from __future__ import annotations

import asyncio
import gc
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from tests.transport.loopback import Connected, some_turns

from gatepost.protocols.engine import Close, Refusal, StartTls
from gatepost.protocols.framing.octet_buffer import OctetBuffer
from gatepost.session.conversation import Conversation
from gatepost.session.link import Ended, Link
from gatepost.session.reactions import Opening, ProtocolParts
from gatepost.transport.descriptor_transport import DescriptorTransport


@dataclass(frozen=True, slots=True)
class Asked:
    """A command that the reactions answer."""

    line: bytes


class LineEngine:
    """Answers `quit` and `starttls` itself, breaks at `broken`, leaves everything else to its reactions."""

    def __init__(self) -> None:
        self.buffer = OctetBuffer(accept_bare_lf=True)
        self.queued = bytearray()
        self.waiting: object | None = None
        self.idle_timeout = 60.0
        self.most_buffered = 100
        self.is_tls = False
        self.is_at_end = False
        self.refused: list[Refusal] = []
        self.news: deque[bytes] = deque()

    def start(self) -> None:
        self.queued += b"hello\n"

    def receive_data(self, data: bytes) -> None:
        if b"poison" in data:
            raise ZeroDivisionError
        self.buffer.feed(data)

    def receive_eof(self) -> None:
        self.is_at_end = True

    def next_event(self) -> object | None:
        if self.waiting is not None:
            return None
        if self.news:
            return self._hand_out(Asked(self.news.popleft()))
        line = self.buffer.take_line(1000)
        if line is None:
            return None
        match line:
            case b"quit":
                self.queued += b"bye\n"
                return self._hand_out(Close())
            case b"starttls":
                self.queued += b"go ahead\n"
                return self._hand_out(StartTls())
            case b"broken":
                raise ZeroDivisionError
        return self._hand_out(Asked(line))

    def _hand_out(self, event: object) -> object:
        self.waiting = event
        return event

    def answer(self, words: bytes) -> None:
        self.waiting = None
        self.queued += words + b"\n"

    def data_to_send(self) -> bytes:
        data = bytes(self.queued)
        self.queued.clear()
        return data

    def tls_established(self) -> None:
        self.is_tls = True
        self.waiting = None

    def refuse(self, refusal: Refusal) -> None:
        self.refused.append(refusal)
        self.queued += refusal.value.encode() + b"\n"

    @property
    def state_name(self) -> str:
        return "listening"

    @property
    def wants_input(self) -> bool:
        return len(self.buffer) <= self.most_buffered


class Reactions:
    """`now …` is answered at once, `wait …` when the test lets it, `big …` with a megabyte in pieces, `fail` by an error."""

    def __init__(self, engine: LineEngine, link: Link) -> None:
        self.engine = engine
        self.link = link
        self.may_go_on = asyncio.Event()
        self.seen: list[bytes] = []
        self.ended_count = 0
        self.saw_ended = False
        self.fails_at_the_end = False

    def may_react_at_once(self, event: object) -> bool:
        assert isinstance(event, Asked)
        return event.line.startswith(b"now")

    def react_at_once(self, event: object) -> None:
        assert isinstance(event, Asked)
        if event.line == b"now fail":
            raise ZeroDivisionError
        self.engine.answer(b"done " + event.line)

    async def react(self, event: object) -> None:
        assert isinstance(event, Asked)
        self.seen.append(event.line)
        if event.line.startswith(b"wait"):
            await self.may_go_on.wait()
        elif event.line == b"fail":
            raise ZeroDivisionError
        elif event.line.startswith(b"big"):
            await self._say_much()
        self.engine.answer(b"done " + event.line)

    async def _say_much(self) -> None:
        try:
            for _ in range(64):
                self.engine.queued += b"x" * 16384
                self.link.send_queued()
                await self.link.drained()
        except Ended:
            self.saw_ended = True
            raise

    async def ended(self) -> None:
        self.ended_count += 1
        if self.fails_at_the_end:
            raise ZeroDivisionError


class World(Connected):
    """A conversation over a connection."""

    def __init__(
        self,
        *,
        receive_buffer: int | None = None,
        send_buffer: int | None = None,
        login_deadline: float | None = None,
    ) -> None:
        super().__init__(receive_buffer=receive_buffer, send_buffer=send_buffer)
        self.engine = LineEngine()
        self.made: list[Reactions] = []
        self.upgrades: list[tuple[Callable[[], None], Callable[[], None]]] = []
        self.parts_made = 0
        self.sent_at_upgrade: int | None = None
        self._login_deadline = login_deadline

    def begin(self) -> World:
        opening = Opening(b"hello\n", self.engine.idle_timeout, self.engine.state_name, self._login_deadline)
        self.conversation = Conversation("test", opening, self)
        self.transport.begin(self.conversation)
        return self

    def parts(self) -> ProtocolParts:
        self.parts_made += 1
        return ProtocolParts(self.engine, self._make)

    def _make(self, link: Link) -> Reactions:
        self.made.append(Reactions(self.engine, link))
        return self.made[-1]

    def upgrade(self, transport: DescriptorTransport, done: Callable[[], None], failed: Callable[[], None], /) -> None:
        assert transport is self.transport
        assert transport.get_write_buffer_size() == 0
        transport.watch_reading(lambda: None)
        self.upgrades.append((done, failed))

    def left_behind(self, task: asyncio.Task[None], /) -> None:
        pass

    def finish_upgrade(self) -> None:
        self.transport.unwatch()
        self.upgrades[-1][0]()

    @property
    def reactions(self) -> Reactions:
        return self.made[-1]


async def finish(world: World) -> None:
    """Nothing may be left behind: no task that failed unseen, no future that nobody looked at."""
    complaints: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["message"]))
    world.end()
    await some_turns()
    world.made.clear()
    del world.conversation, world.engine
    gc.collect()
    await some_turns()
    assert complaints == []
    assert world.closed == 1
