// One object while it is being edited: what the person changed, what others changed or deleted meanwhile, and what the server
// says to it.

import { ApiError } from "../server/api.js";
import { createObject, updateObject } from "../server/changes.js";
import { useApplication, useCollection } from "./application.js";
import { useEffect, useRef, useState } from "./html.js";
import { askToInsist } from "./lock_out.js";
import { confirmWarnings } from "./warnings.js";

/** @import {Outcome, SetOptions} from "../server/changes.js" */
/** @import {Collection} from "../server/live.js" */
/** @import {Obj, ObjectType} from "../server/schema.js" */
/** @import {Session} from "../server/session.js" */

/**
 * @typedef {{name: string, before: any, mine: any, theirs: any}} Clash a property that the person and somebody else changed,
 *   `before` being what it was when the person began
 * @typedef {{
 *   isNew: boolean, before: Obj, value: Obj, changed: Set<string>, isDirty: boolean, problems: Record<string, string | null>,
 *   words: string | null, clashes: Clash[], isBusy: boolean,
 *   change: (name: string, value: any) => void, setProblem: (name: string, words: string | null) => void,
 *   preview: () => Promise<Outcome | null>, save: (isWarned?: boolean) => Promise<Outcome | null>, reset: () => void,
 *   settle: (name: string, value: any) => void,
 * }} Editing `value` is the object with the changes; `preview` and `save` give null where nothing was answered, `save` also where
 *   the person is not content with its warnings (`isWarned`: has seen them already); `settle` ends a clash with the value that
 *   it shall have
 */

/** @param {unknown} left @param {unknown} right */
function isSame(left, right) {
  return JSON.stringify(left) === JSON.stringify(right);
}

/**
 * @param {ObjectType} type
 * @param {Obj | null} stored as the server has it now; null for a new object
 * @param {Obj} [template] what a new object begins with
 * @returns {Editing} of a new object like the one that was `stored`, once that is null
 */
export function useEditing(type, stored, template = {}) {
  const { session, confirm } = useApplication();
  const collection = useCollection(type.name);
  const isNew = stored === null;
  const [changes, setChanges] = useState(/** @type {Obj} */ ({}));
  const [typed, setTyped] = useState(/** @type {Record<string, string | null>} */ ({}));
  const [answer, setAnswer] = useState(/** @type {Outcome | null} */ (null));
  const [failure, setFailure] = useState(/** @type {string | null} */ (null));
  const [isBusy, setBusy] = useState(false);
  const base = useRef(/** @type {Obj} */ (stored ?? {}));
  const last = useRef(stored);
  if (stored) last.current = stored;
  const beginning = last.current ? writableOf(type, last.current) : template;
  if (isNew) base.current = { ...type.defaults(), ...beginning };
  const clashes = useClashes(stored, base, changes);

  /** @param {string} name @param {any} value */
  function change(name, value) {
    setChanges((before) => {
      const next = { ...before, [name]: value };
      if (isSame(value, base.current[name])) delete next[name];
      return next;
    });
    setAnswer((before) => before && { ...before, problems: { ...before.problems, [name]: "" } });
  }

  /** @param {SetOptions} options @param {boolean} [isWarned] */
  async function send(options, isWarned = true) {
    const obstacle = obstacleOf(clashes, typed);
    setFailure(obstacle);
    if (obstacle) return null;
    setBusy(true);
    try {
      if (!isWarned && !(await confirmWarnings(ask, askUnchanged, { confirm, action: isNew ? "Create" : "Save" }))) return null;
      const first = await ask(options);
      const outcome = first && (await askToInsist(first, ask, { confirm, isDryRun: options.dryRun === true, action: "Save" }));
      if (outcome) setAnswer(outcome);
      if (outcome?.isDone && !options.dryRun) {
        base.current = { ...base.current, ...readable(type, changes), ...outcome.object };
        setChanges({});
        await collection.refresh();
      }
      return outcome;
    } catch (error) {
      setFailure(/** @type {Error} */ (error).message);
      return null;
    } finally {
      setBusy(false);
    }
  }

  /** @param {SetOptions} options */
  function ask(options) {
    if (isNew) return createObject(session, type.name, { ...beginning, ...changes }, options);
    return updateInState(session, type, collection, base.current, changes, options);
  }

  /** What a dry run says to the object as it is. */
  async function askUnchanged() {
    return isNew ? null : updateObject(session, type.name, base.current.id, {}, { dryRun: true });
  }

  return {
    isNew,
    before: base.current,
    value: { ...base.current, ...changes },
    changed: new Set(isNew ? [] : Object.keys(changes)),
    isDirty: Object.keys(changes).length > 0 || Object.keys(withoutNull(typed)).length > 0,
    problems: { ...answer?.problems, ...withoutNull(typed) },
    words: failure ?? (answer && !answer.isDone ? answer.words : null),
    clashes: isBusy ? [] : clashes, // what is being saved comes back as a change too
    isBusy,
    change,
    setProblem: (name, words) => setTyped((before) => ({ ...before, [name]: words })),
    preview: () => send({ dryRun: true }),
    save: (isWarned = false) => send({}, isWarned),
    reset() {
      if (stored) base.current = stored;
      setChanges({});
      setTyped({});
      setAnswer(null);
      setFailure(null);
    },
    settle(name, value) {
      if (!stored) return;
      base.current = { ...base.current, [name]: stored[name] };
      setFailure(null);
      change(name, value);
    },
  };
}

/**
 * The type's state also changes when other objects do: then what is new is read, and it goes on unless this one clashes.
 * @param {Session} session
 * @param {ObjectType} type
 * @param {Collection} collection
 * @param {Obj} base
 * @param {Obj} changes
 * @param {SetOptions} options
 * @returns {Promise<Outcome | null>} null where somebody else has changed or deleted it
 */
async function updateInState(session, type, collection, base, changes, options) {
  for (let attempt = 0; attempt < 5; attempt += 1) {
    try {
      return await updateObject(session, type.name, base.id, changes, { ...options, ifInState: collection.state });
    } catch (error) {
      if (!(error instanceof ApiError) || error.type !== "stateMismatch") throw error;
      await collection.refresh();
      const now = collection.find(base.id);
      if (!now || clashesOf(base, now, changes).length) return null;
    }
  }
  throw new ApiError("refused", "Others keep changing this. Try again.");
}

/** Why it cannot be sent yet. @param {Clash[]} clashes @param {Record<string, string | null>} typed */
function obstacleOf(clashes, typed) {
  if (clashes.length) return "Decide first what becomes of that which somebody else has changed too.";
  return Object.keys(withoutNull(typed)).length ? "Not everything that is typed can be read." : null;
}

/** What of the changes the server gives back: no secrets. @param {ObjectType} type @param {Obj} changes @returns {Obj} */
function readable(type, changes) {
  const isSecret = (/** @type {string} */ name) => type.properties.get(name)?.type.format?.startsWith("secret");
  return Object.fromEntries(Object.entries(changes).filter(([name]) => !isSecret(name)));
}

/** What of an object can be given to a new one; secrets are not known. @param {ObjectType} type @param {Obj} object @returns {Obj} */
function writableOf(type, object) {
  const names = [...type.properties.values()].filter((each) => each.update !== "serverSet" && each.name in object);
  return Object.fromEntries(names.map(({ name }) => [name, object[name]]));
}

/** @param {Record<string, string | null>} words @returns {Record<string, string>} */
function withoutNull(words) {
  return Object.fromEntries(Object.entries(words).flatMap(([name, each]) => (each === null ? [] : [[name, each]])));
}

/**
 * What somebody else changed goes into the form by itself, except where the person has changed it too.
 * @param {Obj | null} stored
 * @param {{current: Obj}} base
 * @param {Obj} changes
 */
function useClashes(stored, base, changes) {
  const [, setTurn] = useState(0);
  const found = stored ? clashesOf(base.current, stored, changes) : [];
  useEffect(() => {
    if (!stored) return;
    const mine = new Set(found.map((clash) => clash.name));
    base.current = Object.fromEntries(
      Object.keys(stored).map((name) => [name, mine.has(name) ? base.current[name] : stored[name]]),
    );
    setTurn((turn) => turn + 1);
  }, [stored]);
  return found;
}

/** @param {Obj} base @param {Obj} stored @param {Obj} changes @returns {Clash[]} */
function clashesOf(base, stored, changes) {
  return Object.keys(changes)
    .filter((name) => name in stored && !isSame(base[name], stored[name]) && !isSame(changes[name], stored[name]))
    .map((name) => ({ name, before: base[name], mine: changes[name], theirs: stored[name] }));
}
