"""Conditions on networks and addresses, by the command line and by the API of a running server."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from tests.integration.command_line import gatepost
from tests.integration.running_server import RunningServer

NETWORKS = ("203.0.113.0/24", "203.0.113.1", "203.0.113.10", "2001:db8:7::/48")


@pytest.fixture(scope="module")
def blocking(shared_server: RunningServer) -> Iterator[RunningServer]:
    wire = {f"n{number}": {"network": each} for number, each in enumerate(NETWORKS)}
    made = shared_server.set("BlockedIp", create=wire)["created"]
    yield shared_server
    shared_server.set("BlockedIp", destroy=[each["id"] for each in made.values()])


def queried(server: RunningServer, object_type: str, where: str) -> set[str]:
    listed = json.loads(gatepost(server, "query", object_type, "--where", where, "--json").stdout)
    return {each.get("network") or each["name"] for each in listed}


@pytest.mark.parametrize(
    ("network", "found"),
    [
        ("203.0.113.1", {"203.0.113.1"}),
        ("203.0.113.99/24", {"203.0.113.0/24"}),
        ("2001:DB8:7:0::/48", {"2001:db8:7::/48"}),
        ("203.0.113", set()),
        ("203.0.113.2", set()),
    ],
)
def test_the_command_line_finds_a_network_by_itself_however_it_is_spelled(
    blocking: RunningServer, network: str, found: set[str]
) -> None:
    assert queried(blocking, "BlockedIp", f"network={network}") == found


def test_the_command_line_names_the_networks_that_an_address_lies_in_and_deletes_none(blocking: RunningServer) -> None:
    asked = gatepost(blocking, "query", "BlockedIp", "--where", "network=203.0.113.2")
    assert asked.stdout == "nothing matches; what comes near: 203.0.113.0/24\n"
    refused = gatepost(blocking, "delete", "BlockedIp", "--where", "network=203.0.113.2")
    assert refused.exit_code == 1
    assert refused.stderr == "error: no BlockedIp has network=203.0.113.2; what comes near: 203.0.113.0/24\n"
    assert len(blocking.call("x:BlockedIp/get", ids=None)["list"]) == len(NETWORKS)


def test_the_api_finds_the_networks_that_an_address_lies_in(blocking: RunningServer) -> None:
    for wanted, expected in (("203.0.113.1", 2), ("203.0.113.2", 1), ("203.0.113.", 3), ("2001:db8:7::1", 1)):
        assert len(blocking.call("x:BlockedIp/query", filter={"network": wanted})["ids"]) == expected


def test_words_are_found_as_a_part_of_any_column(blocking: RunningServer) -> None:
    def found(object_type: str, *options: str) -> list[str]:
        listed = json.loads(gatepost(blocking, "query", object_type, "--json", *options).stdout)
        return sorted(each.get("network") or each["name"] for each in listed)

    assert found("BlockedIp", "--text", "113.1") == ["203.0.113.1", "203.0.113.10"]
    assert found("BlockedIp", "--text", "113.1", "--where", "network=203.0.113.1") == ["203.0.113.1"]
    assert found("NetworkListener", "--text", "SUBMISS") == ["submission", "submissions"]


def test_a_port_is_no_part_of_another(shared_server: RunningServer) -> None:
    port = shared_server.ports["smtp"]
    for wanted in (f"127.0.0.1:{port}", f"[::ffff:127.0.0.1]:{port}"):
        assert queried(shared_server, "NetworkListener", f"bind={wanted}") == {"smtp"}
    filters = {
        f"127.0.0.1:{port}": 1,
        f":{port}": 1,
        f"127.0.0.1:{port // 10}": 0,
        "127.0.0.1": len(shared_server.ports),
    }
    for wanted, expected in filters.items():
        assert len(shared_server.call("x:NetworkListener/query", filter={"bind": wanted})["ids"]) == expected
