"""What all measurements of one run share: a directory, compiled programs, a certificate, ports, cores. Made by `__main__`."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent
_PROGRAMS = {
    "load_client": (("load_client.c", "load_script.c", "load_connection.c"), ("-lssl", "-lcrypto")),
    "greeting_server": (("greeting_server.c",), ()),
    "durable_appends": (("durable_appends.c",), ()),
}
_CERTIFICATE = (
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=mail.example.org "
    "-addext subjectAltName=DNS:mail.example.org"
)
_REAL_TIME = ("chrt", "--fifo", "10")


class NotMeasurable(Exception):
    """Something that a measurement needs is missing or failed; the text says what."""


@dataclass(frozen=True, slots=True)
class Rig:
    """`directory` is on a disk, not in memory, so that a sync means something. One core for servers, one for the client.
    `in_front`: the words in front of the command of either, besides those that keep it on its core."""

    directory: Path
    port_base: int
    server_core: int
    client_core: int
    in_front: tuple[str, ...] = ()

    def program(self, name: str) -> str:
        """The path of a compiled program of `c/`."""
        return str(self.directory / name)

    @property
    def certificate(self) -> Path:
        """A self-signed P-256 certificate, which all servers use."""
        return self.directory / "certificate.pem"

    @property
    def private_key(self) -> Path:
        """Its key."""
        return self.directory / "private-key.pem"

    def on_server_core(self) -> tuple[str, ...]:
        """The words in front of a command that keep a server on its core."""
        return (*self.in_front, "taskset", "-c", str(self.server_core))

    def on_client_core(self) -> tuple[str, ...]:
        """The same for the client."""
        return (*self.in_front, "taskset", "-c", str(self.client_core))

    def peer_configuration(self, name: str, values: Mapping[str, object], target: str | None = None) -> Path:
        """A file of `peers/` with each `@name@` replaced, written into the directory (under the same name, or `target`)."""
        text = (_HERE / "peers" / name).read_text(encoding="utf-8")
        everywhere = {"directory": self.directory, "certificate": self.certificate, "private_key": self.private_key}
        for key, value in {**everywhere, **values}.items():
            text = text.replace(f"@{key}@", str(value))
        path = self.directory / (target or name)
        path.write_text(text, encoding="utf-8")
        return path


@contextmanager
def rig(port_base: int, parent: Path, *, is_real_time: bool = False) -> Iterator[Rig]:
    """Compile, make the certificate, and clean up in the end. Raises NotMeasurable."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise NotMeasurable("two cores are needed: one for the server, one for the client")
    for command in ("gcc", "openssl", "taskset"):
        if shutil.which(command) is None:
            raise NotMeasurable(f"{command} is not installed")
    in_front = _REAL_TIME if is_real_time else ()
    if in_front:
        _run(*in_front, "true")
    with _only_run_on(port_base), tempfile.TemporaryDirectory(prefix="gatepost-bench-", dir=parent) as name:
        made = Rig(Path(name), port_base, cores[0], cores[1], in_front)
        for program, (sources, libraries) in _PROGRAMS.items():
            paths = [str(_HERE / "c" / source) for source in sources]
            _run("gcc", "-O2", "-Wall", "-Wextra", "-o", made.program(program), *paths, *libraries)
        _run("openssl", *_CERTIFICATE.split(), "-out", str(made.certificate), "-keyout", str(made.private_key))
        yield made


@contextmanager
def _only_run_on(port_base: int) -> Iterator[None]:
    """Two runs on the same ports would share each other's clients (SO_REUSEPORT): the first one holds a UNIX address."""
    with socket.socket(socket.AF_UNIX) as held:
        try:
            held.bind(f"\0gatepost-bench-{port_base}")
        except OSError as error:
            raise NotMeasurable(f"another run has the ports from {port_base} on; choose another --port-base") from error
        yield


def _run(*command: str) -> None:
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        raise NotMeasurable(f"{command[0]} failed:\n{finished.stderr}")
