// Whether the front door is well, at a glance: what failed, what expires, how much comes, what was changed last.

import { joinListeners } from "../listener_model.js";
import { useApplication, useCollection, usePolled } from "../parts/application.js";
import { RateChart } from "../parts/chart.js";
import { html, useMemo } from "../parts/html.js";
import { Failure, Meter, PageHead, State, Time, useTitle } from "../parts/small.js";
import { readObjects } from "../server/reading.js";
import { countsOf, rateText, totalOf, Traffic } from "../traffic.js";
import { counted, numberText } from "../words.js";
import { ChangeList } from "./history.js";

/** @import {Entry} from "../listener_model.js" */
/** @import {Obj} from "../server/schema.js" */
/** @import {Counts} from "../traffic.js" */

const EVERY_MS = 2_000;
const LISTENERS_SHOWN = 12; // of a protocol; the busiest
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
    <div class="protocols">
      ${protocols.map((protocol) => {
        const mine = entries.filter((entry) => entry.protocol === protocol);
        return html`<${Protocol} key=${protocol} protocol=${protocol} entries=${mine} counts=${counts} traffic=${traffic} />`;
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

/** @param {{protocol: string, entries: Entry[], counts: Map<string, Counts>, traffic: Traffic}} properties */
function Protocol({ protocol, entries, counts, traffic }) {
  const total = totalOf(entries.flatMap((entry) => counts.get(entry.id) ?? []));
  const busiest = [...entries].sort((left, right) => right.connections - left.connections || left.name.localeCompare(right.name));
  return html`
    <section class="panel">
      <h2>${protocol}</h2>
      <${Rates} series=${traffic.of(protocol)} counts=${total} />
      <${RateChart} series=${traffic.of(protocol)} />
      <ul class="listener-lines">
        ${busiest.slice(0, LISTENERS_SHOWN).map(
          (entry) => html`
            <${ListenerLine} key=${entry.id} entry=${entry} counts=${counts.get(entry.id)} traffic=${entries.length > 1 ? traffic : null} />
          `,
        )}
      </ul>
      ${entries.length > LISTENERS_SHOWN &&
      html`<a href=${`#/listeners?filter=${protocol.toLowerCase()}`}>All ${numberText(entries.length)} listeners</a>`}
    </section>
  `;
}

/**
 * `traffic` is null where the protocol has this listener alone.
 * @param {{entry: Entry, counts: Counts | undefined, traffic: Traffic | null}} properties
 */
function ListenerLine({ entry, counts, traffic }) {
  const series = traffic?.of(entry.id);
  return html`
    <li>
      <span class="listener-name">
        <a href=${`#/listeners/${encodeURIComponent(entry.id)}`}>${entry.name}</a>
        ${entry.state !== "Active" && html`<${State} word=${entry.state} tone=${entry.tone} />`}
      </span>
      <${Meter} value=${entry.connections} max=${entry.maxConnections} label=${`Connections of ${entry.name}`} />
      ${series && counts && html`<${Rates} series=${series} counts=${counts} /><${RateChart} series=${series} height=${28} />`}
    </li>
  `;
}

/** @param {{series: import("../traffic.js").Series, counts: Counts}} properties */
function Rates({ series, counts }) {
  const attempts = counts.tlsHandshakes + counts.tlsFailures;
  return html`
    <p class="rates">
      <span><strong>${rateText(series.accepted.at(-1))}</strong> accepted/s</span>
      <span><strong>${rateText(series.refused.at(-1))}</strong> refused/s</span>
      ${attempts > 0 &&
      html`<span title="of all connections since the server started">
        TLS <strong>${Math.round((100 * Math.min(counts.tlsHandshakes, counts.accepted)) / Math.max(1, counts.accepted))} %</strong>
      </span>`}
      ${counts.tlsFailures > 0 && html`<span>${counted(counts.tlsFailures, "failed handshake", "failed handshakes")}</span>`}
    </p>
  `;
}
