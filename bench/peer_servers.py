"""The peers, each as a context that gives a running server on ports of the run. Their configuration is in `peers/`."""

from __future__ import annotations

import os
import pwd
import shutil
import sys
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
    configuration = rig.peer_configuration("nginx.conf", {"stream_module": module, **ports})
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
    configuration = rig.peer_configuration("haproxy.cfg", {"floor": Port.FLOOR.of(rig), **ports})
    command = (*rig.on_server_core(), program, "-db", "-f", str(configuration))
    with running(command, rig.directory / "haproxy.log", ports=ports.values()) as server:
        server.wait_for_port(Port.HAPROXY.of(rig))
        yield server


@contextmanager
def nginx_held(rig: Rig) -> Iterator[ServerProcess]:
    """nginx's mail module, and its stream module with TLS in front of the C floor, which has to run: for connections that
    stay. Raises NotMeasurable."""
    program = installed("nginx", "nginx")
    held = (Port.NGINX_IMAP, Port.NGINX_IMAPS, Port.NGINX_TLS_HELD, Port.NGINX_AUTHENTICATION, Port.FLOOR)
    ports = {port.name.lower(): port.of(rig) for port in held}
    modules = {f"{name}_module": _nginx_module(name) for name in ("mail", "stream")}
    configuration = rig.peer_configuration("nginx-held.conf", {**modules, **ports})
    log = rig.directory / "nginx-held.log"
    command = (*rig.on_server_core(), program, "-e", str(log), "-c", str(configuration))
    listening = [Port.NGINX_IMAP.of(rig), Port.NGINX_IMAPS.of(rig), Port.NGINX_TLS_HELD.of(rig)]
    with running(command, log, ports=listening) as server:
        server.wait_for_port(Port.NGINX_TLS_HELD.of(rig))
        yield server


@contextmanager
def dovecot(rig: Rig) -> Iterator[ServerProcess]:
    """Dovecot's IMAP with shared login processes ("high-performance mode"), two of them. Raises NotMeasurable."""
    service = "service_count = 0\nprocess_min_avail = 2\nprocess_limit = 2\nclient_limit = 8192\nvsz_limit = 1G"
    with _dovecot(rig, "dovecot", service, Port.DOVECOT_IMAP, Port.DOVECOT_IMAPS) as server:
        yield server


@contextmanager
def dovecot_default(rig: Rig) -> Iterator[ServerProcess]:
    """Dovecot's IMAP as Debian ships it: a login process for each connection. Raises NotMeasurable."""
    imap, imaps = Port.DOVECOT_DEFAULT_IMAP, Port.DOVECOT_DEFAULT_IMAPS
    with _dovecot(rig, "dovecot-default", "service_count = 1", imap, imaps) as server:
        yield server


@contextmanager
def _dovecot(rig: Rig, name: str, login_service: str, imap: Port, imaps: Port) -> Iterator[ServerProcess]:
    program = installed("dovecot", "dovecot-imapd")
    _open_to_others(rig, "Dovecot")
    mail = rig.directory / "dovecot-mail"
    mail.mkdir(exist_ok=True)
    os.chown(mail, 65534, 65534)
    ports = {"imap_port": imap.of(rig), "imaps_port": imaps.of(rig)}
    words = {"instance": name, "login_service": login_service, "password": PASSWORD, **ports}
    configuration = rig.peer_configuration("dovecot.conf", words, f"{name}.conf")
    command = (*rig.on_server_core(), program, "-F", "-c", str(configuration))
    with running(command, rig.directory / f"{name}.log", ports=ports.values()) as server:
        server.wait_for_port(imaps.of(rig))
        yield server


@contextmanager
def postfix(rig: Rig) -> Iterator[ServerProcess]:
    """Postfix's smtpd as Debian ships it, with queue and configuration in the run's directory. Raises NotMeasurable."""
    daemons = Path("/usr/lib/postfix/sbin")
    if not (daemons / "master").exists():
        raise NotMeasurable("postfix is not installed (package postfix)")
    _open_to_others(rig, "Postfix")
    home, user = rig.directory / "postfix", pwd.getpwnam("postfix")
    for name, mode in (("data", 0o700), ("queue/pid", 0o755), ("queue/public", 0o710), ("queue/private", 0o700)):
        (home / name).mkdir(mode, parents=True, exist_ok=True)
        if name != "queue/pid":
            os.chown(home / name, user.pw_uid, user.pw_gid)
    port = Port.POSTFIX.of(rig)
    for name in ("main.cf", "master.cf"):
        rig.peer_configuration(f"postfix-{name}", {"postfix": port}, f"postfix/{name}")
    command = (*rig.on_server_core(), str(daemons / "master"), "-d", "-c", str(home))
    with running(command, rig.directory / "postfix-master.log", {"MAIL_CONFIG": str(home)}, [port]) as server:
        server.wait_for_port(port)
        yield server


@contextmanager
def aiosmtpd(rig: Rig) -> Iterator[ServerProcess]:
    """aiosmtpd on asyncio, one process. Raises NotMeasurable."""
    with _python(rig, "aiosmtpd_server.py", Port.AIOSMTPD.of(rig)) as server:
        yield server


@contextmanager
def asyncio_streams(rig: Rig) -> Iterator[ServerProcess]:
    """asyncio's streams, in clear and under TLS, one process. Raises NotMeasurable."""
    ports = (Port.ASYNCIO.of(rig), Port.ASYNCIO_TLS.of(rig))
    with _python(rig, "asyncio_server.py", *ports, words=(str(rig.certificate), str(rig.private_key))) as server:
        yield server


@contextmanager
def _python(rig: Rig, program: str, *ports: int, words: tuple[str, ...] = ()) -> Iterator[ServerProcess]:
    path = Path(__file__).parent / "peers" / program
    command = (*rig.on_server_core(), sys.executable, str(path), *map(str, ports), *words)
    with running(command, rig.directory / f"{path.stem}.log", ports=ports) as server:
        server.wait_for_line("ready")
        yield server


def _open_to_others(rig: Rig, name: str) -> None:
    """It runs processes as other users, which have to reach the directory."""
    if os.geteuid() != 0:
        raise NotMeasurable(f"{name} needs root")
    rig.directory.chmod(0o755)


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
