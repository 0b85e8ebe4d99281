"""Servers over HTTP that tests make up: a function from request to answer, served on loopback by a thread."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Request:
    """What a client asks."""

    method: str
    path: str
    headers: Message
    body: bytes

    def json(self) -> Any:
        """The body; None without one."""
        return json.loads(self.body or b"null")


@dataclass(frozen=True)
class Answer:
    """What it gets."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def json_answer(status: int, document: Any, **headers: str) -> Answer:
    """A document as JSON."""
    return Answer(status, json.dumps(document).encode(), {"Content-Type": "application/json", **headers})


@contextmanager
def answering(answer: Callable[[Request], Answer]) -> Iterator[str]:
    """Serve until the block ends; gives the URL without a slash at its end."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(answer))
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_address[1]}"
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def _handler(answer: Callable[[Request], Answer]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            given = answer(Request(self.command, self.path, self.headers, body))
            with suppress(ConnectionError):  # a client that was interrupted is gone
                self.send_response(given.status)
                for name, value in {**given.headers, "Content-Length": str(len(given.body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(given.body)

        do_POST = do_GET  # noqa: N815 - the name in the class above

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the class above
            pass

    return Handler
