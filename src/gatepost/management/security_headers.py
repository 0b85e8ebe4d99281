"""ASGI middleware: the headers that keep browsers from doing harm, on every answer.

Strict-Transport-Security (RFC 6797) is said over TLS alone, and only where somebody has given the server a certificate: what
browsers remember of it would lock people out of a server that has nothing but its self-signed one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatepost.plan.plan import Plan

_VALUES = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_HEADERS = [(name.encode(), value.encode()) for name, value in _VALUES.items()]
_NAMES = frozenset(name for name, _ in _HEADERS)


def _missing(present: Collection[bytes]) -> list[tuple[bytes, bytes]]:
    return [each for each in _HEADERS if each[0] not in present]


def _https_only(plan: Plan) -> str | None:
    has_own_certificate = any(each.names for each in plan.certificates)  # the self-signed one goes by no name
    return f"max-age={plan.hsts_max_age}" if plan.hsts_max_age is not None and has_own_certificate else None


class SecurityHeaders:
    """Adds the headers; an answer that sets one of them itself keeps its own."""

    def __init__(self, app: ASGIApp, running_plan: Callable[[], Plan]) -> None:
        self._app = app
        self._running_plan = running_plan

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                present = {name for name, _ in headers}  # ASGI has them in lower case
                headers += _HEADERS if _NAMES.isdisjoint(present) else _missing(present)
                if scope["scheme"] == "https" and (policy := _https_only(self._running_plan())) is not None:
                    headers.append((b"strict-transport-security", policy.encode()))
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, send_with_headers)
