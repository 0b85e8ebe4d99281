"""What a running server answers has exactly the properties that its schema document says, each of the type that it says."""

from __future__ import annotations

import imaplib
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from tests.integration.running_server import PACKAGE_PATH, PASSWORDS, RunningServer, eventually
from tests.tls_client import trusting_context

SECRET = ("secret", "secretText")
UTC_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
FORMATS = {
    "socketAddress": re.compile(r"([0-9.]+|\[[0-9a-f:.%a-z]+\]):\d+"),
    "ipNetwork": re.compile(r"[0-9a-f:.]+(/\d+)?"),
    "ipAddress": re.compile(r"[0-9a-f:.]+"),
}


class Schema:
    """Compares values with the schema document."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document

    def properties(self, name: str) -> Mapping[str, Any]:
        schema = self.document["schemas"][name]
        assert schema["type"] == "single"
        declared: Mapping[str, Any] = self.document["fields"][schema["schemaName"]]["properties"]
        return declared

    def faults(self, name: str, value: Mapping[str, Any], where: str) -> Iterator[str]:
        """What is wrong with an object of that type."""
        declared = {key: each["type"] for key, each in self.properties(name).items()}
        readable = {key: each for key, each in declared.items() if each.get("format") not in SECRET}
        given = value.keys() - {"id"}
        yield from (f"{where}.{key} is not declared" for key in given - readable.keys())
        yield from (f"{where}.{key} is missing" for key in readable.keys() - given)
        for key in given & readable.keys():
            yield from self.faults_of_value(readable[key], value[key], f"{where}.{key}")

    def faults_of_value(self, kind: Mapping[str, Any], value: Any, where: str) -> Iterator[str]:
        if value is None:
            yield from [] if kind.get("nullable") else [f"{where} is null"]
            return
        match kind["type"]:
            case "object":
                yield from self.faults(kind["objectName"], value, where)
            case "objectList":
                for number, each in enumerate(value):
                    yield from self.faults(kind["objectName"], each, f"{where}[{number}]")
            case "map" if kind["valueClass"].get("format") != "text":  # the values of a history are of any type
                for key, each in value.items():
                    yield from self.faults_of_value(kind["valueClass"], each, f"{where}[{key}]")
            case "set":
                for key, each in value.items():
                    yield from [] if each is True else [f"{where}[{key}] is not true"]
                    yield from self.faults_of_value(kind["class"], key, f"{where}[{key}]")
            case "map":
                yield from [] if isinstance(value, dict) else [f"{where} is no map"]
            case _:
                yield from [] if self._fits(kind, value) else [f"{where}: {value!r} is no {kind}"]

    def _fits(self, kind: Mapping[str, Any], value: Any) -> bool:
        match kind["type"]:
            case "boolean":
                return isinstance(value, bool)
            case "number":
                return type(value) is int and kind.get("min", 0) <= value <= kind.get("max", value)
            case "enum":
                return value in [choice["name"] for choice in self.document["enums"][kind["enumName"]]]
            case "utcDateTime":
                return UTC_DATE.fullmatch(value) is not None
            case "objectId":
                return isinstance(value, str) and kind["objectName"] in self.document["objects"]
            case "string":
                pattern = FORMATS.get(kind["format"])
                return isinstance(value, str) and (pattern is None or pattern.fullmatch(value) is not None)
        return False


@pytest.fixture
def connected(shared_server: RunningServer) -> Iterator[RunningServer]:
    """The server with somebody logged in over TLS, and somebody behind a proxy."""
    (listener_id,) = shared_server.call("x:NetworkListener/query", filter={"name": "imap-clear"})["ids"]

    def trust(networks: list[str]) -> None:
        change = {listener_id: {"overrideProxyTrustedNetworks": networks}}
        assert shared_server.call("x:NetworkListener/set", update=change)["notUpdated"] is None

    trust(["127.0.0.1"])
    try:
        with (
            imaplib.IMAP4_SSL("127.0.0.1", shared_server.ports["imaps"], ssl_context=trusting_context()) as client,
            socket.create_connection(shared_server.address("imap-clear"), timeout=30) as behind_proxy,
        ):
            client.login("alice@example.org", PASSWORDS["alice"])
            behind_proxy.sendall(b"PROXY TCP4 192.0.2.7 192.0.2.8 4001 143\r\n")
            assert behind_proxy.recv(4096).startswith(b"* OK")
            yield shared_server
    finally:
        trust([])


def test_every_object_is_as_the_schema_document_says(connected: RunningServer) -> None:
    document = connected.http.get("/api/schema", follow_redirects=True).json()
    schema, seen = Schema(document), dict[str, int]()
    for name in document["objects"]:
        found = connected.call(f"{name}/get", ids=None)["list"]
        seen[name] = len(found)
        faults = [fault for each in found for fault in schema.faults(name, each, f"{name} {each['id']}")]
        assert faults == []
    assert {"x:ListenerStatus", "x:Connection", "x:Change"} <= {name for name, count in seen.items() if count}
    sources = connected.call("x:Connection/get", ids=None, properties=["source", "proxy"])["list"]
    assert [each["proxy"]["version"] for each in sources if each["source"] == "192.0.2.7:4001"] == [1]


def test_what_runs_is_read_by_the_commands_for_every_object(connected: RunningServer) -> None:
    """The command line knows the types out of the document alone."""

    def gatepost(*arguments: str) -> str:
        user, password = connected.admin
        url = f"http://127.0.0.1:{connected.ports['http']}"
        access = ["--url", url, "--user", user, "--password", password]
        command = [sys.executable, "-m", "gatepost", *arguments, *access]
        environment = {"PYTHONPATH": PACKAGE_PATH, "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "TLSv1.3" in gatepost("query", "Connection", "--where", "listener=imaps")
    assert "active" in gatepost("get", "ListenerStatus", "imaps")
    described = gatepost("describe", "ListenerStatus")
    assert "list of ListenerAddress" in described and "\nAcceptQueue\n" in described
    behind_proxy = gatepost("query", "Connection", "--where", "source=192.0.2.7:4001", "--columns", "listener")
    assert "imap-clear" in behind_proxy
    before = connected.status("imap-clear")["ended"]["operator"]
    assert "would be destroyed" in gatepost("delete", "Connection", "192.0.2.7:4001", "--dry-run")
    assert "destroyed" in gatepost("delete", "Connection", "192.0.2.7:4001")
    eventually(lambda: connected.status("imap-clear")["ended"]["operator"] == before + 1)
