"""A small server on loopback that speaks enough JMAP for the commands, and a way to run a command against it."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gatepost.cli.main import main

USER, PASSWORD, TOKEN = "admin", "open sesame", "key-1"
_SCHEMA_FILE = Path(__file__).parent.parent / "config" / "schema_document.json"

LISTENERS = [
    {"id": "i1", "name": "imap", "protocol": "imap", "bind": {"[::]:143": True}, "useTls": True, "tlsTimeout": 60000},
    {"id": "i2", "name": "imaps", "protocol": "imap", "bind": {"[::]:993": True}, "useTls": True, "tlsTimeout": None},
    {"id": "i3", "name": "smtp", "protocol": "smtp", "bind": {"[::]:25": True}, "useTls": True, "maxConnections": 10},
]
STATUSES = [
    {
        "id": "i1",
        "name": "imap",
        "state": "active",
        "reason": None,
        "addresses": [
            {
                "address": "[::]:143",
                "workersAccepting": 2,
                "acceptQueue": 0,
                "acceptQueueLimit": 1024,
                "socketOptions": {"socketReceiveBufferSize": {"configured": 4096, "kernel": 8192}},
                "note": "no IPv6 on this host: bound 0.0.0.0",
            }
        ],
        "connections": 3,
        "connectionsPeak": 7,
        "accepted": 40,
        "refused": {"listenerCap": 2, "blocked": 1},
        "tlsHandshakes": 5,
        "tlsFailures": 1,
        "runningRevision": 9,
    },
    {"id": "i3", "name": "smtp", "state": "failed", "reason": "[::]:25: EACCES, permission denied", "addresses": []},
]


@dataclass
class FakeServer:
    """Objects by type, what was asked of it, and what it shall refuse next."""

    url: str = ""
    objects: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    set_calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refusals: dict[str, dict[str, Any]] = field(default_factory=dict)  # id or creation id → SetError
    status_code: int | None = None
    credentials: list[str | None] = field(default_factory=list)
    max_objects: int = 500

    def answer(self, name: str, arguments: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        object_type, verb = name.split("/")
        if object_type == "x:ListenerStatus":
            return name, {"list": STATUSES}
        known = self.objects.setdefault(object_type.removeprefix("x:"), {})
        match verb:
            case "get":
                return self._get(name, known, arguments)
            case "query":
                ids = [key for key, item in known.items() if _contains(item, arguments.get("filter") or {})]
                start = arguments.get("position", 0)
                page = ids[start : start + min(arguments.get("limit") or self.max_objects, self.max_objects)]
                return name, {"ids": page, "total": len(ids)}
            case _:
                return name, self._set(object_type.removeprefix("x:"), known, arguments)

    def _get(
        self, name: str, known: dict[str, dict[str, Any]], arguments: dict[str, Any]
    ) -> tuple[str, dict[str, Any]]:
        ids = arguments["ids"]
        if len(known if ids is None else ids) > self.max_objects:
            return "error", {"type": "requestTooLarge"}
        wanted = known if ids is None else ids
        return name, {"list": [known[key] for key in wanted if key in known]}

    def _set(self, type_name: str, known: dict[str, dict[str, Any]], arguments: dict[str, Any]) -> dict[str, Any]:
        self.set_calls.append((type_name, {key: arguments[key] for key in arguments if key != "accountId"}))
        is_dry = bool(arguments.get("dryRun"))
        answer: dict[str, Any] = {
            name: {} for name in ("created", "updated", "notCreated", "notUpdated", "notDestroyed")
        }
        answer["destroyed"] = []
        for key, value in (arguments.get("create") or {}).items():
            if key in self.refusals:
                answer["notCreated"][key] = self.refusals[key]
            elif is_dry:
                answer["created"][key] = {}
            else:
                object_id = f"n{sum(map(len, self.objects.values()))}"
                known[object_id] = {"id": object_id, **_without_secrets(value)}
                answer["created"][key] = {"id": object_id}
        for key, patch in (arguments.get("update") or {}).items():
            if key in self.refusals:
                answer["notUpdated"][key] = self.refusals[key]
            else:
                answer["updated"][key] = None
                _patch(known[key], {} if is_dry else _without_secrets(patch))
        for key in arguments.get("destroy") or ():
            if key in self.refusals:
                answer["notDestroyed"][key] = self.refusals[key]
            else:
                answer["destroyed"].append(key)
                if not is_dry:
                    del known[key]
        return answer


def _contains(item: Mapping[str, Any], filter_: Mapping[str, Any]) -> bool:
    """Texts match by a part of them, as a server may do it."""
    return all(str(wanted) in str(item.get(name)) for name, wanted in filter_.items())


def _without_secrets(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: item for name, item in value.items() if name != "password"}


def _patch(item: dict[str, Any], patch: Mapping[str, Any]) -> None:
    for key, value in patch.items():
        root, slash, member = key.partition("/")
        if not slash:
            item[root] = value
        elif value is None:
            item[root].pop(member, None)
        else:
            item[root][member] = value


def _handler(server: FakeServer) -> type[BaseHTTPRequestHandler]:
    basic = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self._is_refused():
                return
            match self.path:
                case "/jmap/session":
                    core = {"maxObjectsInGet": server.max_objects, "maxObjectsInSet": server.max_objects}
                    capabilities = {"urn:ietf:params:jmap:core": core, "urn:stalwart:jmap": {}}
                    primary = dict.fromkeys(capabilities, "acc")
                    session = {"capabilities": capabilities, "primaryAccounts": primary}
                    self._reply(200, {**session, "apiUrl": "https://elsewhere.example/jmap"})
                case "/api/schema":
                    self._reply(302, {}, Location="/api/schema/1")
                case "/api/schema/1":
                    self._reply(200, json.loads(_SCHEMA_FILE.read_text(encoding="utf-8")))
                case _:
                    self._reply(404, {})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self._is_refused():
                return
            responses = []
            for name, arguments, call_id in body["methodCalls"]:
                answered, result = server.answer(name, arguments)
                responses.append([answered, result, call_id])
            self._reply(200, {"methodResponses": responses, "sessionState": "0"})

        def _is_refused(self) -> bool:
            given = self.headers.get("Authorization")
            server.credentials.append(given)
            if server.status_code is not None:
                self._reply(server.status_code, {"type": "about:blank", "detail": "words of the server"})
                return True
            if given not in (basic, f"Bearer {TOKEN}"):
                self._reply(401, {})
                return True
            return False

        def _reply(self, status: int, document: Any, **headers: str) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(body)),
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name in the class above
            pass

    return Handler


@pytest.fixture
def server() -> Iterator[FakeServer]:
    fake = FakeServer()
    fake.objects["NetworkListener"] = {str(item["id"]): json.loads(json.dumps(item)) for item in LISTENERS}
    fake.objects["SystemSettings"] = {"singleton": {"id": "singleton", "maxConnections": 8192, "defaultHostname": None}}
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(fake))
    fake.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield fake
    http.shutdown()
    thread.join()
    http.server_close()


@dataclass(frozen=True)
class Result:
    exit_code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `gatepost` with these arguments, without any setting from outside."""
    for name in ("URL", "USER", "PASSWORD", "TOKEN"):
        monkeypatch.delenv(f"GATEPOST_{name}", raising=False)

    def run_command(*arguments: str) -> Result:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        printed = capsys.readouterr()
        code = ended.value.code
        return Result(code if isinstance(code, int) else 0, printed.out, printed.err)

    return run_command


@pytest.fixture
def gatepost(server: FakeServer, run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `gatepost` as the administrator of the fake server."""
    monkeypatch.setenv("GATEPOST_URL", server.url)
    monkeypatch.setenv("GATEPOST_USER", USER)
    monkeypatch.setenv("GATEPOST_PASSWORD", PASSWORD)
    return run
