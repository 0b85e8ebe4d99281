"""The management API of the measured server over one kept connection: the least that a client can do, so that what is
timed is the server."""

from __future__ import annotations

import base64
import http.client
import json
from types import TracebackType
from typing import Any, Self

from bench.rig import NotMeasurable

ADMIN, ADMIN_PASSWORD = "admin", "a long enough password"
_USING = ["urn:ietf:params:jmap:core", "urn:stalwart:jmap", "urn:gatepost:jmap"]
_TIMEOUT = 60.0  # seconds


def basic_credentials() -> str:
    """The value of the Authorization header (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{ADMIN}:{ADMIN_PASSWORD}".encode()).decode()


class Api:
    """JMAP calls to 127.0.0.1, one after the other."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT)
        self._headers = {"Authorization": basic_credentials(), "Content-Type": "application/json"}
        session = json.loads(self.exchange("GET", "/jmap/session", None))
        self._account_id: str = session["primaryAccounts"]["urn:stalwart:jmap"]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._connection.close()

    def call(self, method: str, **arguments: object) -> dict[str, Any]:
        """What the one method answers. Raises NotMeasurable where it is refused as a whole."""
        octets = self.exchange("POST", "/jmap", self.request_octets(method, **arguments))
        name, answer, _ = json.loads(octets)["methodResponses"][0]
        if name != method:
            raise NotMeasurable(f"{method} answered {answer}")
        found: dict[str, Any] = answer
        return found

    def request_octets(self, method: str, **arguments: object) -> bytes:
        """A request with the one method call."""
        call = [method, {"accountId": self._account_id, **arguments}, "0"]
        return json.dumps({"using": _USING, "methodCalls": [call]}).encode()

    def update_listener(self, listener_id: str, **patch: object) -> None:
        """Change a listener; true in all workers when this returns. Raises NotMeasurable where it is refused."""
        answer = self.call("x:NetworkListener/set", update={listener_id: patch})
        if listener_id not in (answer.get("updated") or {}):
            raise NotMeasurable(f"a change was refused: {answer.get('notUpdated')}")

    def listener_id(self, name: str) -> str:
        """The id of the listener with this name."""
        listeners = self.call("x:NetworkListener/get", ids=None, properties=["name"])["list"]
        return next(str(listener["id"]) for listener in listeners if listener["name"] == name)

    def statuses(self) -> dict[str, dict[str, Any]]:
        """Every x:ListenerStatus, by name."""
        return {status["name"]: status for status in self.call("x:ListenerStatus/get", ids=None)["list"]}

    def exchange(self, method: str, path: str, body: bytes | None) -> bytes:
        """The body of the answer. Raises NotMeasurable where it is another one than 200."""
        self._connection.request(method, path, body, self._headers)
        response = self._connection.getresponse()
        octets = response.read()
        if response.status != http.client.OK:
            raise NotMeasurable(f"{method} {path}: {response.status} {octets[:200].decode(errors='replace')}")
        return octets
