"""The pytest plugin, in test runs of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.python_process import PACKAGE_PATH

PROJECT = Path(__file__).parents[2]

TESTS = """
import imaplib
import smtplib
import ssl

import pytest


@pytest.mark.parametrize("round", range(3))
def test_mail(gatepost_server, round):
    gatepost_server.add_account("alice@example.org", "secret")
    trusting = ssl.create_default_context(cafile=gatepost_server.certificate_file)
    with smtplib.SMTP("localhost", gatepost_server.smtp.port) as smtp:
        smtp.starttls(context=trusting)
        smtp.login("alice@example.org", "secret")
        smtp.sendmail("alice@example.org", "alice@example.org", f"Subject: {round}")
    assert [message["subject"] for message in gatepost_server.messages("alice@example.org")] == [str(round)]
    with imaplib.IMAP4_SSL("localhost", gatepost_server.imaps.port, ssl_context=trusting) as imap:
        imap.login("alice@example.org", "secret")
        assert imap.select() == ("OK", [b"1"])
"""


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Without plugins but ours, so that nothing is there twice where gatepost is installed."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": PACKAGE_PATH, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def run_tests(path: Path) -> str:
    """What pytest says of the tests in a file, with the plugin and as if gatepost were installed."""
    ended = run(
        *("-m", "pytest", "-p", "gatepost.pytest_plugin", "-p", "no:cacheprovider", "-W", "error"),
        *("-c", "/dev/null", "--rootdir", str(path.parent), "--durations=0", "-vv", str(path)),
        cwd=path.parent,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_each_test_gets_a_fresh_mail_server(tmp_path: Path) -> None:
    tests = tmp_path / "test_mail.py"
    tests.write_text(TESTS)
    said = run_tests(tests)
    assert "3 passed" in said
    print("\n".join(line for line in said.splitlines() if "setup" in line))  # noqa: T201 - to look at


def test_pytest_finds_the_plugin_where_gatepost_is_installed() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"gatepost": "gatepost.pytest_plugin"}


def test_the_plugin_loads_nothing_before_a_test_asks_for_it(tmp_path: Path) -> None:
    program = (
        "import sys, pytest; import gatepost.pytest_plugin; print([m for m in sys.modules if m.startswith('gatepost')])"
    )
    ended = run("-c", program, cwd=tmp_path)
    assert ended.stdout.strip() == "['gatepost', 'gatepost.pytest_plugin']", ended.stderr
