// One object while it is being edited: what the person changed, what others changed meanwhile, and what the server says to it.

import { ApiError } from "../server/api.js";
import { createObject, updateObject } from "../server/changes.js";
import { useApplication, useCollection } from "./application.js";
import { useEffect, useRef, useState } from "./html.js";

/** @import {Outcome, SetOptions} from "../server/changes.js" */
/** @import {Obj, ObjectType} from "../server/schema.js" */

/**
 * @typedef {{name: string, mine: any, theirs: any}} Clash a property that the person and somebody else changed
 * @typedef {{
 *   isNew: boolean, before: Obj, value: Obj, changed: Set<string>, problems: Record<string, string | null>,
 *   words: string | null, clashes: Clash[], isBusy: boolean,
 *   change: (name: string, value: any) => void, setProblem: (name: string, words: string | null) => void,
 *   preview: () => Promise<Outcome | null>, save: (options?: SetOptions) => Promise<Outcome | null>, reset: () => void,
 *   settle: (name: string, isMine: boolean) => void,
 * }} Editing `value` is the object with the changes; `preview` and `save` give null where nothing was answered
 */

/** @param {unknown} left @param {unknown} right */
function isSame(left, right) {
  return JSON.stringify(left) === JSON.stringify(right);
}

/**
 * @param {ObjectType} type
 * @param {Obj | null} stored as the server has it now; null for a new object
 * @param {Obj} [template] what a new object begins with
 * @returns {Editing}
 */
export function useEditing(type, stored, template = {}) {
  const { session } = useApplication();
  const collection = useCollection(type.name);
  const isNew = stored === null;
  const [changes, setChanges] = useState(/** @type {Obj} */ (isNew ? template : {}));
  const [typed, setTyped] = useState(/** @type {Record<string, string | null>} */ ({}));
  const [answer, setAnswer] = useState(/** @type {Outcome | null} */ (null));
  const [failure, setFailure] = useState(/** @type {string | null} */ (null));
  const [isBusy, setBusy] = useState(false);
  const base = useRef(/** @type {Obj} */ (stored ?? type.defaults()));
  const clashes = useClashes(stored, base, changes);

  /** @param {string} name @param {any} value */
  function change(name, value) {
    setChanges((before) => {
      const next = { ...before, [name]: value };
      if (!isNew && isSame(value, base.current[name])) delete next[name];
      return next;
    });
    setAnswer((before) => before && { ...before, problems: { ...before.problems, [name]: "" } });
  }

  /** @param {SetOptions} options */
  async function send(options) {
    if (Object.values(typed).some((words) => words !== null) || clashes.length) return null;
    setBusy(true);
    setFailure(null);
    try {
      const outcome = isNew
        ? await createObject(session, type.name, { ...changes }, options)
        : await updateInState(options);
      if (outcome) setAnswer(outcome);
      if (outcome?.isDone && !options.dryRun) {
        base.current = { ...base.current, ...changes, ...outcome.object };
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

  /** The type's state also changes when other objects do: then what is new is read, and it goes on unless this one clashes. */
  async function updateInState(/** @type {SetOptions} */ options) {
    const id = base.current.id;
    for (let attempt = 0; attempt < 5; attempt += 1) {
      try {
        return await updateObject(session, type.name, id, changes, { ...options, ifInState: collection.state });
      } catch (error) {
        if (!(error instanceof ApiError) || error.type !== "stateMismatch") throw error;
        await collection.refresh();
        const now = collection.find(id);
        if (!now || clashesOf(base.current, now, changes).length) return null;
      }
    }
    throw new ApiError("refused", "Others keep changing this. Try again.");
  }

  return {
    isNew,
    before: base.current,
    value: { ...base.current, ...changes },
    changed: new Set(isNew ? [] : Object.keys(changes)),
    problems: { ...answer?.problems, ...typed },
    words: failure ?? (answer && !answer.isDone ? answer.words : null),
    clashes,
    isBusy,
    change,
    setProblem: (name, words) => setTyped((before) => ({ ...before, [name]: words })),
    preview: () => send({ dryRun: true }),
    save: (options = {}) => send(options),
    reset() {
      base.current = stored ?? type.defaults();
      setChanges(isNew ? template : {});
      setTyped({});
      setAnswer(null);
      setFailure(null);
    },
    settle(name, isMine) {
      if (!stored) return;
      base.current = { ...base.current, [name]: stored[name] };
      if (!isMine) setChanges((before) => withoutKey(before, name));
      else setChanges((before) => ({ ...before }));
    },
  };
}

/** @param {Obj} object @param {string} name */
function withoutKey(object, name) {
  return Object.fromEntries(Object.entries(object).filter(([key]) => key !== name));
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
    .map((name) => ({ name, mine: changes[name], theirs: stored[name] }));
}
