"""history: the table, the JSON, one change in full, the choice, undoing one."""

from __future__ import annotations

from typing import Any

import pytest
from tests.cli.conftest import FakeServer, Result, Run

CERTIFICATE = "-----BEGIN CERTIFICATE-----\n" + "MIIB" * 50


def change(number: int, **facts: Any) -> dict[str, Any]:
    usual = {
        "id": f"h{number}",
        "at": "2030-06-01T12:00:00Z",
        "revision": number,
        "kind": "updated",
        "objectType": "x:NetworkListener",
        "objectId": "i1",
        "objectName": "imap",
        "cause": "api",
        "account": "olga@example.org",
        "apiKey": None,
        "sourceAddress": "192.0.2.1",
        "listener": "https",
        "before": {},
        "after": {},
        "redacted": {},
        "revertOf": None,
    }
    return {**usual, **facts}


UPDATED = {
    "before": {"bind": {"[::]:143": True, "[::1]:144": True}, "tlsTimeout": 60_000, "tlsImplicit": False},
    "after": {"bind": {"[::]:143": True, "[::]:145": True}, "tlsTimeout": None, "tlsImplicit": True},
}
NOBODY = {"account": None, "sourceAddress": None, "listener": None}


@pytest.fixture
def past(server: FakeServer) -> FakeServer:
    """Newest first, as the server answers."""
    changes = [
        change(4, objectType="x:Account", objectName="bob", redacted={"password": True}, apiKey="deploy"),
        change(3, revertOf="h2", before={"tlsTimeout": 1000}, after={"tlsTimeout": 2000}),
        change(2, **UPDATED),
        change(
            1, kind="created", cause="firstStart", before=None, after={"name": "imap", "tlsTimeout": 60_000}, **NOBODY
        ),
    ]
    server.objects["Change"] = {each["id"]: each for each in changes}
    return server


def lines_of(result: Result) -> list[str]:
    assert result.exit_code == 0, result.stderr
    return [" ".join(line.split()) for line in result.stdout.splitlines()]


@pytest.fixture
def asked(past: FakeServer, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The arguments of the queries that were asked; each is answered with everything."""
    queries: list[dict[str, Any]] = []
    answer = past._answer

    def note(name: str, arguments: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        if name == "x:Change/query":
            queries.append(arguments)
            ids = list(past.objects["Change"])
            start = arguments["position"]
            return name, {"ids": ids[start : start + arguments["limit"]], "total": len(ids)}
        return answer(name, arguments)

    monkeypatch.setattr(past, "_answer", note)
    return queries


def test_the_history_is_a_table_with_what_changed(gatepost: Run, asked: list[dict[str, Any]]) -> None:
    lines = lines_of(gatepost("history"))
    assert (
        "h4 2030-06-01 12:00:00 olga@example.org (key deploy) 192.0.2.1 updated Account bob password: secret, not kept"
        in lines
    )
    start = lines.index(
        "h2 2030-06-01 12:00:00 olga@example.org 192.0.2.1 updated NetworkListener imap bind: -[::1]:144 +[::]:145"
    )
    assert lines[start + 1 : start + 3] == ["tlsTimeout: 1m → -", "tlsImplicit: no → yes"]
    assert "h1 2030-06-01 12:00:00 (first start) - created NetworkListener imap" in lines
    reverted = next(line for line in lines if line.startswith("h3 "))
    assert reverted.endswith("revert of h2")


def test_or_json(gatepost: Run, asked: list[dict[str, Any]]) -> None:
    found = gatepost("history", "--json").json
    assert [each["id"] for each in found] == ["h4", "h3", "h2", "h1"]
    assert found[2]["before"] == UPDATED["before"]


def test_the_choice_is_the_servers(gatepost: Run, asked: list[dict[str, Any]]) -> None:
    gatepost(
        *("history", "edge", "--object", "networklistener", "--by", "olga", "--text", "[::1]"),
        *("--since", "2030-01-31", "--until", "2030-02-01T01:00+01:00"),
    )
    conditions = {
        "objectType": "x:NetworkListener",
        "account": "olga",
        "text": "[::1]",
        "after": "2030-01-31T00:00:00Z",
        "before": "2030-02-01T00:00:00Z",
    }
    named = {"operator": "OR", "conditions": [{"objectName": "edge"}, {"objectId": "edge"}]}
    assert asked[0]["filter"] == {"operator": "AND", "conditions": [conditions, named]}


def test_a_time_may_be_one_that_has_gone_by(gatepost: Run, asked: list[dict[str, Any]]) -> None:
    gatepost("history", "--since", "2h")
    (conditions,) = asked[0]["filter"]["conditions"]
    assert conditions["after"].endswith("Z")


def test_more_than_the_server_gives_at_once_is_read_in_pages(
    gatepost: Run, past: FakeServer, asked: list[dict[str, Any]]
) -> None:
    past.max_objects = 2
    assert [each["id"] for each in gatepost("history", "--limit", "3", "--json").json] == ["h4", "h3", "h2"]
    assert "3 of 4 changes" in gatepost("history", "--limit", "3").stdout


def test_no_changes_is_said(gatepost: Run, past: FakeServer) -> None:
    past.objects["Change"] = {}
    assert gatepost("history").stdout == "no changes\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--since", "yesterday"], "--since: 'yesterday'"),
        (["--until", "99999999999999999d"], "--until"),
        (["--object", "Listner"], "is not an object type"),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(gatepost: Run, past: FakeServer, arguments: list[str], words: str) -> None:
    result = gatepost("history", *arguments)
    assert (result.exit_code, words in result.stderr) == (2, True)


def test_one_change_is_shown_in_full(gatepost: Run, past: FakeServer) -> None:
    past.objects["Change"]["h2"]["after"] |= {"certificate": CERTIFICATE}
    lines = lines_of(gatepost("history", "--show", "h2"))
    assert "what updated NetworkListener imap (id i1)" in lines
    assert "from 192.0.2.1 through https" in lines
    assert any(line.startswith("certificate: - → -----BEGIN CERTIFICATE----- MIIBMIIB") for line in lines)
    assert gatepost("history", "--show", "h2", "--json").json["id"] == "h2"
    assert lines_of(gatepost("history", "--show", "h1"))[-2:] == ["+ name: imap", "+ tlsTimeout: 1m"]


def test_a_long_value_is_cut_in_the_table(gatepost: Run, past: FakeServer, asked: list[dict[str, Any]]) -> None:
    past.objects["Change"]["h2"]["after"] |= {"certificate": CERTIFICATE}
    (line,) = [line for line in lines_of(gatepost("history")) if line.startswith("certificate:")]
    assert len(line) < 100
    assert line.endswith("…")


def test_a_change_that_is_not_there_is_told_so(gatepost: Run, past: FakeServer) -> None:
    result = gatepost("history", "--show", "h9")
    assert (result.exit_code, "there is no change 'h9'" in result.stderr) == (1, True)


def answer_reverts(past: FakeServer, monkeypatch: pytest.MonkeyPatch, **members: Any) -> list[dict[str, Any]]:
    """Let /set of the history answer so; the arguments that it gets."""
    asked: list[dict[str, Any]] = []
    answer = past._answer

    def note(name: str, arguments: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        if name != "x:Change/set":
            return answer(name, arguments)
        asked.append({key: value for key, value in arguments.items() if key != "accountId"})
        return name, {"created": None, "notCreated": None, **members}

    monkeypatch.setattr(past, "_answer", note)
    return asked


def test_a_change_is_reverted(gatepost: Run, past: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    made = change(5, revertOf="h2", before=UPDATED["after"], after=UPDATED["before"])
    asked = answer_reverts(past, monkeypatch, created={"revert": made})
    lines = lines_of(gatepost("history", "--revert", "h2"))
    assert lines[0] == "reverted h2: updated NetworkListener imap (change h5)"
    assert lines[1] == "bind: -[::]:145 +[::1]:144"
    assert asked == [{"create": {"revert": {"revertOf": "h2"}}}]


def test_options_of_a_revert_are_handed_on(gatepost: Run, past: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answer_reverts(past, monkeypatch, created={"revert": change(5)})
    gatepost("history", "--revert", "h2", "--force", "--allow-lock-out")
    assert asked == [{"create": {"revert": {"revertOf": "h2"}}, "allowLockOut": True, "force": True}]


def test_a_dry_run_shows_the_steps(gatepost: Run, past: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    report = {
        "revert": {"steps": [{"kind": "close", "description": "stop accepting on [::]:145"}], "warnings": ["careful"]}
    }
    answer_reverts(past, monkeypatch, created={"revert": {}}, dryRun=report)
    lines = lines_of(gatepost("history", "--revert", "h2", "--dry-run"))
    assert lines == ["h2 would be reverted: NetworkListener imap", "stop accepting on [::]:145", "warning: careful"]


def test_a_conflict_names_the_properties_and_the_option(
    gatepost: Run, past: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = {"property": "revertOf", "type": "Conflict", "description": "bind has been changed since by omar"}
    error = {
        "type": "invalidProperties",
        "description": 'bind …: revert what came later first, or give "force": true',
        "validationErrors": [problem],
    }
    answer_reverts(past, monkeypatch, notCreated={"revert": error})
    result = gatepost("history", "--revert", "h2")
    assert result.exit_code == 1
    assert "change h2 was not reverted" in result.stderr
    assert "bind has been changed since by omar" in result.stderr
    assert "the option is --force" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--dry-run",), "--dry-run"),
        (("--force", "--show", "h1"), "--force"),
        (("--allow-lock-out",), "--allow-lock-out"),
        (("--revert", "h1", "--show", "h2"), "--show"),
        (("--revert", "h1", "--by", "olga"), "--by"),
        (("imap", "--revert", "h1"), "NAME"),
        (("--show", "h1", "--limit", "3"), "--limit"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(
    gatepost: Run, past: FakeServer, arguments: tuple[str, ...], named: str
) -> None:
    refused = gatepost("history", *arguments)
    assert refused.exit_code == 2
    assert refused.stderr.startswith(f"error: {named}: ")
    assert past.set_calls == []
