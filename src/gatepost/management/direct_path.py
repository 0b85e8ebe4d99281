"""ASGI: `POST /jmap` goes to its endpoint at once, everything else through Starlette's layers and routes, which take as long as
the endpoint itself. Made by `app.py`, which gives both the same answers to failures.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

AnswerFailure = Callable[[Request, Exception], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class DirectPath:
    """`endpoint` answers POST to one of `paths`, `app` everything else. `failures`: what answers exceptions of a class, and
    `internal_error` all others, which are raised again for the server to log, as Starlette does."""

    app: ASGIApp
    paths: frozenset[str]
    endpoint: Callable[[Request], Awaitable[Response]]
    failures: Mapping[type[Exception], AnswerFailure]
    internal_error: AnswerFailure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] not in self.paths:
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            response = await self.endpoint(request)
        except Exception as error:
            answer = next((self.failures[each] for each in type(error).__mro__ if each in self.failures), None)
            if answer is None:
                await (await self.internal_error(request, error))(scope, receive, send)
                raise
            response = await answer(request, error)
        await response(scope, receive, send)
