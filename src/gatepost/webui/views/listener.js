// A listener: its settings beside what the kernel has, how it does, who is connected, what was changed. And a new one.

import { departureWords, joinListeners } from "../listener_model.js";
import { remarksOn } from "../listener_sense.js";
import { templateValues } from "../listener_templates.js";
import { useApplication, useCollection, usePolled } from "../parts/application.js";
import { html } from "../parts/html.js";
import { Failure, State } from "../parts/small.js";
import { Tabs, useTab } from "../parts/tabs.js";
import { counted } from "../words.js";
import { ConnectionTable } from "./connections.js";
import { ChangeList } from "./history.js";
import { KernelNote } from "./kernel_note.js";
import { ListenerStatusView } from "./listener_status.js";
import { TemplateChoice } from "./template_choice.js";
import { ObjectEditor, ObjectView } from "./object.js";

/** @import {Page} from "../pages.js" */
/** @import {Obj, ObjectType} from "../server/schema.js" */

const EVERY_MS = 3_000;

/** @param {{page: Page, id: string}} properties */
export function ListenerView({ page, id }) {
  return html`<${ObjectView} page=${page} id=${id} editor=${id === "new" ? NewListener : Listener} />`;
}

/** @param {{page: Page, type: ObjectType}} properties */
function NewListener({ page, type }) {
  const { route } = useApplication();
  const remarks = useRemarks(type);
  const names = (useCollection(type.name).objects ?? []).map((each) => each.name);
  const chosen = route.query.get("template");
  return html`<${ObjectEditor}
    ...${{ page, type, stored: null }}
    template=${templateValues(chosen, names)}
    noteOf=${(/** @type {string} */ name, /** @type {Obj} */ value) => html`<${Remark} words=${remarks(value)[name]} />`}
    below=${html`<${TemplateChoice} chosen=${chosen} />`}
  />`;
}

/** @param {{page: Page, type: ObjectType, stored: Obj, isGone?: boolean}} properties */
function Listener({ page, type, stored, isGone }) {
  const { session } = useApplication();
  const remarks = useRemarks(type);
  const mayLook = session.may("sysListenerStatusGet");
  async function look() {
    const [answer] = mayLook ? await session.call([["x:ListenerStatus/get", { ids: [stored.id] }]]) : [{ list: [] }];
    return /** @type {Obj[]} */ (answer.list);
  }
  const { value, error, refresh } = usePolled(look, EVERY_MS, JSON.stringify(stored)); // a change is seen in the kernel at once
  const status = value?.[0] ?? null;
  const tabs = TABS.filter((tab) => tab.permission === null || session.may(tab.permission));
  const wanted = useTab(tabs);
  const tab = isGone ? "settings" : wanted;
  return html`
    <${ObjectEditor}
      ...${{ page, type, stored, isGone }}
      isShown=${tab === "settings"}
      consequence=${status && html`<p>${departureWords(status.connections)}</p>`}
      noteOf=${(/** @type {string} */ name, /** @type {Obj} */ typed) => html`
        <${Remark} words=${remarks(typed)[name]} /><${KernelNote} status=${status} name=${name} property=${type.properties.get(name)} />
      `}
      below=${html`
        ${mayLook && html`<${Headline} listener=${stored} statuses=${value} />`}
        <${Tabs} label="Parts of this page" tabs=${tabs} shown=${tab} />
        ${error && html`<${Failure} words=${error.message} onRetry=${refresh} />`}
      `}
    />
    ${tab === "status" && value && html`<${ListenerStatusView} status=${status} />`}
    ${tab === "connections" && html`<${ConnectionTable} listenerId=${stored.id} />`}
    ${tab === "history" && html`<${ChangeList} filter=${{ objectId: stored.id }} hasObject=${false} />`}
  `;
}

const TABS = [
  { name: "settings", label: "Settings", permission: null },
  { name: "status", label: "Status", permission: "sysListenerStatusGet" },
  { name: "connections", label: "Connections", permission: "sysConnectionGet" },
  { name: "history", label: "History", permission: "sysChangeGet" },
];

/** `statuses` is null while nothing is known; without one this node does not run it. @param {{listener: Obj, statuses: Obj[] | null}} properties */
function Headline({ listener, statuses }) {
  if (statuses === null) return html`<p class="headline quiet" role="status">Asking how it does …</p>`;
  const [entry] = joinListeners([listener], statuses);
  return html`
    <div class="headline">
      <${State} word=${entry.state} tone=${entry.tone} />
      <span class="quiet">${counted(entry.connections, "open connection", "open connections")}</span>
      ${[entry.reason, entry.advice, ...entry.notes].filter(Boolean).map((words) => html`<span key=${words} class="headline-reason">${words}</span>`)}
    </div>
  `;
}

/** @param {{words?: string}} properties */
function Remark({ words }) {
  return words ? html`<p class="remark" role="note">${words}</p>` : null;
}

/** @param {ObjectType} type @returns {(listener: Obj) => Record<string, string>} */
function useRemarks(type) {
  const settings = useCollection("x:SystemSettings").objects?.[0] ?? null;
  return (listener) => remarksOn(listener, type.defaults(), settings);
}
