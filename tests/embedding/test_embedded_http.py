"""An ASGI application behind an http listener, from a client's side."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from tests.certificates import certificate_pem, key_pem, new_certificate, new_key
from tests.open_descriptors import open_descriptors

import gatepost
from gatepost import Listener

WEB = Listener(name="web", protocol="http", bind=["127.0.0.1:0"])
SECURE = Listener(name="web", protocol="http", bind=["127.0.0.1:0"], tls_implicit=True)


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Knows no lifespan."""
    assert scope["type"] == "http"
    await PlainTextResponse(f"{scope['scheme']} {scope['client'][0]}")(scope, receive, send)


async def test_an_application_answers_in_clear() -> None:
    async with gatepost.listen([WEB], http=hello) as server, httpx.AsyncClient() as client:
        assert (await client.get(server.url("web"))).text == "http 127.0.0.1"


async def test_an_application_answers_under_tls_with_a_certificate_made_for_it() -> None:
    async with gatepost.listen([SECURE], http=hello) as server:
        trusting = ssl.create_default_context(cadata=server.certificate)
        async with httpx.AsyncClient(verify=trusting) as client:
            url = server.url("web")
            assert url.startswith("https://127.0.0.1:")
            assert (await client.get(url)).text == "https 127.0.0.1"
            assert (await client.get(url.replace("127.0.0.1", "localhost"))).status_code == 200


def pair(name: str) -> gatepost.CertificatePair:
    key = new_key()
    now = datetime.now(UTC)
    made = new_certificate(name, key, (now - timedelta(days=1), now + timedelta(days=1)), names=(name,))
    return gatepost.CertificatePair(certificate_pem(made), key_pem(key))


def served_name(server: gatepost.Server, server_name: str) -> str:
    """The name in the certificate that a client is shown."""
    context = ssl.create_default_context(cadata=server.certificate)
    with (
        socket.create_connection(server.address("web"), timeout=15) as sock,
        context.wrap_socket(sock, server_hostname=server_name) as tls,
    ):
        certificate = tls.getpeercert()
    assert certificate is not None
    return str(certificate["subjectAltName"][0][1])


async def test_certificates_are_given_and_replaced_while_it_runs() -> None:
    async with gatepost.listen([SECURE], http=hello, certificates=[pair("one.example")]) as server:
        assert await asyncio.to_thread(served_name, server, "one.example") == "one.example"
        await server.replace_certificates([pair("two.example")])
        assert await asyncio.to_thread(served_name, server, "two.example") == "two.example"


async def test_a_key_of_another_certificate_is_refused() -> None:
    mixed = gatepost.CertificatePair(pair("one.example").chain, pair("two.example").key)
    with pytest.raises(gatepost.Refused, match=r"certificate-1\.chain: "):
        async with gatepost.listen([SECURE], http=hello, certificates=[mixed]):
            pass


class State(TypedDict):
    greeting: str


async def test_the_application_hears_of_start_and_end() -> None:
    heard: list[str] = []

    @asynccontextmanager
    async def lifespan(_application: Starlette) -> AsyncIterator[State]:
        heard.append("start")
        yield {"greeting": "good day"}
        heard.append("end")

    async def answer(request: Request) -> JSONResponse:
        return JSONResponse({"greeting": request.state.greeting, "listener": request.state.listener_id})

    application = Starlette(routes=[Route("/", answer)], lifespan=lifespan)
    async with gatepost.listen([WEB], http=application) as server, httpx.AsyncClient() as client:
        assert heard == ["start"]
        assert (await client.get(server.url("web"))).json() == {"greeting": "good day", "listener": "web"}
    assert heard == ["start", "end"]


async def test_an_application_that_cannot_start_is_not_listened_for() -> None:
    @asynccontextmanager
    async def lifespan(_application: Starlette) -> AsyncIterator[None]:
        raise LookupError("no database")
        yield

    before = open_descriptors()
    with pytest.raises(gatepost.StartupFailed, match="LookupError: no database"):
        async with gatepost.listen([WEB], http=Starlette(lifespan=lifespan)):
            pass
    assert open_descriptors() == before


async def test_an_application_that_takes_too_long_to_start_is_cancelled_with_who_waits_for_it() -> None:
    was_cancelled = asyncio.Event()

    @asynccontextmanager
    async def lifespan(_application: Starlette) -> AsyncIterator[None]:
        try:
            await asyncio.Event().wait()
        finally:
            was_cancelled.set()
        yield

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1), gatepost.listen([WEB], http=Starlette(lifespan=lifespan)):
            pass
    assert was_cancelled.is_set()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_what_is_no_application_is_refused_at_the_start() -> None:
    wrong: Any = "module:application"
    with pytest.raises(TypeError, match="http= takes an ASGI application, not 'module:application'"):
        async with gatepost.listen([WEB], http=wrong):
            pass


async def test_a_fault_of_the_application_is_a_500_and_a_record_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError("a slip")

    async with gatepost.listen([WEB], http=broken) as server, httpx.AsyncClient() as client:
        assert (await client.get(server.url("web"))).status_code == 500
    (record,) = [each for each in caplog.records if each.name == "gatepost" and each.levelname == "ERROR"]
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], ZeroDivisionError)
