"""The command line in the process of the test, as the administrator of a running server."""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from unittest.mock import patch

import pytest
from tests.integration.running_server import ADMIN, RunningServer

from gatepost.cli.main import main


@dataclass(frozen=True)
class Result:
    exit_code: int
    stdout: str
    stderr: str


def gatepost(server: RunningServer, *arguments: str, text: str = "") -> Result:
    """Run a command; `text` is its standard input."""
    user, password = ADMIN
    environment = {"URL": str(server.http.base_url), "USER": user, "PASSWORD": password}
    printed, told = StringIO(), StringIO()
    with (
        patch.dict(os.environ, {f"GATEPOST_{name}": value for name, value in environment.items()}),
        patch.object(sys, "stdin", StringIO(text)),
        redirect_stdout(printed),
        redirect_stderr(told),
        pytest.raises(SystemExit) as ended,
    ):
        main(arguments)
    assert isinstance(ended.value.code, int)
    return Result(ended.value.code, printed.getvalue(), told.getvalue())
