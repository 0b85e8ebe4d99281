"""ASGI middleware: which web pages of other origins may use the API (CORS, Fetch standard section 3.2).

Only the origins that the settings name, only with credentials that the page itself sends in an Authorization header: the
cookie of the web UI is never sent along, and signing in for one is not offered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatepost.plan.plan import Plan

_OPEN_PATHS = ("/jmap", "/api/schema", "/api/account", "/.well-known/jmap")  # and whatever is below them
_API = "/api"  # alone: what is below it may sign in
_MAX_AGE = "600"  # seconds that a browser need not ask again
_PREFLIGHT = {
    "access-control-allow-methods": "GET, POST",
    "access-control-allow-headers": "authorization, content-type, last-event-id",
    "access-control-max-age": _MAX_AGE,
}


@dataclass(frozen=True, slots=True)
class CrossOrigin:
    """Answers preflights itself, and marks the answers that a page may read."""

    app: ASGIApp
    running_plan: Callable[[], Plan]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not (origins := self.running_plan().http_allowed_origins):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin", "")
        is_allowed = origin in origins and _is_open(scope["path"])
        if is_allowed and scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            answer = Response(status_code=204, headers=_PREFLIGHT | _readable_by(origin))
            await answer(scope, receive, send)
            return

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer_headers = MutableHeaders(scope=message)
                answer_headers.add_vary_header("Origin")
                if is_allowed:
                    answer_headers["access-control-allow-origin"] = origin
                    answer_headers["access-control-expose-headers"] = "www-authenticate, retry-after"
            await send(message)

        await self.app(scope, receive, send_marked)


def _readable_by(origin: str) -> dict[str, str]:
    return {"access-control-allow-origin": origin, "vary": "Origin"}


def _is_open(path: str) -> bool:
    return path == _API or any(path == each or path.startswith(f"{each}/") for each in _OPEN_PATHS)
