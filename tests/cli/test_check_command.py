"""check: plan files validated without a server, every problem with file, line and property."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.certificates import certificate_pem, key_pem, new_certificate, new_key

if TYPE_CHECKING:
    from tests.cli.conftest import Result, Run

Check = Any


@pytest.fixture
def check(run: Run, tmp_path: Path) -> Check:
    """Check a plan of these operations; what is printed names it `plan`."""

    def check_operations(*operations: dict[str, Any]) -> list[str]:
        file = tmp_path / "plan"
        file.write_text("\n".join(map(json.dumps, operations)), encoding="utf-8")
        result: Result = run("check", str(file))
        lines = [line.strip().replace(str(file), "plan") for line in result.stderr.splitlines()]
        assert result.exit_code == (2 if any(line.startswith("error: ") for line in lines) else 0)
        return lines

    return check_operations


def create(object_name: str, **value: Any) -> dict[str, Any]:
    return {"@type": "create", "object": object_name, "value": {"l": value}}


def upsert(object_name: str, **value: Any) -> dict[str, Any]:
    return {"@type": "upsert", "object": object_name, "matchOn": ["name"], "value": {"l": value}}


def update(object_name: str, object_id: str | None = None, **value: Any) -> dict[str, Any]:
    return {"@type": "update", "object": object_name, "value": value, **({"id": object_id} if object_id else {})}


SMTP = {"name": "smtp", "bind": ["127.0.0.1:25"]}
ORG = {"@type": "upsert", "object": "Domain", "matchOn": ["name"], "value": {"d": {"name": "example.org"}}}
ALICE = {"name": "alice", "domainId": "#d", "password": "a long password"}
PEOPLE = {"@type": "upsert", "object": "Account", "matchOn": ["name", "domainId"], "value": {"a": ALICE}}


def test_a_plan_that_is_fit_exits_with_0(run: Run, tmp_path: Path) -> None:
    plan = tmp_path / "plan"
    plan.write_text("\n".join(map(json.dumps, (ORG, PEOPLE, upsert("NetworkListener", **SMTP)))))
    assert run("check", str(plan)).stdout == "3 operations on 3 objects: no problem found\n"
    assert run("check", str(plan), "--json").json == {"isFit": True, "problems": [], "notes": []}
    assert run("--json", "check", str(plan)).json["isFit"] is True


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        (upsert("NetworkListener", **SMTP, socketTtl=300), "value/l/socketTtl: must be 255 or less"),
        (upsert("NetworkListener", name="a", bind=["127.0.0.1:99999"]), "value/l/bind: '127.0.0.1:99999': the port"),
        (create("NetworkListener", name="a"), "value/l/bind: must be given"),
        (create("NetworkListener", **SMTP, useTls=False, tlsImplicit=True), "value/l/tlsImplicit: implicit TLS needs"),
        (create("NetworkListener", **SMTP, tlsDisableProtocols=["tls12", "tls13"]), "value/l/tlsDisableProtocols: "),
        (update("SystemSettings", maxConnections=0), "value/maxConnections: must be 1 or more"),
        (update("NetworkListener", "smtp", maxConnections=0), "value/maxConnections: must be 1 or more"),
        (update("NetworkListener", "smtp", **{"bind/x": True}), "value/bind: 'x'"),
        (update("NetworkListener", "smtp", **{"name/x": True}), "value: 'name/x' points to nothing"),
        (create("Account", name="bob", password="x", domainId="d1"), "value/l/domainId: there is no Domain"),
        (create("Domian", name="a"), "object: 'Domian' is not an object type; did you mean 'Domain'?"),
        (create("Domain", nam="a"), "value/l/nam: Domain has no property 'nam'; did you mean 'name'?"),
        (create("Certificate", certificate="PEM", privateKey="PEM"), "value/l/certificate: "),
        ({"@type": "create", "object": "Domain", "value": {}, "x": 1}, "x: is not a member of create"),
    ],
)
def test_every_problem_is_told_with_file_line_and_property(check: Check, operation: Any, words: str) -> None:
    [line] = check(ORG, operation)
    assert line.startswith(f"error: plan line 2: {words}")


def test_what_does_not_go_together_is_told_at_the_later_line(check: Check) -> None:
    other = create("NetworkListener", name="Smtp", bind=["127.0.0.1:26"])
    assert check(create("NetworkListener", **SMTP), other) == [
        "error: plan line 2: value/l: another listener has this name"
    ]
    [line] = check(
        create("NetworkListener", **SMTP), create("NetworkListener", name="b", bind=["[::]:25"], protocol="imap")
    )
    assert line.startswith("error: plan line 2: value/l/bind: [::]:25")


def test_what_an_upsert_leaves_out_is_a_note_because_the_server_may_have_it(check: Check) -> None:
    assert check(upsert("NetworkListener", name="smtp", maxConnections=5)) == [
        "warning: plan line 1: value/l/bind: must be given where the server does not have this object yet"
    ]


def test_the_administrator_without_a_domain_is_one_that_the_server_may_have(check: Check) -> None:
    admin = {"name": "admin", "domainId": None, "password": "a long password", "role": "admin"}
    [line] = check({**PEOPLE, "value": {"a": admin}})
    assert line.startswith("warning: plan line 1: value/a/domainId: must be given: only the built-in administrator")


def test_an_update_of_what_the_plan_has_made_is_judged_with_it(check: Check) -> None:
    disable = update("NetworkListener", "smtp", tlsImplicit=True, useTls=False)
    [line] = check(create("NetworkListener", **SMTP), disable)
    assert line.startswith("error: plan line 2: value/tlsImplicit")


def test_an_update_of_what_only_the_server_knows_is_taken_to_be_right(check: Check) -> None:
    assert check(update("NetworkListener", "smtp", maxConnections=5), update("Domain", "i12345", description="a")) == []


def test_certificates_in_files_are_looked_at_where_the_files_are(check: Check, tmp_path: Path) -> None:
    now, key = datetime.now(UTC), new_key()
    valid = (now - timedelta(days=1), now + timedelta(days=1))
    chain_file, key_file = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain_file.write_text(certificate_pem(new_certificate("a", key, valid, names=("mail.example.org",))))
    key_file.write_text(key_pem(key))
    paths = {"certificateFile": str(chain_file), "privateKeyFile": str(key_file)}
    assert check(create("Certificate", **paths)) == []
    key_file.write_text(key_pem(new_key()))
    [line] = check(create("Certificate", **paths))
    assert line.startswith("error: plan line 1: value/l/privateKeyFile")
    [line] = check(create("Certificate", certificateFile="/nowhere/chain", privateKeyFile="/nowhere/chain"))
    assert line.startswith("warning: plan line 1: value/l/certificateFile: not looked at")


def test_a_file_that_is_not_there_is_wrong_usage(run: Run) -> None:
    result = run("check", "/nowhere/plan", "--json")
    assert (result.exit_code, result.json["isFit"]) == (2, False)
    assert "/nowhere/plan: cannot be read" in result.stderr
