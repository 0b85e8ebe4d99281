// Views that the first page does not need: their modules are fetched once there is time for it, or when they are shown.

import { html, useEffect, useState } from "./html.js";
import { Failure } from "./small.js";

/**
 * A view out of a module, with what fetches it.
 * @param {() => Promise<any>} load gives the view
 */
export function later(load) {
  /** @type {any} */
  let view = null;
  /** @type {Promise<void> | null} */
  let underWay = null;

  function fetchIt() {
    underWay ??= load().then(
      (found) => void (view = found),
      () => void (underWay = null), // asked for once more when it is shown
    );
    return underWay;
  }

  /** @param {any} properties those of the view */
  function Later(properties) {
    const [isTried, setTried] = useState(view !== null);
    useEffect(() => void fetchIt().then(() => setTried(true)), []);
    if (view) return html`<${view} ...${properties} />`;
    if (!isTried) return html`<p class="notice" role="status">Loading …</p>`;
    return html`<${Failure} words="This page could not be fetched from the server." onRetry=${() => location.reload()} />`;
  }

  return Object.assign(Later, { fetchIt });
}
