// Who is connected now: over all listeners or one, live, as many as there are; end one or several politely.

import { protocolName } from "../listener_model.js";
import { useApplication, useCollection } from "../parts/application.js";
import { html, useState } from "../parts/html.js";
import { useRemoteRows } from "../parts/remote_rows.js";
import { withQuery } from "../parts/router.js";
import { Empty, Failure, PageHead, Time, useTitle } from "../parts/small.js";
import { parseSort, sortText, Table } from "../parts/table.js";
import { checkNetwork } from "../checks.js";
import { destroyObjects } from "../server/changes.js";
import { readObjects } from "../server/reading.js";
import { counted, numberText, sizeText } from "../words.js";

/** @import {Column, Sort} from "../parts/table.js" */
/** @import {Question} from "../parts/dialog.js" */
/** @import {Obj} from "../server/schema.js" */
/** @import {Session} from "../server/session.js" */

const TYPE = "x:Connection";
const EVERY_MS = 3_000;
const NAMES_SHOWN = 5;

/** @type {Record<string, string>} by protocol */
const FAREWELLS = {
  smtp: "SMTP clients hear 421 and may try again later",
  lmtp: "LMTP clients hear 421 and may try again later",
  imap: "IMAP clients hear BYE",
  manageSieve: "ManageSieve clients hear BYE",
  pop3: "POP3 clients are told at their next command, or cut off",
  http: "HTTP requests under way are answered, then the connection ends",
};

/** @type {Column[]} */
const COLUMNS = [
  { name: "source", label: "Source", cell: (each) => html`<span class="address">${each.source}</span>` },
  { name: "listener", label: "Listener", cell: (each) => html`<${Way} connection=${each} />` },
  { name: "account", label: "Account", cell: (each) => html`<${LoginName} name=${each.account} />` },
  { name: "state", label: "State", cell: (each) => each.state },
  { name: "tlsVersion", label: "TLS", cell: (each) => html`<${Tls} connection=${each} />` },
  { name: "since", label: "Since", cell: (each) => html`<span class="number"><${Time} at=${each.since} isShort=${true} /></span>` },
  { name: "bytesReceived", label: "Received", cell: (each) => html`<span class="number">${sizeText(each.bytesReceived)}</span>` },
  { name: "bytesSent", label: "Sent", cell: (each) => html`<span class="number">${sizeText(each.bytesSent)}</span>` },
];

/** It is broken before the @ where it does not fit. @param {{name: string | null}} properties */
function LoginName({ name }) {
  if (name === null) return html`<span class="quiet">–</span>`;
  const [local, ...domain] = name.split(/(?=@)/);
  return html`<span class="login-name">${local}<wbr />${domain.join("")}</span>`;
}

/** By which listener it came in, and what it speaks. @param {{connection: Obj}} properties */
function Way({ connection }) {
  const path = `#/listeners/${encodeURIComponent(connection.listenerId)}`;
  return html`<span><a href=${path}>${connection.listener}</a> <span class="detail">${protocolName(connection.protocol)}</span></span>`;
}

/** @param {{connection: Obj}} properties */
function Tls({ connection }) {
  if (!connection.tlsVersion) return html`<span class="quiet">none</span>`;
  return html`<span title=${connection.keyExchangeGroup ?? ""}>${connection.tlsVersion} <span class="detail">${connection.cipherSuite}</span></span>`;
}

export function ConnectionsView() {
  useTitle("Connections");
  return html`
    <${PageHead} title="Connections" subtitle="Who is connected to this server now, over all listeners and workers"><//>
    <${ConnectionTable} listenerId=${null} />
  `;
}

/**
 * The table with its filters. The address of the page holds them.
 * @param {{listenerId: string | null}} properties `listenerId`: of this listener alone
 */
export function ConnectionTable({ listenerId }) {
  const { route, navigate, session } = useApplication();
  const [selected, setSelected] = useState(/** @type {Set<string>} */ (new Set()));
  const sort = parseSort(route.query.get("sort")) ?? { name: "since", isAscending: false };
  const { filter, problem } = filterOf(route.query, listenerId);
  const sorting = [{ property: sort.name, isAscending: sort.isAscending }];
  const found = useRemoteRows(TYPE, { filter, sort: sorting }, EVERY_MS);
  const columns = listenerId === null ? COLUMNS : COLUMNS.filter((column) => column.name !== "listener");
  /** @param {Record<string, string | null>} changes */
  const show = (changes) => navigate(withQuery(route, changes), { replace: true });

  return html`
    <${Filters} query=${route.query} hasListeners=${listenerId === null} problem=${problem} onChange=${show}>
      <span class="quiet" role="status">${found.isLoaded && counted(found.total, "connection", "connections")}</span>
      <${EndButton} selected=${selected} onEnded=${() => (setSelected(new Set()), found.refresh())} />
    <//>
    ${found.error && html`<${Failure} words=${found.error.message} onRetry=${found.refresh} />`}
    ${found.isLoaded &&
    found.total === 0 &&
    html`<${Empty} title=${filter ? "Nobody who matches is connected." : "Nobody is connected."}>
      <p class="quiet">Who connects stands here within seconds.</p>
    <//>`}
    ${found.total > 0 &&
    html`<${Table}
      label="Connections"
      columns=${columns}
      rows=${found.rows}
      keyOf=${(/** @type {Obj} */ each) => each.id}
      nameOf=${(/** @type {Obj} */ each) => each.source}
      sort=${sort}
      onSort=${(/** @type {Sort} */ next) => show({ sort: sortText(next) })}
      selected=${selected}
      onSelect=${session.may("sysConnectionDestroy") ? setSelected : undefined}
      onVisible=${found.onVisible}
      isOutdated=${found.error !== null}
    />`}
  `;
}

/**
 * @param {URLSearchParams} query
 * @param {string | null} listenerId
 * @returns {{filter: Obj | null, problem: string | null}}
 */
function filterOf(query, listenerId) {
  const network = query.get("network") ?? "";
  const problem = network === "" ? null : checkNetwork(network);
  /** @type {Obj[]} */
  const conditions = [];
  const text = query.get("filter");
  const listener = listenerId ?? query.get("listener");
  const account = query.get("account");
  if (text) conditions.push({ text });
  if (listener) conditions.push({ listenerId: listener });
  if (account) conditions.push({ account });
  if (network && !problem) conditions.push({ source: network });
  return { filter: conditions.length ? { operator: "AND", conditions } : null, problem };
}

/**
 * @param {{
 *   query: URLSearchParams, hasListeners: boolean, problem: string | null, onChange: (changes: Record<string, string>) => void,
 *   children?: any,
 * }} properties
 */
function Filters({ query, hasListeners, problem, onChange, children }) {
  const listeners = useCollection("x:NetworkListener").objects ?? [];
  const on = (/** @type {string} */ name) => (/** @type {any} */ event) => onChange({ [name]: event.target.value });
  return html`
    <div class="toolbar">
      <input type="search" aria-label="Filter connections" placeholder="Filter" value=${query.get("filter") ?? ""} onInput=${on("filter")} />
      ${hasListeners &&
      html`<select class="compact" aria-label="Listener" value=${query.get("listener") ?? ""} onChange=${on("listener")}>
        <option value="">All listeners</option>
        ${listeners.map((each) => html`<option key=${each.id} value=${each.id}>${each.name}</option>`)}
      </select>`}
      <input
        class="compact"
        aria-label="Source network"
        placeholder="Network, as 192.0.2.0/24"
        aria-invalid=${problem ? "true" : undefined}
        title=${problem ?? ""}
        value=${query.get("network") ?? ""}
        onInput=${on("network")}
      />
      <input class="compact" aria-label="Account" placeholder="Account" value=${query.get("account") ?? ""} onInput=${on("account")} />
      ${children}
    </div>
  `;
}

/** Says whom it concerns, and what they hear. @param {Session} session @param {string[]} ids @returns {Promise<Question>} */
async function endQuestion(session, ids) {
  const found = await readObjects(session, TYPE, ids);
  const more = found.length - NAMES_SHOWN;
  const farewells = [...new Set(found.map((each) => FAREWELLS[each.protocol]))];
  return {
    title: `End ${counted(ids.length, "connection", "connections")}?`,
    words: html`
      <ul class="names">
        ${found
          .slice(0, NAMES_SHOWN)
          .map((each) => html`<li key=${each.id}>${[each.source, each.listener, each.account].filter(Boolean).join(", ")}</li>`)}
        ${more > 0 && html`<li>and ${numberText(more)} more</li>`}
      </ul>
      ${farewells.map((words) => html`<p key=${words}>${words}.</p>`)}
      <p>Who stays is cut off after ten seconds.</p>
    `,
    action: ids.length === 1 ? "End it" : "End them",
    tone: "bad",
  };
}

/** @param {{selected: Set<string>, onEnded: () => void}} properties */
function EndButton({ selected, onEnded }) {
  const { session, confirm, notify } = useApplication();
  const ids = [...selected];
  if (ids.length === 0) return null;

  async function end() {
    try {
      if (!(await confirm(await endQuestion(session, ids)))) return;
      const outcomes = Object.values(await destroyObjects(session, TYPE, ids));
      const ended = outcomes.filter((outcome) => outcome.isDone).length;
      notify(`${counted(ended, "connection has", "connections have")} been told to end.`);
      if (ended < ids.length) notify(`${numberText(ids.length - ended)} had ended already.`);
      onEnded();
    } catch (error) {
      notify(/** @type {Error} */ (error).message, "bad");
    }
  }

  return html`<button type="button" class="danger" onClick=${end}>End ${ids.length} …</button>`;
}
