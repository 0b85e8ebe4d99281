// Rows of a query that may have very many results: only those that are looked at are loaded, and asked for again while they
// can be seen.

import { useApplication, usePolled } from "./application.js";
import { useState } from "./html.js";

/** @import {Rows} from "./table.js" */
/** @import {Obj} from "../server/schema.js" */

const BESIDE = 40; // rows that are loaded before and behind those in sight

/**
 * @param {string} type with `x:`
 * @param {{filter: Obj | null, sort: Obj[]}} query as RFC 8620 section 5.5 wants them
 * @param {number} everyMs
 * @param {number} [first] how many are looked at to begin with
 * @returns {{rows: Rows, isLoaded: boolean, total: number, error: Error | null, refresh: () => void, onVisible: (first: number, last: number) => void}}
 */
export function useRemoteRows(type, query, everyMs, first = 100) {
  const { session } = useApplication();
  const [range, setRange] = useState({ first: 0, last: first });
  const key = JSON.stringify([type, query, range]);

  async function load() {
    const position = Math.max(0, range.first - BESIDE);
    const limit = Math.min(range.last - position + BESIDE, 1000);
    const [found, read] = await session.call([
      [`${type}/query`, { ...query, position, limit, calculateTotal: true }],
      [`${type}/get`, { "#ids": { resultOf: "0", name: `${type}/query`, path: "/ids" } }],
    ]);
    const byId = new Map(read.list.map((/** @type {Obj} */ object) => [object.id, object]));
    return { position: found.position, total: found.total, objects: found.ids.map((/** @type {string} */ id) => byId.get(id)) };
  }

  const { value, error, refresh } = usePolled(load, everyMs, key);
  const { position = 0, total = 0, objects = [] } = value ?? {};
  /** @param {number} first @param {number} last */
  function onVisible(first, last) {
    const isCovered = first >= range.first - BESIDE / 2 && last <= range.last + BESIDE / 2;
    if (!isCovered) setRange({ first, last });
  }
  return {
    rows: { length: total, at: (index) => objects[index - position] },
    isLoaded: value !== null,
    total,
    error,
    refresh,
    onVisible,
  };
}
