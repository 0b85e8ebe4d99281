// NetworkListener and ListenerStatus joined into what a person wants to know of a listener. No DOM, no network.

const STATES = {
  active: { word: "Active", tone: "good" },
  starting: { word: "Starting", tone: "busy" },
  draining: { word: "Draining", tone: "busy" },
  stopped: { word: "Stopped", tone: "idle" },
  failed: { word: "Failed", tone: "bad" },
};
const PROTOCOLS = { smtp: "SMTP", lmtp: "LMTP", http: "HTTP", imap: "IMAP", pop3: "POP3", manageSieve: "ManageSieve" };

/** How TLS begins on the listener: none, STARTTLS, or implicit. */
export function tlsWord(listener) {
  if (!listener.useTls) return "None";
  if (listener.tlsImplicit) return "Implicit";
  return listener.protocol === "http" ? "None" : "STARTTLS"; // HTTP has no way to begin TLS later
}

/** One entry for each listener, by name; a listener that this node does not run has the state Stopped. */
export function joinListeners(listeners, statuses) {
  const byId = new Map(statuses.map((status) => [status.id ?? status.listenerId, status]));
  const byName = new Map(statuses.map((status) => [status.name, status]));
  return listeners
    .map((listener) => entry(listener, byId.get(listener.id) ?? byName.get(listener.name)))
    .sort((left, right) => left.name.localeCompare(right.name));
}

function entry(listener, status) {
  const state = STATES[status?.state] ?? (status ? { word: status.state, tone: "idle" } : STATES.stopped);
  return {
    id: listener.id,
    name: listener.name,
    protocol: PROTOCOLS[listener.protocol] ?? listener.protocol,
    addresses: Object.keys(listener.bind ?? {}),
    tls: tlsWord(listener),
    state: state.word,
    tone: state.tone,
    reason: status?.reason ?? null,
    notes: (status?.addresses ?? []).filter((each) => each.note).map((each) => `${each.address}: ${each.note}`),
    connections: status?.connections ?? 0,
    maxConnections: listener.maxConnections ?? null,
  };
}

/** `10 listeners: 9 active, 1 failed` */
export function summary(entries) {
  const counts = new Map();
  for (const each of entries) counts.set(each.state, (counts.get(each.state) ?? 0) + 1);
  const parts = [...counts].map(([word, count]) => `${count} ${word.toLowerCase()}`);
  return `${entries.length} ${entries.length === 1 ? "listener" : "listeners"}: ${parts.join(", ")}`;
}
