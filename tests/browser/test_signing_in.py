"""Signing in, staying signed in, and what becomes of what was typed when the session ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from tests.browser.pages import Pages
from tests.integration.running_server import ADMIN, PASSWORDS, RunningServer, eventually

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_somebody_signs_in_stays_so_over_a_reload_and_signs_out(open_pages: Callable[..., Pages], scheme: str) -> None:
    pages = open_pages(scheme=scheme)
    pages.sign_in()
    expect(pages.heading("Overview")).to_be_visible()
    pages.page.reload()
    expect(pages.heading("Overview")).to_be_visible()
    pages.button("Sign out").click()
    expect(pages.heading("Sign in to gatepost")).to_be_visible()
    pages.page.reload()
    expect(pages.heading("Sign in to gatepost")).to_be_visible()


def test_a_wrong_password_is_told_and_lets_nobody_in(open_pages: Callable[..., Pages]) -> None:
    page = open_pages().page
    page.goto("/")
    expect(page.get_by_label("User name")).to_be_focused()
    page.get_by_label("User name").fill("somebody")
    page.get_by_label("Password").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("The user name or the password is not right.")
    expect(page.get_by_role("button", name="Sign out")).to_have_count(0)
    expect(page.get_by_label("User name")).to_have_value("somebody")
    expect(page.get_by_label("Password")).to_be_focused()


def test_a_session_that_ends_is_renewed_over_the_page_and_nothing_typed_is_lost(pages: Pages) -> None:
    pages.go_to("/listeners/new")
    pages.field("Name").fill("typed-before")
    pages.page.context.clear_cookies()
    # Not a click: something that the page asks for by itself may have opened the dialog.
    pages.button("Preview").dispatch_event("click")
    dialog = pages.page.get_by_role("dialog", name="Sign in again")
    dialog.get_by_label("Password").fill(ADMIN[1])
    pages.page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    expect(pages.field("Name")).to_have_value("typed-before")
    expect(pages.page.get_by_role("alert").filter(has_text="Bind addresses")).to_be_visible()


def test_who_sets_the_own_password_stays_signed_in_here_and_is_asked_for_it_elsewhere(
    open_pages: Callable[..., Pages], administered: RunningServer
) -> None:
    here, elsewhere = open_pages(), open_pages()
    for pages in (here, elsewhere):
        pages.sign_in(PASSWORDS["bob"], "bob@example.org")
        expect(pages.heading("bob")).to_be_visible()
    try:
        here.button("Set a new password …").click()
        here.field("Password").fill("another password of bob")
        here.field("Once more").fill("another password of bob")
        here.button("Save").click()
        expect(here.button("Set a new password …")).to_be_visible()
        here.field("Description").fill("still here")
        here.button("Save").click()
        eventually(lambda: "still here" in str(administered.call("x:Account/get", ids=None)["list"]))
        here.page.reload()
        expect(here.field("Description")).to_have_value("still here")
        elsewhere.page.reload()
        expect(elsewhere.heading("Sign in to gatepost")).to_be_visible()
    finally:
        bob = next(each["id"] for each in administered.call("x:Account/get", ids=None)["list"] if each["name"] == "bob")
        administered.set("Account", update={bob: {"password": PASSWORDS["bob"], "description": None}})
