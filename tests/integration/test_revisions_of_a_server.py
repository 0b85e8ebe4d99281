"""The revision that runs beside the one that is stored: an operator's alarm compares them."""

from __future__ import annotations

import httpx
from tests.integration.running_server import ADMIN, RunningServer


def test_changes_that_listeners_have_nothing_to_do_with_leave_no_difference(server: RunningServer) -> None:
    for method, create in (
        (
            "x:Account/set",
            {"name": "carol", "domainId": server.call("x:Domain/query")["ids"][0], "password": "a secret"},
        ),
        ("x:Domain/set", {"name": "example.net"}),
    ):
        assert server.call(method, create={"n": create})["created"]
        _is_in_force(server)
    with httpx.Client(base_url=server.http.base_url, trust_env=False) as browser:
        signed_in = browser.post("/api/login", json={"user": ADMIN[0], "password": ADMIN[1]}).json()
        browser.post("/api/logout", headers={"X-CSRF-Token": signed_in["csrfToken"]}).raise_for_status()
    _is_in_force(server)
    server.update_listener(server.listener("imap")["id"], maxConnections=7)
    _is_in_force(server)


def _is_in_force(server: RunningServer) -> None:
    status = server.status("imap")
    assert status["runningRevision"] == status["storedRevision"]
    metrics = dict(line.rsplit(" ", 1) for line in server.http.get("/metrics").text.splitlines() if line[0] != "#")
    assert metrics["gatepost_running_revision"] == metrics["gatepost_stored_revision"]
