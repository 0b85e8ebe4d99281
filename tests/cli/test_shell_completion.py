"""What real shells offer at the tab key."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cli.conftest import TOKEN
from tests.python_process import python_environment

from gatepost.cli.completion import completion_script

if TYPE_CHECKING:
    from tests.cli.conftest import FakeServer


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """One in which the command is on the path, without any setting for a server."""
    command = tmp_path / "gatepost"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m gatepost "$@"\n')
    command.chmod(0o755)
    environment = python_environment(PATH=f"{tmp_path}:/usr/bin:/bin")
    return {name: value for name, value in environment.items() if not name.startswith("GATEPOST_")}


def offered(environment: dict[str, str], *words: str) -> list[str]:
    """What bash puts into COMPREPLY when the tab key is pressed behind the last word."""
    script = f"""
        {completion_script("bash")}
        COMP_WORDS=({shlex.join(["gatepost", *words])})
        COMP_CWORD={len(words)}
        _gatepost_completion gatepost
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, env=environment)
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_completes_commands(environment: dict[str, str]) -> None:
    assert offered(environment, "ap") == ["apply"]
    assert {"get", "snapshot", "diff", "check", "serve"} <= set(offered(environment, ""))


def test_bash_completes_options(environment: dict[str, str]) -> None:
    assert offered(environment, "apply", "--cont") == ["--continue-on-error"]


def test_bash_completes_object_types_without_a_server(environment: dict[str, str]) -> None:
    assert offered(environment, "create", "Net") == ["NetworkListener"]


def test_bash_completes_the_names_of_objects_of_the_server(environment: dict[str, str], server: FakeServer) -> None:
    there = {**environment, "GATEPOST_URL": server.url, "GATEPOST_TOKEN": TOKEN}
    assert offered(there, "get", "networklistener", "im") == ["imap", "imaps"]
    assert offered(there, "status", "sm") == ["smtp"]


def test_bash_completes_properties_without_a_server(environment: dict[str, str]) -> None:
    assert offered(environment, "update", "networklistener", "imap", "--field", "tlsT") == ["tlsTimeout="]
    assert offered(environment, "query", "Certificate", "--where", "is") == ["isSelfSigned=", "issuer="]
    assert "issuer=" not in offered(environment, "create", "Certificate", "--field", "")
    assert offered(environment, "query", "Account", "--columns", "name,qu") == ["name,quota"]
    assert offered(environment, "query", "Account", "--sort", "qu") == ["quota"]
    assert offered(environment, "connections", "--protocol", "s") == ["smtp"]


def test_a_server_in_front_of_the_command_is_asked_too(environment: dict[str, str], server: FakeServer) -> None:
    access = ("--url", server.url, "--api-key", TOKEN)
    assert offered(environment, *access, "status", "sm") == ["smtp"]
    assert offered(environment, *access, "connections", "--listener", "imaps") == ["imaps"]


def test_nothing_is_offered_and_nothing_is_asked_where_the_server_is_unknown(environment: dict[str, str]) -> None:
    assert offered(environment, "get", "NetworkListener", "im") == []
    away = {**environment, "GATEPOST_URL": "http://127.0.0.1:1", "GATEPOST_TOKEN": "x"}
    assert offered(away, "get", "NetworkListener", "im") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_a_script_for_each_shell(environment: dict[str, str], shell: str) -> None:
    command = ["gatepost", "completion", shell]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert "_GATEPOST_COMPLETE=complete_" + shell in done.stdout
