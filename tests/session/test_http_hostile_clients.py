"""HTTP clients that send nonsense, dawdle or leave: they are refused or cut off, and nothing of it is a fault of ours."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from structlog.testing import capture_logs
from tests.transport.loopback import Connected, some_turns, until

from gatepost.session import http_session
from gatepost.session.http_session import HttpServer, HttpSession
from gatepost.transport.ending import Ending

CHUNKED = b"POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class World(Connected):
    """A session in front of a small application."""

    def __init__(self, *, receive_buffer: int | None = None, send_buffer: int | None = None) -> None:
        super().__init__(receive_buffer=receive_buffer, send_buffer=send_buffer)
        self.may_answer = asyncio.Event()
        self.session: HttpSession = HttpServer(self).session("l1")
        self.transport.begin(self.session)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """`/body` echoes, `/late` waits for the test, `/big` has 4 MiB, `/broken` fails; anything else has no look at a
        body."""
        request = Request(scope, receive)
        response: Response = PlainTextResponse("hello")
        match scope["path"]:
            case "/body":
                response = PlainTextResponse(await request.body())
            case "/late":
                await self.may_answer.wait()
            case "/big":
                response = PlainTextResponse(bytes(4 * 1024 * 1024))
            case "/broken":
                raise ZeroDivisionError
        await response(scope, receive, send)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    made.end()
    await some_turns()


async def test_a_request_that_is_ambiguous_gets_400_and_nothing_behind_it_is_looked_at(world: World) -> None:
    """RFC 9112 section 6.1."""
    await world.send(
        b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET
    )
    answer = await world.receive_all()
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_a_body_that_breaks_off_into_nonsense_is_no_fault_of_the_application(world: World) -> None:
    with capture_logs() as logs:
        await world.send(CHUNKED + b"2\r\nab\r\n")
        await until(lambda: world.session.cycle is not None)
        await world.send(b"nonsense\r\n")
        assert (await world.receive_all()).startswith(b"HTTP/1.1 400 ")
        await until(lambda: world.closed)
        await some_turns()
    assert logs == []


async def test_nonsense_behind_a_request_under_way_does_not_spoil_its_answer(world: World) -> None:
    with capture_logs() as logs:
        await world.send(b"GET /late HTTP/1.1\r\nHost: x\r\n\r\nnonsense\r\n\r\n")
        await until(lambda: world.session.cycle is not None)
        world.may_answer.set()
        answer = await world.receive_all()
    assert answer.count(b"HTTP/1.1 ") == 2
    assert b"hello" in answer
    assert b"HTTP/1.1 400 " in answer
    assert logs == []


async def test_a_client_that_leaves_in_the_middle_of_a_body_is_no_fault(world: World) -> None:
    with capture_logs() as logs:
        await world.send(CHUNKED + b"2\r\nab\r\n")
        await until(lambda: world.session.cycle is not None)
        world.client.close()
        await until(lambda: world.closed)
        await some_turns()
    assert logs == []


async def test_a_fault_of_the_application_is_an_event_and_a_500(world: World) -> None:
    with capture_logs() as logs:
        await world.send(b"GET /broken HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await world.receive_all()).startswith(b"HTTP/1.1 500 ")
    assert [log["event"] for log in logs] == ["conversation.failed"]


async def test_a_client_that_says_no_more_still_gets_its_answer(world: World) -> None:
    await world.send(b"GET /late HTTP/1.1\r\nHost: x\r\n\r\n")
    await until(lambda: world.session.cycle is not None)
    world.client.shutdown(socket.SHUT_WR)
    await some_turns()
    world.may_answer.set()
    assert (await world.receive_all()).endswith(b"hello")


async def test_empty_lines_before_a_request_are_passed_over(world: World) -> None:
    """RFC 9112 section 2.2."""
    await world.send(b"\r\n\r\n" + GET)
    assert (await world.receive_until(b"hello")).startswith(b"HTTP/1.1 200 ")
    await world.send(b"\r\n" + GET)
    assert (await world.receive_until(b"hello")).startswith(b"HTTP/1.1 200 ")


async def test_a_body_that_nobody_reads_is_thrown_away_up_to_a_limit(world: World) -> None:
    start = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
    await world.send(start % 100_000 + bytes(100_000) + GET)
    answer = await world.receive_until(b"hello")
    while answer.count(b"hello") < 2:
        answer += await world.receive_until(b"hello")
    await world.send(start % 10**12)
    assert (await world.receive_until(b"hello")).startswith(b"HTTP/1.1 200 ")
    sending = asyncio.create_task(_send_until_refused(world))
    assert await world.receive_all() == b""
    await sending


async def _send_until_refused(world: World) -> None:
    for _ in range(200):
        try:
            await world.send(bytes(65536))
        except OSError:
            return
        if world.transport.is_closing():
            return
    pytest.fail("everything was taken")


async def test_a_client_that_dawdles_over_a_header_is_cut_off_however_it_drips(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_session, "_HEAD_DEADLINE", 0.05)
    world = World()
    await world.send(GET[:5])
    await world.send(GET[5:9])
    assert (await world.receive_all()).startswith(b"HTTP/1.1 408 ")
    assert world.transport.ending is Ending.IDLE
    world.end()


async def test_a_client_that_drips_a_body_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_session, "_BODY_DEADLINE", 0.1)
    world = World()
    await world.send(b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
    dripping = asyncio.create_task(_drip(world))
    assert (await world.receive_all()).startswith(b"HTTP/1.1 408 ")
    dripping.cancel()
    world.end()


async def _drip(world: World) -> None:
    while True:
        world.client.send(b"x", socket.MSG_NOSIGNAL)
        await asyncio.sleep(0.01)


async def test_a_client_that_stops_while_its_body_is_being_worked_on_is_cut_off_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Reading pauses where the application has enough, and the deadline must outlive that."""
    monkeypatch.setattr(http_session, "_BODY_DEADLINE", 0.1)
    world = World()
    await world.send(b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + bytes(500_000))
    assert (await world.receive_all()).startswith(b"HTTP/1.1 408 ")
    world.end()


async def test_a_client_that_does_not_take_its_response_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_session, "_WRITE_DEADLINE", 0.05)
    world = World(receive_buffer=4096, send_buffer=4096)
    await world.send(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
    await until(lambda: world.closed)
    assert world.transport.ending is Ending.STALLED
    world.end()


async def test_a_client_that_asks_for_nothing_more_has_ended_by_being_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_session, "_KEEP_ALIVE", 0)
    world = World()
    await world.send(GET)
    assert (await world.receive_all()).endswith(b"hello")
    await until(lambda: world.closed)
    assert world.transport.ending is Ending.IDLE
    world.end()


async def test_a_client_that_takes_its_response_slowly_gets_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_session, "_WRITE_DEADLINE", 0.2)
    world = World(receive_buffer=65536, send_buffer=65536)
    await world.send(b"GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert len(await world.receive_all()) > 4 * 1024 * 1024
    world.end()
