"""What an operator looks at: overview, who is connected, what was changed; and the palette that leads there."""

from __future__ import annotations

import random
import re
import socket
from contextlib import ExitStack
from functools import partial

import pytest
from playwright.sync_api import expect
from tests.browser.pages import Pages
from tests.free_port import free_port
from tests.integration.running_server import eventually
from tests.tls_client import trusting_context

pytestmark = pytest.mark.browser


def test_the_overview_shows_traffic_by_protocol_and_what_does_not_run(pages: Pages) -> None:
    imap = pages.page.get_by_role("region").or_(pages.page.locator("section")).filter(has=pages.heading("IMAP"))
    expect(imap).to_contain_text("imap-clear")
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(socket.create_connection(pages.server.address("imap-clear"), timeout=20))
        line = imap.get_by_role("listitem").filter(has=pages.page.get_by_role("link", name="imap-clear", exact=True))
        expect(line).to_contain_text("3 of")
        line.scroll_into_view_if_needed()
        expect(line.locator(".chart canvas").first).to_be_visible()
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        address = "{}:{}".format(*taken.getsockname())
        settings = {"name": "taken", "protocol": "imap", "bind": [address]}
        answer = pages.server.call("x:NetworkListener/set", create={"n": settings})
        assert "EADDRINUSE" in str(answer["notCreated"])


# The chart library as it is, except that each chart can be found from where it stands in the page.
CHARTS_THAT_CAN_BE_READ = """import Plot from "./uplot.js?unchanged";
export default function (options, data, frame) {
  return (frame.plot = new Plot(options, data, frame));
}"""
MOST_DRAWN = """(frame, label) => {
  const at = frame.plot?.series.findIndex((each) => each.label === label) ?? -1;
  return at < 0 ? null : Math.max(...frame.plot.data[at]);
}"""


def test_a_tls_handshake_that_fails_and_one_that_does_not_leave_their_mark_in_charts_and_numbers(pages: Pages) -> None:
    pages.page.route(
        "**/vendor/uplot.js",
        lambda route: route.fulfill(body=CHARTS_THAT_CAN_BE_READ, content_type="text/javascript"),
    )
    pages.page.reload()
    card = pages.page.locator("section").filter(has=pages.heading("POP3"))
    line = card.get_by_role("listitem").filter(has=pages.page.get_by_role("link", name="pop3s", exact=True))
    line.scroll_into_view_if_needed()
    expect(line).to_contain_text("0 refused/s")  # from the second look on there are rates
    failed = pages.server.status("pop3s")["tlsFailures"]
    address = pages.server.address("pop3s")
    with (
        trusting_context().wrap_socket(socket.create_connection(address, timeout=20)),
        socket.create_connection(address, timeout=20) as stranger,
    ):
        stranger.sendall(b"this is no ClientHello\r\n")
        expect(line).to_contain_text("1 of 8,192 open")
        expect(line).to_contain_text(f"{failed + 1} failed")
        expect(line).to_contain_text(re.compile(r"[1-9]\d* % TLS"))
        rates, open_now, share = line.locator(".chart").all()
        whole = card.locator(".rates-dial .chart").first
        marks = (
            (rates, "TLS failures"),
            (whole, "TLS failures"),
            (rates, "accepted"),
            (open_now, "open"),
            (share, "TLS"),
        )
        for chart, label in marks:
            eventually(partial(chart.evaluate, MOST_DRAWN, label))
    clear = pages.page.locator("section").filter(has=pages.heading("LMTP"))
    expect(clear).to_contain_text("accepted/s")
    expect(clear).not_to_contain_text("TLS")
    assert clear.locator(".chart").count() == 2


def test_connections_are_found_by_network_and_ended_with_a_farewell(pages: Pages) -> None:
    pages.go_to("/connections")
    with ExitStack() as stack:
        address = pages.server.address("pop3")
        near = stack.enter_context(socket.create_connection(address, timeout=20, source_address=("127.0.0.1", 0)))
        far = stack.enter_context(socket.create_connection(address, timeout=20, source_address=("127.0.7.7", 0)))
        assert near.recv(100) and far.recv(100)
        pages.field("Source network").fill("127.0.7.0/24")
        row = pages.row(f"127.0.7.7:{far.getsockname()[1]}")
        expect(row).to_contain_text("pop3")
        expect(row).to_contain_text("POP3")
        expect(pages.page.get_by_role("status").filter(has_text="1 connection")).to_be_visible()
        assert "network=127.0.7.0" in pages.page.url
        for filtered, words in (("Account", "nobody"), ("Filter connections", "imaps")):
            pages.field(filtered).fill(words)
            expect(pages.page.get_by_text("Nobody who matches is connected.")).to_be_visible()
            pages.field(filtered).fill("")
        pages.field("Listener").select_option("imap")
        expect(pages.page.get_by_text("Nobody who matches is connected.")).to_be_visible()
        pages.field("Listener").select_option("pop3")
        row.get_by_role("checkbox").check()
        pages.button("End 1 …").click()
        dialog = pages.page.get_by_role("dialog", name="End 1 connection?")
        expect(dialog).to_contain_text(f"127.0.7.7:{far.getsockname()[1]}, pop3")
        expect(dialog).to_contain_text("POP3 clients are told at their next command, or cut off.")
        pages.button("End it").click()
        assert b"".join(iter(lambda: far.recv(4096), b"")) is not None
        expect(pages.page.get_by_text("Nobody who matches is connected.")).to_be_visible()
        near.sendall(b"NOOP\r\n")
        assert near.recv(100)


def test_a_change_made_elsewhere_appears_in_the_history_and_is_taken_back(pages: Pages) -> None:
    listener = pages.server.listener("pop3")
    pages.go_to("/history")
    expect(pages.page.get_by_role("list", name="Changes").get_by_role("listitem").first).to_be_visible()
    most = random.randrange(100, 1000)
    pages.server.update_listener(listener["id"], maxConnections=most)
    newest = pages.page.get_by_role("list", name="Changes").locator("> li").first
    expect(newest).to_contain_text(f"{most} connections")
    expect(newest.locator("summary")).to_contain_text("admin changed listener pop3")
    expect(newest.locator("summary")).to_contain_text("Connections at most")
    newest.locator("summary").click()
    expect(newest.locator("del")).to_have_text("8,192 connections")
    expect(newest.locator("ins")).to_have_text(f"{most} connections")
    newest.get_by_role("button", name="Take back …").click()
    preview = pages.page.get_by_role("dialog")
    expect(preview).to_contain_text("pop3: Connections at most")
    expect(preview).to_contain_text("The listener pop3 gets back what this change has replaced.")
    preview.get_by_role("button", name="Take it back").click()
    expect(newest).to_contain_text("takes back an earlier change")
    assert pages.server.listener("pop3")["maxConnections"] == listener["maxConnections"]


def test_the_palette_finds_listeners_fields_accounts_and_pages_by_keyboard(pages: Pages) -> None:
    keyboard, finder = pages.page.keyboard, pages.field("Find a page, a listener, a field, an account")
    for typed, heading in (("imaps", "imaps"), ("alice", "alice"), ("certificates", "Certificates")):
        keyboard.press("Control+k")
        expect(finder).to_be_focused()
        keyboard.type(typed)
        expect(pages.page.get_by_role("listbox", name="Found").get_by_role("option").first).to_contain_text(heading)
        keyboard.press("Enter")
        expect(pages.page.get_by_role("heading", level=1)).to_contain_text(heading)
    keyboard.press("Control+k")
    keyboard.type("backlog")
    keyboard.press("Enter")
    expect(pages.field("Backlog")).to_be_focused()
