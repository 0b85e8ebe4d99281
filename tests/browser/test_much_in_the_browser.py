"""A thousand listeners, ten thousand connections: what is not seen is not in the page. And how much the first page takes."""

from __future__ import annotations

import logging
import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from tests.browser.pages import Pages
from tests.cannot_run import cannot_run
from tests.free_port import free_port
from tests.integration.running_server import RunningServer, eventually, running_server

pytestmark = pytest.mark.browser

LOG = logging.getLogger(__name__)
LISTENERS = 1_000
CONNECTIONS = 10_000
MOST_ROWS = 150
LARGEST_TRANSFER = 300_000

# Scrolls down, screen by screen, and says how long the longest frame took and what was in the page meanwhile. A browser that has
# no time to draw is not waited for: it may never draw again.
SCROLL = """async (steps) => {
    const frame = () => new Promise((resolve) => { requestAnimationFrame(resolve); setTimeout(resolve, 2000); });
    const seen = {rows: 0, blank: 0, longest: 0, slow: 0, frames: 0};
    for (let step = 0; step < steps; step += 1) {
        scrollBy(0, innerHeight * 0.8);
        const before = performance.now();
        await frame();
        await frame();
        const took = (performance.now() - before) / 2;
        seen.frames += 2;
        seen.longest = Math.max(seen.longest, took);
        seen.slow += took > 50;
        seen.rows = Math.max(seen.rows, document.querySelectorAll("tbody tr[data-position]").length);
        const there = [0.3, 0.5, 0.7].map((part) => document.elementFromPoint(innerWidth / 2, innerHeight * part));
        seen.blank += there.filter((each) => each?.closest("tr[data-position]")).length < 2; // one may be between two cards
    }
    return seen;
}"""


@pytest.fixture(scope="module")
def administered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with a thousand listeners more."""
    port = free_port()
    many = {
        f"n{number}": {
            "name": f"many-{number:04}",
            "protocol": "imap",
            "bind": {f"127.77.{number // 250}.{number % 250 + 1}:{port}": True},
        }
        for number in range(LISTENERS)
    }
    lines = [
        {"@type": "upsert", "object": "NetworkListener", "matchOn": ["name"], "value": many},
        {"@type": "update", "object": "SystemSettings", "value": {"maxConnections": 2 * CONNECTIONS}},
    ]
    with running_server(tmp_path_factory.mktemp("much"), extra_lines=lines) as server:
        yield server


@contextmanager
def connected(server: RunningServer, count: int) -> Iterator[None]:
    """So many clients of the listener pop3, which say nothing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + 500
    if hard != resource.RLIM_INFINITY and hard < wanted:
        cannot_run(f"{wanted} descriptors are needed, and there may be {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    for found in server.call("x:NetworkListener/query", filter={"name": "pop3"})["ids"]:
        server.update_listener(found, maxConnections=2 * count)
    clients: list[socket.socket] = []
    try:
        clients.extend(socket.create_connection(server.address("pop3"), timeout=60) for _ in range(count))
        for client in clients:
            assert client.recv(100)
        yield
    finally:
        for client in clients:
            client.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def scroll(page: Page, steps: int) -> dict[str, Any]:
    """What SCROLL saw; to be read with `pytest --log-cli-level=INFO`: how long a frame takes is no reason to fail."""
    seen: dict[str, Any] = page.evaluate(SCROLL, steps)
    LOG.info("scrolled: %s", seen)
    return seen


@pytest.fixture
def pages(open_pages: Callable[..., Pages], viewport: tuple[int, int]) -> Pages:
    opened = open_pages(width=viewport[0], height=viewport[1])
    opened.sign_in()
    return opened


def test_a_thousand_listeners_are_a_table_of_those_that_are_seen(pages: Pages) -> None:
    pages.walk_to("/listeners")
    expect(pages.row("http")).to_be_visible()
    table = pages.page.get_by_role("table", name="Listeners")
    expect(table).to_have_attribute("aria-rowcount", str(LISTENERS + len(pages.server.ports) + 1))
    seen = scroll(pages.page, 40)
    assert 0 < seen["rows"] < MOST_ROWS
    assert seen["blank"] == 0
    pages.field("Filter listeners").fill("many-0777")
    expect(pages.row("many-0777")).to_be_visible()
    expect(table).to_have_attribute("aria-rowcount", "2")
    pages.field("Filter listeners").fill("")
    pages.page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    expect(pages.row("submissions")).to_be_visible()


def test_ten_thousand_connections_are_a_table_of_those_that_are_seen(open_pages: Callable[..., Pages]) -> None:
    pages = open_pages()
    pages.sign_in()
    with connected(pages.server, CONNECTIONS):
        pages.walk_to("/connections")
        table = pages.page.get_by_role("table", name="Connections")
        expect(table).to_be_visible(timeout=60_000)
        assert int(str(table.get_attribute("aria-rowcount"))) > CONNECTIONS
        seen = scroll(pages.page, 40)
        assert 0 < seen["rows"] < MOST_ROWS
        assert seen["blank"] == 0
        # What was not drawn yet is taken to be of average height: the end may move when it is reached.
        drawn = """() => {
            scrollTo(0, document.documentElement.scrollHeight);
            return [...document.querySelectorAll('tr[aria-rowindex] .address')].at(-1)?.closest('tr').ariaRowIndex;
        }"""
        eventually(lambda: int(pages.page.evaluate(drawn) or 0) > CONNECTIONS, 60)


def test_the_first_page_takes_less_than_300_kilobytes(open_pages: Callable[..., Pages]) -> None:
    pages = open_pages()
    pages.sign_in()
    expect(pages.heading("Overview")).to_be_visible()
    expect(pages.page.locator(".chart canvas").first).to_be_visible()
    script = """performance.getEntries().filter((each) => each.encodedBodySize !== undefined)
        .map((each) => [new URL(each.name).pathname, each.encodedBodySize])"""
    sizes = [(path, size) for path, size in pages.page.evaluate(script) if not path.startswith("/jmap")]
    total = sum(size for _, size in sizes)
    LOG.info("%s octets in %s answers", total, len(sizes))
    assert any(path.endswith("/app.js") for path, _ in sizes)
    assert any(path.startswith("/api/schema") for path, _ in sizes)
    assert 0 < total < LARGEST_TRANSFER
