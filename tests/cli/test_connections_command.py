"""connections: the table, the JSON, the choice, the end of one."""

from __future__ import annotations

from typing import Any

import pytest
from tests.cli.conftest import FakeServer, Run


def connection(number: int, **facts: Any) -> dict[str, Any]:
    usual = {
        "id": f"w1-{number}",
        "listener": "imap",
        "protocol": "imap",
        "source": f"192.0.2.{number}:4000",
        "peer": f"192.0.2.{number}:4000",
        "since": "2026-01-01T00:00:00Z",
        "state": "selected",
        "tlsVersion": None,
        "keyExchangeGroup": None,
        "account": None,
        "proxy": None,
        "bytesReceived": 10,
        "bytesSent": 20,
    }
    return {**usual, **facts}


@pytest.fixture
def busy(server: FakeServer) -> FakeServer:
    relayed = {"proxy": {"version": 2}, "peer": "10.0.0.1:99", "account": "alice@example.org"}
    tls = {"tlsVersion": "TLSv1.3", "keyExchangeGroup": "x25519"}
    objects = [connection(1), connection(2, **relayed, **tls), connection(3, listener="smtp", protocol="smtp")]
    server.objects["Connection"] = {each["id"]: each for each in objects}
    return server


def test_open_connections_are_a_table(gatepost: Run, busy: FakeServer) -> None:
    lines = [" ".join(line.split()) for line in gatepost("connections").stdout.splitlines()]
    assert any(line.startswith("w1-1 imap 192.0.2.1:4000 - ") for line in lines)
    (second,) = [line for line in lines if line.startswith("w1-2 ")]
    assert "192.0.2.2:4000 10.0.0.1:99" in second
    assert second.endswith("TLSv1.3 x25519 alice@example.org selected 10 20")


def test_or_json(gatepost: Run, busy: FakeServer) -> None:
    assert [each["id"] for each in gatepost("connections", "--json").json] == ["w1-1", "w1-2", "w1-3"]


def test_the_choice_is_made_by_the_server(gatepost: Run, busy: FakeServer) -> None:
    assert [each["id"] for each in gatepost("connections", "--protocol", "smtp", "--json").json] == ["w1-3"]
    assert "no connections" in gatepost("connections", "--listener", "pop3").stdout


def test_more_than_one_page_is_read_and_what_is_left_out_is_told(gatepost: Run, busy: FakeServer) -> None:
    busy.max_objects = 2
    assert len(gatepost("connections", "--json").json) == 3
    assert "2 of 3 connections" in gatepost("connections", "--limit", "2").stdout


def test_one_is_ended(gatepost: Run, busy: FakeServer) -> None:
    result = gatepost("connections", "--kill", "w1-2", "--kill", "w1-3")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == ["ended w1-2", "ended w1-3"]
    assert busy.set_calls == [("Connection", {"destroy": ["w1-2", "w1-3"]})]


def test_one_that_is_not_there_is_an_error(gatepost: Run, busy: FakeServer) -> None:
    busy.refusals["w9-9"] = {"type": "notFound"}
    result = gatepost("connections", "--kill", "w9-9")
    assert result.exit_code == 1
    assert "there is no connection 'w9-9'" in result.stderr


def test_a_protocol_is_taken_in_any_case_and_refused_where_there_is_none_of_that_name(
    gatepost: Run, busy: FakeServer
) -> None:
    assert [each["id"] for each in gatepost("connections", "--protocol", "SMTP", "--json").json] == ["w1-3"]
    refused = gatepost("connections", "--protocol", "smpt")
    assert refused.exit_code == 2
    assert "--protocol: 'smpt' is not one of smtp, " in refused.stderr


def test_a_choice_does_not_go_with_kill_which_would_pass_it_over(gatepost: Run, busy: FakeServer) -> None:
    refused = gatepost("connections", "--kill", "w1-1", "--listener", "imap")
    assert refused.exit_code == 2
    assert "--listener" in refused.stderr
    assert "w1-1" in busy.objects["Connection"]
