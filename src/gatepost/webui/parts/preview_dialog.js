// What a change would do, in words: the steps of the dry run, and its warnings.

import { useApplication } from "./application.js";
import { Dialog } from "./dialog.js";
import { html } from "./html.js";
import { Warnings } from "./warnings.js";

/** @import {Outcome, Step} from "../server/changes.js" */
/** @import {Schema} from "../server/schema.js" */

/** @type {Record<string, string>} */
const KINDS = {
  open: "opens",
  rebind: "new sockets first",
  applyNow: "at once",
  nextConnection: "next connection",
  close: "stops accepting",
  drain: "goes on",
};
const SETTINGS = "x:SystemSettings";

/** @param {{outcome: Outcome, words?: string, action?: string, onSave: () => void, onClose: () => void}} properties */
export function PreviewDialog({ outcome, words = "", action = "Save", onSave, onClose }) {
  const { schema } = useApplication();
  return html`
    <${Dialog} title="What this change does" onClose=${onClose}>
      <div class="dialog-body">
        ${words && html`<p>${words}</p>`}
        <p class="quiet">Everything but the commit was tried for real: addresses were bound, TLS policies were built.</p>
        ${outcome.steps.length === 0 && html`<p>Nothing that runs has to change.</p>`}
        <ol class="steps">
          ${outcome.steps.map(
            (step, position) => html`
              <li key=${position}>
                <span class="tag" data-kind=${step.kind}>${KINDS[step.kind] ?? step.kind}</span>
                <span>${step.listener && html`<strong>${step.listener}</strong>: `}${stepWords(step, schema)}</span>
              </li>
            `,
          )}
        </ol>
        <${Warnings} warnings=${outcome.warnings} />
      </div>
      <footer class="dialog-foot">
        <button type="button" data-begin onClick=${onClose}>Back</button>
        <button type="button" class="primary" onClick=${onSave}>${action}</button>
      </footer>
    <//>
  `;
}

/** Where, and which properties, by the names that they have in the forms. @param {Step} step @param {Schema} schema */
function stepWords(step, schema) {
  if (step.kind === "drain") return "open connections, until they end";
  const type = schema.types.get(step.listener ? "x:NetworkListener" : SETTINGS);
  const labels = (step.properties ?? []).map((name) => (type?.properties.get(name) ?? schema.types.get(SETTINGS)?.properties.get(name))?.label ?? name);
  return [step.address, labels.join(", ")].filter(Boolean).join(": ") || step.description;
}
