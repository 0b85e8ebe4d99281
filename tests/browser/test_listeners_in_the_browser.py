"""The listeners' table and form: create, look, change, delete, each seen at the socket."""

from __future__ import annotations

import socket

import pytest
from playwright.sync_api import expect
from tests.browser.pages import Pages
from tests.free_port import free_port

pytestmark = pytest.mark.browser


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_every_listener_stands_there_with_its_state(pages: Pages) -> None:
    pages.go_to("/listeners")
    for name, port in pages.server.ports.items():
        expect(pages.row(name)).to_contain_text(f"127.0.0.1:{port}")
        expect(pages.row(name)).to_contain_text("Active")
    expect(pages.row("imaps")).to_contain_text("Implicit")
    expect(pages.row("submission")).to_contain_text("STARTTLS")


def test_a_listener_is_created_answers_is_changed_and_deleted(pages: Pages) -> None:
    port, page = free_port(), pages.page
    pages.go_to("/listeners")
    pages.page.get_by_role("link", name="New listener").click()
    pages.field("Name").fill("made-in-browser")
    pages.field("Protocol").select_option("POP3")
    pages.field("Bind addresses").fill(f"127.0.0.1:{port}")
    pages.button("Create listener").click()
    expect(pages.heading("made-in-browser")).to_be_visible()
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
        assert sock.recv(4096).startswith(b"+OK")

    pages.field("Connections at most").fill("7")
    pages.button("Save").click()
    expect(page.get_by_role("status").filter(has_text="Saved.")).to_be_visible()
    assert pages.server.listener("made-in-browser")["maxConnections"] == 7

    pages.button("Delete …").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(pages.heading("Listeners")).to_be_visible()
    assert not is_listening(port)


def test_changes_made_elsewhere_appear_by_themselves(pages: Pages) -> None:
    pages.go_to("/listeners")
    expect(pages.row("pop3")).to_contain_text("0 of")
    with socket.create_connection(pages.server.address("pop3"), timeout=20) as sock:
        assert sock.recv(4096).startswith(b"+OK")
        expect(pages.row("pop3")).to_contain_text("1 of")
    port = free_port()
    listener_id = pages.server.create_listener(name="appears", protocol="imap", bind=[f"127.0.0.1:{port}"])
    expect(pages.row("appears")).to_contain_text(f"127.0.0.1:{port}")
    pages.server.destroy_listener(listener_id)
    expect(pages.row("appears")).to_have_count(0)


def test_the_table_is_filtered_sorted_by_every_column_and_several_are_deleted_at_once(pages: Pages) -> None:
    page, ports = pages.page, sorted(free_port() for _ in range(3))
    for name, port, protocol in zip(("batch-b", "batch-c", "batch-a"), ports, ("pop3", "imap", "smtp"), strict=True):
        pages.server.create_listener(name=name, protocol=protocol, bind=[f"127.0.0.1:{port}"], maxConnections=port)
    pages.go_to("/listeners?filter=batch-")
    names = page.get_by_role("rowheader")
    expect(names).to_have_text(["batch-a", "batch-b", "batch-c"])
    orders = {"addresses": ["batch-b", "batch-c", "batch-a"], "-protocol": ["batch-a", "batch-b", "batch-c"]}
    for sort, order in orders.items():
        pages.go_to(f"/listeners?filter=batch-&sort={sort}")
        expect(names).to_have_text(order)
    if pages.field("Order").is_visible():  # rows are cards, without headings
        pages.field("Order").select_option("By Name, descending")
        expect(names).to_have_text(["batch-c", "batch-b", "batch-a"])
    else:
        for label in ("Name", "Protocol", "Addresses", "TLS", "State", "Connections"):
            for direction in ("ascending", "descending"):
                page.get_by_role("columnheader", name=label).get_by_role("button").click()
                expect(page.get_by_role("columnheader", name=label)).to_have_attribute("aria-sort", direction)
        assert "sort=-connections" in page.url
    for name in ("batch-a", "batch-b", "batch-c"):
        pages.row(name).get_by_role("checkbox").check()
    pages.field("Filter listeners").fill("batch-b")
    pages.button("Delete 1 …").click()  # what is not shown is not deleted
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    pages.field("Filter listeners").fill("batch")
    pages.button("Delete 3 …").click()
    expect(page.get_by_role("dialog")).to_contain_text("Nobody is connected now. No new connections are accepted.")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("No listener has these words.")).to_be_visible()
    assert not any(is_listening(port) for port in ports)
