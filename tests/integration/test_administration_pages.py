"""The web UI of a real server in a real browser: sign in, see the listeners as they are, see a change made elsewhere."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from tests.integration.running_server import ADMIN, RunningServer, free_port

pytestmark = pytest.mark.browser


@pytest.fixture(params=["http", "https"])
def page(request: pytest.FixtureRequest, browser: Browser, shared_server: RunningServer) -> Iterator[Page]:
    """The administration pages over clear HTTP on loopback, and over TLS; any error in the console fails the test."""
    url = f"{request.param}://127.0.0.1:{shared_server.ports[request.param]}/"
    context = browser.new_context(base_url=url, ignore_https_errors=True, viewport={"width": 1100, "height": 800})
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    opened.set_default_timeout(20_000)
    yield opened
    context.close()
    assert [error for error in errors if "401" not in error] == []


def _sign_in(page: Page, password: str = ADMIN[1]) -> None:
    page.goto("/")
    page.get_by_label("User name").fill(ADMIN[0])
    page.get_by_label("Password").fill(password)
    page.keyboard.press("Enter")


def _row(page: Page, name: str) -> Locator:
    return page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=name, exact=True))


def test_somebody_signs_in_and_sees_every_listener_with_its_state(
    page: Page, shared_server: RunningServer, tmp_path: Path
) -> None:
    _sign_in(page)
    expect(page.get_by_role("heading", name="Listeners")).to_be_visible()
    for name, port in shared_server.ports.items():
        expect(_row(page, name)).to_contain_text(f"127.0.0.1:{port}")
        expect(_row(page, name)).to_contain_text("Active")
    expect(_row(page, "imaps")).to_contain_text("Implicit")
    expect(_row(page, "submission")).to_contain_text("STARTTLS")
    page.screenshot(path=tmp_path / "listeners.png", full_page=True)


def test_open_connections_and_changes_made_elsewhere_appear_by_themselves(
    page: Page, shared_server: RunningServer
) -> None:
    _sign_in(page)
    expect(_row(page, "pop3").get_by_role("cell").last).to_contain_text("0 of")
    with socket.create_connection(shared_server.address("pop3"), timeout=20) as sock:
        assert sock.recv(4096).startswith(b"+OK")
        expect(_row(page, "pop3").get_by_role("cell").last).to_contain_text("1 of")
    port = free_port()
    listener_id = shared_server.create_listener(name="appears", protocol="imap", bind=[f"127.0.0.1:{port}"])
    expect(_row(page, "appears")).to_contain_text(f"127.0.0.1:{port}")
    shared_server.destroy_listener(listener_id)
    expect(_row(page, "appears")).to_have_count(0)


def test_a_wrong_password_lets_nobody_in(page: Page) -> None:
    _sign_in(page, "wrong")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("heading", name="Listeners")).to_have_count(0)
