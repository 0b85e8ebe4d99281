"""What comes from outside stays text on every page, and what is not a file of the server is not run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect
from tests.browser.pages import Pages
from tests.certificates import certificate_pem, key_pem, new_certificate, new_key
from tests.free_port import free_port
from tests.integration.running_server import RunningServer

pytestmark = pytest.mark.browser

SHORT = "<img src=x onerror='window.ran=1'><b>"
HOSTILE = SHORT + '<script>window.ran=1</script>"{{7*7}}${window.ran=1}'
PAGES = {
    "Account": "/accounts",
    "ApiKey": "/api-keys",
    "BlockedIp": "/blocked",
    "AllowedIp": "/allowed",
    "Domain": "/domains",
    "NetworkListener": "/listeners",
    "Certificate": "/certificates",
}

BLOCKED = """() => new Promise((resolve) => {
    const seen = [];
    document.addEventListener("securitypolicyviolation", (event) => {
        seen.push(event.effectiveDirective);
        if (seen.length === 4) resolve(seen.sort());
    });
    const script = document.createElement("script");
    script.textContent = "window.ran = 1";
    const style = document.createElement("style");
    style.textContent = "body { display: none }";
    const frame = document.createElement("iframe");
    frame.src = "data:text/html,hello";
    document.body.append(script, style, frame);
    fetch("https://192.0.2.1/").catch(() => {});
})"""


@pytest.fixture
def hostile(administered: RunningServer) -> Iterator[dict[str, str]]:
    """An object of each type that takes texts, with hostile ones in all of them; path of its page → type."""
    key = new_key()
    valid = (datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(days=9))
    signed = new_certificate(SHORT, key, valid, names=("hostile.example",))
    domain = administered.call("x:Domain/query")["ids"][0]
    objects = {
        "Domain": {"name": "hostile.example", "description": HOSTILE},
        "Account": {"name": "'{{7}}&amp${x}", "domainId": domain, "password": "a password", "description": HOSTILE},
        "ApiKey": {"name": HOSTILE},
        "BlockedIp": {"network": "198.51.100.0/24", "reason": HOSTILE},
        "AllowedIp": {"network": "198.51.100.1", "reason": HOSTILE},
        "NetworkListener": {"name": "hostile", "protocol": "imap", "bind": {f"127.0.0.1:{free_port()}": True}},
        "Certificate": {"name": SHORT, "certificate": certificate_pem(signed), "privateKey": key_pem(key)},
    }
    made = {each: administered.set(each, create={"n": value})["created"]["n"]["id"] for each, value in objects.items()}
    yield {f"{PAGES[each]}/{object_id}": each for each, object_id in made.items()}
    for each in reversed(made):
        administered.set(each, destroy=[made[each]])


def test_hostile_texts_stay_text_on_every_page(open_pages: Callable[..., Pages], hostile: dict[str, str]) -> None:
    pages = open_pages()
    pages.sign_in()
    page = pages.page
    for path in ["/overview", "/connections", "/history", *PAGES.values(), *hostile]:
        pages.walk_to(path)
        if path == "/history":
            change = page.locator("details").filter(has=page.locator("ins").filter(has_text=HOSTILE)).first
            change.locator("summary").click()
            expect(change.locator("ins").filter(has_text=HOSTILE).first).to_be_visible()
        elif path in ("/overview", "/api-keys", "/blocked", "/allowed", "/accounts", "/domains", "/certificates"):
            expect(page.locator("main").get_by_text(SHORT.partition("'")[0]).first).to_be_visible()
        assert page.locator("main img, main script, main iframe").count() == 0, path
    page.keyboard.press("Control+k")
    page.keyboard.type("<img")
    expect(page.get_by_role("option").filter(has_text=HOSTILE).first).to_be_visible()
    assert page.evaluate("window.ran") is None


def test_scripts_and_styles_in_the_page_frames_and_other_hosts_are_kept_out(open_pages: Callable[..., Pages]) -> None:
    pages = open_pages(is_watched=False)
    pages.page.goto("/")
    expect(pages.page.get_by_label("User name")).to_be_visible()
    assert pages.page.evaluate(BLOCKED) == ["connect-src", "frame-src", "script-src-elem", "style-src-elem"]
    assert pages.page.evaluate("window.ran") is None
    answer = pages.page.request.get("/admin/")
    assert "unsafe" not in answer.headers["content-security-policy"]  # neither inline nor eval
