"""apply: plan files carried out on a server, what is reported, and what happens when something is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import FakeServer, Run

DOMAIN = {"@type": "upsert", "object": "Domain", "matchOn": ["name"], "value": {"d": {"name": "example.org"}}}
ALICE = {"name": "alice", "domainId": "#d"}
ACCOUNT = {"@type": "upsert", "object": "Account", "matchOn": ["name", "domainId"], "value": {"a": ALICE}}
LISTENER = {
    "@type": "upsert",
    "object": "networkListener",
    "matchOn": ["name"],
    "value": {"l": {"name": "imap", "bind": ["[::]:143", "127.0.0.1:10143"]}},
}
SETTINGS = {"@type": "update", "object": "x:SystemSettings", "value": {"maxConnections": 4096}}
DESTROY = {"@type": "destroy", "object": "NetworkListener", "value": {"name": "imaps"}}


def plan(directory: Path, *operations: dict[str, Any], name: str = "plan.ndjson") -> str:
    file = directory / name
    file.write_text("\n".join(map(json.dumps, operations)), encoding="utf-8")
    return str(file)


def counts(document: dict[str, Any]) -> dict[str, int]:
    return {name: document[name] for name in ("created", "updated", "unchanged", "destroyed", "refused")}


def test_a_plan_creates_updates_and_destroys_and_a_second_run_changes_nothing(
    gatepost: Run, server: FakeServer, tmp_path: Path
) -> None:
    file = plan(tmp_path, DOMAIN, ACCOUNT, LISTENER, SETTINGS, DESTROY)
    first = gatepost("apply", file, "--json")
    assert first.exit_code == 0
    assert counts(first.json) == {"created": 2, "updated": 2, "unchanged": 0, "destroyed": 1, "refused": 0}
    calls = len(server.set_calls)
    again = gatepost("apply", file, "--json")
    assert counts(again.json) == {"created": 0, "updated": 0, "unchanged": 4, "destroyed": 0, "refused": 0}
    assert len(server.set_calls) == calls


def test_a_reference_to_an_object_that_was_just_created_is_sent_as_its_id(
    gatepost: Run, server: FakeServer, tmp_path: Path
) -> None:
    gatepost("apply", plan(tmp_path, DOMAIN, ACCOUNT))
    [domain_id] = server.objects["Domain"]
    [account] = server.objects["Account"].values()
    assert account["domainId"] == domain_id


def test_several_files_are_one_plan(gatepost: Run, server: FakeServer, tmp_path: Path) -> None:
    files = [plan(tmp_path, DOMAIN, name="a.ndjson"), plan(tmp_path, ACCOUNT, name="b.ndjson")]
    assert gatepost("apply", *files).exit_code == 0
    assert len(server.objects["Account"]) == 1


def test_for_people_every_step_is_a_line_and_the_sum_stands_last(gatepost: Run, tmp_path: Path) -> None:
    assert gatepost("apply", plan(tmp_path, DOMAIN, LISTENER, DESTROY)).stdout.splitlines() == [
        "+ Domain example.org created",
        "~ NetworkListener imap updated: bind",
        "- NetworkListener imaps destroyed",
        "1 created, 1 updated, 1 destroyed, 0 unchanged",
    ]


def test_a_refusal_stops_the_plan_and_names_file_line_and_property(
    gatepost: Run, server: FakeServer, tmp_path: Path
) -> None:
    server.refusals["i1"] = {
        "type": "invalidProperties",
        "validationErrors": [{"property": "bind", "description": "127.0.0.1:10143: EADDRINUSE"}],
    }
    file = plan(tmp_path, DOMAIN, LISTENER, DESTROY)
    result = gatepost("apply", file, "--json")
    assert result.exit_code == 1
    assert counts(result.json) == {"created": 1, "updated": 0, "unchanged": 0, "destroyed": 0, "refused": 1}
    assert result.stderr.splitlines() == [
        f"error: {file} line 2: NetworkListener imap was refused:",
        "    bind: 127.0.0.1:10143: EADDRINUSE",
        "  operations that are not told of were not carried out",
    ]
    assert "i2" in server.objects["NetworkListener"]


def test_a_dry_run_asks_the_server_and_changes_nothing(gatepost: Run, server: FakeServer, tmp_path: Path) -> None:
    result = gatepost("apply", plan(tmp_path, DOMAIN, ACCOUNT, LISTENER), "--dry-run")
    assert result.stdout.splitlines() == [
        "+ Domain example.org would be created",
        "+ Account alice would be created (not checked: it needs an object that this plan creates)",
        "~ NetworkListener imap would be updated: bind",
        "dry run, nothing was changed: 2 created, 1 updated, 0 destroyed, 0 unchanged",
    ]
    assert result.exit_code == 0
    assert [arguments["dryRun"] for _, arguments in server.set_calls] == [True, True]
    assert "Account" not in server.objects or not server.objects["Account"]


def test_more_steps_than_one_set_may_hold_go_in_several(gatepost: Run, server: FakeServer, tmp_path: Path) -> None:
    server.max_objects = 2
    values = {f"d{number}": {"name": f"{number}.example"} for number in range(5)}
    result = gatepost("apply", plan(tmp_path, {**DOMAIN, "value": values}), "--json")
    assert result.json["created"] == 5
    assert [len(arguments["create"]) for _, arguments in server.set_calls] == [2, 2, 1]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"@type":"upsert","object":"Domain","value":{}}', "line 1: matchOn: is missing"),
        ('{"@type":"create","object":"Domian","value":{}}', "line 1: object: 'Domian' is not an object type"),
        ('{"@type":"create","object":"Domain","value":{"d":{"nam":"a"}}}', "line 1: value/d/nam: Domain has no"),
        ("{", "line 1: not JSON"),
    ],
)
def test_a_wrong_plan_is_wrong_usage_and_nothing_is_sent(
    gatepost: Run, server: FakeServer, tmp_path: Path, line: str, words: str
) -> None:
    file = tmp_path / "plan.ndjson"
    file.write_text(line, encoding="utf-8")
    result = gatepost("apply", str(file))
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{file} {words}" in result.stderr
    assert server.set_calls == []


def test_a_file_that_cannot_be_read_is_wrong_usage(gatepost: Run, tmp_path: Path) -> None:
    result = gatepost("apply", str(tmp_path / "none.ndjson"))
    assert result.exit_code == 2
    assert "none.ndjson: cannot be read: No such file" in result.stderr


def creates(number: int) -> dict[str, Any]:
    return {**DOMAIN, "value": {f"d{number}": {"name": f"{number}.example"}}}


def test_operations_in_a_row_that_only_create_objects_of_a_type_are_one_change(
    gatepost: Run, server: FakeServer, tmp_path: Path
) -> None:
    result = gatepost("apply", plan(tmp_path, *map(creates, range(3)), LISTENER))
    assert result.exit_code == 0
    (first, created), (second, _) = server.set_calls
    assert (first, len(created["create"]), second) == ("Domain", 3, "NetworkListener")


def test_what_is_created_beside_something_refused_is_there_and_what_comes_behind_is_not(
    gatepost: Run, server: FakeServer, tmp_path: Path
) -> None:
    server.refusals["d1"] = {"type": "invalidProperties", "description": "no"}
    result = gatepost("apply", plan(tmp_path, *map(creates, range(3)), LISTENER), "--json")
    assert counts(result.json) == {"created": 2, "updated": 0, "unchanged": 0, "destroyed": 0, "refused": 1}
    assert [name for name, _ in server.set_calls] == ["Domain"]


@pytest.mark.parametrize("other", [LISTENER, DESTROY])
def test_an_update_or_a_destroy_goes_by_itself(
    gatepost: Run, server: FakeServer, tmp_path: Path, other: dict[str, Any]
) -> None:
    created = {**LISTENER, "value": {"n": {"name": "new", "bind": ["127.0.0.1:10144"]}}}
    server.refusals["n"] = {"type": "invalidProperties", "description": "no"}
    assert gatepost("apply", plan(tmp_path, created, other)).exit_code == 1
    assert len(server.set_calls) == 1
    assert {"i1", "i2"} <= set(server.objects["NetworkListener"])
