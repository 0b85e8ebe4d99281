"""What a dry run says of a change of a listener is what the change then does to the kernel's sockets, property by property."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from tests.free_port import free_port
from tests.integration.listener_changes import AFTER, BEFORE
from tests.integration.running_server import RunningServer, running_server

from gatepost.registry.network_listener import NETWORK_LISTENER

EFFECT_OF_KIND = {"applyNow": "now", "nextConnection": "next", "rebind": "rebind"}
GIVEN_BACK = {"socketReceiveBufferSize", "socketSendBufferSize"}  # set: now; unset: with new sockets


def listening_sockets(port: int) -> set[str]:
    """The sockets that listen on a port of 127.0.0.1, by the number that the kernel gives each (`ino:` of ss)."""
    lines = subprocess.check_output(["ss", "-Hltne", f"sport = :{port}"], text=True).splitlines()
    return {part for line in lines for part in line.split() if part.startswith("ino:")}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def ports() -> tuple[int, int]:
    return free_port(), free_port()


@pytest.fixture(scope="module")
def edge(server: RunningServer, ports: tuple[int, int]) -> str:
    return server.create_listener(name="edge", bind={f"127.0.0.1:{ports[0]}": True}, **BEFORE)


def steps_of(server: RunningServer, listener_id: str, patch: dict[str, Any]) -> list[dict[str, Any]]:
    """What a dry run tells of a change of one listener."""
    report = server.set("NetworkListener", update={listener_id: patch}, dryRun=True)["dryRun"]
    steps: list[dict[str, Any]] = report[listener_id]["steps"]
    return steps


def test_every_property_that_can_change_is_tried() -> None:
    assert BEFORE.keys() == AFTER.keys() == NETWORK_LISTENER.properties.keys() - {"name", "bind"}


@pytest.mark.parametrize("name", BEFORE)
def test_new_sockets_are_told_exactly_where_there_are_some(
    server: RunningServer, edge: str, ports: tuple[int, int], name: str
) -> None:
    for value in (AFTER[name], BEFORE[name]):
        sockets_before = listening_sockets(ports[0])
        (step,) = steps_of(server, edge, {name: value})
        assert listening_sockets(ports[0]) == sockets_before
        server.update_listener(edge, **{name: value})
        assert (listening_sockets(ports[0]) != sockets_before) is (step["kind"] == "rebind")
        if name not in GIVEN_BACK or value is not None:
            assert EFFECT_OF_KIND[step["kind"]] == NETWORK_LISTENER.properties[name].declaration.effect.value


def test_addresses_that_come_and_go_are_told_and_those_that_stay_are_not_touched(
    server: RunningServer, edge: str, ports: tuple[int, int]
) -> None:
    added = f"127.0.0.1:{ports[1]}"
    sockets = listening_sockets(ports[0])
    opening = {f"bind/{added}": True}
    assert [(step["kind"], step["address"]) for step in steps_of(server, edge, opening)] == [("open", added)]
    assert listening_sockets(ports[1]) == set()
    server.update_listener(edge, **opening)
    assert len(listening_sockets(ports[1])) == len(sockets)
    closing = {f"bind/{added}": None}
    assert [(step["kind"], step["address"]) for step in steps_of(server, edge, closing)] == [("close", added)]
    server.update_listener(edge, **closing)
    assert listening_sockets(ports[1]) == set()
    assert listening_sockets(ports[0]) == sockets


def test_a_listener_that_is_destroyed_closes_its_addresses_and_drains(
    server: RunningServer, ports: tuple[int, int]
) -> None:
    listener_id = server.create_listener(name="short", protocol="pop3", bind={f"127.0.0.1:{ports[1]}": True})
    report = server.set("NetworkListener", destroy=[listener_id], dryRun=True)["dryRun"][listener_id]
    assert [step["kind"] for step in report["steps"]] == ["close", "drain"]
    assert listening_sockets(ports[1])
    server.destroy_listener(listener_id)
    assert listening_sockets(ports[1]) == set()
