"""HAProxy and nginx as Debian packages them, started in front of a server under test and ended with the block."""

from __future__ import annotations

import csv
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from tests.cannot_run import cannot_run
from tests.certificates import certificate_pem, key_pem, new_certificate, new_key
from tests.free_port import free_port
from tests.integration.running_server import eventually

_NGINX_STREAM = Path("/usr/lib/nginx/modules/ngx_stream_module.so")
_DEFAULTS = """\
global
  stats socket {socket}
defaults
  mode tcp
  timeout connect 10s
  timeout client 60s
  timeout server 60s
"""


@dataclass
class Relay:
    """One way through a proxy: it listens on `host`, says `server_options` of what it sends to `target`."""

    name: str
    target: str
    server_options: str
    host: str = "127.0.0.1"
    is_tls: bool = False  # the client speaks TLS with the proxy
    port: int = field(default_factory=free_port)

    @property
    def address(self) -> tuple[str, int]:
        """Where clients connect to."""
        return self.host, self.port

    def section(self, certificate: Path) -> str:
        """For haproxy.cfg."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        tls = f" ssl crt {certificate}" if self.is_tls else ""
        return (
            f"listen {self.name}\n"
            "  unique-id-format %{+X}o\\ %ci:%cp_%fi:%fp_%Ts_%rt:%pid\n"
            f"  bind {shown}:{self.port}{tls}\n"
            f"  server s {self.target} {self.server_options}\n"
        )


class HaProxy:
    """A running one."""

    def __init__(self, control: Path) -> None:
        self._control = control

    def servers(self) -> dict[str, dict[str, str]]:
        """What `show stat` says of the server of each section."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(10)
            sock.connect(str(self._control))
            sock.sendall(b"show stat\n")
            answer = b""
            while data := sock.recv(65536):
                answer += data
        rows = csv.DictReader(answer.decode().removeprefix("# ").splitlines())
        return {row["pxname"]: row for row in rows if row["svname"] == "s"}


@contextmanager
def haproxy(directory: Path, relays: Sequence[Relay]) -> Iterator[HaProxy]:
    """HAProxy with these relays, once all of them take connections."""
    program = shutil.which("haproxy") or cannot_run("haproxy is not installed")
    directory.mkdir(exist_ok=True)
    pem = _certificate(directory)
    control = directory / "control"
    configuration = directory / "haproxy.cfg"
    sections = "".join(relay.section(pem) for relay in relays)
    configuration.write_text(_DEFAULTS.format(socket=control) + sections)
    with _running([program, "-db", "-f", str(configuration)], directory, relays):
        yield HaProxy(control)


@contextmanager
def nginx_http(directory: Path, relays: Sequence[Relay]) -> Iterator[None]:
    """nginx passing requests on, as its manual says: it appends to X-Forwarded-For, and says by which scheme they came."""
    program = shutil.which("nginx") or cannot_run("nginx is not installed")
    directory.mkdir(exist_ok=True)
    pem = _certificate(directory)
    servers = "".join(
        f"  server {{ listen {relay.host}:{relay.port}{' ssl' if relay.is_tls else ''};"
        f" location / {{ proxy_pass {relay.target}; {relay.server_options} }} }}\n"
        for relay in relays
    )
    places = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    folders = "".join(f"  {place}_temp_path {directory}/{place};\n" for place in places)
    configuration = directory / "nginx.conf"
    configuration.write_text(
        f"daemon off;\nworker_processes 1;\npid {directory}/nginx.pid;\nerror_log {directory}/error.log;\n"
        f"events {{ worker_connections 64; }}\nhttp {{\n  access_log off;\n{folders}"
        f"  ssl_certificate {pem};\n  ssl_certificate_key {pem};\n"
        "  proxy_set_header Host $http_host;\n"
        "  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n"
        f"  proxy_set_header X-Forwarded-Proto $scheme;\n{servers}}}\n"
    )
    with _running([program, "-c", str(configuration), "-p", str(directory)], directory, relays):
        yield


def _certificate(directory: Path) -> Path:
    """A file with a certificate and its key."""
    now = datetime.now(UTC)
    key = new_key()
    certificate = new_certificate(
        "proxy.example.org", key, (now, now + timedelta(days=1)), names=("proxy.example.org",)
    )
    pem = directory / "proxy.pem"
    pem.write_text(certificate_pem(certificate) + key_pem(key))
    return pem


@contextmanager
def nginx_stream(directory: Path, relays: Sequence[Relay]) -> Iterator[None]:
    """nginx with these relays; it sends version 1."""
    program = shutil.which("nginx") or cannot_run("nginx is not installed")
    if not _NGINX_STREAM.exists():
        cannot_run("nginx's stream module is not installed (libnginx-mod-stream)")
    directory.mkdir(exist_ok=True)
    servers = "".join(
        f"  server {{ listen {relay.host}:{relay.port}; proxy_pass {relay.target}; {relay.server_options} }}\n"
        for relay in relays
    )
    configuration = directory / "nginx.conf"
    configuration.write_text(
        f"load_module {_NGINX_STREAM};\ndaemon off;\nworker_processes 1;\npid {directory}/nginx.pid;\n"
        f"error_log {directory}/error.log;\nevents {{ worker_connections 64; }}\nstream {{\n{servers}}}\n"
    )
    with _running([program, "-c", str(configuration), "-p", str(directory)], directory, relays):
        yield


@contextmanager
def _running(command: list[str], directory: Path, relays: Sequence[Relay]) -> Iterator[None]:
    with (directory / "output").open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        for relay in relays:
            eventually(partial(_is_settled, process, relay.address))
        assert process.poll() is None, (directory / "output").read_text()
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _is_settled(process: subprocess.Popen[bytes], address: tuple[str, int]) -> bool:
    return process.poll() is not None or _listens(address)


def _listens(address: tuple[str, int]) -> bool:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as sock:
        return sock.connect_ex(address) == 0
