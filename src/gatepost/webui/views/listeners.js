// The listeners of this node and what they do now.

import { departureWords, joinListeners, summary } from "../listener_model.js";
import { useApplication, useCollection, usePolled } from "../parts/application.js";
import { destroySelected } from "../parts/destroying.js";
import { html, useState } from "../parts/html.js";
import { withQuery } from "../parts/router.js";
import { Empty, Failure, Members, Meter, NothingFound, PageHead, State, useTitle } from "../parts/small.js";
import { parseSort, sorted, sortText, Table } from "../parts/table.js";
import { readObjects } from "../server/reading.js";
import { counted } from "../words.js";
import { Toolbar } from "./objects.js";
import { TemplateLinks } from "./template_choice.js";

/** @import {Entry} from "../listener_model.js" */
/** @import {Page} from "../pages.js" */
/** @import {Column, Sort} from "../parts/table.js" */

const EVERY_MS = 3_000;

/** @type {Column[]} */
const COLUMNS = [
  { name: "name", label: "Name", cell: (entry) => html`<a href=${`#/listeners/${encodeURIComponent(entry.id)}`}>${entry.name}</a>` },
  { name: "protocol", label: "Protocol", cell: (entry) => entry.protocol },
  { name: "addresses", label: "Addresses", cell: (entry) => html`<${Members} names=${entry.addresses} />` },
  { name: "tls", label: "TLS", cell: (entry) => entry.tls },
  {
    name: "state",
    label: "State",
    cell: (entry) => html`
      <${State} word=${entry.state} tone=${entry.tone} />
      <span class="reason">${[entry.reason, ...entry.notes].filter(Boolean).join("; ")}</span>
    `,
  },
  {
    name: "connections",
    label: "Connections",
    cell: (entry) => html`<${Meter} value=${entry.connections} max=${entry.maxConnections} label=${`Connections of ${entry.name}`} />`,
  },
];

/** @param {{page: Page}} properties */
export function ListenersView({ page }) {
  const application = useApplication();
  const { schema, session, route, navigate } = application;
  const type = schema.type("x:NetworkListener");
  const collection = useCollection(type.name);
  const ids = (collection.objects ?? []).map((object) => object.id);
  const status = usePolled(() => readObjects(session, "x:ListenerStatus", ids), EVERY_MS, ids.join());
  const [selected, setSelected] = useState(/** @type {Set<string>} */ (new Set()));
  useTitle("Listeners");

  const entries = joinListeners(collection.objects ?? [], status.value ?? []);
  const filter = (route.query.get("filter") ?? "").toLowerCase();
  const sort = parseSort(route.query.get("sort")) ?? { name: "name", isAscending: true };
  const found = entries.filter((entry) => textOf(entry).includes(filter));
  const rows = sorted(found, sort, (entry, name) => sortValue(entry, name));
  const failure = collection.error ?? status.error;
  const isLoaded = collection.objects !== null && status.value !== null;

  const chosen = found.filter((entry) => selected.has(entry.id));
  const mayCreate = session.may(type.permission("Create"));

  const onFilter = (/** @type {string} */ words) => navigate(withQuery(route, { filter: words }), { replace: true });

  async function destroy() {
    const objects = chosen.flatMap((entry) => collection.find(entry.id) ?? []);
    const open = chosen.reduce((sum, entry) => sum + entry.connections, 0);
    if (await destroySelected(application, type, objects, html`<p>${departureWords(open)}</p>`)) setSelected(new Set());
  }

  return html`
    <${PageHead} title="Listeners" subtitle=${isLoaded ? summary(entries) : "Loading …"}>
      ${mayCreate && html`<a class="button primary" href=${`#${page.path}/new`}>New listener</a>`}
    <//>
    ${failure && html`<${Failure} words=${failure.message} onRetry=${() => (collection.refresh(), status.refresh())} />`}
    <${Toolbar}
      filter=${route.query.get("filter") ?? ""}
      label="Filter listeners"
      onFilter=${onFilter}
      counts=${filter && counted(found.length, "listener", "listeners")}
      selectedCount=${chosen.length}
      onDestroy=${session.may(type.permission("Destroy")) ? destroy : null}
    />
    ${isLoaded &&
    entries.length === 0 &&
    html`<${Empty} title="There are no listeners.">
      <p class="quiet">${type.description} ${mayCreate ? "Begin with a usual one:" : ""}</p>
      ${mayCreate && html`<${TemplateLinks} />`}
    <//>`}
    ${entries.length > 0 && found.length === 0 && html`<${NothingFound} title="No listener has these words." onShowAll=${() => onFilter("")} />`}
    ${isLoaded &&
    rows.length > 0 &&
    html`<${Table}
      label="Listeners"
      columns=${COLUMNS}
      rows=${rows}
      keyOf=${(/** @type {Entry} */ entry) => entry.id}
      nameOf=${(/** @type {Entry} */ entry) => entry.name}
      sort=${sort}
      onSort=${(/** @type {Sort} */ next) => navigate(withQuery(route, { sort: sortText(next) }), { replace: true })}
      selected=${selected}
      onSelect=${session.may(type.permission("Destroy")) ? setSelected : undefined}
      isOutdated=${failure !== null}
    />`}
  `;
}

/** @param {Entry} entry */
function textOf(entry) {
  return [entry.name, entry.protocol, ...entry.addresses, entry.tls, entry.state, entry.reason ?? ""].join("\n").toLowerCase();
}

/** @param {Entry} entry @param {string} name */
function sortValue(entry, name) {
  if (name === "addresses") return entry.addresses.join(" ");
  return /** @type {Record<string, any>} */ (entry)[name];
}
