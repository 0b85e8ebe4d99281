"""A listener that cannot run: the overview says why and what to do, and that it runs as soon as it can."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect
from tests.browser.pages import Pages
from tests.integration.running_server import RunningServer, running_server

pytestmark = pytest.mark.browser


@pytest.fixture
def taken() -> Iterator[socket.socket]:
    """Another program listens there."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other


@pytest.fixture
def administered(tmp_path_factory: pytest.TempPathFactory, taken: socket.socket) -> Iterator[RunningServer]:
    """A server that was started while the address was taken."""
    settings = {"name": "late", "protocol": "pop3", "bind": {"{}:{}".format(*taken.getsockname()): True}}
    line = {"@type": "upsert", "object": "NetworkListener", "matchOn": ["name"], "value": {"l": settings}}
    with running_server(tmp_path_factory.mktemp("late"), extra_lines=[line]) as server:
        yield server


def test_the_reason_and_a_way_to_mend_it_are_said_and_then_it_runs_by_itself(
    open_pages: Callable[..., Pages], taken: socket.socket
) -> None:
    pages = open_pages()
    pages.sign_in()
    panel = pages.page.locator("section.bad")
    expect(panel).to_contain_text("1 listener does not run")
    expect(panel).to_contain_text("EADDRINUSE")
    expect(panel).to_contain_text("Another program listens there: stop it, or take another address.")
    panel.get_by_role("link", name="Change its settings").click()
    expect(pages.heading("late")).to_be_visible()
    headline = pages.page.locator(".headline")
    expect(headline).to_contain_text("Failed")
    expect(headline).to_contain_text("The server tries again every five seconds.")
    address = taken.getsockname()
    taken.close()
    expect(headline).to_contain_text("Active")
    with socket.create_connection(address, timeout=20) as client:
        assert client.recv(100).startswith(b"+OK")
