"""Certificates: out of files in any order, dropped, pasted, on the server; refused; put in place of others. Seen in handshakes."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from playwright.sync_api import FilePayload, Locator, expect
from tests.browser.pages import Pages
from tests.certificates import Key, certificate_pem, key_pem, new_certificate, new_key
from tests.tls_client import trusting_context

pytestmark = pytest.mark.browser


def pair(name: str, days: int, *, issuer: tuple[x509.Certificate, Key] | None = None) -> tuple[str, str]:
    key, now = new_key(), datetime.now(UTC)
    names = (name,) if "." in name else ()
    made = new_certificate(name, key, (now - timedelta(days=1), now + timedelta(days=days)), names=names, issuer=issuer)
    return certificate_pem(made), key_pem(key)


def authority(name: str, issuer: tuple[x509.Certificate, Key] | None = None) -> tuple[x509.Certificate, Key]:
    key, now = new_key(), datetime.now(UTC)
    valid = (now - timedelta(days=1), now + timedelta(days=900))
    return new_certificate(name, key, valid, issuer=issuer), key


def served(pages: Pages, name: str) -> str:
    """What a client gets that asks for a host name."""
    with (
        socket.create_connection(pages.server.address("imaps"), timeout=20) as sock,
        trusting_context().wrap_socket(sock, server_hostname=name) as tls,
    ):
        octets = tls.getpeercert(binary_form=True)
    assert octets is not None
    return ssl.DER_cert_to_PEM_cert(octets)


def pem_file(name: str, text: str) -> FilePayload:
    return {"name": name, "mimeType": "application/x-pem-file", "buffer": text.encode()}


def drop(target: Locator, text: str) -> None:
    transfer = target.page.evaluate_handle(
        "text => { const all = new DataTransfer(); all.items.add(new File([text], 'both.pem')); return all }", text
    )
    target.dispatch_event("drop", {"dataTransfer": transfer})


def paste(target: Locator, text: str) -> None:
    target.evaluate(
        """(element, text) => { const data = new DataTransfer(); data.setData("text/plain", text);
           element.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true})) }""",
        text,
    )


def error_at(pages: Pages, name: str) -> Locator:
    return pages.page.locator(f"[data-property={name}] .error")


def create(pages: Pages) -> str:
    """Presses the button; the id of what came of it."""
    pages.button("Create certificate").click()
    return created(pages)


def created(pages: Pages) -> str:
    expect(pages.page.get_by_role("status").filter(has_text="The certificate has been created.")).to_be_visible()
    expect(pages.button("Delete …")).to_be_visible()
    return pages.page.url.rpartition("/")[2]


def insist(pages: Pages, words: str, action: str) -> None:
    question = pages.page.get_by_role("dialog", name="Is this meant?")
    expect(question).to_contain_text(words)
    question.get_by_role("button", name=action).click()


def test_chain_and_key_come_from_files_in_any_order_and_are_replaced_in_place(pages: Pages) -> None:
    page, files = pages.page, pages.page.get_by_label("PEM files of chain and key")
    root = authority("a root")
    between = authority("in between", root)
    leaf, key = pair("upload.example.org", 90, issuer=between)
    pages.go_to("/certificates/new")
    files.set_input_files([pem_file("privkey.pem", key), pem_file("chain.pem", certificate_pem(between[0]))])
    files.set_input_files([pem_file("cert.pem", leaf)])  # goes before what signed it
    expect(page.get_by_role("status").filter(has_text="Taken from cert.pem: 1 certificate.")).to_be_visible()
    expect(pages.field("Certificate chain")).to_have_value(leaf + certificate_pem(between[0]))
    certificate_id = create(pages)
    assert served(pages, "upload.example.org") == leaf
    expect(page.get_by_role("list", name="Listeners that use it").get_by_role("link", name="imaps")).to_be_visible()
    expect(page.locator(".use")).to_contain_text("signed by in between")

    soon, soon_key = pair("upload.example.org", 20)
    drop(page.locator(".drop"), soon + soon_key)
    pages.button("Save").click()
    insist(pages, "the certificate expires at", "Save it")
    expect(page.locator(".use")).to_contain_text("Expires soon")
    assert served(pages, "upload.example.org") == soon
    assert page.url.endswith(certificate_id)
    pages.go_to("/certificates")
    expect(pages.row("upload.example.org")).to_contain_text("Expires soon")
    expect(pages.row("upload.example.org")).to_contain_text("for its names")
    expect(pages.row("self-signed")).to_contain_text("where no other fits")
    pages.server.set("Certificate", destroy=[certificate_id])
    expect(pages.row("upload.example.org")).to_have_count(0)


def test_what_cannot_be_used_is_said_in_words_and_pasted_text_goes_to_its_fields(pages: Pages) -> None:
    page, status = pages.page, pages.page.locator(".drop [role=status]")
    leaf, key = pair("pasted.example.org", 90)
    pages.go_to("/certificates/new")
    files = page.get_by_label("PEM files of chain and key")
    files.set_input_files([pem_file("pair.p12", "0\x82\x00\x01")])
    expect(status).to_contain_text("pair.p12: There is no PEM text")
    files.set_input_files(
        [pem_file("key.pem", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n")]
    )
    expect(status).to_contain_text("encrypted")
    paste(pages.field("Name"), leaf + pair("other.example.org", 90)[1])
    expect(status).to_have_text("Taken from what was pasted: 1 certificate and the private key.")
    pages.button("Create certificate").click()
    expect(error_at(pages, "privateKey")).to_contain_text("does not belong to the first certificate")
    paste(pages.field("Certificate chain"), key)  # it is seen to be a key wherever it is pasted
    expect(pages.field("Private key")).to_have_value(key)
    expect(error_at(pages, "privateKey")).to_have_text("")
    expired, expired_key = pair("pasted.example.org", 0)
    paste(pages.field("Name"), expired + expired_key)
    pages.button("Preview").click()
    expect(error_at(pages, "certificate")).to_contain_text("expired at")
    paste(pages.field("Name"), leaf + key)
    certificate_id = create(pages)
    assert served(pages, "pasted.example.org") == leaf
    page.get_by_role("button", name="Make it the default").click()
    expect(page.locator(".use")).to_contain_text("for its names, where no other fits")
    assert served(pages, "unknown.example.net") == leaf
    pages.server.set("SystemSettings", update={"singleton": {"defaultCertificateId": None}})
    pages.server.set("Certificate", destroy=[certificate_id])
    expect(pages.heading("This certificate is gone")).to_be_visible()


def test_a_certificate_may_stay_in_files_on_the_server(pages: Pages, tmp_path: Path) -> None:
    page = pages.page
    leaf, key = pair("files.example.org", 20)
    (tmp_path / "fullchain.pem").write_text(leaf)
    (tmp_path / "privkey.pem").write_text(key)
    pages.go_to("/certificates/new")
    page.get_by_role("radio", name="In files on the server").check()
    pages.field("Certificate file").fill(str(tmp_path / "fullchain.pem"))
    pages.field("Private key file").fill(str(tmp_path / "missing.pem"))
    pages.button("Create certificate").click()
    expect(error_at(pages, "privateKeyFile")).to_contain_text("missing.pem")
    pages.field("Private key file").fill(str(tmp_path / "privkey.pem"))
    pages.button("Create certificate").click()
    insist(pages, "the certificate expires at", "Create it")
    certificate_id = created(pages)
    expect(page.get_by_role("radio", name="In files on the server")).to_be_checked()
    assert served(pages, "files.example.org") == leaf
    (tmp_path / "fullchain.pem").write_text("half written")
    expect(page.locator(".use")).to_contain_text("Files not usable", timeout=30_000)
    assert served(pages, "files.example.org") == leaf

    page.get_by_role("radio", name="Uploaded here").check()
    fresh, fresh_key = pair("files.example.org", 80)
    drop(page.locator(".drop"), fresh + fresh_key)
    pages.button("Save").click()
    expect(page.get_by_role("status").filter(has_text="Saved.")).to_be_visible()
    assert served(pages, "files.example.org") == fresh
    pages.button("Delete …").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(pages.heading("Certificates")).to_be_visible()
    assert certificate_id not in str(pages.server.call("x:Certificate/get", ids=None))
