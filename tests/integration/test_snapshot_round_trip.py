"""A snapshot of one server makes the same configuration on another, and `diff` tells two of them apart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.certificates import certificate_pem, key_pem, new_certificate, new_key
from tests.free_port import free_port
from tests.integration.command_line import Result, gatepost
from tests.integration.running_server import ADMIN, PASSWORDS, RunningServer, running_server


def snapshot(server: RunningServer, *options: str) -> str:
    taken = gatepost(server, "snapshot", *options)
    assert taken.exit_code == 0, taken.stderr
    return taken.stdout


def with_secrets(text: str, private_key: str) -> str:
    """The snapshot with what its remarks say is missing."""
    lines: list[str] = []
    for line in text.splitlines():
        operation = {} if line.startswith("#") or not line else json.loads(line)
        for value in operation.get("value", {}).values() if "matchOn" in operation else ():
            if operation["object"] == "Account":
                value["password"] = {**PASSWORDS, ADMIN[0]: ADMIN[1]}[value["name"]]
            elif value.get("certificate"):
                value["privateKey"] = private_key
        lines.append(json.dumps(operation) if operation else line)
    return "\n".join(lines)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, Path, Path]:
    """Chain and key as text and in files."""
    now = datetime.now(UTC)
    key = new_key()
    certificate = new_certificate(
        "mail.example.org", key, (now - timedelta(days=1), now + timedelta(days=9)), names=("mail.example.org",)
    )
    directory = tmp_path_factory.mktemp("certificates")
    chain_file, key_file = directory / "mail.pem", directory / "mail.key"
    chain_file.write_text(certificate_pem(certificate))
    key_file.write_text(key_pem(key))
    return chain_file.read_text(), key_file.read_text(), chain_file, key_file


def objects(pair: tuple[str, str, Path, Path]) -> list[dict[str, Any]]:
    chain, private_key, chain_file, key_file = pair
    certificates = {
        "text": {"name": "as text", "certificate": chain, "privateKey": private_key},
        "files": {"name": "in files", "certificateFile": str(chain_file), "privateKeyFile": str(key_file)},
    }
    unnamed = {"unnamed": {"certificate": chain, "privateKey": private_key}}
    return [
        {"@type": "upsert", "object": "Certificate", "matchOn": ["certificate"], "value": unnamed},
        {"@type": "upsert", "object": "Certificate", "matchOn": ["name"], "value": certificates},
        {"@type": "update", "object": "SystemSettings", "value": {"defaultCertificateId": "#files", "workers": 1}},
    ]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, pair: tuple[str, str, Path, Path]) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("original"), workers=1, extra_lines=objects(pair)) as server:
        yield server


def test_a_snapshot_is_what_runs_and_says_what_it_lacks(original: RunningServer) -> None:
    taken = gatepost(original, "snapshot")
    assert gatepost(original, "diff", "-", text=taken.stdout) == Result(0, "no differences\n", "")
    assert "Account alice@example.org: password" in taken.stderr
    assert "Certificate as text: privateKey" in taken.stderr
    assert "in files" not in taken.stderr
    remark = (
        "# password of alice@example.org is not in here: no server gives it back. What exists keeps its own; to create "
    )
    assert f"{remark}the Account, add it to the line below." in taken.stdout.splitlines()
    assert PASSWORDS["alice"] not in taken.stdout
    assert "PRIVATE KEY" not in taken.stdout


def test_a_snapshot_applied_where_it_was_taken_changes_nothing_and_every_secret_stays(original: RunningServer) -> None:
    changes = original.call("x:Change/query", calculateTotal=True)["total"]
    applied = gatepost(original, "apply", "-", text=snapshot(original))
    assert applied.exit_code == 0, applied.stderr
    assert ", 0 updated, 0 destroyed, " in applied.stdout.splitlines()[-1]
    assert original.call("x:Change/query", calculateTotal=True)["total"] == changes
    for name, password in PASSWORDS.items():
        url = str(original.http.base_url.join("/api/account"))
        assert httpx.get(url, auth=(name, password), timeout=60, trust_env=False).status_code == 200


def test_a_text_may_have_any_line_separator(original: RunningServer) -> None:
    (domain,) = original.call("x:Domain/query", filter={"name": "example.org"})["ids"]
    original.set("Domain", update={domain: {"description": "one\u2028two"}})
    try:
        taken = json.loads(gatepost(original, "snapshot", "Domain", "--json").stdout)
        assert taken["operations"][0]["value"]["example-org"]["description"] == "one\u2028two"
    finally:
        original.set("Domain", update={domain: {"description": None}})


def test_an_exact_snapshot_takes_a_server_back_to_what_it_was(original: RunningServer, tmp_path: Path) -> None:
    before, exact = snapshot(original), tmp_path / "exact.ndjson"
    assert gatepost(original, "snapshot", "--exact", "--output", str(exact)).exit_code == 0
    domain = original.set("Domain", create={"d": {"name": "new.example"}})["created"]["d"]["id"]
    original.set("Account", create={"a": {"name": "new", "domainId": domain, "password": "secret of new"}})
    original.create_listener(name="new", protocol="imap", bind={f"127.0.0.1:{free_port()}": True})
    original.update_listener(original.listener("imap")["id"], maxConnections=7)
    compared = gatepost(original, "diff", str(exact))
    assert compared.exit_code == 1
    assert [line for line in compared.stdout.splitlines() if not line.startswith(" ")] == [
        "~ NetworkListener imap",
        "- NetworkListener new",
        "- Account new",
        "- Domain new.example",
    ]
    assert "    maxConnections: 7 -> 8192" in compared.stdout
    applied = gatepost(original, "apply", str(exact))
    assert applied.exit_code == 0, applied.stderr
    assert snapshot(original) == before


def test_an_object_without_its_secret_is_refused_where_it_is_new_with_the_property_that_is_missing(
    original: RunningServer,
) -> None:
    [line] = [line for line in snapshot(original).splitlines() if '"name":"alice"' in line and "Account" in line]
    moved = json.loads(line.replace('"alice"', '"somebody-new"').replace('"#example-org"', "null"))
    refused = gatepost(original, "apply", "-", text=json.dumps(moved))
    assert refused.exit_code == 1
    assert "password: must be given" in refused.stderr


def test_a_plan_with_a_password_that_is_set_already_changes_nothing(original: RunningServer) -> None:
    person = {"name": "alice", "domainId": "#d", "password": PASSWORDS["alice"]}
    domain = {"@type": "upsert", "object": "Domain", "matchOn": ["name"], "value": {"d": {"name": "example.org"}}}
    line = {"@type": "upsert", "object": "Account", "matchOn": ["name", "domainId"], "value": {"a": person}}
    plan = f"{json.dumps(domain)}\n{json.dumps(line)}"
    assert gatepost(original, "apply", "-", text=plan).stdout.splitlines() == [
        "= Domain example.org unchanged",
        "= Account alice unchanged",
        "0 created, 0 updated, 0 destroyed, 2 unchanged",
    ]
    changed = gatepost(original, "apply", "-", text=plan.replace(PASSWORDS["alice"], "another password"))
    assert "~ Account alice updated: password" in changed.stdout
    gatepost(original, "apply", "-", text=plan)


def test_a_server_that_cannot_be_asked_is_trouble_and_no_difference(original: RunningServer) -> None:
    assert gatepost(original, "diff", "-", "--url", f"http://127.0.0.1:{free_port()}").exit_code == 2
    assert gatepost(original, "diff", "/nowhere/plan.ndjson").exit_code == 2


def test_a_part_of_the_configuration_comes_with_what_it_refers_to(original: RunningServer) -> None:
    lines = [line for line in snapshot(original, "account").splitlines() if line.startswith("{")]
    assert {json.loads(line)["object"] for line in lines} == {"Domain", "Account"}
    refused = gatepost(original, "snapshot", "Change")
    assert (refused.exit_code, "Change is no configuration" in refused.stderr) == (2, True)


def test_an_empty_server_that_is_given_a_snapshot_gives_the_same_snapshot(
    original: RunningServer, tmp_path: Path, pair: tuple[str, str, Path, Path]
) -> None:
    taken, plan = snapshot(original), tmp_path / "snapshot.ndjson"
    ports = {name: free_port() for name in original.ports}  # both run at the same time
    for name, port in original.ports.items():
        taken = taken.replace(f':{port}"', f':{ports[name]}"')
    plan.write_text(with_secrets(taken, pair[1]))
    arguments = ["--data", str(tmp_path / "data"), "--plan", str(plan), "--workers", "1"]
    second = RunningServer(tmp_path, arguments, ports, ADMIN)
    try:
        assert snapshot(second) == taken
    finally:
        second.stop()


def test_the_secret_of_an_api_key_that_a_plan_creates_is_shown_once(original: RunningServer) -> None:
    line = {"@type": "upsert", "object": "ApiKey", "matchOn": ["name"], "value": {"k": {"name": "from a plan"}}}
    applied = gatepost(original, "apply", "-", "--json", text=json.dumps(line))
    [step] = json.loads(applied.stdout)["steps"]
    secret = step["secrets"]["secret"]
    assert secret not in gatepost(original, "snapshot").stdout
    as_the_key = ("snapshot", "--api-key", secret)
    assert gatepost(original, *as_the_key).stdout == snapshot(original)
    again = gatepost(original, "apply", "-", text=json.dumps(line))
    assert again.stdout.splitlines() == [
        "= ApiKey from a plan unchanged",
        "0 created, 0 updated, 0 destroyed, 1 unchanged",
    ]
    destroyed = gatepost(original, "delete", "ApiKey", "from a plan")
    assert destroyed.exit_code == 0
