"""The administration pages in a real browser: sign-in, the listeners as they change, errors, narrow screens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from tests.webui.conftest import FakeAdministration

pytestmark = pytest.mark.browser
PASSWORD = "open sesame"


def sign_in(page: Page, administration: FakeAdministration, password: str = PASSWORD) -> None:
    page.goto(administration.url)
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill(password)
    page.keyboard.press("Enter")


def row(page: Page, name: str) -> Any:
    return page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=name, exact=True))


def cells(page: Page, name: str) -> list[str]:
    return [text.strip() for text in row(page, name).get_by_role("cell").all_inner_texts()]


def test_sign_in_begins_in_the_field_for_the_name(page: Page, administration: FakeAdministration) -> None:
    page.goto(administration.url)
    expect(page.get_by_label("User name")).to_be_focused()
    assert page.title() == "Sign in · gatepost"


def test_a_wrong_password_is_told_and_the_field_is_ready_for_another(
    page: Page, administration: FakeAdministration
) -> None:
    sign_in(page, administration, "wrong")
    expect(page.get_by_role("alert")).to_have_text("The user name or the password is not right.")
    expect(page.get_by_label("Password")).to_be_focused()
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Listeners")).to_be_visible()


def test_an_empty_field_is_told_without_asking_the_server(page: Page, administration: FakeAdministration) -> None:
    page.goto(administration.url)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("Enter your user name.")


def test_the_listeners_stand_in_a_table(page: Page, administration: FakeAdministration) -> None:
    administration.statuses[1].update(state="failed", reason="[::]:25: EACCES, permission denied")
    sign_in(page, administration)
    expect(row(page, "imap")).to_be_visible()
    assert cells(page, "imap") == ["IMAP", "[::]:143", "STARTTLS", "Active", "3 of 8,192"]
    assert cells(page, "imaps")[2] == "Implicit"
    assert cells(page, "smtp")[3].split("\n") == ["Failed", "[::]:25: EACCES, permission denied"]
    expect(page.get_by_text("3 listeners: 2 active, 1 failed.")).to_be_visible()


def test_one_request_asks_for_both_objects(page: Page, administration: FakeAdministration) -> None:
    sign_in(page, administration)
    expect(row(page, "imap")).to_be_visible()
    calls = administration.jmap_requests[0]["methodCalls"]
    assert [call[0] for call in calls] == ["x:NetworkListener/get", "x:ListenerStatus/get"]
    assert all(call[1]["accountId"] == "acc" for call in calls)


def test_the_page_follows_the_server_and_keeps_the_rows(page: Page, administration: FakeAdministration) -> None:
    sign_in(page, administration)
    expect(row(page, "imap")).to_be_visible()
    kept = row(page, "imap").element_handle()
    administration.statuses[0].update(state="draining", connections=1)
    administration.listeners.pop(1)
    expect(row(page, "imap")).to_contain_text("Draining")
    expect(row(page, "smtp")).to_have_count(0)
    assert row(page, "imap").element_handle().evaluate("(element, other) => element === other", kept)
    expect(page.get_by_role("status")).to_have_text("imap: Draining")


def test_a_server_that_is_gone_is_told_and_the_last_state_stays(page: Page, administration: FakeAdministration) -> None:
    sign_in(page, administration)
    expect(row(page, "imap")).to_be_visible()
    administration.broken_with = 503
    expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached. Shown is the state of")
    expect(row(page, "imap")).to_be_visible()
    administration.broken_with = None
    page.get_by_role("button", name="Try now").click()
    expect(page.get_by_role("alert")).to_be_hidden()


def test_no_listeners_is_said_in_words(page: Page, administration: FakeAdministration) -> None:
    administration.listeners.clear()
    sign_in(page, administration)
    expect(page.get_by_text("There are no listeners.")).to_be_visible()


def test_a_session_that_ended_leads_back_to_sign_in(page: Page, administration: FakeAdministration) -> None:
    sign_in(page, administration)
    expect(row(page, "imap")).to_be_visible()
    administration.is_signed_in = False
    expect(page.get_by_text("Your session has ended. Sign in again.")).to_be_visible()


def test_a_reload_keeps_the_session_and_sign_out_ends_it(page: Page, administration: FakeAdministration) -> None:
    sign_in(page, administration)
    expect(row(page, "imap")).to_be_visible()
    page.reload()
    expect(row(page, "imap")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("User name")).to_be_visible()
    assert administration.logouts == 1


def test_a_server_that_does_not_answer_at_first_can_be_tried_again(
    page: Page, administration: FakeAdministration
) -> None:
    administration.broken_with = 502
    page.goto(administration.url)
    expect(page.get_by_role("heading", name="No connection")).to_be_visible()
    administration.broken_with = None
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_label("User name")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_narrow_screen_nothing_is_cut_off_and_it_is_still_a_table(
    page: Page, administration: FakeAdministration, scheme: Any
) -> None:
    administration.listeners[0]["bind"] = {
        f"[2001:db8:aaaa:bbbb:cccc:dddd:eeee:{number:x}]:10143": True for number in range(3)
    }
    page.set_viewport_size({"width": 360, "height": 740})
    page.emulate_media(color_scheme=scheme)
    sign_in(page, administration)
    expect(row(page, "imap")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert len(cells(page, "imap")) == 5
    assert page.get_by_role("columnheader").count() == 6
