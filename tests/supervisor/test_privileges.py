"""What is left of root, of a capability and of the way back to them: as the kernel shows it, and by trying."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.cannot_run import cannot_run
from tests.process_privileges import LOW_PORTS, Privileges, privileges_of, python_for
from tests.python_process import python_environment

NOTHING = Privileges(permitted=0, effective=0, inheritable=0, ambient=0, bounding=0, no_new_privileges=True)


@pytest.fixture(autouse=True)
def root() -> None:
    if os.geteuid() != 0:
        cannot_run("only root has capabilities to give up")


@contextmanager
def running(program: str, *, python: str, start: tuple[str, ...] = ()) -> Iterator[subprocess.Popen[str]]:
    """A Python process that runs `program`, prints a line and waits for the end of its input."""
    process = subprocess.Popen(
        [
            *start,
            python,
            "-c",
            f"from gatepost.supervisor import privileges\n{program}\nprint('done', flush=True)\ninput()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=python_environment(),
        text=True,
        cwd="/",
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line == "done\n", line
        yield process
    finally:
        process.kill()
        process.communicate()


AS_NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
WITH_LOW_PORTS = (*AS_NOBODY, "--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service")


def test_root_that_becomes_a_user_keeps_low_ports_alone() -> None:
    program = "privileges.become('nobody')\nimport socket\nsocket.create_server(('127.0.0.1', 979))"
    with running(program, python=python_for("nobody")) as process:
        found = privileges_of(process.pid)
        assert found == Privileges(LOW_PORTS, LOW_PORTS, LOW_PORTS, ambient=0, bounding=0, no_new_privileges=True)
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert "Uid:\t65534\t65534\t65534\t65534\n" in status
        assert "Gid:\t65534\t65534\t65534\t65534\n" in status
        assert "Groups:\t65534 \n" in status
        assert Path(f"/proc/{process.pid}/mem").stat().st_uid == 0  # not dumpable: root's


def test_root_that_gives_everything_up_has_nothing_and_gets_nothing_from_a_program() -> None:
    with running("privileges.renounce()", python=sys.executable) as process:
        assert privileges_of(process.pid) == NOTHING
    another = """[sys.executable, '-c', 'print("done", flush=True); input()']"""
    program = f"privileges.renounce()\nimport os, sys\nos.execv(sys.executable, {another})"
    with running(program, python=sys.executable) as process:
        assert privileges_of(process.pid) == NOTHING


def test_a_user_that_came_with_low_ports_keeps_them_for_itself() -> None:
    with running("privileges.keep_what_was_given()", python=python_for("nobody"), start=WITH_LOW_PORTS) as process:
        found = privileges_of(process.pid)
        assert (found.permitted, found.effective, found.ambient) == (LOW_PORTS, LOW_PORTS, 0)
        assert found.no_new_privileges


def test_a_user_that_came_with_more_keeps_what_sockets_need_and_no_more() -> None:
    given = "+net_bind_service,+net_admin,+sys_admin"
    start = (*AS_NOBODY, f"--inh-caps={given}", f"--ambient-caps={given}")
    with running("privileges.keep_what_was_given()", python=python_for("nobody"), start=start) as process:
        found = privileges_of(process.pid)
        assert (found.permitted, found.effective, found.ambient) == (LOW_PORTS | 1 << 12, LOW_PORTS | 1 << 12, 0)


def test_a_user_that_came_with_nothing_has_nothing() -> None:
    with running("privileges.keep_what_was_given()", python=python_for("nobody"), start=AS_NOBODY) as process:
        found = privileges_of(process.pid)
        assert (found.permitted, found.effective, found.inheritable, found.ambient) == (0, 0, 0, 0)
        assert found.no_new_privileges


@pytest.mark.parametrize(
    ("start", "first"),
    [((), "privileges.become('nobody')"), (WITH_LOW_PORTS, "privileges.keep_what_was_given()")],
)
def test_low_ports_are_passed_to_a_successor_and_to_no_other_program(start: tuple[str, ...], first: str) -> None:
    program = f"""
{first}
import subprocess, sys
status = [sys.executable, '-c', "print(open('/proc/self/status').read())"]
def effective():
    text = subprocess.run(status, capture_output=True, text=True, check=True).stdout
    return [int(line.split()[1], 16) for line in text.splitlines() if line.startswith('CapEff')][0]
assert effective() == 0
with privileges.passed_on():
    assert effective() == {LOW_PORTS}
assert effective() == 0
"""
    with running(program, python=python_for("nobody"), start=start):
        pass


_TRIES = """
import ctypes, os, signal, socket, sys
target = int(sys.argv[1])
def refused(what):
    try:
        what()
    except PermissionError:
        return
    raise SystemExit(f'not refused: {what}')
def ptrace():
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.restype = ctypes.c_long
    if libc.ptrace(16, target, None, None) != 0:  # PTRACE_ATTACH
        raise OSError(ctypes.get_errno(), 'ptrace')
def take_descriptor():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(438, os.pidfd_open(target), 0, 0) < 0:  # pidfd_getfd(2)
        raise OSError(ctypes.get_errno(), 'pidfd_getfd')
refused(lambda: socket.create_server(('127.0.0.1', 979)))
refused(lambda: os.setuid(0))
refused(lambda: os.setgroups([0]))
refused(lambda: open(f'/proc/{target}/mem', 'r+b'))
refused(lambda: open(f'/proc/{target}/environ', 'rb'))
refused(lambda: os.listdir(f'/proc/{target}/fd'))
refused(ptrace)
refused(take_descriptor)
refused(lambda: os.kill(1, 0))
"""


def test_a_worker_can_neither_bind_low_ports_nor_get_into_the_supervisor() -> None:
    python = python_for("nobody")
    with running("privileges.become('nobody')", python=python) as supervisor:
        program = f"from gatepost.supervisor import privileges\nprivileges.renounce()\n{_TRIES}"
        for start in (AS_NOBODY, WITH_LOW_PORTS):
            tried = subprocess.run(
                [*start, python, "-c", program, str(supervisor.pid)],
                env=python_environment(),
                cwd="/",
                capture_output=True,
                text=True,
                check=False,
            )
            assert (tried.returncode, tried.stderr) == (0, "")
        assert supervisor.poll() is None


def test_what_the_kernel_refuses_ends_in_words() -> None:
    program = "try:\n    privileges.become('nobody')\nexcept privileges.PrivilegesKept as error:\n    assert 'nobody' in str(error)"
    without_setuid = ("setpriv", "--bounding-set=-setuid,-setgid", "--inh-caps=-setuid,-setgid")
    with running(program, python=sys.executable, start=without_setuid) as process:
        assert "Uid:\t0\t" in Path(f"/proc/{process.pid}/status").read_text()
