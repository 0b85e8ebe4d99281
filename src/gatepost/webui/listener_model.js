// NetworkListener and ListenerStatus joined into what a person wants to know of a listener. No DOM, no network.

import { ADVICE, TRYING_AGAIN } from "./listener_words.js";
import { counted } from "./words.js";

/** @import {Tone} from "./parts/small.js" */
/** @import {Obj} from "./server/schema.js" */

/**
 * @typedef {{
 *   id: string, name: string, protocol: string, addresses: string[], tls: string, state: string, tone: Tone,
 *   reason: string | null, advice: string, notes: string[], connections: number, maxConnections: number | null,
 * }} Entry `advice`: what to do about the reason, as far as it is known
 */

/** @type {Record<string, {word: string, tone: Tone}>} */
const STATES = {
  active: { word: "Active", tone: "good" },
  starting: { word: "Starting", tone: "busy" },
  paused: { word: "Paused", tone: "bad" },
  draining: { word: "Draining", tone: "busy" },
  stopped: { word: "Stopped", tone: "idle" },
  failed: { word: "Failed", tone: "bad" },
};
/** @type {Record<string, string>} */
const PROTOCOLS = { smtp: "SMTP", lmtp: "LMTP", http: "HTTP", imap: "IMAP", pop3: "POP3", manageSieve: "ManageSieve" };

/** @param {string} name as the API has it */
export function protocolName(name) {
  return PROTOCOLS[name] ?? name;
}

/** How TLS begins on the listener: none, STARTTLS, or implicit. @param {Obj} listener */
export function tlsWord(listener) {
  if (!listener.useTls) return "None";
  if (listener.tlsImplicit) return "Implicit";
  return listener.protocol === "http" ? "None" : "STARTTLS"; // HTTP has no way to begin TLS later
}

/**
 * One entry for each listener; a listener that this node does not run has the state Stopped.
 * @param {Obj[]} listeners
 * @param {Obj[]} statuses
 * @returns {Entry[]}
 */
export function joinListeners(listeners, statuses) {
  const byId = new Map(statuses.map((status) => [status.id, status]));
  return listeners.map((listener) => entry(listener, byId.get(listener.id)));
}

/** @param {Obj} listener @param {Obj | undefined} status @returns {Entry} */
function entry(listener, status) {
  const state = STATES[status?.state] ?? (status ? { word: status.state, tone: "idle" } : STATES.stopped);
  return {
    id: listener.id,
    name: listener.name,
    protocol: protocolName(listener.protocol),
    addresses: Object.keys(listener.bind ?? {}),
    tls: tlsWord(listener),
    state: state.word,
    tone: state.tone,
    reason: status?.reason ?? null,
    advice: status?.state === "failed" ? [...adviceOn(status), TRYING_AGAIN].join(" ") : "",
    notes: (status?.addresses ?? [])
      .filter((/** @type {Obj} */ each) => each.note)
      .map((/** @type {Obj} */ each) => `${each.address}: ${each.note}`),
    connections: status?.connections ?? 0,
    maxConnections: listener.maxConnections ?? null,
  };
}

/** @param {Obj} status */
function adviceOn(status) {
  return new Set((status.addresses ?? []).flatMap((/** @type {Obj} */ each) => ADVICE[each.errno] ?? []));
}

/** `10 listeners: 9 active, 1 failed` @param {Entry[]} entries */
export function summary(entries) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const each of entries) counts.set(each.state, (counts.get(each.state) ?? 0) + 1);
  const parts = [...counts].map(([word, count]) => `${count} ${word.toLowerCase()}`);
  return `${entries.length} ${entries.length === 1 ? "listener" : "listeners"}: ${parts.join(", ")}`;
}

/** What becomes of those who are connected when listeners go. @param {number} open */
export function departureWords(open) {
  if (open === 0) return "Nobody is connected now. No new connections are accepted.";
  return `${counted(open, "open connection keeps", "open connections keep")} running, no new ones are accepted.`;
}
