// A moment, typed in UTC as the server has it; one that may be left out is also chosen by how far away it is.

import { html } from "./html.js";

/** @import {InputProperties} from "./inputs.js" */

const HOUR_MS = 3_600_000;
const CHOICES = /** @type {const} */ ([
  ["1 hour", HOUR_MS],
  ["1 day", 24 * HOUR_MS],
  ["1 week", 7 * 24 * HOUR_MS],
  ["30 days", 30 * 24 * HOUR_MS],
  ["1 year", 365 * 24 * HOUR_MS],
]);

/** `2026-11-23T14:05:09Z` @param {Date} moment */
function wireText(moment) {
  return moment.toISOString().replace(/\.\d+Z$/, "Z");
}

/** @param {InputProperties} properties */
export function TimeInput({ id, value, property, describedBy, isInvalid, isReadOnly, onChange }) {
  if (isReadOnly) return html`<span id=${id}>${value ?? "–"}</span>`;
  const isNullable = property.type.nullable === true;
  /** @param {any} event */
  function pick(event) {
    const text = event.target.value;
    if (text === "" && !isNullable) return;
    onChange(text === "" ? null : `${text.length === 16 ? `${text}:00` : text}Z`);
  }
  return html`
    <span class="draft">
      <input
        type="datetime-local"
        step="1"
        id=${id}
        aria-describedby=${describedBy}
        aria-invalid=${isInvalid ? "true" : undefined}
        value=${value ? String(value).replace(/(\.\d+)?Z$/, "") : ""}
        onChange=${pick}
      />
      <span class="suffix">UTC</span>
    </span>
    ${isNullable && html`<${QuickChoices} label=${property.label} isNever=${value == null} onChange=${onChange} />`}
  `;
}

/** @param {{label: string, isNever: boolean, onChange: (value: string | null) => void}} properties */
function QuickChoices({ label, isNever, onChange }) {
  return html`
    <div class="quick" role="group" aria-label=${`${label}, from now`}>
      ${CHOICES.map(
        ([words, length]) => html`
          <button key=${words} type="button" class="small" onClick=${() => onChange(wireText(new Date(Date.now() + length)))}>${words}</button>
        `,
      )}
      <button type="button" class="small" aria-pressed=${isNever ? "true" : "false"} onClick=${() => onChange(null)}>Never</button>
    </div>
  `;
}
