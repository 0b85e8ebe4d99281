// How a listener does: the sockets of each address with their queues, and everything that is counted, by reason in words.

import { COUNTERS } from "../listener_words.js";
import { html } from "../parts/html.js";
import { Meter } from "../parts/small.js";
import { counted, numberText, sizeText } from "../words.js";

/** @import {Counters} from "../listener_words.js" */
/** @import {Obj} from "../server/schema.js" */

/** @param {{status: Obj | null}} properties */
export function ListenerStatusView({ status }) {
  if (status === null) return html`<p class="notice" role="status">This node does not run it.</p>`;
  return html`
    <section class="panel">
      <h2>Addresses</h2>
      <ul class="plain-list addresses">
        ${status.addresses.map((/** @type {Obj} */ each) => html`<${Address} key=${each.address} address=${each} />`)}
      </ul>
    </section>
    <section class="panel">
      <h2>Traffic since it was made</h2>
      <dl class="facts">${factsOf(status).map(([label, words]) => html`<div key=${label}><dt>${label}</dt><dd>${words}</dd></div>`)}</dl>
    </section>
    <div class="protocols">
      ${COUNTERS.map((counters) => html`<${Reasons} key=${counters.property} counters=${counters} counts=${status[counters.property]} />`)}
    </div>
  `;
}

/** @param {{address: Obj}} properties */
function Address({ address }) {
  const problem = [address.reason, address.errno && `(${address.errno})`].filter(Boolean).join(" ");
  return html`
    <li>
      <code>${address.address}</code>
      ${problem
        ? html`<span class="error">${problem}</span>`
        : html`<span>${counted(address.workersAccepting, "worker accepts here", "workers accept here")}</span>`}
      ${address.note && html`<span class="quiet">${address.note}</span>`}
      ${address.acceptQueues.map(
        (/** @type {Obj} */ queue, /** @type {number} */ position) => html`
          <span key=${position} class="queue">
            <${Meter} value=${queue.length} max=${queue.limit} label=${`Accept queue ${position + 1} of ${address.address}`} />
            <span class="quiet">waiting in queue ${position + 1}${queue.drops ? `, ${numberText(queue.drops)} dropped` : ""}</span>
          </span>
        `,
      )}
    </li>
  `;
}

/** @param {Obj} status @returns {[string, string][]} */
function factsOf(status) {
  const versions = Object.entries(status.tlsVersions).filter(([, count]) => count > 0);
  const { runningRevision: running, storedRevision: stored } = status;
  return [
    ["Connections now", `${numberText(status.connections)}, at most ${numberText(status.connectionsPeak)} at once so far`],
    ["Accepted", numberText(status.accepted)],
    ["TLS handshakes", [numberText(status.tlsHandshakes), ...versions.map(([name, count]) => `${numberText(count)} by ${name}`)].join(", ")],
    ["Received", sizeText(status.bytesReceived)],
    ["Sent", sizeText(status.bytesSent)],
    ["Pauses in accepting", status.acceptPauses ? `${numberText(status.acceptPauses)}: the workers were out of descriptors or memory` : "0"],
    ["Settings", running === stored ? `revision ${stored} is stored and runs` : `revision ${running} runs, ${stored} is stored: it is being brought about`],
  ];
}

/** @param {{counters: Counters, counts: Record<string, number>}} properties */
function Reasons({ counters, counts }) {
  const found = Object.entries(counts).filter(([, count]) => count > 0);
  const total = found.reduce((sum, [, count]) => sum + count, 0);
  return html`
    <section class="panel">
      <h2>${counters.title}: ${numberText(total)}</h2>
      <p class="quiet">${counters.words}</p>
      <dl class="facts" aria-label=${counters.title}>
        ${found
          .sort((left, right) => right[1] - left[1])
          .map(([reason, count]) => html`<div key=${reason}><dt>${numberText(count)}</dt><dd>${counters.reasons[reason] ?? reason}</dd></div>`)}
      </dl>
    </section>
  `;
}
