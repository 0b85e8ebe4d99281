"""What a person does with the pages: signing in, going somewhere, finding a row."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect
from tests.integration.running_server import ADMIN, RunningServer


class Pages:
    """The pages of a server in one browser window."""

    def __init__(self, page: Page, server: RunningServer) -> None:
        self.page = page
        self.server = server

    def sign_in(self, password: str = ADMIN[1], user: str = ADMIN[0]) -> None:
        self.page.goto("/")
        self.page.get_by_label("User name").fill(user)
        self.page.get_by_label("Password").fill(password)
        self.page.keyboard.press("Enter")
        expect(self.button("Sign out")).to_be_visible()

    def go_to(self, path: str) -> None:
        """`/listeners/new`: what stands behind `#` in the address."""
        self.page.evaluate("path => { location.hash = path }", path)

    def walk_to(self, path: str) -> None:
        """Go there, and wait until the page has what it shows."""
        leave = "path => { document.querySelector('main h1')?.setAttribute('data-left', ''); location.hash = path }"
        self.page.evaluate(leave, path)
        expect(self.page.locator("main h1:not([data-left])")).to_be_visible()
        expect(self.page.locator("main").get_by_text("Loading …")).to_have_count(0)

    def row(self, name: str) -> Locator:
        return self.page.get_by_role("row").filter(has=self.page.get_by_role("rowheader", name=name, exact=True))

    def field(self, label: str) -> Locator:
        return self.page.get_by_label(label, exact=True)

    def textbox(self, label: str) -> Locator:
        """Where the members of a list are typed; the list has the same name."""
        return self.page.get_by_role("textbox", name=label, exact=True)

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def heading(self, name: str) -> Locator:
        return self.page.get_by_role("heading", name=name, exact=True)
