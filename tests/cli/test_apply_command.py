"""apply: plan files carried out on a server, what is reported, and what happens when something is refused."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest
from tests.cli.conftest import TOKEN
from tests.python_process import python_environment

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
        "  1 more step not carried out: mend the plan and apply it again, or add --continue-on-error",
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


REFUSED = {"type": "invalidProperties", "validationErrors": [{"property": "name", "description": "is not a domain"}]}


def test_it_can_go_on_behind_a_refusal_with_what_does_not_need_it(
    gatepost: Run, server: FakeServer, tmp_path: Path
) -> None:
    server.refusals["d"] = REFUSED
    file = plan(tmp_path, DOMAIN, ACCOUNT, LISTENER, DESTROY)
    result = gatepost("apply", file, "--continue-on-error", "--json")
    assert result.exit_code == 1
    assert counts(result.json) == {"created": 0, "updated": 1, "unchanged": 0, "destroyed": 1, "refused": 2}
    assert result.json["isComplete"] is False
    assert result.stderr.splitlines() == [
        f"error: {file} line 1: Domain example.org was refused:",
        "    name: is not a domain",
        f"  {file} line 2: Account alice was refused:",
        "    notSent: needs #d, which was refused",
    ]
    assert "Account" not in {object_type for object_type, _ in server.set_calls}


def test_a_server_that_is_lost_in_the_first_change_leaves_it_open_what_was_done(
    gatepost: Run, server: FakeServer, tmp_path: Path
) -> None:
    server.set_calls_before_it_fails = 0
    result = gatepost("apply", plan(tmp_path, DOMAIN, LISTENER))
    assert result.exit_code == 1
    assert "2 more steps may have been carried out or not: `gatepost diff` tells" in result.stderr


REPLACEMENT = {
    "@type": "reconcile",
    "object": "NetworkListener",
    "matchOn": ["name"],
    "value": {"new": {"name": "lmtp", "bind": ["127.0.0.1:24"]}, "i": {"name": "imap"}, "s": {"name": "smtp"}},
}


def test_a_reconcile_destroys_nothing_where_what_it_creates_is_refused(
    gatepost: Run, server: FakeServer, tmp_path: Path
) -> None:
    server.refusals["new"] = {"type": "invalidProperties", "description": "cannot be bound"}
    result = gatepost("apply", plan(tmp_path, REPLACEMENT))
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "+ NetworkListener lmtp refused",
        "0 created, 0 updated, 0 destroyed, 0 unchanged, 1 refused",
    ]
    assert "3 more steps not carried out" in result.stderr
    assert set(server.objects["NetworkListener"]) == {"i1", "i2", "i3"}


def test_a_reconcile_of_which_nothing_is_refused_is_one_change(
    gatepost: Run, server: FakeServer, tmp_path: Path
) -> None:
    assert gatepost("apply", plan(tmp_path, REPLACEMENT)).exit_code == 0
    tried, carried_out = (arguments for _, arguments in server.set_calls)
    assert tried == {**carried_out, "dryRun": True}
    assert carried_out["destroy"] == ["i2"]
    assert [*carried_out["create"]] == ["new"]


def test_a_server_that_is_lost_half_way_does_not_hide_what_was_done(
    gatepost: Run, server: FakeServer, tmp_path: Path
) -> None:
    server.set_calls_before_it_fails = 1
    result = gatepost("apply", plan(tmp_path, DOMAIN, LISTENER), "--json")
    assert (result.exit_code, result.json["isComplete"], result.json["created"]) == (1, False, 1)
    assert "503" in result.stderr
    assert "apply the plan again" in result.stderr


def test_an_interrupted_plan_tells_what_was_done_and_what_is_open(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived, may_go_on, carry_out = Event(), Event(), server._set

    def stand_still(type_name: str, known: dict[str, dict[str, Any]], arguments: dict[str, Any]) -> dict[str, Any]:
        if server.set_calls:
            arrived.set()
            may_go_on.wait(30)
        return carry_out(type_name, known, arguments)

    monkeypatch.setattr(server, "_set", stand_still)
    file = plan(tmp_path, DOMAIN, LISTENER)
    command = [sys.executable, "-m", "gatepost", "apply", file, "--url", server.url, "--api-key", TOKEN]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=python_environment()
    ) as process:
        assert arrived.wait(30)
        process.send_signal(signal.SIGINT)
        printed, told = process.communicate(timeout=30)
    may_go_on.set()
    assert process.returncode == 130
    assert printed.splitlines()[0] == "+ Domain example.org created"
    assert told.startswith("error: interrupted\n  1 more step may have been carried out or not")


def test_a_long_plan_has_a_bar_on_a_terminal_and_nowhere_else(server: FakeServer, tmp_path: Path) -> None:
    values = {f"d{number}": {"name": f"{number}.example"} for number in range(40)}
    command = [
        sys.executable,
        "-m",
        "gatepost",
        "apply",
        plan(tmp_path, {**DOMAIN, "value": values}),
        "--url",
        server.url,
    ]
    environment = {**python_environment(), "GATEPOST_TOKEN": TOKEN, "TERM": "xterm", "COLUMNS": "100"}
    dry_run = [*command, "--dry-run"]
    shown = output_on_a_terminal(dry_run, environment)
    assert "40/40" in shown
    assert "+ Domain 39.example would be created" in shown
    piped = subprocess.run(dry_run, capture_output=True, text=True, check=True, env=environment)
    assert "/40" not in piped.stdout + piped.stderr


def output_on_a_terminal(command: list[str], environment: dict[str, str]) -> str:
    """What a command writes to its terminal."""
    primary, secondary = pty.openpty()
    with subprocess.Popen(command, stdin=secondary, stdout=secondary, stderr=secondary, env=environment) as process:
        os.close(secondary)
        shown = b""
        try:
            while more := os.read(primary, 65536):
                shown += more
        except OSError:  # EIO: the other side is closed
            pass
        os.close(primary)
        assert process.wait(30) == 0, shown
    return shown.decode()
