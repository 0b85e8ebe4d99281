"""The settings of the whole server: a field of each kind is changed in one go, and what is wrong stands at its field."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import expect
from tests.browser.pages import Pages
from tests.integration.running_server import RunningServer

pytestmark = pytest.mark.browser

CHANGED = (
    "defaultHostname",
    "maxConnectionsPerAddress",
    "proxyTrustedNetworks",
    "httpStrictTransportSecurity",
    "httpAllowedOrigins",
    "maxMessageSize",
    "allowClearHttpLogin",
    "historyRetention",
)


def settings(server: RunningServer) -> dict[str, Any]:
    stored = server.call("x:SystemSettings/get", ids=["singleton"])["list"][0]
    return {name: stored[name] for name in CHANGED}


@pytest.fixture
def before(administered: RunningServer) -> Iterator[dict[str, Any]]:
    stored = settings(administered)
    yield stored
    administered.set("SystemSettings", update={"singleton": stored})


def test_a_setting_of_each_kind_is_changed_and_stored(open_pages: Callable[..., Pages], before: dict[str, Any]) -> None:
    pages = open_pages()
    pages.sign_in()
    pages.walk_to("/general")
    pages.field("Host name").fill("mail.example.net")
    pages.field("Connections per address").fill("500")
    pages.field("Trusted proxy networks").fill("192.0.2.0/24, 2001:db8::/32")
    pages.field("HTTPS only (HSTS)").fill("")
    pages.field("Pages of other origins").fill("https://admin.example.org:8443")
    pages.field("Message size at most").fill("10 KiB")
    expect(pages.page.get_by_text("At least 64 KiB.")).to_be_visible()
    pages.field("Message size at most").fill("25.5 MiB")
    pages.field("Sign-in over clear HTTP").check()
    pages.field("History kept").fill("30d 12h")
    pages.button("Save").click()
    expect(pages.page.get_by_role("status").filter(has_text="Saved.")).to_be_visible()
    assert settings(pages.server) == {
        "defaultHostname": "mail.example.net",
        "maxConnectionsPerAddress": 500,
        "proxyTrustedNetworks": {"192.0.2.0/24": True, "2001:db8::/32": True},
        "httpStrictTransportSecurity": None,
        "httpAllowedOrigins": {"https://admin.example.org:8443": True},
        "maxMessageSize": 51 * 2**19,
        "allowClearHttpLogin": True,
        "historyRetention": (30 * 24 + 12) * 3_600_000,
    }
    pages.field("Host name").fill("not a name")
    pages.button("Save").click()
    expect(pages.page.locator("[data-property=defaultHostname] .error")).to_contain_text("must be a domain name")
    assert settings(pages.server)["defaultHostname"] == "mail.example.net"
