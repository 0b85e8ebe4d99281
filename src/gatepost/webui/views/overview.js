// Whether the front door is well, at a glance: what failed, what expires, how much comes, what was changed last.

import { joinListeners } from "../listener_model.js";
import { useApplication, useCollection, usePolled } from "../parts/application.js";
import { html, useMemo } from "../parts/html.js";
import { Failure, PageHead, Time, useTitle } from "../parts/small.js";
import { readObjects } from "../server/reading.js";
import { countsOf, totalOf, Traffic } from "../traffic.js";
import { counted, numberText } from "../words.js";
import { ChangeList } from "./history.js";
import { ProtocolTraffic } from "./protocol_traffic.js";

/** @import {Entry} from "../listener_model.js" */
/** @import {Obj} from "../server/schema.js" */
/** @import {Counts} from "../traffic.js" */

const EVERY_MS = 2_000;
const SOON_MS = 30 * 86_400_000;

export function OverviewView() {
  const { session } = useApplication();
  const collection = useCollection("x:NetworkListener");
  const traffic = useMemo(() => new Traffic(), []);
  useTitle("Overview");

  async function look() {
    const listeners = collection.objects ?? [];
    const list = await readObjects(session, "x:ListenerStatus", listeners.map((each) => each.id));
    traffic.add(Date.now() / 1000, countsByKey(list, listeners));
    return list;
  }

  const status = usePolled(look, EVERY_MS, collection.objects === null ? "listeners unknown" : "listeners known");
  const entries = joinListeners(collection.objects ?? [], status.value ?? []);
  const counts = new Map((status.value ?? []).map((each) => [each.id, countsOf(each)]));
  const protocols = [...new Set(entries.map((entry) => entry.protocol))].sort();
  const error = collection.error ?? status.error;
  return html`
    <${PageHead} title="Overview" subtitle=${status.value && headline(entries)}><//>
    ${error && html`<${Failure} words=${error.message} onRetry=${status.refresh} />`}
    <${FailedListeners} entries=${entries} isLoaded=${status.value !== null} />
    ${session.may("sysCertificateGet") && html`<${ExpiringCertificates} />`}
    ${protocols.length > 0 &&
    html`<p class="help charts-help">
      Charts: the last five minutes. TLS: its share of the connections accepted in the last minute, and failed handshakes so far.
    </p>`}
    <div class="protocols">
      ${protocols.map((protocol) => {
        const mine = entries.filter((entry) => entry.protocol === protocol);
        return html`<${ProtocolTraffic} key=${protocol} protocol=${protocol} entries=${mine} counts=${counts} traffic=${traffic} />`;
      })}
    </div>
    ${session.may("sysChangeGet") &&
    html`<section class="panel">
      <h2>Recent changes</h2>
      <${ChangeList} filter=${null} hasObject=${true} most=${5} />
      <a href="#/history">All changes</a>
    </section>`}
  `;
}

/** @param {Entry[]} entries */
function headline(entries) {
  const open = entries.reduce((sum, entry) => sum + entry.connections, 0);
  const active = entries.filter((entry) => entry.state === "Active").length;
  return `${numberText(active)} of ${counted(entries.length, "listener", "listeners")} active, ${counted(open, "connection", "connections")} open`;
}

/** By listener id, and by protocol. @param {Obj[]} statuses @param {Obj[]} listeners @returns {Map<string, Counts>} */
function countsByKey(statuses, listeners) {
  const protocolOf = new Map(joinListeners(listeners, []).map((entry) => [entry.id, entry.protocol]));
  const byKey = new Map(statuses.map((status) => [status.id, countsOf(status)]));
  for (const protocol of new Set(protocolOf.values())) {
    const mine = statuses.filter((status) => protocolOf.get(status.id) === protocol);
    byKey.set(protocol, totalOf(mine.map(countsOf)));
  }
  return byKey;
}

/** @param {{entries: Entry[], isLoaded: boolean}} properties */
function FailedListeners({ entries, isLoaded }) {
  const failed = isLoaded ? entries.filter((entry) => entry.tone === "bad") : [];
  if (failed.length === 0) return null;
  return html`
    <section class="panel bad">
      <h2>${counted(failed.length, "listener does", "listeners do")} not run</h2>
      <ul class="plain-list">
        ${failed.map(
          (entry) => html`
            <li key=${entry.id}>
              <strong>${entry.name}</strong>
              <span>${entry.reason ?? "The reason is in the server's log."}</span>
              <span>${entry.advice}</span>
              <a href=${`#/listeners/${encodeURIComponent(entry.id)}`}>Change its settings</a>
            </li>
          `,
        )}
      </ul>
    </section>
  `;
}

function ExpiringCertificates() {
  const { schema } = useApplication();
  const type = schema.type("x:Certificate");
  const soon = (useCollection(type.name).objects ?? []).filter((each) => Date.parse(each.notValidAfter) - Date.now() < SOON_MS);
  if (soon.length === 0) return null;
  return html`
    <section class="panel busy">
      <h2>${counted(soon.length, "certificate expires", "certificates expire")} soon</h2>
      <ul class="plain-list">
        ${soon.map(
          (each) => html`
            <li key=${each.id}>
              <a href=${`#/certificates/${encodeURIComponent(each.id)}`}>${type.labelOf(each)}</a>
              <span>${Date.parse(each.notValidAfter) < Date.now() ? "expired" : "expires"} <${Time} at=${each.notValidAfter} /></span>
            </li>
          `,
        )}
      </ul>
    </section>
  `;
}
