// What the server proves its names with: for what, by whom, until when, and where it is served.

import { issuerOf, namesOfCertificate, useOf, validityOf } from "../certificate_model.js";
import { useApplication, useCollection } from "../parts/application.js";
import { destroySelected } from "../parts/destroying.js";
import { html, useState } from "../parts/html.js";
import { withQuery } from "../parts/router.js";
import { Failure, Members, NothingFound, PageHead, State, Time, useTitle } from "../parts/small.js";
import { parseSort, sorted, sortText, Table } from "../parts/table.js";
import { pathOfObject } from "../pages.js";
import { counted } from "../words.js";
import { NothingYet, Toolbar } from "./objects.js";

/** @import {Page} from "../pages.js" */
/** @import {Column, Sort} from "../parts/table.js" */
/** @import {Obj, ObjectType, Schema} from "../server/schema.js" */

/** @typedef {{id: string, certificate: Obj, label: string, names: string[], issuer: string, validity: string, keyType: string, served: string}} Row */

/** @type {Column[]} */
const COLUMNS = [
  { name: "label", label: "Name", cell: (row) => html`<a href=${`#${pathOfObject("x:Certificate", row.id)}`}>${row.label}</a>` },
  { name: "names", label: "Names", class: "hosts", cell: (row) => html`<${Members} names=${row.names} />` },
  { name: "issuer", label: "Issuer", cell: (row) => html`<span title=${row.certificate.issuer}>${row.issuer}</span>` },
  { name: "validity", label: "Valid until", cell: (row) => html`<${Validity} certificate=${row.certificate} />` },
  { name: "keyType", label: "Key", cell: (row) => row.keyType },
  { name: "served", label: "Served", cell: (row) => row.served },
];

/** The badge, and when it ends. @param {{certificate: Obj}} properties */
export function Validity({ certificate }) {
  const { word, tone } = validityOf(certificate, Date.now());
  return html`
    <${State} word=${word} tone=${tone} />
    <span class="detail"><${Time} at=${certificate.notValidAfter} /></span>
    ${certificate.fileProblem && html`<span class="reason">${certificate.fileProblem}</span>`}
  `;
}

/** @param {{page: Page}} properties */
export function CertificatesView({ page }) {
  const application = useApplication();
  const { schema, session, route, navigate } = application;
  const type = schema.type("x:Certificate");
  const collection = useCollection(type.name);
  const rows = useRows(type, schema);
  const [selected, setSelected] = useState(/** @type {Set<string>} */ (new Set()));
  const filter = route.query.get("filter") ?? "";
  const sort = parseSort(route.query.get("sort")) ?? { name: "validity", isAscending: true };
  const found = sorted(rows.filter((row) => textOf(row).includes(filter.toLowerCase())), sort, sortValue);
  const chosen = found.filter((row) => selected.has(row.id)).map((row) => row.certificate);
  useTitle("Certificates");

  const onFilter = (/** @type {string} */ words) => navigate(withQuery(route, { filter: words }), { replace: true });

  async function destroy() {
    const words = html`<p>From the next TLS handshake on, others are served in their place. Open connections keep running.</p>`;
    if (await destroySelected(application, type, chosen, words)) setSelected(new Set());
  }

  return html`
    <${PageHead} title="Certificates" subtitle=${type.list.subtitle}>
      ${session.may(type.permission("Create")) && html`<a class="button primary" href=${`#${page.path}/new`}>New certificate</a>`}
    <//>
    ${collection.error && html`<${Failure} words=${collection.error.message} onRetry=${() => collection.refresh()} />`}
    <${Toolbar}
      filter=${filter}
      label="Filter certificates"
      onFilter=${onFilter}
      counts=${collection.objects && counted(found.length, "certificate", "certificates")}
      selectedCount=${chosen.length}
      onDestroy=${session.may(type.permission("Destroy")) ? destroy : null}
    />
    ${collection.objects?.length === 0 && html`<${NothingYet} page=${page} type=${type} />`}
    ${rows.length > 0 && found.length === 0 && html`<${NothingFound} title="No certificate has these words." onShowAll=${() => onFilter("")} />`}
    ${found.length > 0 &&
    html`<${Table}
      label="Certificates"
      columns=${COLUMNS}
      rows=${found}
      keyOf=${(/** @type {Row} */ row) => row.id}
      nameOf=${(/** @type {Row} */ row) => row.label}
      sort=${sort}
      onSort=${(/** @type {Sort} */ next) => navigate(withQuery(route, { sort: sortText(next) }), { replace: true })}
      selected=${selected}
      onSelect=${session.may(type.permission("Destroy")) ? setSelected : undefined}
      isOutdated=${collection.error !== null}
    />`}
  `;
}

/** @param {ObjectType} type @param {Schema} schema @returns {Row[]} */
function useRows(type, schema) {
  const all = useCollection(type.name).objects ?? [];
  const defaultId = useCollection("x:SystemSettings").objects?.[0]?.defaultCertificateId ?? null;
  const keyTypes = type.properties.get("keyType")?.type.enumName;
  return all.map((certificate) => ({
    id: certificate.id,
    certificate,
    label: type.labelOf(certificate),
    names: namesOfCertificate(certificate),
    issuer: issuerOf(certificate),
    validity: certificate.notValidAfter,
    keyType: schema.labelOf(keyTypes, certificate.keyType),
    served: useOf(certificate, all, defaultId).words,
  }));
}

/** @param {Row} row */
function textOf(row) {
  return [row.label, ...row.names, row.certificate.issuer, row.keyType, row.served, validityOf(row.certificate, Date.now()).word].join("\n").toLowerCase();
}

/** @param {Row} row @param {string} name */
function sortValue(row, name) {
  return name === "names" ? row.names.join(" ") : /** @type {Record<string, any>} */ (row)[name];
}
