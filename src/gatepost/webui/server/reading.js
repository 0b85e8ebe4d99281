// Reading objects, as many as there are: the server gives no more than so many in one call (RFC 8620 sections 2 and 5.5).

/** @import {Obj} from "./schema.js" */
/** @import {Session} from "./session.js" */

const MAX_OBJECTS_IN_GET = 500;
const MAX_CALLS = 10; // in one request

/**
 * All objects of a type, in one request where they are not too many. `state` is that of before: what changes meanwhile is then
 * asked for once more, not missed.
 * @param {Session} session
 * @param {string} type with `x:`
 * @returns {Promise<{objects: Obj[], state: string}>}
 */
export async function readAll(session, type) {
  const [before, queried, first] = await session.call([
    [`${type}/get`, { ids: [] }],
    [`${type}/query`, { calculateTotal: true }],
    [`${type}/get`, { "#ids": { resultOf: "1", name: `${type}/query`, path: "/ids" } }],
  ]);
  const ids = await readIdsFrom(session, type, queried.ids.length, queried.total);
  const known = new Set(queried.ids);
  const others = await readObjects(session, type, ids.filter((id) => !known.has(id)));
  return { objects: [...first.list, ...others], state: before.state };
}

/**
 * The ids from a position on.
 * @param {Session} session
 * @param {string} type
 * @param {number} position
 * @param {number} total
 * @returns {Promise<string[]>}
 */
async function readIdsFrom(session, type, position, total) {
  /** @type {Set<string>} */
  const ids = new Set();
  while (position < total) {
    const [answer] = await session.call([[`${type}/query`, { position, calculateTotal: true }]]);
    for (const id of answer.ids) ids.add(id);
    position += answer.ids.length;
    total = answer.ids.length ? answer.total : 0;
  }
  return [...ids];
}

/**
 * Those of the objects that there are.
 * @param {Session} session
 * @param {string} type with `x:`
 * @param {string[]} ids
 * @returns {Promise<Obj[]>}
 */
export async function readObjects(session, type, ids) {
  /** @type {[string, Obj][]} */
  const calls = [];
  for (let from = 0; from < ids.length; from += MAX_OBJECTS_IN_GET) {
    calls.push([`${type}/get`, { ids: ids.slice(from, from + MAX_OBJECTS_IN_GET) }]);
  }
  /** @type {Obj[]} */
  const list = [];
  for (let from = 0; from < calls.length; from += MAX_CALLS) {
    for (const answer of await session.call(calls.slice(from, from + MAX_CALLS))) list.push(...answer.list);
  }
  return list;
}
