"""The peers, each as a context that gives a running server on ports of the run. Their configuration is in `peers/`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.ports import Port
from bench.processes import ServerProcess, running
from bench.rig import NotMeasurable, Rig
from bench.servers import PASSWORD

_GREETING = "220 mail.example.org ESMTP"
_NGINX_MODULES = Path("/usr/lib/nginx/modules")


@contextmanager
def nginx(rig: Rig) -> Iterator[ServerProcess]:
    """nginx's stream module, one worker on the server's core, with limits and a log: a greeting in clear, behind PROXY, and
    under TLS. Raises NotMeasurable."""
    program = installed("nginx", "nginx and libnginx-mod-stream")
    module = _nginx_module("stream")
    ports = {port.name.lower(): port.of(rig) for port in (Port.NGINX_GREETING, Port.NGINX_TLS, Port.NGINX_PROXIED)}
    configuration = rig.peer_configuration("nginx.conf", stream_module=module, **ports)
    command = (*rig.on_server_core(), program, "-e", str(rig.directory / "nginx.log"), "-c", str(configuration))
    with running(command, rig.directory / "nginx.log", ports=ports.values()) as server:
        server.wait_for_port(Port.NGINX_TLS.of(rig))
        yield server


@contextmanager
def greeting_floor(rig: Rig) -> Iterator[ServerProcess]:
    """The C program that accepts, greets and closes."""
    port = Port.FLOOR.of(rig)
    command = (*rig.on_server_core(), rig.program("greeting_server"), str(port), _GREETING)
    with running(command, rig.directory / "floor.log", ports=[port]) as server:
        server.wait_for_line("ready")
        yield server


@contextmanager
def haproxy(rig: Rig) -> Iterator[ServerProcess]:
    """HAProxy in front of the C floor, which has to run: once for clients in clear, once for clients that come with a PROXY
    header. One thread on the server's core. Raises NotMeasurable."""
    program = installed("haproxy", "haproxy")
    ports = {port.name.lower(): port.of(rig) for port in (Port.HAPROXY, Port.HAPROXY_PROXIED)}
    configuration = rig.peer_configuration("haproxy.cfg", floor=Port.FLOOR.of(rig), **ports)
    command = (*rig.on_server_core(), program, "-db", "-f", str(configuration))
    with running(command, rig.directory / "haproxy.log", ports=ports.values()) as server:
        server.wait_for_port(Port.HAPROXY.of(rig))
        yield server


@contextmanager
def dovecot(rig: Rig) -> Iterator[ServerProcess]:
    """Dovecot's IMAP with shared login processes ("high-performance mode"), two of them. Raises NotMeasurable."""
    program = installed("dovecot", "dovecot-imapd")
    if os.geteuid() != 0:
        raise NotMeasurable("Dovecot needs root")
    rig.directory.chmod(0o755)
    mail = rig.directory / "dovecot-mail"
    mail.mkdir(exist_ok=True)
    os.chown(mail, 65534, 65534)
    ports = {"imap_port": Port.DOVECOT_IMAP.of(rig), "imaps_port": Port.DOVECOT_IMAPS.of(rig)}
    configuration = rig.peer_configuration("dovecot.conf", password=PASSWORD, **ports)
    with running(
        (program, "-F", "-c", str(configuration)), rig.directory / "dovecot.log", ports=ports.values()
    ) as server:
        server.wait_for_port(Port.DOVECOT_IMAPS.of(rig))
        yield server


def installed(program: str, packages: str) -> str:
    """Its path. Raises NotMeasurable."""
    path = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if path is None:
        raise NotMeasurable(f"{program} is not installed (packages: {packages})")
    return path


def _nginx_module(name: str) -> Path:
    path = _NGINX_MODULES / f"ngx_{name}_module.so"
    if not path.exists():
        raise NotMeasurable(f"nginx has no module for it (package libnginx-mod-{name})")
    return path
