// Creating, changing and destroying objects by /set (RFC 8620 section 5.3), with the answer in the shape that pages need.

/** @import {Obj} from "./schema.js" */
/** @import {Session} from "./session.js" */

/**
 * @typedef {{kind: string, description: string, listener?: string, address?: string, properties?: string[]}} Step
 * @typedef {{
 *   isDone: boolean, object: Obj | null, words: string | null, problems: Record<string, string>,
 *   isForbidden: boolean, isConflict: boolean, linked: {object: string, id: string}[], steps: Step[], warnings: string[], newState: string | null,
 * }} Outcome `words`: why it was refused; `problems` by property; `steps` and `warnings` of a dry run
 * @typedef {{dryRun?: boolean, allowLockOut?: boolean, force?: boolean, ifInState?: string | null}} SetOptions `force`: for
 *   a revert alone, also over what was changed since
 */

/** @param {SetOptions} options */
function argumentsOf({ dryRun, allowLockOut, force, ifInState }) {
  return {
    ...(dryRun ? { dryRun: true } : {}),
    ...(allowLockOut ? { allowLockOut: true } : {}),
    ...(force ? { force: true } : {}),
    ...(ifInState ? { ifInState } : {}),
  };
}

/**
 * @param {Session} session
 * @param {string} type
 * @param {Obj} object
 * @param {SetOptions} [options]
 * @returns {Promise<Outcome>}
 */
export async function createObject(session, type, object, options = {}) {
  const [answer] = await session.call([[`${type}/set`, { create: { new: object }, ...argumentsOf(options) }]]);
  return outcome(answer, answer.created?.new, answer.notCreated?.new, "new");
}

/**
 * @param {Session} session
 * @param {string} type
 * @param {string} id
 * @param {Obj} patch whole properties, or pointers into them
 * @param {SetOptions} [options] with `ifInState` it throws an ApiError of type stateMismatch
 * @returns {Promise<Outcome>}
 */
export async function updateObject(session, type, id, patch, options = {}) {
  const [answer] = await session.call([[`${type}/set`, { update: { [id]: patch }, ...argumentsOf(options) }]]);
  const isDone = id in (answer.updated ?? {});
  return outcome(answer, isDone ? (answer.updated[id] ?? {}) : undefined, answer.notUpdated?.[id], id);
}

/**
 * @param {Session} session
 * @param {string} type
 * @param {string[]} ids
 * @param {SetOptions} [options]
 * @returns {Promise<Record<string, Outcome>>} by id
 */
export async function destroyObjects(session, type, ids, options = {}) {
  const [answer] = await session.call([[`${type}/set`, { destroy: ids, ...argumentsOf(options) }]]);
  return Object.fromEntries(
    ids.map((id) => [id, outcome(answer, answer.destroyed?.includes(id) ? {} : undefined, answer.notDestroyed?.[id], id)]),
  );
}

/**
 * @param {any} answer
 * @param {Obj | undefined} done
 * @param {any} error a SetError
 * @param {string} key
 * @returns {Outcome}
 */
function outcome(answer, done, error, key) {
  const { steps = [], warnings = [] } = answer.dryRun?.[key] ?? {};
  return {
    isDone: error === undefined && done !== undefined,
    object: done ?? null,
    words: error ? (error.description ?? error.type) : null,
    problems: problemsOf(error),
    isForbidden: error?.type === "forbidden",
    isConflict: (error?.validationErrors ?? []).some((/** @type {any} */ each) => each.type === "Conflict"),
    linked: error?.linkedObjects ?? [],
    steps,
    warnings,
    newState: answer.newState ?? null,
  };
}

/** @param {any} error @returns {Record<string, string>} */
function problemsOf(error) {
  /** @type {Record<string, string>} */
  const problems = {};
  for (const name of error?.type === "alreadyExists" ? error.properties : []) problems[name] = error.description;
  for (const each of error?.validationErrors ?? []) {
    const [name] = String(each.property).split("/");
    problems[name] = problems[name] ? `${problems[name]} ${each.description}` : each.description;
  }
  return problems;
}
