// One API key. Its secret is shown once, right after it was made.

import { useApplication } from "../parts/application.js";
import { CopyButton } from "../parts/copy_button.js";
import { Dialog } from "../parts/dialog.js";
import { html, useState } from "../parts/html.js";
import { pathOfObject } from "../pages.js";
import { ObjectEditor, ObjectView } from "./object.js";

/** @import {Page} from "../pages.js" */
/** @import {Obj, ObjectType} from "../server/schema.js" */

const TYPE = "x:ApiKey";

/** @param {{page: Page, id: string}} properties */
export function ApiKeyView({ page, id }) {
  return html`<${ObjectView} page=${page} id=${id} editor=${ApiKeyEditor} />`;
}

/** @param {{page: Page, type: ObjectType, stored: Obj | null, isGone?: boolean}} properties */
function ApiKeyEditor({ page, type, stored, isGone }) {
  const { session, navigate } = useApplication();
  const [made, setMade] = useState(/** @type {Obj | null} */ (null));
  const [template] = useState({ accountId: session.ownId });
  const leave = () => navigate(pathOfObject(TYPE, made?.id) ?? page.path);
  return html`
    <${ObjectEditor} ...${{ page, type, stored, isGone }} template=${template} onCreated=${(/** @type {any} */ outcome) => setMade(outcome.object)} />
    ${made && html`<${SecretDialog} secret=${made.secret} onClose=${leave} />`}
  `;
}

/** @param {{secret: string, onClose: () => void}} properties */
function SecretDialog({ secret, onClose }) {
  const [isCopied, setCopied] = useState(false);
  const [isWarned, setWarned] = useState(false);
  const close = () => (isCopied || isWarned ? onClose() : setWarned(true));
  return html`
    <${Dialog} title="The secret of the new API key" onClose=${close}>
      <div class="dialog-body">
        <p>It is shown this once: the server keeps nothing but a hash of it.</p>
        <code class="secret" aria-label="Secret">${secret}</code>
        <p class="quiet">
          Programs send it with each request, as <code>Authorization: Bearer …</code>; the command line reads it from${" "}
          <code>GATEPOST_TOKEN</code>.
        </p>
        <p role="alert" class="error">${isWarned && !isCopied && "It has not been copied. Once this is closed, nobody can show it again."}</p>
      </div>
      <footer class="dialog-foot">
        <button type="button" onClick=${close}>${isWarned && !isCopied ? "Close without it" : "Close"}</button>
        <${CopyButton} text=${secret} label="Copy the secret" isPrimary=${true} onCopied=${() => setCopied(true)} />
      </footer>
    <//>
  `;
}
