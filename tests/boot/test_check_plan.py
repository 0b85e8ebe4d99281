"""`gatepost check` says of a plan what a start with it says: the same problems, in the same words, at the same lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gatepost.boot.boot import boot
from gatepost.boot.check_plan import check_plan
from gatepost.boot.messages import BootRequest
from gatepost.config.plan_file import PlanError
from gatepost.config.read_plans import read_plans

Line = dict[str, Any]


def create(object_name: str, **values: dict[str, Any]) -> Line:
    return {"@type": "create", "object": object_name, "value": values}


def update(object_name: str, object_id: str | None = None, **value: Any) -> Line:
    return {"@type": "update", "object": object_name, "value": value, **({"id": object_id} if object_id else {})}


SMTP = create("NetworkListener", l={"name": "smtp", "bind": ["127.0.0.1:25"]})
ORG = create("Domain", d={"name": "example.org"})
ALICE = {"name": "alice", "domainId": "#d", "password": "a long password"}
LESS_TLS = ["tls13Aes256GcmSha384", "tls13Aes128GcmSha256", "tls13Chacha20Poly1305Sha256"]

FIT: list[list[Line]] = [
    [SMTP, ORG, create("Account", a=ALICE), create("ApiKey", k={"name": "ci", "accountId": "#a"})],
    [SMTP, update("NetworkListener", "smtp", maxConnections=5), update("SystemSettings", workers=2)],
    [SMTP, {"@type": "reconcile", "object": "NetworkListener", "matchOn": ["name"], "value": {}}],
    [ORG, {"@type": "destroy", "object": "Domain", "value": {"name": "example.org"}}],
    [create("BlockedIp", b={"network": "192.0.2.0/24"}), create("AllowedIp", a={"network": "192.0.2.1"})],
]
UNFIT: list[list[Line]] = [
    [create("NetworkListener", l={"name": "a b", "bind": ["127.0.0.1:0"], "socketTtl": 256})],
    [SMTP, create("NetworkListener", m={"name": "b", "protocol": "imap", "bind": ["[::]:25"]})],
    [SMTP, update("NetworkListener", "smtp", tlsDisableCipherSuites=LESS_TLS)],
    [ORG, create("Account", a={**ALICE, "aliases": ["alice@example.net"]})],
    [ORG, create("Account", a=ALICE, b={**ALICE, "name": "Alice"})],
    [ORG, create("Account", a=ALICE), {"@type": "destroy", "object": "Domain", "value": {}}],
    [update("SystemSettings", defaultCertificateId="nobody")],
    [create("Certificate", c={"certificate": "not PEM", "privateKey": "not PEM"})],
    [create("Account", a={**ALICE, "domainId": "#nobody"})],
]


def told(tmp_path: Path, lines: list[Line]) -> tuple[list[str], list[str]]:
    """What is wrong, as lines of file and number: by the check, and by a start on an empty data directory."""
    plan = tmp_path / "plan"
    plan.write_text("\n".join(map(json.dumps, lines)))
    directory = str(tmp_path / "data")
    request = BootRequest(
        database=directory, data_directory=directory, plan_files=(str(plan),), is_demo=False, admin="admin:a password"
    )
    try:
        found = [str(problem) for problem in check_plan(read_plans([str(plan)])).problems]
    except PlanError as error:
        found = [str(problem) for problem in error.problems]
    return found, list(boot(request).problems)


@pytest.mark.parametrize("lines", FIT, ids=[str(number) for number in range(len(FIT))])
def test_a_plan_that_the_check_finds_fit_can_be_started_with(tmp_path: Path, lines: list[Line]) -> None:
    assert told(tmp_path, lines) == ([], [])


@pytest.mark.parametrize("lines", UNFIT, ids=[str(number) for number in range(len(UNFIT))])
def test_a_plan_that_the_check_finds_unfit_is_refused_at_the_same_line(tmp_path: Path, lines: list[Line]) -> None:
    found, refused = told(tmp_path, lines)
    place = f"{tmp_path / 'plan'} line {len(lines)}"
    assert found and all(problem.startswith(place) for problem in found)
    assert refused[0].startswith(place)
