"""A page of another origin that administers the server with nothing but an API key, the way clients of other makers do.

It knows the URL and the key. What there is to see and to fill in it learns from the schema document; it names capabilities that
are not offered, follows the redirect of /api/schema, takes only the path of `apiUrl`, and pages by anchor.
"""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page
from tests.free_port import free_port
from tests.integration.running_server import RunningServer

pytestmark = pytest.mark.browser

CLIENT = r"""
async ({server, token}) => {
  const get = async (path) => {
    const answer = await fetch(server + path, {headers: {Authorization: `Bearer ${token}`}});
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    return answer.json();
  };
  const session = await get("/jmap/session");
  const [schema, account] = [await get("/api/schema"), await get("/api/account")];
  const accountId = session.primaryAccounts["urn:stalwart:jmap"];
  const api = server + new URL(session.apiUrl).pathname;
  const call = async (method, args) => {
    const answer = await fetch(api, {
      method: "POST",
      headers: {Authorization: `Bearer ${token}`, "Content-Type": "application/json"},
      body: JSON.stringify({
        using: ["urn:ietf:params:jmap:core", "urn:stalwart:jmap", "urn:ietf:params:jmap:mail", "urn:ietf:params:jmap:blob",
                "urn:ietf:params:jmap:principals"],
        methodCalls: [[method, {accountId, ...args}, "0"]],
      }),
    });
    const [[name, result]] = (await answer.json()).methodResponses;
    if (name !== method) throw new Error(`${method}: ${result.type} ${result.description}`);
    return result;
  };
  const type = "x:NetworkListener";
  const object = schema.objects[type], fields = schema.fields[schema.schemas[type].schemaName], list = schema.lists[type];
  const may = (verb) => account.permissions.includes(object.permissionPrefix + verb);
  const sort = [{property: list.labelProperty, isAscending: true}];
  const label = async (id) => (await call(`${type}/get`, {ids: [id], properties: [list.labelProperty]})).list[0].name;

  // list, page by page
  const found = [], pages = [];
  let page = await call(`${type}/query`, {sort, limit: 5, calculateTotal: true, filter: {}});
  const total = page.total;
  while (page.ids.length) {
    found.push(...page.ids);
    pages.push(page.ids.length);
    page = await call(`${type}/query`, {sort, limit: 5, anchor: page.ids.at(-1), anchorOffset: 1});
  }
  const columns = ["id", ...list.columns.map((column) => column.name)];
  const shown = (await call(`${type}/get`, {ids: found, properties: columns})).list;

  // filter, by the filter that the schema offers
  const filter = {[list.filters[0].field]: "submiss"};
  const filtered = await call(`${type}/query`, {filter, sort, limit: 5, calculateTotal: true});
  const names = await Promise.all(filtered.ids.map(label));

  // create from the defaults of the schema, edit, delete
  const fresh = {...fields.defaults, name: "made-elsewhere", protocol: "imap", bind: {[`127.0.0.1:${PORT}`]: true}, useTls: false};
  for (const [name, field] of Object.entries(fields.properties)) if (field.update === "serverSet") delete fresh[name];
  const created = (await call(`${type}/set`, {create: {c: fresh}})).created.c;
  const edited = await call(`${type}/set`, {update: {[created.id]: {maxConnections: 7, "tlsDisableProtocols/tls12": true}}});
  const [after] = (await call(`${type}/get`, {ids: [created.id]})).list;
  const refused = await call(`${type}/set`, {update: {[created.id]: {protocol: "gopher"}}});
  const destroyed = await call(`${type}/set`, {destroy: [created.id]});
  return {
    may: ["Get", "Query", "Create", "Update", "Destroy"].filter(may),
    total, pages, shown, names, created: created.id,
    edited: edited.updated, after, refused: refused.notUpdated, destroyed: destroyed.destroyed,
  };
}
"""


class _Blank(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>elsewhere</title>")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    """The origin of another web server."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Blank) as other:
        thread = threading.Thread(target=other.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{other.server_port}"
        other.shutdown()
        thread.join()


@pytest.fixture
def page(browser: Browser, elsewhere: str) -> Iterator[Page]:
    context = browser.new_context()
    opened = context.new_page()
    opened.goto(elsewhere)
    yield opened
    context.close()


@pytest.fixture
def key(administered: RunningServer) -> Iterator[str]:
    """The secret of an API key of the administrator."""
    created = administered.set("ApiKey", create={"k": {"name": "elsewhere"}})["created"]["k"]
    yield created["secret"]
    administered.set("ApiKey", destroy=[created["id"]])


@pytest.fixture
def allowed(administered: RunningServer, elsewhere: str) -> Iterator[None]:
    administered.set("SystemSettings", update={"singleton": {"httpAllowedOrigins": [elsewhere]}})
    yield
    administered.set("SystemSettings", update={"singleton": {"httpAllowedOrigins": []}})


def url(server: RunningServer) -> str:
    return f"http://127.0.0.1:{server.ports['http']}"


def test_a_client_of_another_maker_lists_filters_creates_edits_and_deletes_listeners(
    page: Page, administered: RunningServer, key: str, allowed: None
) -> None:
    script = CLIENT.replace("PORT", str(free_port()))
    seen = page.evaluate(script, {"server": url(administered), "token": key})
    assert seen["may"] == ["Get", "Query", "Create", "Update", "Destroy"]
    listeners = administered.call("x:NetworkListener/get", ids=None)["list"]
    assert seen["total"] == len(listeners) == sum(seen["pages"])
    assert len(seen["pages"]) > 1
    assert [each["name"] for each in seen["shown"]] == sorted(each["name"] for each in listeners)
    assert seen["names"] == ["submission", "submissions"]
    assert seen["edited"] == {seen["created"]: None}
    assert (seen["after"]["maxConnections"], seen["after"]["tlsDisableProtocols"]) == (7, {"tls12": True})
    assert seen["refused"][seen["created"]]["properties"] == ["protocol"]
    assert seen["destroyed"] == [seen["created"]]


def test_without_the_setting_the_browser_keeps_the_page_away(page: Page, administered: RunningServer, key: str) -> None:
    with pytest.raises(Error, match="Failed to fetch"):
        page.evaluate(CLIENT.replace("PORT", "1"), {"server": url(administered), "token": key})


def test_the_page_never_acts_with_the_cookie_of_somebody_who_is_signed_in(
    page: Page, administered: RunningServer, allowed: None
) -> None:
    script = """async ({server}) => {
        const answers = [];
        for (const credentials of ["omit", "include"])
            answers.push(await fetch(server + "/api/account", {credentials}).then((a) => a.status, () => "kept away"));
        return answers;
    }"""
    signed_in = page.context.request.post(
        url(administered) + "/api/login", data={"user": administered.admin[0], "password": administered.admin[1]}
    )
    assert signed_in.ok
    assert page.context.request.get(url(administered) + "/api/account").ok
    assert page.evaluate(script, {"server": url(administered)}) == [401, "kept away"]
