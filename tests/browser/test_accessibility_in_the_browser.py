"""Every page for people who do not see it, do not point at it, or see it in the dark: the rules of axe, and a job by keyboard."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Locator, expect
from tests.browser.pages import Pages
from tests.cannot_run import cannot_run
from tests.certificates import certificate_pem, key_pem, new_certificate, new_key
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
    """What axe finds in both themes. The second time only rules that look at colours are asked. And whether it fits."""
    found: list[str] = []
    if pages.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found.append(f"{where}: is wider than the window")
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


def test_axe_finds_nothing_serious_in_dialogs_and_where_something_is_wrong(open_pages: Callable[..., Pages]) -> None:
    pages = open_pages()
    page, server, found = pages.page, pages.server, list[str]()

    def look(where: str) -> None:
        found.extend(complaints(pages, where))

    page.goto("/")
    page.evaluate(axe())
    page.get_by_label("User name").fill("nobody")
    page.get_by_label("Password").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("The user name or the password is not right.")
    look("sign-in")
    page.get_by_label("User name").fill(server.admin[0])
    page.get_by_label("Password").fill(server.admin[1])
    page.keyboard.press("Enter")
    expect(pages.button("Sign out")).to_be_visible()
    listener_id = server.create_listener(name="looked-into", protocol="pop3", bind=[f"127.0.0.1:{free_port()}"])

    pages.walk_to(f"/listeners/{listener_id}")
    pages.field("Time to live").fill("41")
    pages.field("Backlog").fill("many")
    pages.button("Save").click()
    expect(page.get_by_role("alert").filter(has_text="Not accepted: Backlog.")).to_be_visible()
    look("fields that are wrong")
    pages.field("Backlog").fill("99")
    pages.button("Preview").click()
    expect(page.get_by_role("dialog", name="What this change does")).to_be_visible()
    look("preview")
    page.keyboard.press("Escape")
    server.update_listener(listener_id, socketTtl=42)
    expect(page.get_by_role("alert").filter(has_text="Somebody else has changed this")).to_be_visible()
    look("a clash")
    server.destroy_listener(listener_id)
    expect(page.get_by_role("alert").filter(has_text="Somebody else has deleted this")).to_be_visible()
    look("what is gone")
    pages.go_to("/listeners/new")
    page.get_by_role("dialog", name="Leave without saving?").get_by_role("button", name="Leave").click()
    page.get_by_text("Begin with a usual one").click()
    look("templates")
    pages.walk_to("/nowhere")
    look("no such page")
    pages.walk_to("/listeners?filter=nothing-like-it")
    look("nothing found")
    pages.walk_to("/history")
    page.locator("details summary").first.click()
    look("a change")
    pages.walk_to("/listeners")
    pages.row("pop3").get_by_role("checkbox").check()
    pages.button("Delete 1 …").click()
    expect(page.get_by_role("dialog", name="Delete 1 listener?")).to_be_visible()
    look("deleting")
    assert found == []


def test_axe_is_asked_for_what_it_can_find(open_pages: Callable[..., Pages]) -> None:
    page = open_pages().page
    page.goto("/")
    page.evaluate(axe())
    page.evaluate("document.body.append(document.createElement('input'))")
    found: list[Any] = page.evaluate(RUN, None)
    assert [each.partition(":")[0] for each in found] == ["label"]


def test_no_table_makes_its_page_wider_than_the_window(open_pages: Callable[..., Pages]) -> None:
    pages = open_pages()
    pages.sign_in()
    for path in ("/connections", "/listeners", "/certificates", "/accounts"):
        pages.walk_to(path)
        expect(pages.page.get_by_role("table")).to_be_visible()
        for width in (320, 700, 840, 1000, 1200):
            pages.page.set_viewport_size({"width": width, "height": 800})
            assert not pages.page.evaluate("document.documentElement.scrollWidth > innerWidth"), (path, width)


def test_the_theme_is_that_of_the_browser_and_changes_with_it(pages: Pages) -> None:
    ground = (
        "getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).reduce((sum, each) => sum + Number(each), 0)"
    )
    brightness = {}
    themes: list[Literal["light", "dark"]] = ["light", "dark"]
    for theme in themes:
        pages.page.emulate_media(color_scheme=theme)
        brightness[theme] = pages.page.evaluate(ground)
    assert brightness["dark"] < 3 * 64 < 3 * 192 < brightness["light"]


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


def test_connections_are_ended_changes_taken_back_and_certificates_uploaded_by_keyboard_alone(
    open_pages: Callable[..., Pages], tmp_path: Path
) -> None:
    pages = open_pages()
    pages.sign_in()
    page, keyboard, server = pages.page, pages.page.keyboard, pages.server
    port = free_port()
    listener_id = server.create_listener(name="by-key", protocol="pop3", bind=[f"127.0.0.1:{port}"])

    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        assert client.recv(100).startswith(b"+OK")
        pages.walk_to(f"/listeners/{listener_id}?tab=connections")
        press(pages, page.get_by_role("checkbox", name=f"Select 127.0.0.1:{client.getsockname()[1]}"), "Space")
        press(pages, pages.button("End 1 …"))
        dialog = page.get_by_role("dialog", name="End 1 connection?")
        expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
        press(pages, dialog.get_by_role("button", name="End it"))
        expect(page.get_by_text("Nobody who matches is connected.")).to_be_visible()
        expect(pages.heading("by-key")).to_be_focused()  # the button is gone

    server.update_listener(listener_id, socketTtl=44)
    press(pages, page.locator("main").get_by_role("link", name="History"))
    newest = page.get_by_role("list", name="Changes").locator("> li").first
    press(pages, newest.locator("summary"))
    press(pages, newest.get_by_role("button", name="Take back …"))
    expect(page.get_by_role("dialog").get_by_role("button", name="Back", exact=True)).to_be_focused()
    keyboard.press("Escape")
    expect(newest.get_by_role("button", name="Take back …")).to_be_focused()
    keyboard.press("Enter")
    press(pages, page.get_by_role("dialog").get_by_role("button", name="Take it back"))
    expect(newest).to_contain_text("takes back an earlier change")
    assert server.listener("by-key")["socketTtl"] is None
    server.destroy_listener(listener_id)

    key, now = new_key(), datetime.now(UTC)
    valid = (now - timedelta(days=1), now + timedelta(days=90))
    leaf = new_certificate("by-key.example.org", key, valid, names=("by-key.example.org",))
    (tmp_path / "both.pem").write_text(certificate_pem(leaf) + key_pem(key))
    pages.walk_to("/certificates/new")
    with page.expect_file_chooser() as chooser:
        press(pages, page.get_by_label("PEM files of chain and key"))
    chooser.value.set_files(tmp_path / "both.pem")
    press(pages, pages.button("Create certificate"))
    expect(pages.heading("by-key.example.org")).to_be_focused()
    press(pages, pages.button("Delete …"))
    press(pages, page.get_by_role("dialog").get_by_role("button", name="Delete"))
    expect(pages.heading("Certificates")).to_be_focused()


def test_what_has_the_focus_is_seen_to_have_it(open_pages: Callable[..., Pages]) -> None:
    pages = open_pages()
    pages.sign_in()
    pages.walk_to("/listeners/new")
    outline = "getComputedStyle(document.activeElement).outlineStyle + document.activeElement.tagName"
    seen = set[str]()
    for _ in range(60):
        pages.page.keyboard.press("Tab")
        seen.add(str(pages.page.evaluate(outline)))
    assert {each for each in seen if each.startswith("none") and not each.endswith("BODY")} == set()
    assert {"solidA", "solidBUTTON", "solidINPUT", "solidSELECT", "solidSUMMARY"} <= seen
