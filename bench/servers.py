"""Gatepost and its peers, each as a context that gives a running server on ports of the run."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path

from bench.processes import ServerProcess
from bench.rig import NotMeasurable, Rig

ACCOUNT, PASSWORD = "alice@example.org", "measured-password"
_GREETING = "220 mail.example.org ESMTP"
_NGINX_STREAM_MODULE = Path("/usr/lib/nginx/modules/ngx_stream_module.so")
_ENTRY_POINT = "from gatepost.cli.main import main; main()"  # what the installed command runs


class Port(IntEnum):
    """Where each server listens, counted from the run's first port."""

    SMTP = 0
    LMTP = 1
    IMAP = 2
    IMAPS = 3
    POP3 = 4
    NGINX_GREETING = 10
    NGINX_TLS = 11
    FLOOR = 20
    DOVECOT_IMAP = 30
    DOVECOT_IMAPS = 31

    def of(self, rig: Rig) -> int:
        """The port in this run."""
        return rig.port_base + self


_LISTENERS: tuple[tuple[Port, str, dict[str, object]], ...] = (
    (Port.SMTP, "smtp", {}),
    (Port.LMTP, "lmtp", {}),
    (Port.IMAP, "imap", {"useTls": False}),  # without TLS, so that loopback may log in
    (Port.IMAPS, "imap", {"tlsImplicit": True}),
    (Port.POP3, "pop3", {}),
)


@contextmanager
def gatepost(rig: Rig, *, workers: int) -> Iterator[ServerProcess]:
    """`gatepost serve` with a new data directory; one worker stays on the server's core. Raises NotMeasurable."""
    data, plan = rig.directory / "gatepost", rig.directory / "plan.ndjson"
    shutil.rmtree(data, ignore_errors=True)
    plan.write_text("".join(json.dumps(operation) + "\n" for operation in _plan(rig)), encoding="utf-8")
    serve = ("serve", "--data", str(data), "--plan", str(plan), "--workers", str(workers))
    pinned = rig.on_server_core() if workers == 1 else ()
    source = str(Path(__file__).parent.parent / "src")
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, (source, os.environ.get("PYTHONPATH"))))}
    command = (*pinned, sys.executable, "-c", _ENTRY_POINT, *serve)
    with _running(command, rig.directory / "gatepost.log", environment) as server:
        server.wait_for_line("ready")
        yield server


def _plan(rig: Rig) -> Iterator[dict[str, object]]:
    def upsert(object_type: str, match_on: Sequence[str], **value: object) -> dict[str, object]:
        reference = object_type.lower()
        return {"@type": "upsert", "object": object_type, "matchOn": list(match_on), "value": {reference: value}}

    chain, key = rig.certificate.read_text(), rig.private_key.read_text()
    yield upsert("Domain", ["name"], name="example.org")
    yield upsert("Account", ["name", "domainId"], name="alice", domainId="#domain", password=PASSWORD)
    yield upsert("Certificate", ["name"], name="measured", certificate=chain, privateKey=key)
    settings = {"defaultHostname": "mail.example.org", "defaultCertificateId": "#certificate", "maxConnections": 50_000}
    yield {"@type": "update", "object": "SystemSettings", "value": settings}
    for port, protocol, more in _LISTENERS:
        bind = {f"127.0.0.1:{port.of(rig)}": True}
        same = {"maxConnections": 20_000, "socketBacklog": 4096}
        yield upsert("NetworkListener", ["name"], name=port.name.lower(), protocol=protocol, bind=bind, **same, **more)


@contextmanager
def nginx(rig: Rig) -> Iterator[ServerProcess]:
    """nginx's stream module, one worker on the server's core: a greeting in clear and one under TLS. Raises NotMeasurable."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None or not _NGINX_STREAM_MODULE.exists():
        raise NotMeasurable("nginx is not installed (packages nginx and libnginx-mod-stream)")
    configuration = rig.peer_configuration(
        "nginx.conf",
        stream_module=_NGINX_STREAM_MODULE,
        greeting_port=Port.NGINX_GREETING.of(rig),
        tls_port=Port.NGINX_TLS.of(rig),
    )
    command = (*rig.on_server_core(), program, "-e", str(rig.directory / "nginx.log"), "-c", str(configuration))
    with _running(command, rig.directory / "nginx.log") as server:
        server.wait_for_port(Port.NGINX_TLS.of(rig))
        yield server


@contextmanager
def greeting_floor(rig: Rig) -> Iterator[ServerProcess]:
    """The C program that accepts, greets and closes."""
    command = (*rig.on_server_core(), rig.program("greeting_server"), str(Port.FLOOR.of(rig)), _GREETING)
    with _running(command, rig.directory / "floor.log") as server:
        server.wait_for_line("ready")
        yield server


@contextmanager
def dovecot(rig: Rig) -> Iterator[ServerProcess]:
    """Dovecot's IMAP with shared login processes ("high-performance mode"), two of them. Raises NotMeasurable."""
    program = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None or os.geteuid() != 0:
        raise NotMeasurable("dovecot is not installed (package dovecot-imapd), or this is not root")
    rig.directory.chmod(0o755)
    mail = rig.directory / "dovecot-mail"
    mail.mkdir(exist_ok=True)
    os.chown(mail, 65534, 65534)
    configuration = rig.peer_configuration(
        "dovecot.conf",
        imap_port=Port.DOVECOT_IMAP.of(rig),
        imaps_port=Port.DOVECOT_IMAPS.of(rig),
        password=PASSWORD,
    )
    with _running((program, "-F", "-c", str(configuration)), rig.directory / "dovecot.log") as server:
        server.wait_for_port(Port.DOVECOT_IMAPS.of(rig))
        yield server


@contextmanager
def _running(command: Sequence[str], log: Path, environment: dict[str, str] | None = None) -> Iterator[ServerProcess]:
    server = ServerProcess(command, log, environment)
    try:
        yield server
    finally:
        server.stop()
