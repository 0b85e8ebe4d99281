"""Responses to requests that were read without h11: the same as by h11, whatever the application does."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.transport.loopback import Connected, some_turns, until

from gatepost.session.http_session import HttpServer, HttpSession
from gatepost.session.plain_cycle import PlainCycle

PLAIN = b"GET /%b HTTP/1.1\r\nHost: x\r\n\r\n"
BY_H11 = b"GET /%b HTTP/1.1\r\nHost: x\r\nTE: trailers\r\n\r\n"

Send = Callable[[dict[str, Any]], Awaitable[None]]

# What the application sends, by path: the header of the response, and its body, piece by piece.
ANSWERS: dict[str, tuple[int, list[tuple[bytes, bytes]], list[bytes]]] = {
    "whole": (200, [(b"content-length", b"5"), (b"x-a", b"b")], [b"hello"]),
    "empty": (404, [(b"content-length", b"0")], [b""]),
    "unknown-status": (299, [(b"content-length", b"2")], [b"ok"]),
    "pieces": (200, [(b"content-length", b"5")], [b"he", b"llo"]),
    "no-length": (200, [], [b"hello"]),
    "upper-case": (200, [(b"Content-Length", b"5")], [b"hello"]),
    "no-content": (204, [], [b""]),
    "no-content-with-length": (204, [(b"content-length", b"0")], [b""]),
    "not-modified": (304, [(b"content-length", b"5")], [b""]),
    "closing": (200, [(b"content-length", b"5"), (b"connection", b"close")], [b"hello"]),
    "too-short": (200, [(b"content-length", b"9")], [b"hello"]),
    "too-long": (200, [(b"content-length", b"3")], [b"hello"]),
    "two-lengths": (200, [(b"content-length", b"5"), (b"content-length", b"5")], [b"hello"]),
    "line-end-in-value": (200, [(b"content-length", b"5"), (b"x", b"a\r\nset-cookie: b")], [b"hello"]),
    "bare-line-end-in-value": (200, [(b"content-length", b"5"), (b"x", b"a\nb")], [b"hello"]),
    "line-end-in-name": (200, [(b"content-length", b"5"), (b"x\r\ny", b"a")], [b"hello"]),
    "nul-in-value": (200, [(b"content-length", b"5"), (b"x", b"a\0b")], [b"hello"]),
}


class World(Connected):
    """`/late` answers when the test says so, `/half` begins and waits, `/twice` answers two times; see ANSWERS for the rest."""

    def __init__(self) -> None:
        super().__init__()
        self.may_answer = asyncio.Event()
        self.paths: list[str] = []
        self.session: HttpSession = HttpServer(self).session("l1")
        self.transport.begin(self.session)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        name = scope["path"][1:]
        self.paths.append(name)
        if name == "late":
            await self.may_answer.wait()
        status, headers, pieces = ANSWERS.get(name, ANSWERS["whole"])
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if name == "half":
            await self.may_answer.wait()
        for number, piece in enumerate(pieces, 1):
            await send({"type": "http.response.body", "body": piece, "more_body": number < len(pieces)})
        if name == "twice":
            await send({"type": "http.response.body", "body": b"hello"})

    async def answers(self, request: bytes, name: str) -> bytes:
        """All that comes until the connection ends, without the date."""
        await self.send(request % name.encode())
        await until(lambda: self.paths)
        await some_turns()
        self.client.shutdown(socket.SHUT_WR)
        return b"\r\n".join(
            line for line in (await self.receive_all()).split(b"\r\n") if not line.startswith((b"date:", b"Date:"))
        )


@pytest.fixture
async def worlds() -> AsyncIterator[list[World]]:
    made = [World(), World()]
    yield made
    for world in made:
        world.may_answer.set()
        world.end()
    await some_turns()


@pytest.mark.parametrize("name", [*ANSWERS, "twice"])
async def test_the_answer_is_the_same_as_by_h11(worlds: list[World], name: str) -> None:
    with capture_logs():
        plain, by_h11 = await worlds[0].answers(PLAIN, name), await worlds[1].answers(BY_H11, name)
    assert isinstance(worlds[0].session.cycle, PlainCycle)
    assert not isinstance(worlds[1].session.cycle, PlainCycle)
    assert plain.lower() == by_h11.lower()  # the names of fields


async def test_the_header_and_a_body_of_known_length_are_one_segment(worlds: list[World]) -> None:
    await worlds[0].send(PLAIN % b"whole")
    answer = await worlds[0].receive()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\nhello")


async def test_what_comes_while_a_request_is_answered_is_answered_after_it(worlds: list[World]) -> None:
    world = worlds[0]
    await world.send(PLAIN % b"late")
    await until(lambda: world.paths)
    await world.send(PLAIN % b"whole" + PLAIN % b"pieces")
    await until(lambda: not world.transport.is_reading())
    assert world.paths == ["late"]
    world.may_answer.set()
    seen = b""
    while seen.count(b"hello") < 3:
        seen += await world.receive()
    assert world.paths == ["late", "whole", "pieces"]


async def test_what_comes_behind_a_response_that_h11_writes_is_answered_after_it(worlds: list[World]) -> None:
    world = worlds[0]
    await world.send(PLAIN % b"half")
    assert (await world.receive()).endswith(b"\r\n\r\n")
    await world.send(PLAIN % b"whole")
    await until(lambda: not world.transport.is_reading())
    world.may_answer.set()
    seen = b""
    while seen.count(b"hello") < 2:
        seen += await world.receive()
    assert world.paths == ["half", "whole"]


async def test_nonsense_behind_a_request_is_refused_when_that_is_answered(worlds: list[World]) -> None:
    world = worlds[0]
    await world.send(PLAIN % b"late")
    await until(lambda: world.paths)
    await world.send(b"nonsense\r\n\r\n")
    world.may_answer.set()
    answer = await world.receive_all()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"helloHTTP/1.1 400 " in answer


@pytest.mark.parametrize("name", [b"late", b"half"])
async def test_a_client_that_is_gone_gets_nothing_and_harms_nobody(worlds: list[World], name: bytes) -> None:
    world = worlds[0]
    with capture_logs() as logs:
        await world.send(PLAIN % name)
        await until(lambda: world.paths)
        world.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        world.client.close()
        await until(lambda: world.closed)
        world.may_answer.set()
        await some_turns()
    assert logs == []


async def test_the_application_sees_the_same_request(worlds: list[World]) -> None:
    scopes: list[dict[str, Any]] = []
    for world, extra in zip(worlds, (b"", b"TE: trailers\r\n"), strict=True):
        await world.send(b"GET /a%20b?c=%64 HTTP/1.1\r\nHost: x\r\nX-Y: z\r\n" + extra + b"\r\n")
        await world.receive()
        scopes.append({**world.session.scope})
    plain, by_h11 = scopes
    assert by_h11.pop("headers") == [*plain.pop("headers"), (b"te", b"trailers")]
    assert by_h11.pop("client") != plain.pop("client")
    assert by_h11.pop("server") != plain.pop("server")
    assert by_h11 == plain
