"""Accounts, API keys, networks that are blocked: what an administrator does with them, and what other people see."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from playwright.sync_api import expect
from tests.browser.pages import Pages
from tests.integration.running_server import PASSWORDS, RunningServer

pytestmark = pytest.mark.browser


@pytest.fixture
def as_it_was(administered: RunningServer) -> Iterator[None]:
    """Whatever the test creates is removed."""
    types = ("Account", "ApiKey", "BlockedIp", "AllowedIp", "Domain")
    before = {each: {one["id"] for one in administered.call(f"x:{each}/get", ids=None)["list"]} for each in types}
    yield
    for each in ("ApiKey", "Account", "BlockedIp", "AllowedIp", "Domain"):
        now = {one["id"] for one in administered.call(f"x:{each}/get", ids=None)["list"]}
        administered.set(each, destroy=sorted(now - before[each]))


def signs_in(server: RunningServer, user: str, password: str) -> bool:
    return httpx.post(f"{server.http.base_url}/api/login", json={"user": user, "password": password}).status_code == 200


@pytest.mark.usefixtures("as_it_was")
def test_an_account_is_made_gets_quota_aliases_and_role_and_a_new_password(pages: Pages) -> None:
    name = f"carol{random.randrange(10**6)}"
    pages.go_to("/domains/new")
    pages.field("Name").fill(f"{name}.example")
    pages.button("Create domain").click()
    expect(pages.heading(f"{name}.example")).to_be_visible()
    pages.go_to("/accounts/new")
    pages.field("Name").fill(name)
    pages.field("Domain").select_option(f"{name}.example")
    pages.field("Password").fill("first password")
    pages.field("Once more").fill("another")
    expect(pages.page.get_by_text("The two are not the same.")).to_be_visible()
    pages.button("Create account").click()
    expect(pages.heading("New account")).to_be_visible()
    pages.field("Once more").fill("first password")
    pages.field("Quota").fill("1.5 GiB")
    pages.field("Aliases").fill(f"{name}.alias@example.org")
    pages.button("Create account").click()
    expect(pages.heading(name)).to_be_visible()
    assert signs_in(pages.server, name, "first password")
    account = next(each for each in pages.server.call("x:Account/get", ids=None)["list"] if each["name"] == name)
    assert account["quota"] == 3 * 2**29
    assert account["aliases"] == {f"{name}.alias@example.org": True}

    expect(pages.field("Quota")).to_have_value("1.5 GiB")
    pages.button("Set a new password …").click()
    expect(pages.field("Password")).to_be_focused()
    pages.page.keyboard.type("second password")
    pages.page.keyboard.press("Enter")
    expect(pages.field("Once more")).to_be_focused()
    pages.page.keyboard.type("second password")
    pages.field("Role").select_option(label="Operator: sees everything, changes listeners and certificates")
    pages.button("Save").click()
    expect(pages.button("Set a new password …")).to_be_visible()
    assert signs_in(pages.server, name, "second password")
    assert not signs_in(pages.server, name, "first password")

    pages.button("Delete …").click()
    dialog = pages.page.get_by_role("dialog", name="Delete 1 account?")
    expect(dialog).to_contain_text("nothing brings the mail back")
    dialog.get_by_role("button", name="Delete").click()
    expect(pages.heading("Accounts")).to_be_visible()
    assert not signs_in(pages.server, name, "second password")


@pytest.mark.usefixtures("as_it_was")
def test_the_secret_of_an_api_key_is_shown_once_and_opens_what_was_chosen(pages: Pages) -> None:
    page = pages.page
    pages.go_to("/api-keys/new")
    pages.field("Name").fill("dashboard")
    pages.button("1 week").click()
    page.get_by_label("Only what is chosen here").check()
    page.get_by_label("Listeners: see", exact=True).check()
    pages.button("Create API key").click()
    dialog = page.get_by_role("dialog", name="The secret of the new API key")
    secret = dialog.get_by_label("Secret", exact=True).inner_text()
    page.keyboard.press("Escape")
    expect(dialog.get_by_role("alert")).to_contain_text("It has not been copied")
    dialog.get_by_role("button", name="Copy the secret").click()
    dialog.get_by_role("button", name="Close", exact=True).last.click()
    expect(pages.heading("dashboard")).to_be_visible()
    assert secret not in page.content()

    key = next(each for each in pages.server.call("x:ApiKey/get", ids=None)["list"] if each["name"] == "dashboard")
    left = datetime.fromisoformat(key["expiresAt"]) - datetime.now(UTC)
    assert timedelta(days=6, hours=23) < left < timedelta(days=7, minutes=1)
    answer = httpx.get(f"{pages.server.http.base_url}/api/account", headers={"Authorization": f"Bearer {secret}"})
    assert answer.json()["permissions"] == ["sysNetworkListenerGet"]
    pages.go_to("/api-keys")
    expect(pages.row("dashboard")).to_contain_text("in 7 days")


@pytest.mark.usefixtures("as_it_was")
def test_a_network_is_blocked_for_an_hour_and_one_that_holds_oneself_only_on_purpose(pages: Pages) -> None:
    pages.go_to("/blocked/new")
    pages.field("Network").fill("192.0.2.0/24")
    pages.field("Reason").fill("guesses passwords")
    pages.field("End open connections").check()
    pages.button("1 hour").click()
    pages.button("Create blocked network").click()
    expect(pages.heading("192.0.2.0/24")).to_be_visible()
    [blocked] = pages.server.call("x:BlockedIp/get", ids=None)["list"]
    assert blocked["endConnections"] is True
    assert datetime.fromisoformat(blocked["expiresAt"]) - datetime.now(UTC) < timedelta(hours=1, minutes=1)

    pages.go_to("/blocked/new")
    pages.field("Network").fill("127.0.0.0/8")
    pages.button("Create blocked network").click()
    question = pages.page.get_by_role("dialog", name="This cuts off the way you came in")
    expect(question).to_contain_text("this request comes from 127.0.0.1, which could not connect any more")
    question.get_by_role("button", name="Cancel").click()
    expect(question).to_have_count(0)
    assert len(pages.server.call("x:BlockedIp/get", ids=None)["list"]) == 1

    pages.go_to("/allowed")
    pages.page.get_by_role("dialog").get_by_role("button", name="Leave").click()
    expect(pages.page.get_by_text("There are no allowed networks.")).to_be_visible()
    pages.page.get_by_role("link", name="Make the first allowed network").click()
    pages.field("Network").fill("192.0.2.7")
    pages.field("Until").fill("2020-01-01T00:00:00")
    pages.button("Create allowed network").click()
    question = pages.page.get_by_role("dialog", name="Is this meant?")
    expect(question).to_contain_text("it has expired already: nothing comes of it")
    question.get_by_role("button", name="Cancel").click()
    pages.button("Never").click()
    pages.button("Create allowed network").click()
    expect(pages.button("Delete …")).to_be_visible()
    [allowed] = pages.server.call("x:AllowedIp/get", ids=None)["list"]
    assert (allowed["network"], allowed["expiresAt"]) == ("192.0.2.7", None)


@pytest.mark.parametrize("width", [1280, 390])
def test_who_may_see_the_own_account_alone_finds_that_and_no_dead_page(
    open_pages: Callable[..., Pages], width: int
) -> None:
    pages = open_pages(width=width)
    pages.sign_in(PASSWORDS["alice"], "alice@example.org")
    expect(pages.heading("alice")).to_be_visible()
    if pages.button("Menu").is_visible():
        pages.button("Menu").click()
    expect(pages.page.get_by_role("navigation").get_by_role("link")).to_have_text(["Your account", "API keys"])
    expect(pages.field("Role")).to_be_disabled()
    expect(pages.field("Quota")).to_be_disabled()
    pages.field("Description").fill(f"It is me, {width}")
    pages.button("Save").click()
    expect(pages.page.get_by_role("status").filter(has_text="Saved.")).to_be_visible()
    pages.walk_to("/listeners")
    expect(pages.heading("Not for this account")).to_be_visible()
    pages.walk_to("/api-keys")
    expect(pages.page.get_by_text("There are no API keys.")).to_be_visible()
    pages.walk_to("/api-keys/new")
    pages.page.keyboard.press("Control+k")
    pages.page.keyboard.type("backlog")
    expect(pages.page.get_by_text("Nothing has these words.")).to_be_visible()
