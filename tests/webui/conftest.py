"""A server on loopback that serves the web UI with the content security policy of the product, and a browser."""

from __future__ import annotations

import json
import mimetypes
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

import gatepost

ROOT = Path(gatepost.__file__).parent / "webui"
PASSWORD = "open sesame"


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

    def jmap(self, request: dict[str, Any]) -> dict[str, Any]:
        self.jmap_requests.append(request)
        lists = {"x:NetworkListener/get": self.listeners, "x:ListenerStatus/get": self.statuses}
        responses = [[name, {"list": lists[name]}, call_id] for name, _, call_id in request["methodCalls"]]
        return {"methodResponses": responses, "sessionState": "0"}


def _handler(server: FakeAdministration) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            match self.path:
                case "/api/account":
                    self._guarded({"permissions": []})
                case "/jmap/session":
                    primary = {"urn:stalwart:jmap": "acc"}
                    self._guarded({"username": "admin", "apiUrl": "/jmap", "primaryAccounts": primary})
                case _:
                    self._file(self.path.removeprefix("/admin/") or "index.html")

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"] or 0)) or b"null")
            match self.path:
                case "/api/login" if body == {"user": "admin", "password": PASSWORD}:
                    server.is_signed_in = True
                    cookie = "session=1; HttpOnly; SameSite=Strict; Path=/"
                    self._reply(200, {"csrfToken": "token"}, **{"Set-Cookie": cookie})
                case "/api/login":
                    self._reply(401, {})
                case "/api/logout":
                    server.logouts += 1
                    server.is_signed_in = False
                    self._reply(200, {})
                case _ if self.headers["X-CSRF-Token"] != "token":
                    self._reply(403, {"detail": "no CSRF token"})
                case _:
                    self._guarded(server.jmap(body))

        def _guarded(self, document: Any) -> None:
            if server.broken_with is not None:
                self._reply(server.broken_with, {})
            elif not server.is_signed_in or "session=1" not in (self.headers["Cookie"] or ""):
                self._reply(401, {})
            else:
                self._reply(200, document)

        def _file(self, name: str) -> None:
            file = (ROOT / name).resolve()
            if not file.is_relative_to(ROOT) or not file.is_file():
                self._reply(404, {})
                return
            self._send(200, file.read_bytes(), {"Content-Type": mimetypes.guess_type(name)[0] or "text/plain"})

        def _reply(self, status_code: int, document: Any, **headers: str) -> None:
            self._send(status_code, json.dumps(document).encode(), {"Content-Type": "application/json", **headers})

        def _send(self, status_code: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status_code)
            policy = {"Content-Security-Policy": "default-src 'self'", "X-Content-Type-Options": "nosniff"}
            for name, value in {**headers, **policy, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name in the class above
            pass

    return Handler


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
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(fake))
    fake.url = f"http://127.0.0.1:{http.server_address[1]}/admin/"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield fake
    http.shutdown()
    thread.join()
    http.server_close()


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
