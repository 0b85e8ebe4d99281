// The listeners of this node and what they do now. Asks again every few seconds while the page can be seen, and changes
// only what has changed: rows stay the same elements, so that neither eye, selection nor screen reader is disturbed.

import { h, setAttribute, setChildren, setText } from "../dom.js";
import { joinListeners, summary } from "../listener_model.js";

const EVERY_MS = 3_000;
const SLOWEST_MS = 30_000; // while the server cannot be reached
const COLUMNS = ["Name", "Protocol", "Addresses", "TLS", "State", "Connections"];
const CALLS = [
  [
    "x:NetworkListener/get",
    { ids: null, properties: ["id", "name", "protocol", "bind", "useTls", "tlsImplicit", "maxConnections"] },
  ],
  ["x:ListenerStatus/get", { ids: null }],
];

export function listenersView(session) {
  const page = layout();
  const table = listenerTable(page.body, page.announcement);
  let timer = null;
  let isStopped = false;
  let failures = 0;
  let updatedAt = null;

  async function refresh() {
    clearTimeout(timer);
    try {
      const [listeners, statuses] = await session.call(CALLS);
      if (isStopped) return;
      failures = 0;
      updatedAt = new Date();
      showListeners(page, table, joinListeners(listeners.list, statuses.list), updatedAt);
    } catch (error) {
      if (isStopped) return;
      failures += 1;
      showFailure(page, error, updatedAt);
    }
    if (!document.hidden) timer = setTimeout(refresh, Math.min(EVERY_MS * 2 ** failures, SLOWEST_MS));
  }

  function onVisibility() {
    clearTimeout(timer);
    if (!document.hidden) refresh();
  }

  function start() {
    document.addEventListener("visibilitychange", onVisibility);
    page.retry.addEventListener("click", refresh);
    refresh();
  }

  function stop() {
    isStopped = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", onVisibility);
  }

  return { title: "Listeners", element: page.element, start, stop };
}

function layout() {
  const summaryLine = h("p", { class: "quiet" }, "Loading …");
  const announcement = h("p", { class: "unseen", role: "status" });
  const failureText = h("span");
  const retry = h("button", { type: "button" }, "Try now");
  const failure = h("div", { class: "banner", role: "alert", hidden: true }, failureText, retry);
  const empty = h(
    "div",
    { class: "empty", hidden: true },
    h("p", {}, "There are no listeners."),
    h("p", { class: "quiet" }, "Create one with ", h("code", {}, "gatepost create NetworkListener --field name=imap …")),
  );
  const body = h("tbody", { role: "rowgroup" });
  const head = h("tr", { role: "row" }, COLUMNS.map((title) => h("th", { role: "columnheader", scope: "col" }, title)));
  const table = h(
    "table", // explicit roles: on a narrow screen the rows are laid out as cards, and must stay a table to be read out
    { role: "table", "aria-label": "Listeners", hidden: true },
    h("thead", { role: "rowgroup" }, head),
    body,
  );
  const element = h("div", {}, h("h1", {}, "Listeners"), summaryLine, failure, announcement, table, empty);
  return { element, summaryLine, announcement, failure, failureText, retry, empty, table, body };
}

function showListeners(page, table, entries, updatedAt) {
  const time = updatedAt.toLocaleTimeString();
  setText(page.summaryLine, entries.length ? `${summary(entries)}. Updated ${time}.` : `Updated ${time}.`);
  setAttribute(page.failure, "hidden", true);
  setAttribute(page.table, "hidden", entries.length === 0);
  setAttribute(page.table, "class", null);
  setAttribute(page.empty, "hidden", entries.length > 0);
  table.update(entries);
}

function showFailure(page, error, updatedAt) {
  if (error.kind === "unauthenticated") return; // the sign-in page is on its way
  const since = updatedAt ? ` Shown is the state of ${updatedAt.toLocaleTimeString()}.` : "";
  setText(page.failureText, `${error.message}${since}`);
  setAttribute(page.failure, "hidden", null);
  setAttribute(page.table, "class", "outdated");
  if (!updatedAt) setText(page.summaryLine, "Nothing could be loaded yet.");
}

/** Keeps one row for each listener id. State changes are put into `announcement`, for people who cannot see them. */
function listenerTable(body, announcement) {
  const rows = new Map();

  function update(entries) {
    const changes = [];
    for (const entry of entries) {
      const known = rows.get(entry.id);
      if (known && known.state !== entry.state) changes.push(`${entry.name}: ${entry.state} ${entry.reason ?? ""}`.trim());
      const row = known ?? listenerRow();
      row.update(entry);
      row.state = entry.state;
      rows.set(entry.id, row);
    }
    const ids = new Set(entries.map((entry) => entry.id));
    for (const id of rows.keys()) if (!ids.has(id)) rows.delete(id);
    setChildren(body, entries.map((entry) => rows.get(entry.id).element));
    if (changes.length) setText(announcement, changes.join(". "));
  }

  return { update };
}

function listenerRow() {
  const name = h("th", { role: "rowheader", scope: "row" });
  const protocol = cell("Protocol");
  const addresses = cell("Addresses");
  const tls = cell("TLS");
  const state = cell("State");
  const stateWord = h("span", { class: "state" });
  const reason = h("span", { class: "reason" });
  state.append(stateWord, reason);
  const connections = cell("Connections");

  function update(entry) {
    setText(name, entry.name);
    setText(protocol, entry.protocol);
    setLines(addresses, entry.addresses);
    setText(tls, entry.tls);
    setText(stateWord, entry.state);
    setAttribute(stateWord, "data-tone", entry.tone);
    setText(reason, [entry.reason, ...entry.notes].filter(Boolean).join("; "));
    setText(connections, connectionsText(entry));
  }

  const element = h("tr", { role: "row" }, name, protocol, addresses, tls, state, connections);
  return { element, update, state: null };
}

function cell(title) {
  return h("td", { role: "cell", "data-title": title });
}

function setLines(element, lines) {
  if (element.textContent === lines.join("") && element.children.length === lines.length) return;
  element.replaceChildren(...lines.map((line) => h("span", { class: "address" }, line)));
}

function connectionsText(entry) {
  const open = entry.connections.toLocaleString();
  return entry.maxConnections === null ? open : `${open} of ${entry.maxConnections.toLocaleString()}`;
}
