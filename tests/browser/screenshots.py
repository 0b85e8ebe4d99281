"""Pictures of every page, in two widths and both themes: `make screenshots` writes them to docs/screenshots/.

Starts a server of its own with things to see: people, keys, a listener that cannot run, clients that come and go. The pictures
that README.md shows are kept in the repository; the others are for whoever works on the pages.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import shutil
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from playwright.sync_api import Page, sync_playwright
from tests.certificates import certificate_pem, key_pem, new_certificate, new_key
from tests.free_port import free_port
from tests.integration.running_server import ADMIN, RunningServer
from tests.tls_client import trusting_context

FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"
ADDRESS = "127.0.25.1"
TRAFFIC_S = 45  # of traffic, for the charts
WIDTHS = {"wide": (1280, 800), "narrow": (390, 844)}
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
# name: (protocol, port, useTls, tlsImplicit)
LISTENERS = {
    "http": ("http", 8080, False, False),
    "https": ("http", 10443, True, True),
    "smtp": ("smtp", 10025, True, False),
    "submission": ("smtp", 10587, True, False),
    "submissions": ("smtp", 10465, True, True),
    "lmtp": ("lmtp", 10024, False, False),
    "imap": ("imap", 10143, True, False),
    "imaps": ("imap", 10993, True, True),
    "pop3s": ("pop3", 10995, True, True),
    "sieve": ("manageSieve", 4190, True, False),
}
BLOCKED_SOURCE = "127.0.66.6"


def plan(http_port: int) -> list[dict[str, Any]]:
    """A small mail server. `http_port`: of the API on 127.0.0.1, for this program."""
    now = datetime.now(UTC)
    soon, later = ((now + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ") for days in (6, 90))
    key = new_key()
    certificate = new_certificate(
        "mail.example.org", key, (now - timedelta(days=70), now + timedelta(days=20)), names=("mail.example.org",)
    )
    listeners: dict[str, dict[str, Any]] = {
        name: {
            "name": name,
            "protocol": protocol,
            "bind": {f"{ADDRESS}:{port}": True},
            "useTls": use_tls,
            "tlsImplicit": is_implicit,
        }
        for name, (protocol, port, use_tls, is_implicit) in LISTENERS.items()
    }
    listeners["smtp"]["bind"] |= {f"127.0.25.{number}:10025": True for number in range(2, 13)}
    listeners["http"]["bind"] |= {f"127.0.0.1:{http_port}": True}
    listeners["imap-branch"] = {"name": "imap-branch", "protocol": "imap", "bind": {"192.0.2.25:143": True}}
    people = {
        name: {"name": name, "domainId": "#d", "password": "a password", "quota": 5 * 2**30, "description": words}
        for name, words in (("alice", "Reads mail"), ("bob", "Reads it, too"), ("carol", "On call"))
    }
    return [
        _upsert("Domain", {"d": {"name": "example.org", "description": "Our own"}}),
        _upsert("Account", people | {"carol": people["carol"] | {"role": "operator"}}, "domainId"),
        _upsert(
            "Certificate",
            {"c": {"name": "mail", "certificate": certificate_pem(certificate), "privateKey": key_pem(key)}},
        ),
        _upsert("NetworkListener", listeners),
        {
            "@type": "create",
            "object": "BlockedIp",
            "value": {"b": _network("127.0.66.0/24", "guesses passwords", soon)},
        },
        {"@type": "create", "object": "AllowedIp", "value": {"a": _network("198.51.100.7", "our monitoring", later)}},
    ]


def _upsert(object_type: str, value: dict[str, Any], *also: str) -> dict[str, Any]:
    return {"@type": "upsert", "object": object_type, "matchOn": ["name", *also], "value": value}


def _network(network: str, reason: str, until: str) -> dict[str, Any]:
    return {"network": network, "reason": reason, "expiresAt": until}


@contextmanager
def clients() -> Iterator[None]:
    """Some stay, others come and go, and some are not let in."""
    stop = threading.Event()
    thread = threading.Thread(target=_come_and_go, args=(stop,))
    with ExitStack() as stack:
        for name, count in (("imaps", 24), ("submissions", 9), ("smtp", 14), ("pop3s", 3)):
            for number in range(count):
                client = stack.enter_context(_connected(name, f"127.0.{40 + count}.{number + 1}"))
                if name == "imaps":
                    person = ("alice", "bob", "carol")[number % 3]
                    client.sendall(f'a LOGIN {person}@example.org "a password"\r\n'.encode())
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def _come_and_go(stop: threading.Event) -> None:
    names = itertools.cycle(("smtp", "smtp", "imaps", "submissions", "https", "smtp", "lmtp", "imap"))
    for number in itertools.count():
        source = BLOCKED_SOURCE if number % 9 == 0 else f"127.0.30.{number % 250 + 1}"
        try:
            _connected(next(names), source).close()
        except OSError:
            pass  # not let in
        if stop.wait(0.03 + 0.02 * math.sin(time.monotonic() / 3)):
            return


def _connected(name: str, source: str) -> socket.socket:
    _, port, _, is_implicit = LISTENERS[name]
    client = socket.create_connection((ADDRESS, port), timeout=10, source_address=(source, 0))
    return trusting_context().wrap_socket(client) if is_implicit else client


def paths(server: RunningServer) -> Iterator[tuple[str, str]]:
    """Name of the picture, and what stands behind `#`."""
    for page in ("overview", "connections", "history", "listeners", "certificates", "blocked", "allowed"):
        yield page, f"/{page}"
    for page in ("general", "domains", "accounts", "api-keys"):
        yield page, f"/{page}"
    for page in ("listeners", "certificates", "blocked", "accounts", "api-keys"):
        yield f"{page}-new", f"/{page}/new"
    certificates = server.call("x:Certificate/get", ids=None)["list"]
    yield "certificate", f"/certificates/{certificates[0]['id']}"
    listener = server.listener("imaps")["id"]
    yield "listener", f"/listeners/{listener}"
    for tab in ("status", "connections", "history"):
        yield f"listener-{tab}", f"/listeners/{listener}?tab={tab}"


def take(page: Page, name: str) -> None:
    """The page in every width and theme."""
    for width, (across, down) in WIDTHS.items():
        page.set_viewport_size({"width": across, "height": down})
        for theme in THEMES:
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            page.wait_for_timeout(400)  # the charts are drawn anew
            page.screenshot(path=FOLDER / f"{name}-{width}-{theme}.png")


def take_all(page: Page, server: RunningServer) -> None:
    """Sign in, walk through the pages."""
    page.goto(f"http://{ADDRESS}:{LISTENERS['http'][1]}/")
    page.get_by_label("User name").fill(ADMIN[0])
    take(page, "sign-in")
    page.get_by_label("Password").fill(ADMIN[1])
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Sign out").wait_for()
    page.evaluate("() => { location.hash = '/overview' }")
    page.wait_for_timeout(TRAFFIC_S * 1000)
    for name, path in paths(server):
        page.evaluate("path => { location.hash = path }", path)
        page.wait_for_timeout(2_500)
        take(page, name)
        sys.stdout.write(f"{name}\n")


def main() -> None:
    """Writes the pictures."""
    FOLDER.mkdir(exist_ok=True)
    executable = os.environ.get("GATEPOST_TEST_CHROMIUM") or shutil.which("chromium")
    http_port = free_port()
    with TemporaryDirectory() as folder:
        directory = Path(folder)
        lines = directory / "plan.ndjson"
        lines.write_text("".join(json.dumps(line) + "\n" for line in plan(http_port)))
        arguments = ["--data", str(directory / "data"), "--plan", str(lines), "--workers", "2"]
        server = RunningServer(directory, arguments, {"http": http_port}, ADMIN)
        try:
            server.set("ApiKey", create={"k": {"name": "Grafana", "permissions": {"sysListenerStatusGet": True}}})
            server.update_listener(server.listener("imaps")["id"], maxConnections=30)
            with clients(), sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
                take_all(browser.new_page(), server)
                browser.close()
        finally:
            server.stop()


if __name__ == "__main__":
    main()
