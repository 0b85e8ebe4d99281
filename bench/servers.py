"""Gatepost as it is measured: a new data directory, a plan file, its limits and its log as an operator has them."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bench.api import ADMIN, ADMIN_PASSWORD, Api
from bench.ports import Port
from bench.processes import ServerProcess, running
from bench.rig import Rig

ACCOUNT, PASSWORD = "alice@example.org", "measured-password"
PROXY_HEADER_TIMEOUT = 5_000  # milliseconds, as in the defaults
SOURCE = str(Path(__file__).parent.parent / "src")
ENTRY_POINT = "from gatepost.cli.main import main; main()"  # what the installed command runs
_FROM_PROXIES: dict[str, object] = {"overrideProxyTrustedNetworks": {"127.0.0.0/8": True}}

Operation = dict[str, object]
_LISTENERS: tuple[tuple[Port, str, dict[str, object]], ...] = (
    (Port.SMTP, "smtp", {}),
    (Port.LMTP, "lmtp", {}),
    (Port.IMAP, "imap", {"useTls": False}),  # without TLS, so that loopback may log in
    (Port.IMAPS, "imap", {"tlsImplicit": True}),
    (Port.POP3, "pop3", {}),
    (Port.HTTP, "http", {"useTls": False}),
    (Port.SMTP_PROXIED, "smtp", _FROM_PROXIES),
    (Port.IMAPS_PROXIED, "imap", {"tlsImplicit": True, **_FROM_PROXIES}),
)


@dataclass(frozen=True, slots=True)
class Serving:
    """How `gatepost serve` is started, and where its log goes."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path


def serving(rig: Rig, operations: Iterable[Operation] | None, *, workers: int, is_pinned: bool, name: str) -> Serving:
    """A new data directory, and a plan file with these operations; None: what the last one of this name has stored."""
    data, plan = rig.directory / name, rig.directory / f"{name}.ndjson"
    from_plan: tuple[str, ...] = ()
    if operations is not None:
        shutil.rmtree(data, ignore_errors=True)
        plan.write_text("".join(json.dumps(operation) + "\n" for operation in operations), encoding="utf-8")
        from_plan = ("--plan", str(plan))
    environment = {
        "PYTHONDONTWRITEBYTECODE": "",  # an installed package is compiled
        "PYTHONPATH": os.pathsep.join(filter(None, (SOURCE, os.environ.get("PYTHONPATH")))),
        "GATEPOST_ADMIN": f"{ADMIN}:{ADMIN_PASSWORD}",
    }
    pinned = rig.on_server_core() if is_pinned else ()
    command = (*pinned, sys.executable, "-c", ENTRY_POINT, "serve", "--data", str(data), "--workers", str(workers))
    return Serving((*command, *from_plan), environment, rig.directory / f"{name}.log")


@contextmanager
def gatepost(
    rig: Rig, *, workers: int, is_pinned: bool | None = None, name: str = "gatepost", **settings: object
) -> Iterator[ServerProcess]:
    """The listeners above, ready; `settings` go into SystemSettings. One worker stays on the server's core unless
    `is_pinned` says otherwise. Raises NotMeasurable."""
    pinned = workers == 1 if is_pinned is None else is_pinned
    operations = [*basic_operations(rig, **settings), *(_listener(rig, *each) for each in _LISTENERS)]
    started = serving(rig, operations, workers=workers, is_pinned=pinned, name=name)
    ports = [port.of(rig) for port, _, _ in _LISTENERS]
    with running(started.command, started.log, started.environment, ports) as server:
        server.wait_for_line("ready")
        yield server


def second(rig: Rig) -> Rig:
    """The same rig for another gatepost beside the first one."""
    return replace(rig, port_base=rig.port_base + Port.SECOND)


def api(rig: Rig) -> Api:
    """The management API of the gatepost that runs on this rig."""
    return Api(Port.HTTP.of(rig))


def basic_operations(rig: Rig, **settings: object) -> Iterator[Operation]:
    """A domain, an account, the certificate, and limits that are counted but never reached."""
    chain, key = rig.certificate.read_text(), rig.private_key.read_text()
    yield _upsert("Domain", ["name"], name="example.org")
    yield _upsert("Account", ["name", "domainId"], name="alice", domainId="#domain", password=PASSWORD)
    yield _upsert("Certificate", ["name"], name="measured", certificate=chain, privateKey=key)
    value = {
        "defaultHostname": "mail.example.org",
        "defaultCertificateId": "#certificate",
        "maxConnections": 50_000,
        "maxConnectionsPerAddress": 20_000,
        "proxyHeaderTimeout": PROXY_HEADER_TIMEOUT,
        **settings,
    }
    yield {"@type": "update", "object": "SystemSettings", "value": value}


def listener_operation(name: str, protocol: str, port: int, more: Mapping[str, object]) -> Operation:
    """A listener on loopback."""
    bind = {f"127.0.0.1:{port}": True}
    same = {"maxConnections": 20_000, "socketBacklog": 4096}
    return _upsert("NetworkListener", ["name"], name=name, protocol=protocol, bind=bind, **{**same, **more})


def _listener(rig: Rig, port: Port, protocol: str, more: Mapping[str, object]) -> Operation:
    return listener_operation(port.name.lower(), protocol, port.of(rig), more)


def _upsert(object_type: str, match_on: Sequence[str], **value: object) -> Operation:
    reference = object_type.lower()
    return {"@type": "upsert", "object": object_type, "matchOn": list(match_on), "value": {reference: value}}
