"""A small server on loopback that speaks enough JMAP for the commands, and a way to run a command against it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.http_answers import Answer, Request, answering, json_answer

from gatepost.cli.main import main

USER, PASSWORD, TOKEN = "admin", "open sesame", "key-1"
_BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
_SCHEMA_FILE = Path(__file__).parent.parent / "config" / "schema_document.json"

LISTENERS = [
    {"id": "i1", "name": "imap", "protocol": "imap", "bind": {"[::]:143": True}, "useTls": True, "tlsTimeout": 60000},
    {"id": "i2", "name": "imaps", "protocol": "imap", "bind": {"[::]:993": True}, "useTls": True, "tlsTimeout": None},
    {"id": "i3", "name": "smtp", "protocol": "smtp", "bind": {"[::]:25": True}, "useTls": True, "maxConnections": 10},
]
STATUSES: list[dict[str, Any]] = [
    {
        "id": "i1",
        "name": "imap",
        "state": "active",
        "reason": None,
        "addresses": [
            {
                "address": "[::]:143",
                "workersAccepting": 2,
                "acceptQueues": [{"length": 3, "limit": 1024, "drops": 7}, {"length": 0, "limit": 1024, "drops": 0}],
                "socketOptions": {"socketReceiveBufferSize": {"configured": 4096, "kernel": 8192}},
                "note": "no IPv6 on this host: bound 0.0.0.0",
            }
        ],
        "connections": 3,
        "connectionsPeak": 7,
        "accepted": 40,
        "refused": {"listenerCap": 2, "blocked": 1},
        "proxyRejected": {"missing": 4},
        "ended": {"completed": 30, "idle": 3, "reset": 0},
        "tlsVersions": {"TLSv1.2": 0, "TLSv1.3": 5},
        "tlsFailureReasons": {"timeout": 1},
        "bytesReceived": 1000,
        "bytesSent": 2000,
        "acceptPauses": 0,
        "runningRevision": 9,
        "storedRevision": 10,
    },
    {
        "id": "i3",
        "name": "smtp",
        "state": "failed",
        "reason": "[::]:25: EACCES, permission denied",
        "addresses": [{"address": "[::]:25", "errno": "EACCES", "reason": "Permission denied"}],
    },
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
    set_calls_before_it_fails: int | None = None
    failing_statuses: list[int] = field(default_factory=list)  # which requests for the status get 503, counted from 1
    status_requests: int = 0

    def respond(self, request: Request) -> Answer:
        given = request.headers.get("Authorization")
        self.credentials.append(given)
        if len(self.set_calls) == self.set_calls_before_it_fails and b"/set" in request.body:
            self.status_code = 503
        if b"ListenerStatus" in request.body:
            self.status_requests += 1
            if self.status_requests in self.failing_statuses:
                return json_answer(503, {"detail": "not now"})
        if self.status_code is not None:
            return json_answer(self.status_code, {"type": "about:blank", "detail": "words of the server"})
        if given not in (_BASIC, f"Bearer {TOKEN}"):
            return json_answer(401, {})
        match request.method, request.path:
            case "GET", "/jmap/session":
                return json_answer(200, self._session())
            case "GET", "/api/schema":
                return json_answer(302, {}, Location="/api/schema/1")
            case "GET", "/api/schema/1":
                return json_answer(200, json.loads(_SCHEMA_FILE.read_text(encoding="utf-8")))
            case "POST", _:
                return json_answer(200, {"methodResponses": self._responses(request.json()), "sessionState": "0"})
            case _:
                return json_answer(404, {})

    def _session(self) -> dict[str, Any]:
        core = {"maxObjectsInGet": self.max_objects, "maxObjectsInSet": self.max_objects}
        capabilities = {"urn:ietf:params:jmap:core": core, "urn:stalwart:jmap": {}}
        primary = dict.fromkeys(capabilities, "acc")
        return {"capabilities": capabilities, "primaryAccounts": primary, "apiUrl": "https://elsewhere.example/jmap"}

    def _responses(self, document: dict[str, Any]) -> list[list[Any]]:
        return [[*self._answer(name, arguments), call_id] for name, arguments, call_id in document["methodCalls"]]

    def _answer(self, name: str, arguments: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        object_type, verb = name.split("/")
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
        created, not_created = self._sort_out(arguments.get("create") or {})
        updated, not_updated = self._sort_out(arguments.get("update") or {})
        destroyed, not_destroyed = self._sort_out(dict.fromkeys(arguments.get("destroy") or ()))
        if not is_dry:
            for key, value in created.items():
                object_id = f"n{sum(map(len, self.objects.values()))}"
                known[object_id] = {"id": object_id, **_without_secrets(value)}
                created[key] = {"id": object_id}
            for key, patch in updated.items():
                _patch(known[key], _without_secrets(patch))
            for key in destroyed:
                del known[key]
        return {
            "created": {key: {} for key in created} if is_dry else created,
            "updated": dict.fromkeys(updated),
            "destroyed": list(destroyed),
            "notCreated": not_created,
            "notUpdated": not_updated,
            "notDestroyed": not_destroyed,
        }

    def _sort_out(self, wanted: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """What is done, and what is refused with its SetError."""
        done = {key: value for key, value in wanted.items() if key not in self.refusals}
        return done, {key: self.refusals[key] for key in wanted if key in self.refusals}


def _contains(item: Mapping[str, Any], filter_: Mapping[str, Any]) -> bool:
    """Texts match by a part of them, as a server may do it."""
    if "operator" in filter_:
        return all(_contains(item, condition) for condition in filter_["conditions"])
    words = {**item, "text": " ".join(str(value) for value in item.values())}
    return all(str(wanted) in str(words.get(name)) for name, wanted in filter_.items())


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


@pytest.fixture
def server() -> Iterator[FakeServer]:
    fake = FakeServer()
    fake.objects["NetworkListener"] = {str(item["id"]): json.loads(json.dumps(item)) for item in LISTENERS}
    fake.objects["SystemSettings"] = {"singleton": {"id": "singleton", "maxConnections": 8192, "defaultHostname": None}}
    fake.objects["ListenerStatus"] = {str(item["id"]): item for item in STATUSES}
    with answering(fake.respond) as fake.url:
        yield fake


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
