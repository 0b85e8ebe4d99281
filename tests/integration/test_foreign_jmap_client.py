"""A JMAP client library that was not written here opens a session over TLS and works with objects."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from tests.cannot_run import cannot_run
from tests.integration.running_server import ADMIN, RunningServer

PROGRAM = Path(__file__).with_name("jmapc_program.py")


def test_jmapc_opens_a_session_and_calls_the_api(shared_server: RunningServer, tmp_path: Path) -> None:
    if find_spec("jmapc") is None:
        cannot_run("jmapc is not installed")
    (certificate,) = shared_server.call("x:Certificate/get", ids=None)["list"]
    authority = tmp_path / "ca.pem"
    authority.write_text(certificate["certificate"])
    done = subprocess.run(
        [sys.executable, PROGRAM, f"localhost:{shared_server.ports['https']}", ADMIN[0]],
        input=f"{ADMIN[1]}\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "REQUESTS_CA_BUNDLE": str(authority), "NO_PROXY": "*"},
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    (event_id,) = seen.pop("events")
    assert event_id.startswith("x:Domain=")
    assert seen == {
        "api_url": f"https://localhost:{shared_server.ports['https']}/jmap/",
        "account_id": shared_server.account_id,
        "echo": {"hello": "there"},
        "found": ["jmapc.example"],
        "created": True,
        "refused": "invalidProperties",
        "mismatch": "stateMismatch",
        "destroyed": True,
    }
