"""What a process may do on the machine, as the kernel shows it in proc_pid_status(5), and a Python for another user."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.cannot_run import cannot_run
from tests.python_process import python_environment

LOW_PORTS = 1 << 10  # CAP_NET_BIND_SERVICE, capabilities(7)


@dataclass(frozen=True)
class Privileges:
    """The capability sets as masks, and whether an exec can bring any."""

    permitted: int
    effective: int
    inheritable: int
    ambient: int
    bounding: int
    no_new_privileges: bool


def privileges_of(pid: int) -> Privileges:
    """Those of a running process."""
    lines = (line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    fields = {name: value.strip() for name, value in lines}
    return Privileges(
        permitted=int(fields["CapPrm"], 16),
        effective=int(fields["CapEff"], 16),
        inheritable=int(fields["CapInh"], 16),
        ambient=int(fields["CapAmb"], 16),
        bounding=int(fields["CapBnd"], 16),
        no_new_privileges=fields["NoNewPrivs"] == "1",
    )


def python_for(user: str) -> str:
    """A Python of this version that the user may run: this one, or the system's with the same packages."""
    version = sys.version_info[:2]
    program = f"import sys, msgspec, gatepost; sys.exit(sys.version_info[:2] != {version})"
    for python in (sys.executable, "/usr/bin/python3"):
        try:
            tried = subprocess.run(
                [python, "-c", program], user=user, env=python_environment(), cwd="/", capture_output=True, check=False
            )
        except OSError:
            continue
        if tried.returncode == 0:
            return python
    return cannot_run(f"{user} can run no Python on this machine that has the packages")
