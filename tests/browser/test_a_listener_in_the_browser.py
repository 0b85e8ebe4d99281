"""The page of a listener: templates, remarks, what the kernel has, its tabs; two people at one object; not being locked out."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from tests.browser.pages import Pages
from tests.free_port import free_port
from tests.integration.running_server import eventually

pytestmark = pytest.mark.browser


def open_listener(pages: Pages, name: str) -> None:
    pages.go_to(f"/listeners/{pages.server.listener(name)['id']}")
    expect(pages.heading(name)).to_be_visible()


def test_a_template_fills_the_form_keeps_what_was_typed_and_says_what_makes_no_sense(pages: Pages) -> None:
    page = pages.page
    pages.go_to("/listeners/new")
    pages.field("Backlog").fill("77")
    page.get_by_text("Begin with a usual one").click()
    page.get_by_role("link", name="Mailboxes behind HAProxy").click()
    expect(page.get_by_text("send-proxy-v2")).to_be_visible()
    page.get_by_text("Begin with a usual one: Mailboxes behind HAProxy").click()
    page.get_by_role("link", name="Mailboxes IMAP").click()
    expect(pages.field("Name")).to_have_value("imaps-2")  # there is an imaps already
    expect(pages.field("Protocol")).to_have_value("imap")
    expect(pages.field("Backlog")).to_have_value("77")
    expect(page.get_by_role("list", name="Bind addresses")).to_contain_text("[::]:993")
    assert "template=imaps" in page.url

    pages.textbox("Bind addresses").fill("127.0.0.1:99999")
    expect(page.locator("[data-property=bind] .error")).to_have_text("A port is a number from 1 to 65535.")
    pages.field("Offer TLS").uncheck()
    expect(page.locator("[data-property=tlsImplicit]")).to_contain_text("Needs TLS: switch")
    pages.field("Handshake timeout").fill("5s")
    expect(page.locator("[data-property=tlsTimeout]")).to_contain_text("Without effect as long as TLS is not offered")
    pages.textbox("Trusted proxy networks").fill("0.0.0.0/0")
    pages.textbox("Trusted proxy networks").press("Enter")
    expect(page.locator("[data-property=overrideProxyTrustedNetworks]")).to_contain_text("This is everybody")

    pages.go_to("/listeners")
    leaving = page.get_by_role("dialog", name="Leave without saving?")
    leaving.get_by_role("button", name="Cancel").click()
    pages.button("Sign out").click()
    leaving.get_by_role("button", name="Cancel").click()
    expect(pages.field("Backlog")).to_have_value("77")
    pages.go_to("/listeners")
    leaving.get_by_role("button", name="Leave").click()
    expect(pages.heading("Listeners")).to_be_visible()


def test_the_kernel_stands_beside_the_settings_and_each_tab_has_an_address(pages: Pages) -> None:
    page, port = pages.page, free_port()
    pages.server.create_listener(
        name="looked-at", protocol="pop3", bind=[f"127.0.0.1:{port}"], socketReceiveBufferSize=65_536
    )
    open_listener(pages, "looked-at")
    kernel = page.get_by_role("list", name="Receive buffer in the kernel")
    expect(kernel).to_contain_text("131,072 octets")
    expect(kernel).to_contain_text("65,536 octets asked for")
    pages.field("Time to live").fill("41")

    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        assert client.recv(100).startswith(b"+OK")
        page.get_by_role("link", name="Connections", exact=True).last.click()
        expect(pages.row(f"127.0.0.1:{client.getsockname()[1]}")).to_be_visible()
        client.sendall(b"QUIT\r\n")
        assert client.recv(100)
    page.get_by_role("link", name="Status").click()
    expect(page.locator("[aria-label='How connections ended']")).to_contain_text("by the protocol's own end")
    page.get_by_role("link", name="Settings").click()
    expect(pages.field("Time to live")).to_have_value("41")  # nothing typed is lost

    pages.button("Preview").click()
    expect(page.get_by_role("dialog")).to_contain_text("at once")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.get_by_role("list", name="Time to live in the kernel")).to_contain_text("41 hops")
    page.get_by_role("link", name="History", exact=True).last.click()
    newest = page.get_by_role("list", name="Changes").locator("> li").first
    newest.locator("summary").click()
    newest.get_by_role("button", name="Take back …").click()
    page.get_by_role("dialog").get_by_role("button", name="Take it back").click()
    expect(newest).to_contain_text("takes back an earlier change")
    assert pages.server.listener("looked-at")["socketTtl"] is None

    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        assert client.recv(100).startswith(b"+OK")
        expect(page.get_by_text("1 open connection")).to_be_visible()
        pages.button("Delete …").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("1 open connection keeps running, no new ones are accepted.")
        dialog.get_by_role("button", name="Delete").click()
        expect(pages.heading("Listeners")).to_be_visible()
        client.sendall(b"CAPA\r\n")
        assert client.recv(100).startswith(b"+OK")


def test_two_people_at_one_listener_lose_nothing(pages: Pages) -> None:
    page, ports = pages.page, [free_port() for _ in range(4)]
    addresses = [f"127.0.0.1:{port}" for port in ports]
    listener_id = pages.server.create_listener(name="shared", protocol="pop3", bind=addresses[:2])
    open_listener(pages, "shared")
    pages.field("Connections at most").fill("11")
    pages.textbox("Bind addresses").fill(addresses[2])
    pages.textbox("Bind addresses").press("Enter")
    page.get_by_role("button", name=f"Remove {addresses[0]}").click()

    pages.server.update_listener(listener_id, maxConnections=22, socketTtl=33, **{f"bind/{addresses[3]}": True})
    clash = page.get_by_role("alert").filter(has_text="Somebody else has changed this meanwhile")
    expect(pages.field("Time to live")).to_have_value("33")  # what nobody else touches comes by itself
    limit = clash.get_by_role("listitem").filter(has_text="Connections at most")
    expect(limit).to_contain_text("theirs: 22 connections")
    expect(limit).to_contain_text("yours: 11 connections")
    pages.button("Save").click()
    expect(page.get_by_role("alert").filter(has_text="Decide first")).to_be_visible()
    limit.get_by_role("button", name="Keep mine").click()
    clash.get_by_role("button", name="Take both changes").click()
    expect(clash).to_have_count(0)
    pages.field("Backlog").fill("many")
    pages.button("Save").click()
    expect(pages.field("Backlog")).to_be_focused()
    pages.field("Backlog").fill("1024")
    pages.button("Save").click()
    expect(page.get_by_role("status").filter(has_text="Saved.")).to_be_visible()
    stored = pages.server.listener("shared")
    assert stored["maxConnections"] == 11
    assert set(stored["bind"]) == {addresses[1], addresses[2], addresses[3]}
    assert stored["socketTtl"] == 33

    pages.field("Backlog").fill("512")
    pages.server.destroy_listener(listener_id)
    expect(page.get_by_role("alert").filter(has_text="Somebody else has deleted this listener")).to_be_visible()
    expect(pages.field("Backlog")).to_have_value("512")
    pages.button("Create listener").click()
    expect(pages.button("Delete …")).to_be_visible()
    again = pages.server.listener("shared")
    assert again == stored | {"id": again["id"], "socketBacklog": 512}
    pages.server.destroy_listener(again["id"])
    expect(pages.heading("This listener is gone")).to_be_visible()


def test_each_kind_of_field_is_edited_and_what_the_server_refuses_stands_at_its_field(pages: Pages) -> None:
    page, port, address = pages.page, free_port(), "127.0.0.1:{}".format(pages.server.ports["imap"])
    pages.go_to("/listeners/new")
    pages.field("Name").fill("POP3")
    pages.field("Protocol").select_option("ManageSieve")
    pages.textbox("Bind addresses").fill(f"{address} 127.0.0.1:{port}")
    pages.button("Create listener").click()
    expect(page.locator("[data-property=bind] .error")).to_contain_text(address)
    expect(pages.textbox("Bind addresses")).to_be_focused()
    expect(page.get_by_role("alert").filter(has_text="Not accepted: Bind addresses.")).to_be_visible()
    pages.button(f"Remove {address}").click()
    pages.button("Create listener").click()
    expect(page.locator("[data-property=name] .error")).to_contain_text("another listener has this name")
    pages.field("Name").fill("every-kind")
    pages.button("Create listener").click()
    expect(pages.heading("every-kind")).to_be_visible()

    pages.field("Connections at most").fill("")
    pages.field("Handshake timeout").fill("1m 30s")
    pages.field("Server chooses the suite").uncheck()
    page.get_by_role("group", name="Disabled TLS versions").get_by_label("TLS 1.2").check()
    page.get_by_role("group", name="Disabled cipher suites").get_by_label("TLS 1.3 TLS_AES_128_GCM_SHA256").check()
    pages.textbox("Trusted proxy networks").fill("192.0.2.0/24, 2001:db8::/32")
    pages.field("Reuse port").uncheck()
    pages.field("Send buffer").fill("65536")
    pages.button("Preview").click()
    preview = page.get_by_role("dialog", name="What this change does")
    for effect in ("new sockets first", "at once", "next connection"):
        expect(preview).to_contain_text(effect)
    preview.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="Saved.")).to_be_visible()
    expect(page.get_by_role("list", name="Reuse port in the kernel")).to_contain_text("off")
    stored = pages.server.listener("every-kind")
    assert {name: stored[name] for name in ("maxConnections", "tlsTimeout", "tlsIgnoreClientOrder")} == {
        "maxConnections": None,
        "tlsTimeout": 90_000,
        "tlsIgnoreClientOrder": False,
    }
    assert (list(stored["tlsDisableProtocols"]), len(stored["tlsDisableCipherSuites"])) == (["tls12"], 1)
    assert set(stored["overrideProxyTrustedNetworks"]) == {"192.0.2.0/24", "2001:db8::/32"}
    assert (stored["socketReusePort"], stored["socketSendBufferSize"]) == (False, 65_536)
    pages.server.destroy_listener(stored["id"])


def test_who_insists_may_cut_off_the_way_they_came_in(open_pages: Callable[..., Pages]) -> None:
    pages, port = open_pages(scheme="https"), free_port()
    pages.sign_in()
    before = pages.server.listener("https")
    open_listener(pages, "https")
    pages.button(f"Remove 127.0.0.1:{pages.server.ports['https']}").click()
    pages.textbox("Bind addresses").fill(f"127.0.0.1:{port}")
    pages.button("Save").click()
    question = pages.page.get_by_role("dialog", name="This cuts off the way you came in")
    expect(question).to_contain_text("where that listener would not be any more")
    question.get_by_role("button", name="Save anyway").click()
    eventually(lambda: list(pages.server.listener("https")["bind"]) == [f"127.0.0.1:{port}"])
    pages.page.close()
    pages.server.update_listener(before["id"], bind=before["bind"])


def test_who_would_cut_off_the_way_they_came_in_is_asked(pages: Pages) -> None:
    page, before = pages.page, pages.server.listener("http")
    open_listener(pages, "http")
    pages.textbox("Trusted proxy networks").fill("127.0.0.0/8")
    pages.textbox("Trusted proxy networks").press("Enter")
    pages.button("Preview").click()
    preview = page.get_by_role("dialog", name="What this change does")
    expect(preview).to_contain_text("would have to send a PROXY header")
    preview.get_by_role("button", name="Save").click()
    question = page.get_by_role("dialog", name="This cuts off the way you came in")
    expect(question.get_by_role("button", name="Save anyway")).to_be_visible()
    question.get_by_role("button", name="Cancel").click()
    expect(page.locator("[data-property=overrideProxyTrustedNetworks] .error")).to_contain_text("PROXY header")
    expect(pages.textbox("Trusted proxy networks")).to_be_focused()
    pages.button("Delete …").click()
    page.get_by_role("dialog", name="Delete 1 listener?").get_by_role("button", name="Delete").click()
    expect(question).to_contain_text("this request comes through that listener")
    question.get_by_role("button", name="Cancel").click()
    assert pages.server.listener("http") == before
