"""Streams that are full, closed or without UTF-8: a line of words or nothing, never a traceback, and JSON that is JSON."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.cli.conftest import TOKEN
from tests.python_process import python_environment

import gatepost.__main__
import gatepost.cli.main

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import FakeServer

STATUS = ("status", "--json")


def run(
    server: FakeServer, *arguments: str, redirection: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, started by a shell with that redirection."""
    shell = ["sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, "-m", "gatepost", *arguments]
    known = python_environment(GATEPOST_URL=server.url, GATEPOST_TOKEN=TOKEN, **environment)
    return subprocess.run(shell, capture_output=True, text=True, check=False, env=known, timeout=60)


@pytest.mark.parametrize("arguments", [("status",), STATUS, ("get", "NetworkListener"), ("snapshot", "SystemSettings")])
def test_results_that_cannot_be_written_are_a_failure_with_the_reason(
    server: FakeServer, arguments: tuple[str, ...]
) -> None:
    done = run(server, *arguments, redirection=">/dev/full")
    assert (done.returncode, done.stderr) == (1, "error: standard output: No space left on device\n")


def test_so_they_are_without_a_server(server: FakeServer, tmp_path: Path) -> None:
    (tmp_path / "plan").touch()
    done = run(server, "check", str(tmp_path / "plan"), redirection=">/dev/full")
    assert (done.returncode, done.stderr) == (1, "error: standard output: No space left on device\n")


def test_a_closed_stream_is_like_one_that_nobody_reads(server: FakeServer) -> None:
    done = run(server, *STATUS, redirection="<&- >&- 2>&-")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_reader_that_has_enough_ends_the_command_silently(server: FakeServer) -> None:
    shell = '"$@" | head -c 1; wait'
    known = python_environment(GATEPOST_URL=server.url, GATEPOST_TOKEN=TOKEN)
    command = ["sh", "-c", shell, "sh", sys.executable, "-m", "gatepost", "status", "--interval", "0.1", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=known, timeout=60)
    assert (done.stdout, done.stderr) == ("[", "")


def test_without_utf8_people_see_escapes_and_programs_get_utf8_all_the_same(server: FakeServer) -> None:
    server.objects["NetworkListener"]["i1"]["name"] = "Grüße"
    server.objects["ListenerStatus"] = {}
    shown = run(server, "get", "NetworkListener", "i1", PYTHONIOENCODING="ascii")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert r"Gr\xfc\xdfe" in shown.stdout
    programs = run(server, "get", "NetworkListener", "i1", "--json", PYTHONIOENCODING="ascii")
    assert json.loads(programs.stdout)["name"] == "Grüße"
    plan = run(server, "snapshot", "NetworkListener", PYTHONIOENCODING="ascii")
    assert '"Grüße"' in plan.stdout


def on_a_terminal(server: FakeServer, *arguments: str, **environment: str) -> str:
    """What the command writes to its terminal."""
    primary, secondary = pty.openpty()
    command = [sys.executable, "-m", "gatepost", *arguments]
    known = python_environment(GATEPOST_URL=server.url, GATEPOST_TOKEN=TOKEN, **environment)
    subprocess.run(command, stdin=secondary, stdout=secondary, check=True, env=known, timeout=60)
    os.close(secondary)
    shown = os.read(primary, 65536).decode()
    os.close(primary)
    return shown


def test_a_terminal_that_cannot_be_drawn_on_gets_one_table_below_the_other(server: FakeServer) -> None:
    shown = on_a_terminal(server, "status", "--interval", "0.1", "--count", "2", TERM="dumb")
    assert shown.count("Accepted/s") == 2


@pytest.mark.parametrize("columns", ["20", "40", "60"])
def test_on_a_narrow_terminal_lines_are_folded_between_words_and_never_in_one(server: FakeServer, columns: str) -> None:
    server.objects["NetworkListener"]["i2"]["bind"] = {"[::]:993": True, "[2001:db8:1:2:3:4:5:6]:10993": True}
    shown = on_a_terminal(server, "query", "NetworkListener", TERM="xterm", COLUMNS=columns, NO_COLOR="1")
    assert {"imap", "imaps", "[::]:143", "[2001:db8:1:2:3:4:5:6]:10993"} <= set(shown.casefold().split())
    assert any("[::]:993" in line and "10993" not in line for line in shown.splitlines())


def test_nothing_slow_is_loaded_before_an_interruption_is_answered() -> None:
    check = "import sys, gatepost.__main__; print(*sorted(sys.modules))"
    loaded = subprocess.check_output([sys.executable, "-c", check], text=True, env=python_environment()).split()
    assert "typer" not in loaded
    assert "gatepost.cli.main" not in loaded


def test_an_interruption_ends_the_command_without_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(gatepost.cli.main, "main", interrupted)
    with pytest.raises(SystemExit) as ended:
        gatepost.__main__.main()
    assert ended.value.code == 130
