"""Serves an ASGI application over https, with a certificate that is made on the spot."""

import asyncio
import ssl

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import gatepost


async def hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"hello over {request.url.scheme}")


async def main() -> None:
    application = Starlette(routes=[Route("/", hello)])
    listener = gatepost.Listener(name="web", protocol="http", bind=["127.0.0.1:0"], tls_implicit=True)
    async with gatepost.listen([listener], http=application) as server:
        trusting = ssl.create_default_context(cadata=server.certificate)
        async with httpx.AsyncClient(verify=trusting) as client:
            print((await client.get(server.url("web"))).text)


asyncio.run(main())
