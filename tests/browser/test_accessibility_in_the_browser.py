"""Every page for people who do not see it, do not point at it, or see it in the dark: the rules of axe, and a job by keyboard."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Locator, expect
from tests.browser.pages import Pages
from tests.cannot_run import cannot_run
from tests.free_port import free_port

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
PATHS = [
    "/overview",
    "/connections",
    "/history",
    "/listeners",
    "/listeners/new",
    "/certificates",
    "/certificates/new",
    "/blocked",
    "/blocked/new",
    "/allowed",
    "/allowed/new",
    "/general",
    "/domains",
    "/domains/new",
    "/accounts",
    "/accounts/new",
    "/api-keys",
    "/api-keys/new",
]
RUN = """async (rules) => {
    const options = {resultTypes: ["violations"], ...(rules ? {runOnly: {type: "rule", values: rules}} : {})};
    const {violations} = await axe.run(document, options);
    return violations.filter((each) => ["serious", "critical"].includes(each.impact))
        .map((each) => `${each.id}: ${each.nodes.map((node) => node.html).join(" ")}`);
}"""
OF_COLOURS = ["color-contrast", "link-in-text-block"]


def axe() -> str:
    if not AXE.exists():
        cannot_run("axe-core is not there: npm ci")
    return AXE.read_text()


def complaints(pages: Pages, where: str) -> list[str]:
    """What axe finds in both themes. The second time only rules that look at colours are asked."""
    found: list[str] = []
    schemes: list[tuple[Literal["light", "dark"], list[str] | None]] = [("light", None), ("dark", OF_COLOURS)]
    for scheme, rules in schemes:
        pages.page.emulate_media(color_scheme=scheme)
        found += [f"{where}, {scheme}: {each}" for each in pages.page.evaluate(RUN, rules)]
    return found


def test_axe_finds_nothing_serious_on_any_page_in_either_theme(pages: Pages) -> None:
    pages.page.evaluate(axe())
    pop3 = pages.server.listener("pop3")["id"]
    alice = next(each for each in pages.server.call("x:Account/get", ids=None)["list"] if each["name"] == "alice")["id"]
    found: list[str] = []
    for path in [*PATHS, f"/listeners/{pop3}", f"/accounts/{alice}"]:
        pages.walk_to(path)
        found += complaints(pages, path)
    pages.walk_to(f"/listeners/{pop3}")
    for name in ("Status", "Connections", "History"):
        tab = pages.page.get_by_role("link", name=name, exact=True).and_(pages.page.locator("main a"))
        tab.click()
        expect(tab).to_have_attribute("aria-current", "page")
        found += complaints(pages, f"listener, {name}")
    pages.page.keyboard.press("Control+k")
    expect(pages.page.get_by_role("dialog")).to_be_visible()
    found += complaints(pages, "palette")
    assert found == []


def test_axe_is_asked_for_what_it_can_find(open_pages: Callable[..., Pages]) -> None:
    page = open_pages().page
    page.goto("/")
    page.evaluate(axe())
    page.evaluate("document.body.append(document.createElement('input'))")
    found: list[Any] = page.evaluate(RUN, None)
    assert [each.partition(":")[0] for each in found] == ["label"]


def tab_to(pages: Pages, wanted: Locator) -> None:
    """Tab until it has the focus; from the end of the page the browser goes on at its beginning."""
    expect(wanted).to_be_visible()
    for _ in range(150):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        pages.page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {wanted}")


def press(pages: Pages, wanted: Locator, key: str = "Enter") -> None:
    tab_to(pages, wanted)
    pages.page.keyboard.press(key)


def test_a_listener_is_created_changed_and_deleted_by_keyboard_alone(pages: Pages) -> None:
    page, keyboard, port = pages.page, pages.page.keyboard, free_port()
    expect(pages.heading("Overview")).to_be_focused()
    if page.get_by_role("button", name="Menu").is_visible():
        press(pages, pages.button("Menu"))
    press(pages, page.get_by_role("navigation").get_by_role("link", name="Listeners"))
    expect(pages.heading("Listeners")).to_be_focused()
    press(pages, page.get_by_role("link", name="New listener"))
    expect(pages.heading("New listener")).to_be_focused()
    tab_to(pages, pages.field("Name"))
    keyboard.type("by-keyboard")
    tab_to(pages, pages.field("Protocol"))
    keyboard.type("POP")
    tab_to(pages, pages.field("Bind addresses"))
    keyboard.type(f"127.0.0.1:{port}")
    press(pages, pages.button("Create listener"))
    expect(pages.heading("by-keyboard")).to_be_focused()
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
        assert sock.recv(100).startswith(b"+OK")

    press(pages, pages.field("Offer TLS"), "Space")
    press(pages, pages.button("Save"), "Space")
    expect(page.get_by_role("status").filter(has_text="Saved.")).to_be_visible()
    assert pages.server.listener("by-keyboard")["useTls"] is False

    press(pages, pages.button("Delete …"))
    expect(page.get_by_role("dialog")).to_be_visible()
    keyboard.press("Escape")
    expect(pages.button("Delete …")).to_be_focused()
    keyboard.press("Enter")
    press(pages, page.get_by_role("dialog").get_by_role("button", name="Delete"))
    expect(pages.heading("Listeners")).to_be_focused()
    expect(pages.row("by-keyboard")).to_have_count(0)
