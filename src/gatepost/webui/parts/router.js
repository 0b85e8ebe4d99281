// The part of the address behind `#`: which page, and what it shows there. `#/listeners/abc?filter=smtp&sort=-name`.
// A page that holds something unsaved can ask before it is left.

import { useEffect, useLayoutEffect, useState } from "./html.js";

/** @typedef {{path: string, segments: string[], query: URLSearchParams}} Route */

/** @typedef {() => Promise<boolean>} Guard whether the page may be left */

/** @type {Guard | null} */
let guard = null;
let shownHash = location.hash;
let isGoingBack = false;

/** @returns {Route} */
function read() {
  const [path, query = ""] = location.hash.replace(/^#/, "").split("?", 2);
  const clean = path.startsWith("/") ? path : "/";
  return { path: clean, segments: clean.split("/").slice(1).map(decoded), query: new URLSearchParams(query) };
}

/** @param {string} segment of a path, which somebody may have typed */
function decoded(segment) {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/**
 * @param {string} path as `/listeners?filter=smtp`
 * @param {{replace?: boolean}} [options] `replace`: leave no step to go back to
 */
export function navigate(path, { replace = false } = {}) {
  if (!replace) {
    location.hash = path;
    return;
  }
  history.replaceState(null, "", `#${path}`);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

/** The route that is shown. @returns {Route} */
export function useRoute() {
  const [route, setRoute] = useState(read);
  useEffect(() => {
    async function onHashChange() {
      if (isGoingBack) {
        isGoingBack = false;
        return;
      }
      const wanted = location.hash;
      if (guard && pageOf(wanted) !== pageOf(shownHash) && !(await mayLeave(wanted))) return;
      shownHash = wanted;
      setRoute(read());
    }
    addEventListener("hashchange", onHashChange);
    return () => removeEventListener("hashchange", onHashChange);
  }, []);
  return route;
}

/** @param {string} hash */
function pageOf(hash) {
  return hash.split("?", 1)[0];
}

/** @param {string} wanted */
async function mayLeave(wanted) {
  const asked = guard;
  isGoingBack = true;
  location.hash = shownHash; // the address stays that of the page until the person has decided
  if (!(await asked?.())) return false;
  guard = null;
  location.hash = wanted;
  return false; // the change of the address comes by again, unguarded
}

/** Ask, where the page holds something unsaved. Gives whether it may be left. */
export async function confirmLeaving() {
  return guard === null || guard();
}

/**
 * Ask before the page is left, while `isNeeded`.
 * @param {boolean} isNeeded
 * @param {Guard} ask
 */
export function useGuard(isNeeded, ask) {
  useLayoutEffect(() => { // with the drawing, not after it: who saves and goes on at once is not asked
    if (!isNeeded) return undefined;
    /** @param {BeforeUnloadEvent} event */
    const onUnload = (event) => event.preventDefault();
    guard = ask;
    addEventListener("beforeunload", onUnload);
    return () => {
      guard = null;
      removeEventListener("beforeunload", onUnload);
    };
  }, [isNeeded]);
}

/**
 * The address of the page that is shown, with some of its query changed; null takes one out.
 * @param {Route} route
 * @param {Record<string, string | null>} changes
 */
export function withQuery(route, changes) {
  const query = new URLSearchParams(route.query);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "") query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  return text ? `${route.path}?${text}` : route.path;
}
