// Beside a socket option: what the kernel has for it now, on each address where the addresses differ.

import { html } from "../parts/html.js";
import { numberText } from "../words.js";

/** @import {Obj, Property} from "../server/schema.js" */

/** @typedef {{address: string, configured: number | null, kernel: number | null}} Reading */

/** @param {{status: Obj | null, name: string, property: Property}} properties */
export function KernelNote({ status, name, property }) {
  const readings = readingsOf(status, name);
  if (readings.length === 0) return null;
  const isSame = readings.every((each) => each.kernel === readings[0].kernel && each.configured === readings[0].configured);
  const shown = isSame ? [{ ...readings[0], address: "" }] : readings;
  return html`
    <ul class="kernel" aria-label=${`${property.label} in the kernel`}>
      ${shown.map(
        (each) => html`
          <li key=${each.address}>
            ${each.address && html`<code>${each.address}</code>`}
            <span>in the kernel now: <strong>${inWords(each.kernel, property)}</strong></span>
            ${isOther(each) && html`<span class="kernel-other">${inWords(each.configured, property)} asked for</span>`}
          </li>
        `,
      )}
    </ul>
  `;
}

/** @param {Obj | null} status @param {string} name @returns {Reading[]} of the addresses that are bound */
function readingsOf(status, name) {
  return (status?.addresses ?? [])
    .filter((/** @type {Obj} */ each) => each.socketOptions?.[name] !== undefined)
    .map((/** @type {Obj} */ each) => ({ address: each.address, ...each.socketOptions[name] }))
    .filter((/** @type {Reading} */ each) => each.kernel !== null);
}

/** @param {Reading} reading */
function isOther({ configured, kernel }) {
  return configured !== null && configured !== kernel;
}

/** @param {number | null} value @param {Property} property */
function inWords(value, property) {
  if (value === null) return "nothing";
  if (property.type.type === "boolean") return value ? "on" : "off";
  return [numberText(value), property.unit].filter(Boolean).join(" ");
}
