"""get, query, create, update, delete, describe and status against a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import FakeServer, Run


def test_get_shows_an_object_by_id_or_name(gatepost: Run) -> None:
    by_name = gatepost("get", "networklistener", "imap", "--json")
    assert by_name.exit_code == 0
    assert by_name.json["id"] == "i1"
    assert gatepost("get", "x:NetworkListener", "i1", "--json").json == by_name.json


def test_get_for_people_writes_durations_and_sets_as_people_do(gatepost: Run) -> None:
    printed = gatepost("get", "NetworkListener", "imap").stdout
    assert "1m" in printed
    assert "[::]:143" in printed
    assert "yes" in printed


def test_get_without_an_id_lists_all_objects(gatepost: Run) -> None:
    assert [item["name"] for item in gatepost("get", "NetworkListener", "--json").json] == ["imap", "imaps", "smtp"]


def test_get_of_a_singleton_needs_no_id(gatepost: Run) -> None:
    assert gatepost("get", "SystemSettings", "--json").json["maxConnections"] == 8192


def test_more_objects_than_one_get_may_give_are_fetched_in_pages(gatepost: Run, server: FakeServer) -> None:
    server.max_objects = 2
    assert len(gatepost("get", "NetworkListener", "--json").json) == 3
    assert len(gatepost("query", "NetworkListener", "--json").json) == 3
    assert len(gatepost("query", "NetworkListener", "--json", "--limit", "1").json) == 1


def test_query_shows_the_columns_of_the_list_and_the_id(gatepost: Run) -> None:
    lines = gatepost("query", "NetworkListener", "--where", "name=smtp").stdout.splitlines()
    assert lines[0].split() == ["Name", "Protocol", "Addresses", "Id"]
    assert lines[2].split() == ["smtp", "smtp", "[::]:25", "i3"]
    assert len(lines) == 3


def test_query_takes_words_that_are_a_part_of_what_it_shows(gatepost: Run) -> None:
    def found(*options: str) -> list[str]:
        return [item["name"] for item in gatepost("query", "NetworkListener", "--json", *options).json]

    assert found("--text", "imap") == ["imap", "imaps"]
    assert found("--text", ":993") == ["imaps"]
    assert found("--text", "imap", "--where", "name=imap") == ["imap"]
    assert found("--text", "smtp", "--where", "name=imap") == []


def test_query_takes_columns(gatepost: Run) -> None:
    result = gatepost("query", "NetworkListener", "--columns", "useTls", "--where", "protocol=smtp", "--json")
    assert result.json == [{"id": "i3", "useTls": True}]


def test_an_object_that_is_not_there_is_an_error_with_the_way_out(gatepost: Run) -> None:
    result = gatepost("get", "NetworkListener", "pop3")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "there is no NetworkListener with the id or name 'pop3'; `gatepost query NetworkListener`" in result.stderr


def test_so_is_one_whose_name_cannot_be_looked_for(
    gatepost: Run, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = server._answer

    def refuse_queries(name: str, arguments: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        if name.endswith("/query"):
            return "error", {"type": "invalidArguments", "description": "is no network"}
        return answer(name, arguments)

    monkeypatch.setattr(server, "_answer", refuse_queries)
    assert "there is no NetworkListener with the id or name 'pop3'" in gatepost("get", "NetworkListener", "pop3").stderr


@pytest.mark.parametrize("command", [("get", "Domain", "\udcff"), ("create", "Domain", "--field", "name=\udcff")])
def test_an_argument_that_is_no_text_is_wrong_usage(command: tuple[str, ...], gatepost: Run) -> None:
    result = gatepost(*command)  # octets of the command line that are no UTF-8 reach Python as half surrogate pairs
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is not UTF-8" in result.stderr


def test_a_wrong_object_type_is_wrong_usage_with_a_hint(gatepost: Run) -> None:
    result = gatepost("get", "NetworkListner", "imap")
    assert result.exit_code == 2
    assert "did you mean 'NetworkListener'?" in result.stderr


def test_create_sends_typed_values_and_shows_what_came_of_them(gatepost: Run, server: FakeServer) -> None:
    fields = ["name=lmtp", "protocol=lmtp", "bind=127.0.0.1:24,[::1]:24", "useTls=false", "tlsTimeout=30s"]
    arguments = [part for field in fields for part in ("--field", field)]
    result = gatepost("create", "NetworkListener", *arguments, "--json")
    assert result.exit_code == 0
    value = {
        "name": "lmtp",
        "protocol": "lmtp",
        "bind": {"127.0.0.1:24": True, "[::1]:24": True},
        "useTls": False,
        "tlsTimeout": 30000,
    }
    assert server.set_calls == [("NetworkListener", {"create": {"new": value}})]
    assert result.json == {**value, "id": result.json["id"]}


def test_a_refused_create_names_every_property(gatepost: Run, server: FakeServer) -> None:
    server.refusals["new"] = {
        "type": "invalidProperties",
        "properties": ["bind", "tlsImplicit"],
        "validationErrors": [
            {"property": "bind", "type": "Conflict", "description": "[::]:25: EADDRINUSE, address already in use"},
            {"property": "tlsImplicit", "type": "Invalid", "description": "needs useTls"},
        ],
    }
    result = gatepost("create", "NetworkListener", "--field", "name=b")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        "error: NetworkListener b was not created:",
        "    bind: [::]:25: EADDRINUSE, address already in use",
        "    tlsImplicit: needs useTls",
    ]


def test_a_file_whose_at_sign_was_forgotten_is_told_where_the_server_refuses_its_name(
    gatepost: Run, server: FakeServer, tmp_path: Path
) -> None:
    file = tmp_path / "words.txt"
    file.touch()
    server.refusals["new"] = {"type": "invalidProperties", "description": "is too short"}
    named = gatepost("create", "Domain", "--field", "name=x.example", "--field", f"description={file}")
    assert f"{file} is a file here: description=@{file} takes what is in it" in named.stderr
    other = gatepost("create", "Domain", "--field", "name=x.example", "--field", "description=words")
    assert "is a file here" not in other.stderr


def test_update_takes_a_name_and_a_pointer_into_a_set(gatepost: Run, server: FakeServer) -> None:
    result = gatepost("update", "NetworkListener", "imap", "--field", "bind/[::]:2143=true", "--json")
    assert result.json == {"updated": ["i1"]}
    assert server.objects["NetworkListener"]["i1"]["bind"] == {"[::]:143": True, "[::]:2143": True}


def test_update_of_a_singleton_needs_no_id(gatepost: Run, server: FakeServer) -> None:
    assert gatepost("update", "SystemSettings", "--field", "maxConnections=10").exit_code == 0
    assert server.objects["SystemSettings"]["singleton"]["maxConnections"] == 10


def test_where_matches_exactly_even_if_the_server_matches_by_a_part(gatepost: Run, server: FakeServer) -> None:
    assert gatepost("delete", "NetworkListener", "--where", "name=imap").exit_code == 0
    assert list(server.objects["NetworkListener"]) == ["i2", "i3"]


def test_update_with_where_changes_all_that_match(gatepost: Run) -> None:
    result = gatepost("update", "NetworkListener", "--where", "protocol=imap", "--field", "useTls=no", "--json")
    assert result.json == {"updated": ["i1", "i2"]}


def test_ids_of_other_objects_stand_beside_what_people_call_them(gatepost: Run, server: FakeServer) -> None:
    server.objects["Domain"] = {"d1": {"id": "d1", "name": "example.org"}}
    server.objects["Account"] = {"a1": {"id": "a1", "name": "alice", "domainId": "d1"}}
    assert "d1 (example.org)" in gatepost("get", "Account", "alice").stdout
    assert gatepost("get", "Account", "alice", "--json").json["domainId"] == "d1"


def test_a_refused_create_without_a_name_names_the_type(gatepost: Run, server: FakeServer) -> None:
    server.refusals["new"] = {
        "type": "invalidProperties",
        "validationErrors": [{"property": "name", "type": "Required"}],
    }
    assert gatepost("create", "NetworkListener").stderr.startswith("error: NetworkListener was not created:")


def test_where_that_matches_nothing_is_an_error(gatepost: Run) -> None:
    result = gatepost("delete", "NetworkListener", "--where", "name=none")
    assert (result.exit_code, result.stderr) == (1, "error: no NetworkListener has name=none\n")


def test_what_comes_near_is_told_where_nothing_matches_exactly(gatepost: Run, server: FakeServer) -> None:
    refused = gatepost("delete", "NetworkListener", "--where", "name=ima")
    assert refused.stderr == "error: no NetworkListener has name=ima; what comes near: imap, imaps\n"
    assert len(server.objects["NetworkListener"]) == 3
    assert gatepost("query", "NetworkListener", "-w", "name=ima").stdout == (
        "nothing matches; what comes near: imap, imaps\n"
    )
    assert gatepost("query", "NetworkListener", "-w", "name=ima", "--json").json == []


@pytest.mark.parametrize("arguments", [("get",), ("delete",), ("update", "--field", "useTls=true")])
def test_an_empty_name_is_none(gatepost: Run, server: FakeServer, arguments: tuple[str, ...]) -> None:
    command, *options = arguments
    refused = gatepost(command, "NetworkListener", "", *options)
    assert (refused.exit_code, server.set_calls) == (1, [])
    assert "no NetworkListener with the id or name ''" in refused.stderr


def test_a_singleton_has_no_names(gatepost: Run) -> None:
    refused = gatepost("get", "SystemSettings", "foo")
    assert refused.stderr == (
        "error: SystemSettings is a singleton and takes no id; `gatepost get SystemSettings` shows it\n"
    )


def test_names_and_where_are_not_given_together(gatepost: Run, server: FakeServer) -> None:
    refused = gatepost("delete", "NetworkListener", "imap", "--where", "protocol=imap")
    assert (refused.exit_code, server.set_calls) == (2, [])
    assert "not both" in refused.stderr


def test_delete_of_several_reports_what_was_done_and_what_was_refused(gatepost: Run, server: FakeServer) -> None:
    server.refusals["i2"] = {"type": "objectIsLinked", "linkedObjects": [{"object": "x:Account", "id": "a1"}]}
    result = gatepost("delete", "NetworkListener", "imap", "imaps")
    assert result.exit_code == 1
    assert result.stdout == "destroyed NetworkListener imap\n"
    assert "NetworkListener imaps was not deleted" in result.stderr
    assert "linked by Account a1" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "member", "key"),
    [
        (("update", "NetworkListener", "imap", "smtp", "--field", "useTls=true"), "notUpdated", "i1"),
        (("delete", "NetworkListener", "imap", "smtp"), "notDestroyed", "i1"),
        (("create", "NetworkListener", "--field", "name=x"), "notCreated", None),
    ],
)
def test_for_programs_what_was_refused_is_in_the_document(
    gatepost: Run, server: FakeServer, arguments: tuple[str, ...], member: str, key: str | None
) -> None:
    error = {"type": "invalidProperties", "properties": ["bind"]}
    server.refusals = {"i1": error, "new": error}
    result = gatepost(*arguments, "--json")
    assert result.exit_code == 1
    assert result.json[member] == (error if key is None else {key: error})


def test_a_dry_run_changes_nothing(gatepost: Run, server: FakeServer) -> None:
    for arguments in (
        ("create", "NetworkListener", "--field", "name=b"),
        ("update", "NetworkListener", "imap", "--field", "useTls=false"),
        ("delete", "NetworkListener", "imap"),
    ):
        result = gatepost(*arguments, "--dry-run")
        assert result.exit_code == 0
        assert "would be" in result.stdout
    assert all(arguments["dryRun"] is True for _, arguments in server.set_calls)
    assert server.objects["NetworkListener"]["i1"]["useTls"] is True


def test_a_reference_may_be_given_by_name(gatepost: Run, server: FakeServer) -> None:
    server.objects["Domain"] = {"d1": {"id": "d1", "name": "example.org"}}
    fields = ["--field", "name=alice", "--field", "domainId=example.org"]
    assert gatepost("create", "Account", *fields, "--json").json["domainId"] == "d1"


@pytest.fixture
def two_alices(server: FakeServer) -> None:
    server.objects["Domain"] = {"d1": {"id": "d1", "name": "example.org"}, "d2": {"id": "d2", "name": "example.net"}}
    server.objects["Account"] = {
        "a1": {"id": "a1", "name": "alice", "domainId": "d1"},
        "a2": {"id": "a2", "name": "alice", "domainId": "d2"},
    }


@pytest.mark.usefixtures("two_alices")
def test_where_takes_references_by_name_too(gatepost: Run) -> None:
    assert [item["id"] for item in gatepost("query", "Account", "-w", "domainId=example.net", "--json").json] == ["a2"]
    both = gatepost("query", "Account", "-w", "name=alice", "-w", "domainId=example.net", "--json")
    assert [item["id"] for item in both.json] == ["a2"]
    unknown = gatepost("query", "Account", "-w", "domainId=example.com")
    assert (unknown.exit_code, "no Domain with the id or name" in unknown.stderr) == (1, True)


@pytest.mark.usefixtures("two_alices")
def test_an_account_may_be_called_by_its_login_name(gatepost: Run) -> None:
    assert gatepost("get", "Account", "alice@example.net", "--json").json["id"] == "a2"
    assert "2 objects" in gatepost("get", "Account", "alice").stderr
    for nobody in ("bob@example.net", "alice@example.com", "@example.net"):
        assert "there is no Account" in gatepost("get", "Account", nobody).stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["update", "NetworkListener", "imap"], "--field: is missing"),
        (["update", "NetworkListener", "--field", "useTls=false"], "give its id or name, or --where"),
        (["update", "NetworkListener", "imap", "--where", "name=a", "--field", "useTls=no"], "or --where"),
        (["update", "SystemSettings", "other", "--field", "maxConnections=1"], "is a singleton"),
        (["update", "NetworkListener", "imap", "--field", "useTsl=no"], "did you mean 'useTls'?"),
        (["create", "SystemSettings"], "is a singleton"),
        (["delete", "SystemSettings"], "is a singleton"),
        (["query", "SystemSettings"], "gatepost get SystemSettings"),
        (["query", "NetworkListener", "--columns", "nam"], "did you mean 'name'?"),
        (["get"], "Missing argument"),
        (["get", "NetworkListener", "--nope"], "--nope"),
        (["frobnicate"], "frobnicate"),
    ],
)
def test_wrong_usage_ends_with_two(gatepost: Run, server: FakeServer, arguments: list[str], words: str) -> None:
    result = gatepost(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr
    assert server.set_calls == []


def test_describe_lists_the_object_types(gatepost: Run) -> None:
    names = [item["name"] for item in gatepost("describe", "--json").json]
    assert names == ["NetworkListener", "SystemSettings", "Domain", "Account"]


def test_describe_shows_type_default_limits_effect_and_meaning(gatepost: Run) -> None:
    lines = gatepost("describe", "NetworkListener").stdout.splitlines()
    about = {line: lines[number + 1].strip() for number, line in enumerate(lines[:-1]) if not line.startswith(" ")}
    assert about["name"] == "text; on create only"
    assert "    Unique identifier for the listener" in lines
    assert about["bind"].startswith("set of socketAddress; at least 1 member; a change applies: new sockets")
    assert about["socketTtl"].startswith("number or null; 1 to 255")
    assert about["tlsTimeout"].startswith("duration or null; default 1m")
    assert about["protocol"] == "one of smtp, lmtp, http, imap, pop3; default smtp; a change applies: next connection"


def test_describe_for_programs(gatepost: Run) -> None:
    document = gatepost("describe", "NetworkListener", "--json").json
    properties = {each["name"]: each for each in document["properties"]}
    assert properties["tlsTimeout"]["default"] == 60000
    assert properties["bind"]["liveEffect"] == "rebind"
    assert "default" not in properties["name"]


def test_status_shows_every_listener_and_why_one_failed(gatepost: Run) -> None:
    printed = gatepost("status").stdout
    assert "[::]:143" in printed
    assert "failed: [::]:25: EACCES, permission denied" in printed
    assert [item["name"] for item in gatepost("status", "--json").json] == ["imap", "smtp"]


def test_status_of_one_listener_shows_what_the_kernel_has(gatepost: Run) -> None:
    printed = " ".join(gatepost("status", "IMAP").stdout.split())
    assert "3 (peak 7)" in printed
    assert "2 listenerCap, 1 blocked" in printed
    assert "socketReceiveBufferSize 4096 8192" in printed
    assert "no IPv6 on this host" in printed
    assert "2 workers accepting, accept queue 3 of 1024 + 0 of 1024, 7 dropped" in printed
    assert "ended 30 completed, 3 idle PROXY" in printed
    assert "PROXY rejected 4 missing" in printed
    assert "TLS handshakes 5 TLSv1.3" in printed
    assert "TLS failures 1 timeout" in printed
    assert "1000 received, 2000 sent" in printed
    assert "9 runs, 10 is stored" in printed


def test_status_of_a_listener_says_which_address_is_not_bound_and_why(gatepost: Run) -> None:
    assert "[::]:25 not bound: EACCES (Permission denied)" in " ".join(gatepost("status", "smtp").stdout.split())


def test_status_of_an_unknown_listener_is_an_error(gatepost: Run) -> None:
    result = gatepost("status", "imp")
    assert result.exit_code == 1
    assert "there is no listener 'imp' on this node; did you mean 'imap'?" in result.stderr


def test_query_matches_exactly_as_update_and_delete_do(gatepost: Run) -> None:
    assert [item["name"] for item in gatepost("query", "NetworkListener", "-w", "name=imap", "--json").json] == ["imap"]
    listed = gatepost("query", "NetworkListener", "--where", "bind=[0::0]:993", "--json").json
    assert [item["name"] for item in listed] == ["imaps"]


def test_a_list_for_people_names_what_objects_refer_to(gatepost: Run, server: FakeServer) -> None:
    server.objects["Domain"] = {"d1": {"id": "d1", "name": "example.org"}}
    server.objects["Account"] = {"a1": {"id": "a1", "name": "alice", "domainId": "d1"}}
    lines = gatepost("query", "Account", "--columns", "name,domainId").stdout.splitlines()
    assert lines[2].split() == ["alice", "example.org"]
    assert gatepost("query", "Account", "--json").json[0]["domainId"] == "d1"


def test_a_lock_out_needs_an_option_of_its_own(gatepost: Run, server: FakeServer) -> None:
    words = "this request comes through that listener; repeat it with allowLockOut: true"
    server.refusals["i1"] = {"type": "forbidden", "description": words}
    assert "the option is --allow-lock-out" in gatepost("delete", "NetworkListener", "imap").stderr
    gatepost("delete", "NetworkListener", "smtp", "--allow-lock-out")
    assert server.set_calls[-1] == ("NetworkListener", {"destroy": ["i3"], "allowLockOut": True})


def test_so_does_one_by_what_is_created(gatepost: Run, server: FakeServer) -> None:
    gatepost("create", "NetworkListener", "--field", "name=pop3", "--allow-lock-out")
    wanted = {"create": {"new": {"name": "pop3"}}, "allowLockOut": True}
    assert server.set_calls[-1] == ("NetworkListener", wanted)


def test_the_status_of_more_listeners_than_one_call_may_give_is_fetched_in_pages(
    gatepost: Run, server: FakeServer
) -> None:
    server.max_objects = 1
    assert [each["name"] for each in gatepost("status", "--json").json] == ["imap", "smtp"]


def test_more_objects_than_one_set_may_change_go_in_several(gatepost: Run, server: FakeServer) -> None:
    server.max_objects = 2
    refused = {"i3": {"type": "forbidden"}}
    server.refusals = {**refused}
    updated = gatepost("update", "NetworkListener", "--where", "useTls=true", "--field", "tlsTimeout=9s", "--json")
    assert (updated.exit_code, updated.json) == (1, {"updated": ["i1", "i2"], "notUpdated": refused})
    assert "smtp was not updated" in updated.stderr
    deleted = gatepost("delete", "NetworkListener", "--where", "useTls=true", "--json")
    assert (deleted.exit_code, deleted.json) == (1, {"destroyed": ["i1", "i2"], "notDestroyed": refused})
    assert [len(arguments["destroy"]) for _, arguments in server.set_calls[2:]] == [2, 1]


@pytest.mark.parametrize("option", ["--columns", "--sort"])
def test_a_property_that_is_none_is_wrong_usage_with_a_hint(gatepost: Run, server: FakeServer, option: str) -> None:
    result = gatepost("query", "NetworkListener", option, "protocl")
    assert result.exit_code == 2
    assert f"{option} protocl: NetworkListener has no such property; did you mean 'protocol'?" in result.stderr
    assert gatepost("query", "NetworkListener", option, "PROTOCOL").exit_code == 0
