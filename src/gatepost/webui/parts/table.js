// A table of objects: sort by every column, choose several rows, as many rows as there are. On a narrow screen each row is a
// card; explicit roles keep it a table for those to whom it is read out.

import { html, useEffect } from "./html.js";
import { useVirtualRows } from "./virtual_rows.js";

/** @import {Children} from "./html.js" */

/**
 * @typedef {any} Row
 * @typedef {{name: string, label: string, cell: (row: Row) => Children, isSortable?: boolean, class?: string}} Column
 * @typedef {{name: string, isAscending: boolean}} Sort
 * @typedef {{length: number, at: (position: number) => Row | undefined}} Rows an array, or what is loaded while it is looked at
 */

/**
 * @param {{
 *   label: string, columns: Column[], rows: Rows, keyOf: (row: Row) => string, nameOf: (row: Row) => string,
 *   sort: Sort | null, onSort: (sort: Sort) => void,
 *   selected?: Set<string>, onSelect?: (selected: Set<string>) => void,
 *   onVisible?: (first: number, last: number) => void, isOutdated?: boolean,
 * }} properties `onSelect` gives the rows a box; `onVisible` says which rows are wanted now
 */
export function Table({ label, columns, rows, keyOf, nameOf, sort, onSort, selected, onSelect, onVisible, isOutdated = false }) {
  const { first, last, before, after, body } = useVirtualRows(rows.length);
  useEffect(() => onVisible?.(first, last), [first, last, rows.length]);
  const width = columns.length + (onSelect ? 1 : 0);
  const drawn = [];
  for (let position = first; position < last; position += 1) {
    const row = rows.at(position);
    const key = row === undefined ? `position ${position}` : keyOf(row);
    drawn.push(html`<${TableRow} key=${key} ...${{ row, position, columns, width, selected, onSelect, keyOf, nameOf }} />`);
  }
  return html`
    ${rows.length > 1 && html`<${SortChoice} ...${{ columns, sort, onSort }} />`}
    <div class="table-frame">
      <table role="table" aria-label=${label} aria-rowcount=${rows.length + 1} class=${isOutdated ? "outdated" : ""}>
        <thead role="rowgroup">
          <tr role="row" aria-rowindex="1">
            ${onSelect && html`<${SelectAll} ...${{ rows, keyOf, selected, onSelect }} />`}
            ${columns.map((column) => html`<${Heading} key=${column.name} ...${{ column, sort, onSort }} />`)}
          </tr>
        </thead>
        <tbody role="rowgroup" ref=${body}>
          ${before > 0 && html`<tr key="before" aria-hidden="true" class="spacer" style=${{ height: `${before}px` }}></tr>`}
          ${drawn}
          ${after > 0 && html`<tr key="after" aria-hidden="true" class="spacer" style=${{ height: `${after}px` }}></tr>`}
        </tbody>
      </table>
    </div>
  `;
}

/** @param {{column: Column, sort: Sort | null, onSort: (sort: Sort) => void}} properties */
function Heading({ column, sort, onSort }) {
  const isSorted = sort?.name === column.name;
  const direction = isSorted ? (sort.isAscending ? "ascending" : "descending") : null;
  if (column.isSortable === false) {
    return html`<th role="columnheader" scope="col" class=${column.class ?? ""}>${column.label}</th>`;
  }
  const next = { name: column.name, isAscending: !(isSorted && sort.isAscending) };
  return html`
    <th role="columnheader" scope="col" aria-sort=${direction ?? "none"} class=${column.class ?? ""}>
      <button type="button" class="sorter" data-direction=${direction} onClick=${() => onSort(next)}>${column.label}</button>
    </th>
  `;
}

/**
 * Where rows are cards no heading is seen; this stands in for them.
 * @param {{columns: Column[], sort: Sort | null, onSort: (sort: Sort) => void}} properties
 */
function SortChoice({ columns, sort, onSort }) {
  const orders = columns
    .filter((column) => column.isSortable !== false)
    .flatMap(({ name, label }) => [
      { key: sortText({ name, isAscending: true }), label },
      { key: sortText({ name, isAscending: false }), label: `${label}, descending` },
    ]);
  return html`
    <select
      class="sort-choice"
      aria-label="Order"
      value=${sort ? sortText(sort) : ""}
      onChange=${(/** @type {any} */ event) => onSort(/** @type {Sort} */ (parseSort(event.target.value)))}
    >
      ${orders.map((order) => html`<option key=${order.key} value=${order.key}>By ${order.label}</option>`)}
    </select>
  `;
}

/** @param {any} properties */
function SelectAll({ rows, keyOf, selected, onSelect }) {
  const isAll = rows.length > 0 && selected.size === rows.length;
  /** @param {Event} event */
  function toggle(event) {
    const isOn = /** @type {HTMLInputElement} */ (event.target).checked;
    const all = Array.from({ length: rows.length }, (_, position) => rows.at(position)).filter((row) => row !== undefined);
    onSelect(new Set(isOn ? all.map(keyOf) : []));
  }
  return html`
    <th role="columnheader" scope="col" class="box-cell">
      <input type="checkbox" aria-label="Select all" checked=${isAll} indeterminate=${selected.size > 0 && !isAll} onChange=${toggle} />
    </th>
  `;
}

/** @param {any} properties */
function TableRow({ row, position, columns, width, selected, onSelect, keyOf, nameOf }) {
  if (row === undefined) {
    return html`
      <tr role="row" data-position=${position} aria-rowindex=${position + 2}>
        <td role="cell" colspan=${width} class="quiet">…</td>
      </tr>
    `;
  }
  const key = keyOf(row);
  /** @param {Event} event */
  function toggle(event) {
    const next = new Set(selected);
    if (/** @type {HTMLInputElement} */ (event.target).checked) next.add(key);
    else next.delete(key);
    onSelect(next);
  }
  return html`
    <tr role="row" data-position=${position} aria-rowindex=${position + 2} class=${selected?.has(key) ? "selected" : ""}>
      ${onSelect &&
      html`<td role="cell" class="box-cell">
        <input type="checkbox" aria-label=${`Select ${nameOf(row)}`} checked=${selected.has(key)} onChange=${toggle} />
      </td>`}
      ${columns.map((/** @type {Column} */ column, /** @type {number} */ index) =>
        index === 0
          ? html`<th key=${column.name} role="rowheader" scope="row" class=${column.class ?? ""}>${column.cell(row)}</th>`
          : html`<td key=${column.name} role="cell" data-title=${column.label} class=${column.class ?? ""}>${column.cell(row)}</td>`,
      )}
    </tr>
  `;
}

/**
 * The order in which a page stands in its address: `-name` is by name, from the end.
 * @param {string | null} text
 * @returns {Sort | null}
 */
export function parseSort(text) {
  if (!text) return null;
  return text.startsWith("-") ? { name: text.slice(1), isAscending: false } : { name: text, isAscending: true };
}

/** @param {Sort} sort */
export function sortText(sort) {
  return (sort.isAscending ? "" : "-") + sort.name;
}

/**
 * Rows in order; `valueOf` gives what a row is sorted by. Rows that are equal stay as they stood.
 * @template T
 * @param {T[]} rows
 * @param {Sort | null} sort
 * @param {(row: T, name: string) => unknown} valueOf
 */
export function sorted(rows, sort, valueOf) {
  if (!sort) return rows;
  const collator = new Intl.Collator("en", { numeric: true });
  const sign = sort.isAscending ? 1 : -1;
  return rows
    .map((row) => ({ row, value: valueOf(row, sort.name) }))
    .sort((left, right) => sign * compare(left.value, right.value, collator))
    .map((each) => each.row);
}

/** @param {unknown} left @param {unknown} right @param {Intl.Collator} collator */
function compare(left, right, collator) {
  if (typeof left === "number" && typeof right === "number") return left - right;
  if (left == null || right == null) return Number(right == null) - Number(left == null) || 0;
  return collator.compare(String(left), String(right));
}
