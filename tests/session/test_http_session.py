"""HTTP on a real transport, in front of an application of the test's own: requests, deadlines, leaving."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send
from tests.transport.loopback import Connected, some_turns, until

from gatepost.session import http_session
from gatepost.session.http_session import REFUSAL, HttpServer, HttpSession

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Application:
    """Answers with the size of the body. `/wait` waits for the test, `/slow-reader` too, before it reads the body, `/fail`
    fails, `/half` ends in the middle of its answer, `/endless` when the server takes its leave."""

    def __init__(self) -> None:
        self.may_go_on = asyncio.Event()
        self.scopes: list[Scope] = []
        self.saw_disconnect = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        path = scope["path"]
        if path == "/fail":
            raise ZeroDivisionError
        if path in ("/wait", "/slow-reader"):
            await self.may_go_on.wait()
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.saw_disconnect = True
                return
            size += len(message.get("body", b""))
            if not message.get("more_body"):
                break
        body = b"%d" % size
        headers = [(b"content-length", b"%d" % len(body))]
        if path == "/endless":
            scope["state"]["on_leaving"].append(self.may_go_on.set)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"bit", "more_body": True})
            await self.may_go_on.wait()
            await send({"type": "http.response.body", "body": b""})
            return
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if path == "/half":
            await self.may_go_on.wait()
        await send({"type": "http.response.body", "body": body})


class World(Connected):
    def __init__(self) -> None:
        super().__init__()
        self.application = Application()
        self.session: HttpSession = HttpServer(self.application).session("listener-1")

    def begin(self) -> World:
        self.transport.begin(self.session)
        return self

    async def answer(self, count: int = 1) -> bytes:
        """What the client gets until so many bodies of one digit have come."""
        seen = b""
        while seen.count(b"\r\n\r\n") < count or seen.endswith(b"\r\n\r\n"):
            more = await self.receive()
            if not more:
                return seen
            seen += more
        return seen


@pytest.fixture
async def world() -> AsyncIterator[World]:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    made = World()
    yield made
    made.application.may_go_on.set()
    made.end()
    await some_turns(50)
    assert complaints == []


async def test_a_request_is_answered_and_the_application_knows_the_listener(world: World) -> None:
    world.begin()
    await world.send(GET)
    assert (await world.answer()).startswith(b"HTTP/1.1 200 OK\r\n")
    (scope,) = world.application.scopes
    assert scope["state"] == {"listener_id": "listener-1", "on_leaving": [], "proxy_address": None, "tls_version": None}
    assert tuple(scope["client"]) == world.client.getsockname()
    assert scope["scheme"] == "http"


@pytest.mark.parametrize("request_octets", [GET, b"nonsense\r\n\r\n"])
async def test_every_response_has_the_date_once(world: World, request_octets: bytes) -> None:
    """RFC 9110 section 6.6.1"""
    world.begin()
    before = datetime.now(UTC).replace(microsecond=0)
    await world.send(request_octets)
    answer = (await world.answer()).lower()
    (date,) = [line for line in answer.split(b"\r\n") if line.startswith(b"date: ")]
    assert before <= parsedate_to_datetime(date.removeprefix(b"date: ").decode()) <= datetime.now(UTC)


async def test_requests_may_be_pipelined_and_cut_anywhere(world: World) -> None:
    world.begin()
    world.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for octet in GET + b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc":
        world.client.send(bytes([octet]))
        await some_turns(2)
    answers = await world.answer(2)
    assert answers.count(b"HTTP/1.1 200 OK") == 2
    assert answers.endswith(b"\r\n\r\n3")


async def test_a_large_body_is_taken_as_fast_as_the_application_reads(world: World) -> None:
    world.begin()
    body = b"x" * 3_000_000
    head = b"POST /slow-reader HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
    sending = asyncio.create_task(world.send(head + body))
    await until(lambda: not world.transport.is_reading())
    assert world.transport.bytes_received < 1_000_000
    world.application.may_go_on.set()
    assert (await world.answer()).endswith(b"3000000")
    await sending


async def test_what_is_no_http_is_refused(world: World) -> None:
    world.begin()
    await world.send(b"EHLO mail.example.org\r\n\r\n")
    assert b" 400 " in await world.receive_all()


async def test_an_endless_header_is_refused(world: World) -> None:
    world.begin()
    await world.send(b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000)
    assert b" 431 " in await world.receive_all()


async def test_an_application_that_fails_is_an_error_of_the_server(world: World) -> None:
    world.begin()
    await world.send(b"GET /fail HTTP/1.1\r\nHost: a\r\n\r\n")
    assert b" 500 " in await world.receive_all()


async def test_the_application_learns_that_the_client_is_gone(world: World) -> None:
    world.begin()
    await world.send(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
    await until(lambda: world.application.scopes)
    world.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    world.client.close()
    await until(lambda: world.closed)
    world.application.may_go_on.set()
    await until(lambda: world.application.saw_disconnect)


# --- deadlines ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\n"])
async def test_a_header_has_a_deadline(world: World, monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(http_session, "_HEAD_DEADLINE", 0.1)
    world.begin()
    if sent:
        await world.send(sent)
    assert (await world.receive_all()).startswith(b"HTTP/1.1 408 ")


async def test_dripping_octets_do_not_move_the_deadline_of_a_header(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_session, "_HEAD_DEADLINE", 0.2)
    world.begin()
    world.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    dripped = 0
    try:
        while not world.closed and not world.transport.is_closing():
            world.client.send(b"G" if dripped == 0 else b"E")
            dripped += 1
            await asyncio.sleep(0.01)
    except OSError:
        pass
    assert dripped < 500


async def test_a_body_that_does_not_go_on_has_a_deadline(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_session, "_BODY_DEADLINE", 0.1)
    world.begin()
    await world.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
    assert (await world.receive_all()).startswith(b"HTTP/1.1 408 ")
    await until(lambda: world.application.saw_disconnect)


async def test_a_body_whose_reading_was_paused_has_a_deadline_when_it_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_session, "_BODY_DEADLINE", 0.1)
    world.begin()
    head = b"POST /slow-reader HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"
    await world.send(head + b"x" * 100_000)
    await until(lambda: not world.transport.is_reading())
    await asyncio.sleep(0.3)  # the client waits for us, not we for it
    assert not world.transport.is_closing()
    world.application.may_go_on.set()
    assert (await world.receive_all()).startswith(b"HTTP/1.1 408 ")


async def test_an_answer_under_way_has_no_deadline_of_the_request(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_session, "_HEAD_DEADLINE", 0.05)
    world.begin()
    await world.send(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
    await asyncio.sleep(0.2)
    world.application.may_go_on.set()
    assert b"200 OK" in await world.answer()


async def test_a_connection_without_a_further_request_is_closed_in_the_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.session.timeout_keep_alive = 0.1  # type: ignore[assignment]  # seconds; uvicorn asks for whole ones
    world.begin()
    await world.send(GET)
    assert b"200 OK" in await world.receive_all()


# --- leaving --------------------------------------------------------------------------------------------------------------


async def test_a_connection_that_waits_for_nothing_is_closed_at_once(world: World) -> None:
    world.begin()
    world.session.shut_down()
    assert await world.receive_all() == b""


async def test_the_answer_under_way_is_given_and_no_other_request_taken(world: World) -> None:
    world.begin()
    await world.send(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
    await until(lambda: world.application.scopes)
    world.session.shut_down()
    await world.send(GET)
    world.application.may_go_on.set()
    answer = await world.receive_all()
    assert answer.count(b"HTTP/1.1 200 OK") == 1
    assert b"connection: close" in answer.lower()
    assert len(world.application.scopes) == 1


async def test_an_answer_whose_header_is_out_is_still_finished(world: World) -> None:
    world.begin()
    await world.send(b"GET /half HTTP/1.1\r\nHost: a\r\n\r\n")
    await until(lambda: world.transport.bytes_sent)
    world.session.shut_down()
    world.application.may_go_on.set()
    assert (await world.receive_all()).endswith(b"\r\n\r\n0")


def test_the_refusal_is_a_whole_answer_that_says_when_to_come_back() -> None:
    head, _, body = REFUSAL.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: " in head
    assert b"Connection: close" in head
    assert b"Content-Length: %d" % len(body) in head


@pytest.mark.parametrize("count", [1, 5000])
async def test_empty_lines_in_front_of_a_request_are_passed_over(world: World, count: int) -> None:
    """RFC 9112 section 2.2."""
    world.begin()
    await world.send(b"\r\n" * count)
    await some_turns()
    await world.send(b"\r\n" + GET)
    assert b"200 OK" in await world.answer()
    world.client.shutdown(socket.SHUT_WR)
    assert await world.receive_all() == b""


async def test_a_client_that_sends_nothing_but_empty_lines_is_closed_when_it_ends(world: World) -> None:
    world.begin()
    await world.send(b"\r\n" * 5000)
    world.client.shutdown(socket.SHUT_WR)
    assert await world.receive_all() == b""


async def test_an_answer_that_goes_on_comes_bit_by_bit_and_ends_when_the_server_leaves(world: World) -> None:
    world.begin()
    await world.send(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (await world.answer()).endswith(b"\r\n\r\n3\r\nbit\r\n")
    world.session.shut_down()
    assert await world.receive() == b"0\r\n\r\n"
    assert await world.receive() == b""
