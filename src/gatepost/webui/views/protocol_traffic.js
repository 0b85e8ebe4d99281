// A protocol's card on the overview, with a line for each of its listeners: how much comes, who is there, how much of it has TLS.

import { Chart, OPEN, RATES, RATES_IN_CLEAR, TLS_SHARE } from "../parts/chart.js";
import { html } from "../parts/html.js";
import { Meter, State } from "../parts/small.js";
import { rateText, shareText, totalOf } from "../traffic.js";
import { numberText } from "../words.js";

/** @import {Entry} from "../listener_model.js" */
/** @import {Counts, Series, Traffic} from "../traffic.js" */

const LISTENERS_SHOWN = 12; // of a protocol; the busiest

/** @typedef {{series: Series, counts: Counts, cap: number | null, hasTls: boolean, name: string}} Shown `cap`: of connections */

/** @param {{protocol: string, entries: Entry[], counts: Map<string, Counts>, traffic: Traffic}} properties */
export function ProtocolTraffic({ protocol, entries, counts, traffic }) {
  const total = totalOf(entries.flatMap((entry) => counts.get(entry.id) ?? []));
  return html`
    <section class="panel">
      <h2>${protocol}</h2>
      <${Dials}
        series=${traffic.of(protocol)}
        counts=${total}
        cap=${capOf(entries)}
        hasTls=${entries.some(offersTls)}
        name=${protocol}
        isLarge=${true}
      />
      <ul class="listener-lines">
        ${busiest(entries).map(
          (entry) => html`<${ListenerLine} key=${entry.id} entry=${entry} counts=${counts} traffic=${entries.length > 1 ? traffic : null} />`,
        )}
      </ul>
      ${entries.length > LISTENERS_SHOWN &&
      html`<a href=${`#/listeners?filter=${protocol.toLowerCase()}`}>All ${numberText(entries.length)} listeners</a>`}
    </section>
  `;
}

/** By name, so that each keeps its place while people come and go. @param {Entry[]} entries */
function busiest(entries) {
  const inOrder = [...entries].sort((left, right) => right.connections - left.connections || left.name.localeCompare(right.name));
  return inOrder.slice(0, LISTENERS_SHOWN).sort((left, right) => left.name.localeCompare(right.name));
}

/** @param {Entry} entry */
function offersTls(entry) {
  return entry.tls !== "None";
}

/** As many as all of them let in together; null where one has no cap. @param {Entry[]} entries */
function capOf(entries) {
  return entries.reduce((/** @type {number | null} */ sum, { maxConnections: most }) => (sum === null || most === null ? null : sum + most), 0);
}

/**
 * `traffic` is null where the protocol has this listener alone: what its card says holds for it. The charts have their place before
 * anything is known, so that nothing jumps; what this node does not run has none.
 * @param {{entry: Entry, counts: Map<string, Counts>, traffic: Traffic | null}} properties
 */
function ListenerLine({ entry, counts, traffic }) {
  const mine = counts.get(entry.id) ?? (counts.size === 0 ? totalOf([]) : null);
  return html`
    <li>
      <span class="listener-name">
        <a href=${`#/listeners/${encodeURIComponent(entry.id)}`}>${entry.name}</a>
        ${entry.state !== "Active" && html`<${State} word=${entry.state} tone=${entry.tone} />`}
      </span>
      ${traffic &&
      mine &&
      html`<${Dials} series=${traffic.of(entry.id)} counts=${mine} cap=${entry.maxConnections} hasTls=${offersTls(entry)} name=${entry.name} />`}
    </li>
  `;
}

/** The same three charts for a protocol and for a listener, each with its numbers. @param {Shown & {isLarge?: boolean}} properties */
function Dials({ series, counts, cap, hasTls, name, isLarge = false }) {
  const height = isLarge ? 32 : 24;
  return html`
    <div class="dials" data-size=${isLarge ? "large" : "small"}>
      <div class="dial rates-dial">
        <${Chart} series=${series} kind=${hasTls ? RATES : RATES_IN_CLEAR} height=${isLarge ? 56 : height} />
        <p class="numbers">
          <span class="key" data-line="accepted"><strong>${rateText(series.accepted.at(-1))}</strong> accepted/s</span>
          <span class="key" data-line="refused"><strong>${rateText(series.refused.at(-1))}</strong> refused/s</span>
          ${hasTls &&
          html`<span class="key" data-line="failed"><strong>${rateText(series.tlsFailures.at(-1))}</strong> TLS failures/s</span>`}
        </p>
      </div>
      <div class="dial">
        <${Chart} series=${series} kind=${OPEN} cap=${cap} height=${height} />
        <p class="numbers open-numbers"><${Meter} value=${counts.connections} max=${cap} label=${`Connections of ${name}`} /> <span>open</span></p>
      </div>
      ${hasTls &&
      html`<div class="dial">
        <${Chart} series=${series} kind=${TLS_SHARE} height=${height} />
        <p class="numbers">
          <span><strong>${shareText(series.tlsShare.at(-1))}</strong> TLS</span>
          <span title="handshakes since the listener was made"><strong>${numberText(counts.tlsFailures)}</strong> failed</span>
        </p>
      </div>`}
    </div>
  `;
}
