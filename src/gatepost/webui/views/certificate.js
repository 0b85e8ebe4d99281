// A certificate: what it says, where it is served, and putting another in its place. And a new one.

import { issuerOf, useOf } from "../certificate_model.js";
import { useApplication, useCollection } from "../parts/application.js";
import { html, useState } from "../parts/html.js";
import { PemInput } from "../parts/pem_input.js";
import { pathOfObject } from "../pages.js";
import { updateObject } from "../server/changes.js";
import { Validity } from "./certificates.js";
import { ObjectEditor, ObjectView } from "./object.js";

/** @import {Page} from "../pages.js" */
/** @import {Editing} from "../parts/editing.js" */
/** @import {Obj, ObjectType} from "../server/schema.js" */

const AS_TEXT = ["certificate", "privateKey"];
const IN_FILES = ["certificateFile", "privateKeyFile"];

/** @param {{page: Page, id: string}} properties */
export function CertificateView({ page, id }) {
  return html`<${ObjectView} page=${page} id=${id} editor=${CertificateEditor} />`;
}

/** @param {{page: Page, type: ObjectType, stored: Obj | null, isGone?: boolean}} properties */
function CertificateEditor({ page, type, stored, isGone }) {
  const { session } = useApplication();
  const [isInFiles, setInFiles] = useState(stored?.certificateFile != null);
  const mayWrite = session.may(type.permission(stored ? "Update" : "Create"));

  /** @param {Editing} editing @param {boolean} wanted */
  function keepInFiles(editing, wanted) {
    setInFiles(wanted);
    for (const name of wanted ? AS_TEXT : IN_FILES) editing.change(name, null);
    for (const name of wanted ? IN_FILES : AS_TEXT) editing.change(name, stored?.[name]);
  }

  return html`<${ObjectEditor}
    ...${{ page, type, stored, isGone }}
    hidden=${new Set([...(isInFiles ? AS_TEXT : IN_FILES), ...(stored?.fileProblem ? [] : ["fileProblem"])])}
    below=${stored && html`<${Use} certificate=${stored} />`}
    consequence=${html`<p>From the next TLS handshake on, another is served in its place. Open connections keep running.</p>`}
    above=${(/** @type {Editing} */ editing) =>
      mayWrite &&
      html`<fieldset class="section">
        <legend>${stored ? "Put another in its place" : "What it is made of"}</legend>
        <${Places} isInFiles=${isInFiles} onChange=${(/** @type {boolean} */ wanted) => keepInFiles(editing, wanted)} />
        ${!isInFiles && html`<${PemInput} key=${editing.before.certificate} editing=${editing} />`}
        ${isInFiles && html`<p class="help">The server reads them again whenever they change: nothing has to be done when they are renewed.</p>`}
      </fieldset>`}
  />`;
}

/** @param {{isInFiles: boolean, onChange: (isInFiles: boolean) => void}} properties */
function Places({ isInFiles, onChange }) {
  const choices = [
    { isChosen: !isInFiles, label: "Uploaded here", value: false },
    { isChosen: isInFiles, label: "In files on the server, which something else renews", value: true },
  ];
  return html`
    <div class="choices field" role="radiogroup" aria-label="Where chain and key are kept">
      ${choices.map(
        (each) => html`
          <label key=${each.label} class="choice">
            <input type="radio" name="place" checked=${each.isChosen} onChange=${() => onChange(each.value)} />${each.label}
          </label>
        `,
      )}
    </div>
  `;
}

/** @param {{certificate: Obj}} properties */
function Use({ certificate }) {
  const all = useCollection("x:Certificate").objects ?? [];
  const settings = useCollection("x:SystemSettings").objects?.[0] ?? null;
  const listeners = (useCollection("x:NetworkListener").objects ?? []).filter((each) => each.useTls);
  const use = useOf(certificate, all, settings?.defaultCertificateId ?? null);
  const isServed = use.isDefault || use.isNamed;
  return html`
    <section class="panel use">
      <div class="headline"><${Validity} certificate=${certificate} /><span class="quiet">signed by ${issuerOf(certificate)}</span></div>
      <p>Served: ${use.words}.</p>
      ${isServed &&
      listeners.length > 0 &&
      html`<ul class="use-listeners" aria-label="Listeners that use it">
        ${listeners.map((each) => html`<li key=${each.id}><a href=${`#${pathOfObject("x:NetworkListener", each.id)}`}>${each.name}</a></li>`)}
      </ul>`}
      ${isServed && listeners.length === 0 && html`<p class="quiet">No listener offers TLS.</p>`}
      ${settings && !use.isDefault && html`<${DefaultButton} certificate=${certificate} />`}
    </section>
  `;
}

/** @param {{certificate: Obj}} properties */
function DefaultButton({ certificate }) {
  const { session, live, notify } = useApplication();
  if (!session.may("sysSystemSettingsUpdate")) return null;
  async function choose() {
    try {
      const outcome = await updateObject(session, "x:SystemSettings", "singleton", { defaultCertificateId: certificate.id });
      notify(outcome.words ?? "It is served from now on where no other fits.", outcome.isDone ? "good" : "bad");
      await live.collection("x:SystemSettings").refresh();
    } catch (error) {
      notify(/** @type {Error} */ (error).message, "bad");
    }
  }
  return html`<div><button type="button" onClick=${choose}>Make it the default</button></div>`;
}
