// What a change would do, in words: the steps of the dry run, and its warnings.

import { Dialog } from "./dialog.js";
import { html } from "./html.js";
import { Warnings } from "./warnings.js";

/** @import {Outcome} from "../server/changes.js" */

/** @type {Record<string, string>} */
const KINDS = {
  open: "opens",
  rebind: "new sockets first",
  applyNow: "at once",
  nextConnection: "next connection",
  close: "stops accepting",
  drain: "connections go on",
};

/** @param {{outcome: Outcome, onSave: () => void, onClose: () => void}} properties */
export function PreviewDialog({ outcome, onSave, onClose }) {
  return html`
    <${Dialog} title="What this change does" onClose=${onClose}>
      <div class="dialog-body">
        <p class="quiet">Everything but the commit was tried for real: addresses were bound, TLS policies were built.</p>
        ${outcome.steps.length === 0 && html`<p>Nothing that runs has to change.</p>`}
        <ol class="steps">
          ${outcome.steps.map(
            (step, position) => html`
              <li key=${position}>
                <span class="tag" data-kind=${step.kind}>${KINDS[step.kind] ?? step.kind}</span>
                <span>${step.listener ? html`<strong>${step.listener}</strong>: ` : ""}${step.description}</span>
              </li>
            `,
          )}
        </ol>
        <${Warnings} warnings=${outcome.warnings} />
      </div>
      <footer class="dialog-foot">
        <button type="button" onClick=${onClose}>Back</button>
        <button type="button" class="primary" onClick=${onSave}>Save</button>
      </footer>
    <//>
  `;
}
