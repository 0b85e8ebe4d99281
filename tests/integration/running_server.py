"""A real `gatepost serve` in processes of its own, on ports that the system gave, and the API to speak with it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
from tests.free_port import free_port

ADMIN = ("admin", "a long enough password")
PASSWORDS = {"alice": "alice's password", "bob": "bob's password"}
USING = ["urn:ietf:params:jmap:core", "urn:stalwart:jmap", "urn:gatepost:jmap"]

# Where the product and its packages are, without the standard library of this Python.
PACKAGE_PATH = os.pathsep.join(
    path for path in sys.path if path.endswith("site-packages") or (Path(path) / "gatepost" / "__init__.py").exists()
)

# name: (protocol, useTls, tlsImplicit)
LISTENERS: dict[str, tuple[str, bool, bool]] = {
    "http": ("http", False, False),
    "https": ("http", True, True),
    "smtp": ("smtp", False, False),
    "submission": ("smtp", True, False),
    "submissions": ("smtp", True, True),
    "lmtp": ("lmtp", False, False),
    "imap": ("imap", True, False),
    "imaps": ("imap", True, True),
    "imap-clear": ("imap", False, False),
    "pop3": ("pop3", True, False),
    "pop3s": ("pop3", True, True),
    "sieve": ("manageSieve", True, False),
}


def eventually(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """What `condition` gives once it is true. Fails when it does not become true in time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not true within {seconds:g} s: {condition}"
        time.sleep(0.02)


def plan_lines(ports: dict[str, int]) -> list[dict[str, Any]]:
    """A plan file with the listeners above, a domain and two people."""
    listeners = {
        name: {
            "name": name,
            "protocol": protocol,
            "bind": {f"127.0.0.1:{ports[name]}": True},
            "useTls": use_tls,
            "tlsImplicit": implicit,
        }
        for name, (protocol, use_tls, implicit) in LISTENERS.items()
    }
    people = {name: {"name": name, "domainId": "#d", "password": password} for name, password in PASSWORDS.items()}
    return [
        {"@type": "upsert", "object": "Domain", "matchOn": ["name"], "value": {"d": {"name": "example.org"}}},
        {"@type": "upsert", "object": "Account", "matchOn": ["name", "domainId"], "value": people},
        {"@type": "upsert", "object": "NetworkListener", "matchOn": ["name"], "value": listeners},
    ]


class RunningServer:
    """The processes, their output, and calls of the API."""

    def __init__(
        self,
        directory: Path,
        arguments: list[str],
        ports: dict[str, int],
        admin: tuple[str, str],
        *,
        python: str = sys.executable,
        launcher: Sequence[str] = (),
        descriptors: Sequence[socket.socket] = (),
    ) -> None:
        self.directory = directory
        self.ports = ports
        self.admin = admin
        self._log = (directory / "server.log").open("ab")
        self.process = subprocess.Popen(
            [*launcher, python, "-m", "gatepost", "serve", "--log-level", "debug", *arguments],
            stdout=subprocess.PIPE,
            stderr=self._log,
            pass_fds=[sock.fileno() for sock in descriptors],
            text=True,
            env={
                **os.environ,
                "GATEPOST_ADMIN": ":".join(admin),
                "PYTHONPATH": os.pathsep.join(
                    [str(directory / "overlay"), PACKAGE_PATH]
                ),  # a test may put modules there
            },
        )
        try:
            self.output = self._read_until_ready()
        except BaseException:
            self._end()
            raise
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{ports['http']}", auth=admin, timeout=60, trust_env=False)

    def _read_until_ready(self) -> str:
        assert self.process.stdout is not None
        lines: list[str] = []
        for line in self.process.stdout:
            lines.append(line)
            if line == "ready\n":
                return "".join(lines)
        raise AssertionError(f"the server ended: {''.join(lines)}\n{self.log()}")

    def log(self) -> str:
        """What the server has logged so far."""
        return (self.directory / "server.log").read_text()

    def address(self, name: str) -> tuple[str, int]:
        """Where a listener listens."""
        return "127.0.0.1", self.ports[name]

    # --- the API ----------------------------------------------------------------------------------------------------

    @cached_property
    def account_id(self) -> str:
        """The account that configuration objects are under."""
        account_id: str = self.http.get("/jmap/session").json()["primaryAccounts"]["urn:stalwart:jmap"]
        return account_id

    def calls(self, *method_calls: list[Any]) -> list[list[Any]]:
        """The method responses of a request."""
        answer = self.http.post("/jmap", json={"using": USING, "methodCalls": list(method_calls)})
        assert answer.status_code == 200, answer.text
        responses: list[list[Any]] = answer.json()["methodResponses"]
        return responses

    def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        """The arguments of the response to one call."""
        response = self.calls([method, {"accountId": self.account_id, **arguments}, "0"])[0]
        assert response[0] == method, response
        result: dict[str, Any] = response[1]
        return result

    def set(self, object_type: str, **arguments: Any) -> dict[str, Any]:
        """A /set that is accepted as a whole."""
        answer = self.call(f"x:{object_type}/set", **arguments)
        refused = {key: answer.get(key) for key in ("notCreated", "notUpdated", "notDestroyed") if answer.get(key)}
        assert not refused, refused
        return answer

    def create_listener(self, **properties: Any) -> str:
        """Create a listener; its id."""
        created = self.set("NetworkListener", create={"l": properties})["created"]["l"]
        listener_id: str = created["id"]
        return listener_id

    def update_listener(self, listener_id: str, **patch: Any) -> None:
        """Change a listener; pointers with `/` go into `**{"bind/…": True}`."""
        self.set("NetworkListener", update={listener_id: patch})

    def destroy_listener(self, listener_id: str) -> None:
        """Remove a listener."""
        self.set("NetworkListener", destroy=[listener_id])

    def listener(self, name: str) -> dict[str, Any]:
        """A listener as it is configured."""
        listeners = self.call("x:NetworkListener/get", ids=None)["list"]
        return next(listener for listener in listeners if listener["name"] == name)

    def status(self, name: str) -> dict[str, Any]:
        """A listener as it runs."""
        statuses = self.call("x:ListenerStatus/get", ids=None)["list"]
        return next(status for status in statuses if status["name"] == name)

    # --- processes --------------------------------------------------------------------------------------------------

    def worker_pids(self) -> list[int]:
        """The worker processes, by id."""
        return sorted(workers_of(self.process.pid))

    def kill_worker(self, pid: int) -> None:
        """SIGKILL, as the kernel's OOM killer would."""
        assert pid in self.worker_pids()
        os.kill(pid, signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.http.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self._end()

    def _end(self) -> int:
        try:
            return self.process.wait(45)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
            raise
        finally:
            if self.process.stdout is not None:
                self.process.stdout.close()
            self._log.close()


@contextmanager
def running_server(
    directory: Path,
    *,
    workers: int = 2,
    extra_lines: list[dict[str, Any]] | None = None,
    launcher: Sequence[str] = (),
    options: Sequence[str] = (),
) -> Iterator[RunningServer]:
    """A server with the listeners above; stopped at the end. `launcher`: a command that starts it; `options`: further ones of
    `gatepost serve`."""
    ports = {name: free_port() for name in LISTENERS}
    plan = directory / "plan.ndjson"
    plan.write_text("".join(json.dumps(line) + "\n" for line in [*plan_lines(ports), *(extra_lines or [])]))
    arguments = ["--data", str(directory / "data"), "--plan", str(plan), "--workers", str(workers), *options]
    server = RunningServer(directory, arguments, ports, ADMIN, launcher=launcher)
    try:
        yield server
    finally:
        server.stop()


def passwords_in(output: str) -> dict[str, str]:
    """Login name → password, as `serve --demo` prints them."""
    return dict(re.findall(r"^account\s+(\S+)\s+password\s+(\S+)$", output, re.MULTILINE))


def children_of(pid: int) -> set[int]:
    """The processes that it has started and that it has not waited for."""
    return {int(child) for child in _read(f"/proc/{pid}/task/{pid}/children").split()}


def workers_of(supervisor: int) -> set[int]:
    """Its worker processes: children of its fork server."""
    descendants = {worker for child in children_of(supervisor) for worker in children_of(child)}
    return {
        pid for pid in descendants if _read(f"/proc/{pid}/comm").strip() == "gatepost-worker" and not _is_zombie(pid)
    }


def _is_zombie(pid: int) -> bool:
    return _read(f"/proc/{pid}/stat").rpartition(")")[2].split()[:1] == ["Z"]


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""  # it has just ended
