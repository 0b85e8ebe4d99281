"""Filters as forms of administration clients make them: everything as text, with a relation behind the name."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gatepost.registry.ip_network import BLOCKED_IP, BlockedIp
from gatepost.values.ip_mask import IpMask

Api = Any
LISTENERS, NETWORKS = "x:NetworkListener/query", "x:BlockedIp/query"


async def limited(api: Api) -> Api:
    """Listeners with 10 and 20 connections at most, and one without a limit."""
    limits = {"web": 10, "webs": 20, "mx": None}
    answer = await api.call("x:NetworkListener/set", update={name: {"maxConnections": limits[name]} for name in limits})
    assert answer["notUpdated"] is None
    return api


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ({"maxConnections": "20"}, ["webs"]),
        ({"maxConnections": 20}, ["webs"]),
        ({"maxConnections": None}, ["mx"]),
        ({"maxConnections": "many"}, []),
        ({"maxConnectionsIsGreaterThan": "10"}, ["webs"]),
        ({"maxConnectionsIsGreaterThanOrEqual": "10"}, ["web", "webs"]),
        ({"maxConnectionsIsLessThan": "20"}, ["web"]),
        ({"maxConnectionsIsLessThanOrEqual": 20}, ["web", "webs"]),
        ({"maxConnectionsIsGreaterThan": 5, "maxConnectionsIsLessThan": 15}, ["web"]),
        ({"operator": "NOT", "conditions": [{"maxConnectionsIsGreaterThan": 0}]}, ["mx"]),
        ({"tlsTimeout": "1m"}, ["web", "webs", "mx"]),
        ({"tlsTimeoutIsLessThan": "1m"}, []),
        ({"tlsTimeoutIsLessThanOrEqual": "60000"}, ["web", "webs", "mx"]),
    ],
)
async def test_numbers(condition: dict[str, object], found: list[str], api: Api) -> None:
    assert (await (await limited(api)).call(LISTENERS, filter=condition))["ids"] == found


async def test_booleans(api: Api) -> None:
    await api.call("x:NetworkListener/set", update={"mx": {"useTls": False}})
    for wanted in ("false", False):
        assert "mx" in (await api.call(LISTENERS, filter={"useTls": wanted}))["ids"]
    for wanted in ("true", True):
        assert "mx" not in (await api.call(LISTENERS, filter={"useTls": wanted}))["ids"]
    assert (await api.call(LISTENERS, filter={"useTls": "perhaps"}))["ids"] == []


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ({"expiresAt": "2030-01-31"}, ["day"]),
        ({"expiresAtIsGreaterThan": "2030-01-31"}, ["later"]),
        ({"expiresAtIsGreaterThanOrEqual": "2030-01-31"}, ["day", "later"]),
        ({"expiresAtIsLessThan": "2030-01-31"}, ["before"]),
        ({"expiresAtIsLessThanOrEqual": "2030-01-31"}, ["before", "day"]),
        ({"expiresAtIsLessThan": "2030-01-31T12:00:00Z"}, ["before"]),
        ({"expiresAtIsLessThanOrEqual": "2030-01-31T12:00:00Z"}, ["before", "day"]),
    ],
)
async def test_dates(condition: dict[str, object], found: list[str], api: Api) -> None:
    times = {"before": (2029, 12, 31, 23), "day": (2030, 1, 31, 12), "later": (2030, 2, 1, 0)}
    for number, (name, (year, month, day, hour)) in enumerate(times.items()):
        expiry = datetime(year, month, day, hour, tzinfo=UTC)
        api.store.put(BLOCKED_IP, name, BlockedIp(network=IpMask.parse(f"192.0.2.{number}"), expires_at=expiry))
    api.store.put(BLOCKED_IP, "never", BlockedIp(network=IpMask.parse("198.51.100.1")))
    assert (await api.call(NETWORKS, filter=condition))["ids"] == found


@pytest.mark.parametrize(
    ("method", "condition", "kind"),
    [
        (LISTENERS, {"maxConnectionsIsLessThan": "many"}, "invalidArguments"),
        (LISTENERS, {"maxConnectionsIsLessThan": None}, "invalidArguments"),
        (LISTENERS, {"maxConnectionsIsLessThan": True}, "invalidArguments"),
        (LISTENERS, {"maxConnections": [5]}, "invalidArguments"),
        (LISTENERS, {"tlsTimeoutIsGreaterThan": "soon"}, "invalidArguments"),
        (LISTENERS, {"nameIsLessThan": "m"}, "unsupportedFilter"),
        (LISTENERS, {"useTlsIsLessThan": True}, "unsupportedFilter"),
        (NETWORKS, {"expiresAtIsLessThan": "31 January"}, "invalidArguments"),
        (NETWORKS, {"expiresAtIsLessThan": "2030-13-01"}, "invalidArguments"),
        (NETWORKS, {"expiresAtIsLessThan": "2030-W05-4"}, "invalidArguments"),
        (NETWORKS, {"expiresAtIsLessThan": 5}, "invalidArguments"),
    ],
)
async def test_relations_that_make_no_sense(method: str, condition: object, kind: str, api: Api) -> None:
    assert await api.error(method, filter=condition) == kind
