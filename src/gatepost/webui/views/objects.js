// All objects of one type, made from the schema: filter, sort, choose, delete. For the types that have no view of their own.

import { useApplication, useCollection } from "../parts/application.js";
import { destroySelected } from "../parts/destroying.js";
import { html, useState } from "../parts/html.js";
import { ObjectName } from "../parts/object_choice.js";
import { withQuery } from "../parts/router.js";
import { Empty, Failure, Members, NothingFound, PageHead, Time, useTitle } from "../parts/small.js";
import { parseSort, sorted, sortText, Table } from "../parts/table.js";
import { valueText } from "../parts/value_text.js";
import { pathOfObject, pathOfType } from "../pages.js";
import { counted } from "../words.js";

/** @import {Page} from "../pages.js" */
/** @import {Column, Sort} from "../parts/table.js" */
/** @import {Obj, ObjectType, Property, Schema} from "../server/schema.js" */

/** @param {{page: Page}} properties */
export function ObjectsView({ page }) {
  const application = useApplication();
  const { schema, session, route, navigate } = application;
  const type = schema.type(page.type ?? "");
  const collection = useCollection(type.name);
  const [selected, setSelected] = useState(/** @type {Set<string>} */ (new Set()));
  const filter = route.query.get("filter") ?? "";
  const sort = parseSort(route.query.get("sort")) ?? { name: type.list.columns[0], isAscending: true };
  useTitle(type.list.title);

  const text = textsOf(type, schema);
  const found = (collection.objects ?? []).filter((object) => text(object).includes(filter.toLowerCase()));
  const rows = sorted(found, sort, (object, name) => sortValue(type, schema, object, name));
  const chosen = found.filter((object) => selected.has(object.id)); // what is not shown is not deleted
  const canDestroy = session.may(type.permission("Destroy"));

  const onFilter = (/** @type {string} */ words) => navigate(withQuery(route, { filter: words }), { replace: true });

  async function destroy() {
    if (await destroySelected(application, type, chosen, page.loss && html`<p>${page.loss}</p>`)) setSelected(new Set());
  }

  return html`
    <${PageHead} title=${type.list.title} subtitle=${type.list.subtitle}>
      ${session.may(type.permission("Create")) &&
      html`<a class="button primary" href=${`#${page.path}/new`}>New ${type.list.singular}</a>`}
    <//>
    ${collection.error && html`<${Failure} words=${collection.error.message} onRetry=${() => collection.refresh()} />`}
    <${Toolbar}
      filter=${filter}
      label=${`Filter ${type.list.plural}`}
      onFilter=${onFilter}
      counts=${collection.objects && `${counted(found.length, type.list.singular, type.list.plural)}`}
      selectedCount=${chosen.length}
      onDestroy=${canDestroy ? destroy : null}
    />
    ${collection.objects?.length === 0 && html`<${NothingYet} page=${page} type=${type} />`}
    ${filter &&
    collection.objects !== null &&
    collection.objects.length > rows.length &&
    rows.length === 0 &&
    html`<${NothingFound} title=${`No ${type.list.singular} has these words.`} onShowAll=${() => onFilter("")} />`}
    ${rows.length > 0 &&
    html`<${Table}
      label=${type.list.title}
      columns=${columnsOf(type, schema)}
      rows=${rows}
      keyOf=${(/** @type {Obj} */ object) => object.id}
      nameOf=${(/** @type {Obj} */ object) => type.labelOf(object)}
      sort=${sort}
      onSort=${(/** @type {Sort} */ next) => navigate(withQuery(route, { sort: sortText(next) }), { replace: true })}
      selected=${selected}
      onSelect=${canDestroy ? setSelected : undefined}
      isOutdated=${collection.error !== null}
    />`}
  `;
}

/** What they would be good for, and the way to the first. @param {{page: Page, type: ObjectType}} properties */
export function NothingYet({ page, type }) {
  const mayCreate = useApplication().session.may(type.permission("Create"));
  return html`
    <${Empty} title=${`There are no ${type.list.plural}.`}>
      <p class="quiet">${page.purpose ?? type.description}</p>
      ${mayCreate && html`<a class="button" href=${`#${page.path}/new`}>Make the first ${type.list.singular}</a>`}
    <//>
  `;
}

/**
 * What stands above a table: the filter, how many there are, and what can be done with those that are chosen.
 * @param {{
 *   filter: string, label: string, onFilter: (words: string) => void, counts: string | null, selectedCount: number,
 *   onDestroy: (() => void) | null, children?: any,
 * }} properties
 */
export function Toolbar({ filter, label, onFilter, counts, selectedCount, onDestroy, children }) {
  return html`
    <div class="toolbar">
      <input
        type="search"
        aria-label=${label}
        placeholder="Filter"
        value=${filter}
        onInput=${(/** @type {any} */ event) => onFilter(event.target.value)}
      />
      ${children}
      <span class="quiet" role="status">${counts}</span>
      ${onDestroy &&
      selectedCount > 0 &&
      html`<button type="button" class="danger" onClick=${onDestroy}>Delete ${selectedCount} …</button>`}
    </div>
  `;
}

/** @param {ObjectType} type @param {Schema} schema @returns {Column[]} */
function columnsOf(type, schema) {
  return type.list.columns.map((name, position) => {
    const property = /** @type {Property} */ (type.properties.get(name));
    return {
      name,
      label: property.label,
      cell: (/** @type {Obj} */ object) =>
        position === 0
          ? html`<a href=${`#${pathOfObject(type.name, object.id)}`}>${valueText(property, schema, object[name])}</a>`
          : html`<${Value} property=${property} value=${object[name]} />`,
    };
  });
}

/** @param {{property: Property, value: any}} properties */
function Value({ property, value }) {
  const { schema } = useApplication();
  const { type } = property;
  if (type.type === "utcDateTime") return html`<${Time} at=${value} />`;
  if (type.class?.enumName === "Permission" && value == null) return "all of its account";
  if (value === null || value === undefined || value === "") return html`<span class="quiet">–</span>`;
  if (type.type === "objectId") {
    return html`<${ObjectName} objectName=${type.objectName} id=${value} path=${pathOfType(type.objectName ?? "")} />`;
  }
  if (type.type === "set" && type.class?.type === "enum") return counted(Object.keys(value).length, "chosen", "chosen");
  if (type.type === "set") return html`<${Members} names=${Object.keys(value)} />`;
  if (type.type === "enum") return html`<span title=${valueText(property, schema, value)}>${valueText(property, schema, value).split(": ", 1)[0]}</span>`;
  return valueText(property, schema, value);
}

/** What a filter looks through: everything that the list shows. @param {ObjectType} type @param {Schema} schema */
function textsOf(type, schema) {
  const names = [...new Set([...type.list.columns, ...type.list.filters])];
  const properties = names.map((name) => /** @type {Property} */ (type.properties.get(name)));
  return (/** @type {Obj} */ object) =>
    properties.map((property) => `${valueText(property, schema, object[property.name])}`).join("\n").toLowerCase();
}

/** @param {ObjectType} type @param {Schema} schema @param {Obj} object @param {string} name */
function sortValue(type, schema, object, name) {
  const property = type.properties.get(name);
  const value = object[name];
  if (!property || value == null || typeof value === "number") return value;
  return valueText(property, schema, value);
}
