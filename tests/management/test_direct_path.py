"""POST /jmap past the routes: the same answers to failures as through them."""

from __future__ import annotations

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from gatepost.management.direct_path import DirectPath


class Fault(LookupError):
    """Below the class that has an answer."""


async def _everything_else(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("routed")(scope, receive, send)


async def _endpoint(request: Request) -> Response:
    match await request.body():
        case b"fault":
            raise Fault
        case b"bug":
            raise ZeroDivisionError
    return PlainTextResponse("direct")


async def _answer_lookup_error(_request: Request, _error: Exception) -> Response:
    return PlainTextResponse("a fault that is known", 400)


async def _answer_bug(_request: Request, _error: Exception) -> Response:
    return PlainTextResponse("the server failed", 500)


APP = DirectPath(_everything_else, frozenset({"/jmap"}), _endpoint, {LookupError: _answer_lookup_error}, _answer_bug)


def _client(*, raises: bool) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=APP, raise_app_exceptions=raises), base_url="http://server"
    )


@pytest.mark.parametrize(
    ("method", "path", "text"),
    [
        ("POST", "/jmap", "direct"),
        ("GET", "/jmap", "routed"),
        ("POST", "/jmap/session", "routed"),
        ("POST", "/JMAP", "routed"),
    ],
)
async def test_post_to_the_path_is_direct_and_all_else_is_routed(method: str, path: str, text: str) -> None:
    async with _client(raises=True) as client:
        assert (await client.request(method, path)).text == text


async def test_a_failure_is_answered_by_what_is_there_for_its_class() -> None:
    async with _client(raises=True) as client:
        answer = await client.post("/jmap", content=b"fault")
    assert (answer.status_code, answer.text) == (400, "a fault that is known")


async def test_a_bug_is_answered_and_raised_for_the_log() -> None:
    async with _client(raises=False) as client:
        answer = await client.post("/jmap", content=b"bug")
    assert (answer.status_code, answer.text) == (500, "the server failed")
    async with _client(raises=True) as client:
        with pytest.raises(ZeroDivisionError):
            await client.post("/jmap", content=b"bug")
