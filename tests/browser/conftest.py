"""A real server and its pages in a real browser. Whatever the console complains about, or asks another host for, fails the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.browser.pages import Pages
from tests.integration.running_server import RunningServer, running_server

# What the content security policy keeps from happening is an error: the pages never try anything that it forbids.
REPORT_VIOLATIONS = """document.addEventListener("securitypolicyviolation", (event) =>
    console.error(`content security policy: ${event.effectiveDirective} ${event.blockedURI} ${event.sample}`));"""


expect.set_options(timeout=20_000)  # a deadline for what hangs: two tests at once share two cores


@pytest.fixture(scope="session")
def administered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """The server of all browser tests of this process: each leaves it as it found it."""
    with running_server(tmp_path_factory.mktemp("administered")) as server:
        yield server


@pytest.fixture(params=[(1280, 800), (390, 844)], ids=["wide", "narrow"])
def viewport(request: pytest.FixtureRequest) -> tuple[int, int]:
    width, height = request.param
    return width, height


@pytest.fixture
def open_pages(browser: Browser, administered: RunningServer) -> Iterator[Callable[..., Pages]]:
    """The pages in a window of their own, not signed in. Complaints of one that is not watched are no failure."""
    contexts, complaints = [], list[str]()

    def opened(
        *, width: int = 1280, height: int = 800, dark: bool = False, scheme: str = "http", is_watched: bool = True
    ) -> Pages:
        origin = f"127.0.0.1:{administered.ports[scheme]}"
        context = browser.new_context(
            base_url=f"{scheme}://{origin}/",
            ignore_https_errors=True,
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        if is_watched:
            page.add_init_script(REPORT_VIOLATIONS)
            _watch(page, origin, complaints)
        return Pages(page, administered)

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def _watch(page: Page, origin: str, complaints: list[str]) -> None:
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: (
            complaints.append(message.text)
            if message.type in ("error", "warning") and "401" not in message.text
            else None
        ),
    )
    page.on(
        "request", lambda request: complaints.append(request.url) if urlsplit(request.url).netloc != origin else None
    )


@pytest.fixture
def pages(open_pages: Callable[..., Pages], viewport: tuple[int, int]) -> Pages:
    """Signed in as administrator; once in a wide window and once in a narrow one, which is dark."""
    opened = open_pages(width=viewport[0], height=viewport[1], dark=viewport[0] < 500)
    opened.sign_in()
    return opened
