"""status --watch: again and again, with rates; a server that is away for a while is asked again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from gatepost.cli.status_watch import rates_between

if TYPE_CHECKING:
    from tests.cli.conftest import FakeServer, Run


def listener(name: str, accepted: int, **refused: int) -> dict[str, Any]:
    return {"name": name, "accepted": accepted, "refused": refused, "bytesReceived": 10 * accepted, "bytesSent": 0}


def test_a_rate_is_what_happened_in_a_second() -> None:
    before, after = [listener("smtp", 10, blocked=1)], [listener("smtp", 30, blocked=4, listenerCap=2)]
    rates = {"accepted": 10.0, "refused": 2.5, "bytesReceived": 100.0, "bytesSent": 0.0}
    assert rates_between(before, after, 2.0) == {"smtp": rates}


def test_a_listener_that_is_new_or_counts_anew_has_no_rate_yet() -> None:
    before, after = [listener("smtp", 10)], [listener("smtp", 3), listener("imap", 5)]
    assert rates_between(before, after, 1.0) == {}


def test_for_programs_every_look_is_one_line(gatepost: Run) -> None:
    result = gatepost("status", "--watch", "--interval", "0.1", "--count", "2", "--json")
    first, second = (json.loads(line) for line in result.stdout.splitlines())
    assert [each["name"] for each in first] == ["imap", "smtp"]
    assert (first[0]["rates"], second[0]["rates"]["accepted"]) == (None, 0.0)


def test_one_listener_can_be_watched(gatepost: Run) -> None:
    result = gatepost("status", "smtp", "--watch", "--interval", "0.1", "--count", "2")
    assert [line.split()[:2] for line in result.stdout.splitlines() if "smtp" in line] == [["smtp", "failed"]] * 2
    assert "imap" not in result.stdout


def test_an_interval_or_a_count_says_that_it_is_watched(gatepost: Run) -> None:
    assert len(gatepost("status", "--count", "1", "--json").stdout.splitlines()) == 1
    assert len(gatepost("status", "--interval", "0.1", "--count", "2", "--json").stdout.splitlines()) == 2


def test_a_server_that_does_not_answer_for_a_while_is_asked_again(gatepost: Run, server: FakeServer) -> None:
    server.failing_statuses = [2, 3]
    result = gatepost("status", "--watch", "--interval", "0.1", "--count", "4")
    assert result.exit_code == 0
    assert result.stdout.count("503") == 2
    assert len([line for line in result.stdout.splitlines() if line.startswith("imap")]) == 4


def test_a_server_that_cannot_be_asked_at_all_is_an_error(gatepost: Run, server: FakeServer) -> None:
    server.status_code = 503
    assert gatepost("status", "--watch").exit_code == 1
