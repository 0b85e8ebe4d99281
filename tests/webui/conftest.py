"""A server on loopback that serves the web UI with the content security policy of the product, and a browser."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from tests.http_answers import Answer, Request, answering, json_answer

import gatepost

ROOT = Path(gatepost.__file__).parent / "webui"
PASSWORD = "open sesame"
PROTECTION = {"Content-Security-Policy": "default-src 'self'", "X-Content-Type-Options": "nosniff"}


def listener(number: int, name: str, **more: Any) -> dict[str, Any]:
    bind = {f"[::]:{number}": True}
    plain = {"protocol": "imap", "useTls": True, "tlsImplicit": False, "maxConnections": 8192}
    return {"id": f"i{number}", "name": name, "bind": bind, **plain, **more}


def status(number: int, name: str, state: str = "active", **more: Any) -> dict[str, Any]:
    return {"id": f"i{number}", "name": name, "state": state, "reason": None, "addresses": [], "connections": 0, **more}


@dataclass
class FakeAdministration:
    """What the pages get to see, and what they sent."""

    url: str = ""
    listeners: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    is_signed_in: bool = False
    broken_with: int | None = None
    jmap_requests: list[dict[str, Any]] = field(default_factory=list)
    logouts: int = 0

    def respond(self, request: Request) -> Answer:
        answer = self._answer(request)
        return replace(answer, headers={**answer.headers, **PROTECTION})

    def _answer(self, request: Request) -> Answer:
        match request.method, request.path:
            case "GET", "/api/account":
                return self._guarded(request, {"permissions": []})
            case "GET", "/jmap/session":
                primary = {"urn:stalwart:jmap": "acc"}
                return self._guarded(request, {"username": "admin", "apiUrl": "/jmap", "primaryAccounts": primary})
            case "GET", path:
                return _file(path)
            case "POST", "/api/login":
                return self._sign_in(request.json())
            case "POST", "/api/logout":
                self.logouts += 1
                self.is_signed_in = False
                return json_answer(200, {})
            case _ if request.headers["X-CSRF-Token"] != "token":
                return json_answer(403, {"detail": "no CSRF token"})
            case _:
                return self._guarded(request, self._jmap(request.json()))

    def _sign_in(self, credentials: Any) -> Answer:
        if credentials != {"user": "admin", "password": PASSWORD}:
            return json_answer(401, {})
        self.is_signed_in = True
        cookie = "session=1; HttpOnly; SameSite=Strict; Path=/"
        return json_answer(200, {"csrfToken": "token"}, **{"Set-Cookie": cookie})

    def _guarded(self, request: Request, document: Any) -> Answer:
        if self.broken_with is not None:
            return json_answer(self.broken_with, {})
        if not self.is_signed_in or "session=1" not in (request.headers["Cookie"] or ""):
            return json_answer(401, {})
        return json_answer(200, document)

    def _jmap(self, request: dict[str, Any]) -> dict[str, Any]:
        self.jmap_requests.append(request)
        lists = {"x:NetworkListener/get": self.listeners, "x:ListenerStatus/get": self.statuses}
        responses = [[name, {"list": lists[name]}, call_id] for name, _, call_id in request["methodCalls"]]
        return {"methodResponses": responses, "sessionState": "0"}


def _file(path: str) -> Answer:
    file = (ROOT / (path.removeprefix("/admin/") or "index.html")).resolve()
    if not file.is_relative_to(ROOT) or not file.is_file():
        return json_answer(404, {})
    return Answer(200, file.read_bytes(), {"Content-Type": mimetypes.guess_type(file)[0] or "text/plain"})


@pytest.fixture
def administration() -> Iterator[FakeAdministration]:
    fake = FakeAdministration(
        listeners=[
            listener(143, "imap"),
            listener(25, "smtp", protocol="smtp"),
            listener(993, "imaps", tlsImplicit=True),
        ],
        statuses=[status(143, "imap", connections=3), status(25, "smtp"), status(993, "imaps")],
    )
    with answering(fake.respond) as url:
        fake.url = f"{url}/admin/"
        yield fake


@pytest.fixture
def page(browser: Browser, administration: FakeAdministration) -> Iterator[Page]:
    """A page of its own that fails the test on any error in the browser's console but failed requests."""
    context = browser.new_context()
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    opened.set_default_timeout(10_000)
    yield opened
    context.close()
    assert [error for error in errors if "Failed to load resource" not in error] == []
