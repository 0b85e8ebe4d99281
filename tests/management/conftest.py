"""The management API over stores and servers that live in memory."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.certificates import certificate_pem, key_pem, new_certificate, new_key
from tests.management.memory_history import MemoryHistory
from tests.own_login_pace import own_login_pace

from gatepost.control.connection_report import ConnectionReport
from gatepost.mail.directory import DirectoryAccount
from gatepost.management.app import make_app
from gatepost.management.applying import (
    AcceptQueue,
    AddressStatus,
    ApplyError,
    ApplyFailure,
    ListenerCounts,
    ListenerStatus,
    NodeStatus,
)
from gatepost.management.jmap.limits import Limits
from gatepost.management.parts import ManagementParts
from gatepost.management.request_turns import RequestTurns
from gatepost.plan.derive import derive
from gatepost.plan.plan import Plan
from gatepost.registry.account import ACCOUNT, Account, Role
from gatepost.registry.certificate import CERTIFICATE, Certificate, complete_certificate
from gatepost.registry.configuration import Configuration
from gatepost.registry.declaration import ObjectType
from gatepost.registry.domain import DOMAIN, Domain
from gatepost.registry.network_listener import NETWORK_LISTENER, NetworkListener, NetworkListenerProtocol
from gatepost.session.link import Peer
from gatepost.session.login_waits import LoginWaits
from gatepost.session.reactions import AuthenticationFailed
from gatepost.store.history import Retention
from gatepost.store.interface import (
    ConfigurationSnapshot,
    Moved,
    ObjectChanges,
    ObjectWrite,
    StoredObject,
    Taken,
    TypeSnapshot,
)
from gatepost.store.sql.object_changes import changes_from, parse_state
from gatepost.transport.counter_page import CounterPage
from gatepost.values.ids import Id
from gatepost.values.secret import Secret
from gatepost.values.socket_address import SocketAddress

_COUNTS = CounterPage.create(1)  # of all tests of this process: each leaves nothing under way
NOW = datetime(2030, 6, 1, 12, 0, tzinfo=UTC)
USING = ["urn:ietf:params:jmap:core", "urn:stalwart:jmap", "urn:gatepost:jmap"]


class MemoryConfigurationStore:
    """store.interface.ConfigurationStore without a disk."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, Id], tuple[Mapping[str, object], str | None]] = {}
        self.log: list[tuple[str, Id, str]] = []
        self.revisions = 0
        self.history = MemoryHistory()
        self.before_commit: Callable[[], None] | None = None

    async def revision(self) -> int:
        return self.revisions

    async def read_objects(self, object_type: str, ids: Collection[Id] | None = None) -> Sequence[StoredObject]:
        return [
            StoredObject(kind, object_id, value)
            for (kind, object_id), (value, _) in self.rows.items()
            if kind == object_type and (ids is None or object_id in ids)
        ]

    async def find_object(self, object_type: str, unique_key: str) -> StoredObject | None:
        for (kind, object_id), (value, key) in self.rows.items():
            if (kind, key) == (object_type, unique_key):
                return StoredObject(kind, object_id, value)
        return None

    async def state(self, object_type: str) -> str:
        return f"s{sum(kind == object_type for kind, _, _ in self.log)}"

    async def snapshot(self, object_type: str) -> TypeSnapshot:
        return TypeSnapshot(await self.state(object_type), await self.read_objects(object_type))

    async def snapshots(self, object_types: Collection[str]) -> ConfigurationSnapshot:
        return ConfigurationSnapshot(self.revisions, {name: await self.snapshot(name) for name in object_types})

    async def changes(self, object_type: str, since_state: str, max_changes: int | None = None) -> ObjectChanges | None:
        mine = [(object_id, what) for kind, object_id, what in self.log if kind == object_type]
        log = [(number, object_id, what) for number, (object_id, what) in enumerate(mine, start=1)]
        known = parse_state(since_state.removeprefix("s"))
        if known is None or known.since > len(log):
            return None
        net = changes_from(known, log[known.since :], max_changes)
        return None if net is None else replace(net, old_state=since_state, new_state=f"s{net.new_state}")

    async def commit(
        self, writes: Sequence[ObjectWrite], *, if_revision: int | None = None, retention: Retention | None = None
    ) -> int:
        if self.before_commit is not None:
            hook, self.before_commit = self.before_commit, None
            hook()
        if if_revision not in (None, self.revisions):
            raise Moved("somebody else was faster")
        rows, log = dict(self.rows), list(self.log)
        for write in writes:  # keys are given up before any is taken
            row = write.object_type, write.id
            if row in rows and rows[row][1] != write.unique_key:
                rows[row] = rows[row][0], None
        for write in writes:
            self._write(rows, log, write)
        self.rows, self.log = rows, log
        self.revisions += 1
        self.history.record(self.revisions, writes, retention)
        return self.revisions

    def _write(self, rows: dict[Any, Any], log: list[tuple[str, Id, str]], write: ObjectWrite) -> None:
        row = (write.object_type, write.id)
        if write.value is None:
            del rows[row]
            log.append((*row, "destroyed"))
            return
        for (kind, object_id), (_, key) in rows.items():
            if kind == write.object_type and key and key == write.unique_key and object_id != write.id:
                raise Taken("taken", object_id)
        log.append((*row, "updated" if row in rows else "created"))
        rows[row] = (json.loads(json.dumps(write.value)), write.unique_key)

    def put(self, object_type: ObjectType[Any], object_id: str, value: Any) -> None:
        """Store an object as if it had been there before."""
        write = ObjectWrite(
            object_type.name, Id(object_id), object_type.to_stored(value), object_type.unique_key(value)
        )
        self._write(self.rows, self.log, write)
        self.revisions += 1

    def value(self, type_name: str, object_id: str) -> Mapping[str, object]:
        return self.rows[type_name, Id(object_id)][0]

    def configuration(self) -> Configuration:
        return Configuration.load([(kind, object_id, value) for (kind, object_id), (value, _) in self.rows.items()])


class FakeServer:
    """management.applying.Applier and its Change: runs whatever plan it gets, but for what it was told to fail at."""

    def __init__(self, store: MemoryConfigurationStore) -> None:
        self._store = store
        self.failing_addresses: dict[str, str] = {}
        self.failures: list[ApplyFailure] = []
        self.activation_error: Exception | None = None
        self.prepared: list[Plan] = []
        self.activated: list[int] = []
        self.turns = 0
        self.is_held = False
        self.running_plan = self.plan_of_store()
        self.listener_states: dict[Id, str] = {}

    def plan_of_store(self) -> Plan:
        return derive(self._store.configuration(), self._store.revisions)

    @asynccontextmanager
    async def change(self) -> AsyncIterator[FakeServer]:
        assert not self.is_held, "two changes at a time"
        self.is_held, self.turns = True, self.turns + 1
        try:
            yield self
        finally:
            self.is_held = False

    async def prepare(self, plan: Plan) -> Sequence[ApplyFailure]:
        self.prepared.append(plan)
        binds = [
            ApplyFailure(listener.id, "bind", "address already in use", address, self.failing_addresses[address])
            for listener in plan.listeners
            for address in listener.addresses
            if address in self.failing_addresses
        ]
        return [*binds, *self.failures]

    async def activate(self, revision: int) -> None:
        assert self.is_held
        if self.activation_error is not None:
            raise self.activation_error
        self.activated.append(revision)
        self.running_plan = self.prepared[-1]

    async def node_status(self) -> NodeStatus:
        return NodeStatus(await self.statuses(), workers_running=2, connections=9, running_plan=self.running_plan)

    async def statuses(self) -> Sequence[ListenerStatus]:
        return [
            ListenerStatus(
                listener_id=listener.id,
                name=listener.name,
                state=self.listener_states.get(listener.id, "active"),
                reason=None,
                addresses=[
                    AddressStatus(address, 2, [AcceptQueue(1, 1024, 0), AcceptQueue(2, 1024, 5)])
                    for address in listener.addresses
                ],
                counts=SOME_COUNTS,
                running_revision=self.running_plan.revision,
            )
            for listener in self.running_plan.listeners
        ]


# Everything that a scrape may show, with numbers that tell one from the other.
SOME_COUNTS = ListenerCounts(
    connections=3,
    connections_peak=7,
    accepted=40,
    refused={"maxConnections": 2, "proxyHeader": 4},
    proxy_rejected={"missing": 4, "timeout": 0},
    ended={"completed": 30, "idle": 3},
    tls_handshakes={"TLSv1.2": 1, "TLSv1.3": 5},
    tls_failures={"timeout": 6, "notTls": 1},
    handshakes_within=[(0.001, 0), (0.01, 4), (1.0, 1)],
    handshake_seconds=12.5,
    bytes_received=1000,
    bytes_sent=2000,
    accept_pauses=9,
)


class FakeConnections:
    """management.open_connections.OpenConnections over a list, two at a time."""

    def __init__(self) -> None:
        self.open: dict[str, ConnectionReport] = {}
        self.ended: list[str] = []
        self.failure: ApplyError | None = None

    def add(self, connection_id: str, **facts: Any) -> None:
        usual: dict[str, Any] = {
            "listener_id": Id("mx"),
            "listener_name": "mx",
            "protocol": "smtp",
            "source": "192.0.2.1:4000",
            "destination": "192.0.2.25:25",
            "peer": "192.0.2.1:4000",
            "since": 1_900_000_000.9,
            "state": "no mail transaction",
            "bytes_received": 10,
            "bytes_sent": 20,
            "tls_version": None,
            "cipher_suite": None,
            "key_exchange_group": None,
            "server_name": None,
            "proxy": None,
            "account_id": None,
            "login_name": None,
            "worker": 1,
        }
        self.open[connection_id] = ConnectionReport(**{**usual, "id": connection_id, **facts})

    async def reports(
        self, ids: Collection[str] | None = None, *, is_to_end: bool = False
    ) -> AsyncIterator[Sequence[ConnectionReport]]:
        wanted = [report for key, report in self.open.items() if ids is None or key in ids]
        for start in range(0, len(wanted), 2):
            yield wanted[start : start + 2]
        if self.failure is not None:
            raise self.failure
        if is_to_end:
            self.ended += [report.id for report in wanted]


class FakeAuthenticator:
    """session.reactions.Authenticator: the password of everybody is `secret`, the hash `hash of <password>`."""

    def __init__(self, store: MemoryConfigurationStore) -> None:
        self._store = store
        self.peers: list[Peer] = []
        self.is_overloaded = False

    async def authenticate(self, login_name: str, password: Secret, peer: Peer) -> DirectoryAccount:
        self.peers.append(peer)
        if self.is_overloaded:
            raise AuthenticationFailed(is_temporary=True)
        for account_id, account in self._store.configuration().of(ACCOUNT).items():
            is_right = account.password == Secret(f"hash of {password.reveal()}")
            if account.name == login_name.partition("@")[0] and is_right:
                role = account.role.value
                return DirectoryAccount(account_id, login_name, frozenset(), role, account.password, account.quota)
        raise AuthenticationFailed


def self_signed() -> Certificate:
    """What the server makes at its first start."""
    key = new_key()
    chain = new_certificate("localhost", key, (NOW - timedelta(days=1), NOW + timedelta(days=90)))
    certificate = Certificate(certificate=certificate_pem(chain), private_key=Secret(key_pem(key)), is_self_signed=True)
    return complete_certificate(certificate, NOW)


def listener(name: str, address: str, protocol: str, **fields: Any) -> NetworkListener:
    bind = (SocketAddress.parse(address),)
    return NetworkListener(name=name, bind=bind, protocol=NetworkListenerProtocol(protocol), **fields)


class Api:
    """The application with everything it stands on, and a client of it."""

    def __init__(self, web_ui: Path, limits: Limits) -> None:
        self.store = MemoryConfigurationStore()
        self.store.put(CERTIFICATE, "self", self_signed())
        self.store.put(NETWORK_LISTENER, "web", listener("web", "127.0.0.1:8080", "http", use_tls=False))
        self.store.put(NETWORK_LISTENER, "webs", listener("webs", "[::]:8443", "http", tls_implicit=True))
        self.store.put(NETWORK_LISTENER, "mx", listener("mx", "[::]:25", "smtp"))
        self.store.put(DOMAIN, "org", Domain(name="example.org"))
        for name, role in (("admin", Role.ADMIN), ("olga", Role.OPERATOR), ("alice", Role.USER)):
            domain_id = None if role is Role.ADMIN else Id("org")
            account = Account(name=name, domain_id=domain_id, password=Secret("hash of secret"), role=role)
            self.store.put(ACCOUNT, f"id-{name}", account)
        self.server = FakeServer(self.store)
        self.connections = FakeConnections()
        self.authenticator = FakeAuthenticator(self.store)
        self.deleted_mail: list[Id] = []
        self.held_while_hashing: list[bool] = []
        self.now = NOW
        self.blocked: set[str] = set()
        numbers = itertools.count(1)
        self.parts = ManagementParts(
            store=self.store,
            applier=self.server,
            connections=self.connections,
            request_turns=RequestTurns(_COUNTS.by_key, 0),
            api_key_pace=own_login_pace(),
            login_waits=LoginWaits(),
            authenticator=self.authenticator,
            hash_to_store=self._hash,
            delete_account_mail=self._delete_mail,
            session_key=Secret("k" * 32),
            running_plan=lambda: self.server.running_plan,
            is_blocked=lambda address: str(address) in self.blocked,
            now=lambda: self.now,
            make_id=lambda: Id(f"new{next(numbers)}"),
            web_ui=web_ui,
            limits=limits,
        )
        self.app = make_app(self.parts)

    async def _hash(self, password: Secret, present_hash: Secret | None) -> Secret:
        self.held_while_hashing.append(self.server.is_held)
        return Secret(f"hash of {password.reveal()}")

    async def _delete_mail(self, account_id: Id) -> None:
        self.deleted_mail.append(account_id)

    def client(self, *, source: str = "127.0.0.1", base_url: str = "http://127.0.0.1:8080") -> httpx.AsyncClient:
        """A client at that source address; requests come through the listener `web`, those by https through `webs`."""
        listener_id = "webs" if base_url.startswith("https") else "web"

        async def with_state(scope: Any, receive: Any, send: Any) -> None:
            await self.app({**scope, "state": {"listener_id": listener_id}}, receive, send)

        transport = httpx.ASGITransport(app=with_state, client=(source, 50_000), raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=base_url)

    async def post(self, document: object, user: str = "admin") -> httpx.Response:
        """A request with Basic credentials; octets are sent as they are."""
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        headers = {"content-type": "application/json", "authorization": basic(user)}
        async with self.client() as client:
            return await client.post("/jmap", content=content, headers=headers)

    async def calls(self, *calls: list[Any], user: str = "admin", using: list[str] | None = None) -> list[list[Any]]:
        """The method responses to the calls (name, arguments, call id); accountId is filled in."""
        filled_in = [[name, {"accountId": f"id-{user}", **arguments}, call_id] for name, arguments, call_id in calls]
        answer = await self.post({"using": USING if using is None else using, "methodCalls": filled_in}, user)
        assert answer.status_code == 200, answer.text
        responses: list[list[Any]] = answer.json()["methodResponses"]
        return responses

    async def call(self, name: str, user: str = "admin", **arguments: Any) -> dict[str, Any]:
        """The arguments of the response to one call."""
        ((answered, result, _),) = await self.calls([name, arguments, "c"], user=user)
        assert answered == name, result
        answer: dict[str, Any] = result
        return answer

    async def error(self, name: str, user: str = "admin", **arguments: Any) -> str:
        """The type of the error that one call is answered with."""
        ((answered, result, _),) = await self.calls([name, arguments, "c"], user=user)
        assert answered == "error", result
        assert result["description"]
        return str(result["type"])


def basic(user: str, password: str = "secret") -> str:
    """The value of an Authorization header (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def make_api(tmp_path: Path) -> Callable[..., Api]:
    (tmp_path / "index.html").write_text("<!doctype html><title>gatepost</title>")
    (tmp_path / "app.js").write_text("export {};")
    return lambda **limits: Api(tmp_path, Limits(**limits))


@pytest.fixture
def api(make_api: Callable[..., Api]) -> Api:
    return make_api()
