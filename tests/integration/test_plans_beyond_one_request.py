"""A plan whose objects do not go into one request is applied in several, none of which the server refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.integration.running_server import PACKAGE_PATH, RunningServer

ACCOUNTS, ALIASES = 52, 1000


def test_a_plan_of_more_values_than_one_request_may_have(shared_server: RunningServer, tmp_path: Path) -> None:
    capabilities = shared_server.http.get("/jmap/session").json()["capabilities"]
    most = capabilities["urn:gatepost:jmap"]["maxValuesInRequest"]
    assert most < ACCOUNTS * ALIASES
    people = {
        f"many{number}": {
            "name": f"many{number}",
            "domainId": "#d",
            "password": "a long enough password",
            "aliases": [f"alias{each}.{number}@many.example" for each in range(ALIASES)],
        }
        for number in range(ACCOUNTS)
    }
    lines = [
        {"@type": "upsert", "object": "Domain", "matchOn": ["name"], "value": {"d": {"name": "many.example"}}},
        {"@type": "upsert", "object": "Account", "matchOn": ["name", "domainId"], "value": people},
    ]
    plan = tmp_path / "many.ndjson"
    plan.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    user, password = shared_server.admin
    access = ["--url", f"http://127.0.0.1:{shared_server.ports['http']}", "--user", user, "--password", password]
    command = [sys.executable, "-m", "gatepost", "apply", str(plan), *access]
    environment = {"PYTHONPATH": PACKAGE_PATH, "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    ids = shared_server.call("x:Account/query", filter={"name": "many"})["ids"]
    assert len(ids) == ACCOUNTS
    assert shared_server.call("x:Account/set", destroy=ids)["notDestroyed"] is None
