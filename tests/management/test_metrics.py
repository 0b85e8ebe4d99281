"""GET /metrics, read by a parser that is not ours, and by promtool where that is installed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.management.conftest import NOW, basic

from gatepost.management import metrics

Api = Any


async def scrape(api: Api, **headers: str) -> str:
    async with api.client() as client:
        answer = await client.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    text: str = answer.text
    return text


def samples(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    """Name and values of the labels (in order of their names) → value."""
    found = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    by_name = {(each.name, tuple(each.labels[key] for key in sorted(each.labels))): each.value for each in found}
    assert len(by_name) == len(found), "a sample is there twice"
    return by_name


async def test_what_has_happened_at_a_listener_is_told_by_reason(api: Api) -> None:
    told = samples(await scrape(api))
    expected = {
        ("gatepost_connections", ("mx",)): 3,
        ("gatepost_connections_peak", ("mx",)): 7,
        ("gatepost_accepted_total", ("mx",)): 40,
        ("gatepost_accept_pauses_total", ("mx",)): 9,
        ("gatepost_refused_total", ("mx", "maxConnections")): 2,
        ("gatepost_proxy_rejected_total", ("mx", "missing")): 4,
        ("gatepost_ended_total", ("mx", "idle")): 3,
        ("gatepost_tls_handshakes_total", ("mx", "TLSv1.3")): 5,
        ("gatepost_tls_failures_total", ("mx", "notTls")): 1,
        ("gatepost_bytes_total", ("received", "mx")): 1000,
        ("gatepost_bytes_total", ("sent", "mx")): 2000,
        ("gatepost_listener_state", ("mx", "active")): 1,
        ("gatepost_listener_state", ("mx", "failed")): 0,
    }
    assert {key: told.get(key) for key in expected} == expected


async def test_handshake_seconds_are_a_histogram(api: Api) -> None:
    told = samples(await scrape(api))
    buckets = {
        bound: told["gatepost_tls_handshake_seconds_bucket", (bound, "mx")] for bound in ("0.001", "0.01", "1.0")
    }
    assert buckets == {"0.001": 0, "0.01": 4, "1.0": 5}
    assert told["gatepost_tls_handshake_seconds_bucket", ("+Inf", "mx")] == 6
    assert told["gatepost_tls_handshake_seconds_count", ("mx",)] == 6
    assert told["gatepost_tls_handshake_seconds_sum", ("mx",)] == 12.5


async def test_every_accept_queue_is_told_by_itself(api: Api) -> None:
    told = samples(await scrape(api))
    for name, values in (("length", (1, 2)), ("limit", (1024, 1024)), ("drops_total", (0, 5))):
        found = tuple(told[f"gatepost_accept_queue_{name}", ("[::]:25", "mx", socket)] for socket in ("0", "1"))
        assert found == values
    assert told["gatepost_workers_accepting", ("[::]:25", "mx")] == 2


async def test_the_node_as_a_whole(api: Api) -> None:
    told = samples(await scrape(api))
    assert told["gatepost_workers", ()] == 2
    assert told["gatepost_server_connections", ()] == 9
    assert told["gatepost_server_connections_limit", ()] == 8192
    assert told["gatepost_running_revision", ()] == api.server.running_plan.revision
    assert told["gatepost_stored_revision", ()] == api.store.revisions
    assert any(name == "gatepost_build_info" for name, _ in told)
    assert told["gatepost_host_listen_overflows_total", ()] >= 0
    assert told["gatepost_host_listen_drops_total", ()] >= 0


async def test_when_certificates_expire(api: Api) -> None:
    told = samples(await scrape(api))
    (expiry,) = [value for (name, _), value in told.items() if name.startswith("gatepost_certificate_expiry")]
    assert 0 < (datetime.fromtimestamp(expiry, UTC) - NOW).days <= 90


async def test_promtool_finds_nothing_wrong(api: Api, needs_program: Callable[[str], str]) -> None:
    checked = subprocess.run(  # noqa: ASYNC221 - nothing else runs on this loop
        [needs_program("promtool"), "check", "metrics"],
        input=await scrape(api),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"])
async def test_a_request_that_a_proxy_on_this_machine_passes_on_needs_credentials(api: Api, header: str) -> None:
    async with api.client() as client:
        assert (await client.get("/metrics", headers={header: "198.51.100.7"})).status_code == 401
    assert "gatepost_workers" in await scrape(api, **{header: "198.51.100.7", "authorization": basic("olga")})


async def test_from_elsewhere_an_operator_may_read_them_and_nobody_without_credentials(api: Api) -> None:
    async with api.client(source="198.51.100.7", base_url="https://mail.example.org") as client:
        assert (await client.get("/metrics")).status_code == 401
        assert (await client.get("/metrics", headers={"authorization": basic("alice")})).status_code == 403
        assert (await client.get("/metrics", headers={"authorization": basic("olga")})).status_code == 200
    async with api.client(source="198.51.100.7") as client:
        assert (await client.get("/metrics", headers={"authorization": basic("olga")})).status_code == 403


def test_a_kernel_that_counts_otherwise_breaks_nothing() -> None:
    assert metrics._kernel_counts("") == {}
    assert metrics._kernel_counts("TcpExt: A B\nTcpExt: 1 2\nIpExt: C\nIpExt: 3\n") == {"A": 1, "B": 2}


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8080", 200),
        ("127.0.0.1:8080", 200),
        ("[::1]:8080", 200),
        ("LOCALHOST", 200),
        ("evil.example:8080", 401),
        ("localhost.evil.example", 401),
        ("192.0.2.1:8080", 401),
        ("local host", 401),
    ],
)
async def test_a_web_page_whose_name_leads_to_this_machine_reads_nothing(host: str, status: int, api: Api) -> None:
    async with api.client() as client:
        assert (await client.get("/metrics", headers={"host": host})).status_code == status
