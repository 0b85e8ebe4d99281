// What every part of the pages can ask for: the session, the objects, the schema, and ways to say something to the person.

import { createContext, useCallback, useContext, useEffect, useRef, useState } from "./html.js";

/** @import {Collection, Live} from "../server/live.js" */
/** @import {Schema} from "../server/schema.js" */
/** @import {Session} from "../server/session.js" */
/** @import {Route} from "./router.js" */

/**
 * @typedef {{
 *   session: Session, live: Live, schema: Schema, route: Route,
 *   navigate: (path: string, options?: {replace?: boolean}) => void,
 *   notify: (words: string, tone?: "good" | "bad") => void,
 *   confirm: (question: import("./dialog.js").Question) => Promise<boolean>,
 * }} ApplicationParts
 */

const Application = createContext(/** @type {ApplicationParts} */ (/** @type {unknown} */ (null)));
export const ApplicationProvider = Application.Provider;

export function useApplication() {
  return useContext(Application);
}

/** Draws again when `source` says so. @param {{watch: (onChange: () => void) => () => void}} source */
function useWatched(source) {
  const [, setTurn] = useState(0);
  useEffect(() => {
    const draw = () => setTurn((turn) => turn + 1);
    const end = source.watch(draw);
    draw(); // what changed between the first drawing and now was told to nobody
    return end;
  }, [source]);
}

/**
 * All objects of a type, as the server has them now; `objects` is null while they are not known.
 * @param {string} type with `x:`
 * @returns {Collection}
 */
export function useCollection(type) {
  const collection = useApplication().live.collection(type);
  useWatched(collection);
  return collection;
}

/**
 * What `load` gives, asked again every `everyMs` while the page can be seen, more seldom while the server cannot be reached.
 * `key`: another one asks at once.
 * @template T
 * @param {() => Promise<T>} load
 * @param {number} everyMs
 * @param {string} [key]
 * @returns {{value: T | null, error: Error | null, updatedAt: Date | null, refresh: () => void}}
 */
export function usePolled(load, everyMs, key = "") {
  const [answer, setAnswer] = useState(
    /** @type {{value: T | null, error: Error | null, updatedAt: Date | null}} */ ({ value: null, error: null, updatedAt: null }),
  );
  const current = useRef(load);
  current.current = load;
  const ask = useRef(() => {});
  useEffect(() => {
    const polling = poll(() => current.current(), everyMs, setAnswer);
    ask.current = polling.refresh;
    return polling.stop;
  }, [everyMs, key]);
  const refresh = useCallback(() => ask.current(), []);
  return { ...answer, refresh };
}

const SLOWEST_MS = 30_000;

/**
 * @param {() => Promise<any>} load
 * @param {number} everyMs
 * @param {(change: (before: any) => any) => void} setAnswer
 */
function poll(load, everyMs, setAnswer) {
  let isStopped = false;
  let failures = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  async function refresh() {
    clearTimeout(timer);
    try {
      const value = await load();
      failures = 0;
      if (!isStopped) setAnswer(() => ({ value, error: null, updatedAt: new Date() }));
    } catch (error) {
      failures += 1;
      if (!isStopped) setAnswer((before) => ({ ...before, error }));
    }
    clearTimeout(timer);
    if (!isStopped && !document.hidden) timer = setTimeout(refresh, Math.min(everyMs * 2 ** failures, SLOWEST_MS));
  }

  function onVisibility() {
    if (!document.hidden) refresh();
  }

  document.addEventListener("visibilitychange", onVisibility);
  refresh();
  return {
    refresh,
    stop() {
      isStopped = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", onVisibility);
    },
  };
}
