// What the counters of a listener count, and what to do about an address that cannot be bound, in words. Pure data; the names are
// those of ListenerStatus.

/** @typedef {{title: string, words: string, property: string, reasons: Record<string, string>}} Counters */

/** @type {Counters[]} */
export const COUNTERS = [
  {
    title: "Refused",
    words: "Connections that were turned away at once.",
    property: "refused",
    reasons: {
      maxConnections: "this listener has as many as it may have",
      serverMaxConnections: "the whole server has as many as it may have",
      maxConnectionsPerAddress: "the client has as many as one address may have",
      blockedNetwork: "the client's network is blocked",
      proxyHeader: "no acceptable PROXY header came",
    },
  },
  {
    title: "PROXY headers not accepted",
    words: "From peers in the trusted proxy networks.",
    property: "proxyRejected",
    reasons: {
      missing: "the peer sent something else: it does not send PROXY headers",
      malformed: "the header could not be read",
      tooLarge: "the header was too large",
      badChecksum: "the header's checksum was wrong",
      timeout: "the header came too late",
      closed: "the peer went away before the header was whole",
    },
  },
  {
    title: "TLS handshakes that failed",
    words: "What kept them from ending well.",
    property: "tlsFailureReasons",
    reasons: {
      timeout: "it took longer than the handshake timeout",
      closed: "the client went away in the middle",
      notTls: "the client did not speak TLS",
      version: "no TLS version in common",
      cipherSuite: "no cipher suite in common",
      group: "no key exchange group in common",
      signature: "the client can verify none of the certificates' keys",
      alpn: "the client wants to speak another protocol than this listener",
      clientAlert: "the client gave up: mostly it does not trust the certificate",
      malformed: "what the client sent was cut, too large or out of order",
      unusable: "this listener's own TLS settings cannot be served",
      other: "another reason; the log has it",
    },
  },
  {
    title: "How connections ended",
    words: "Those that were not refused at once.",
    property: "ended",
    reasons: {
      completed: "by the protocol's own end",
      clientClosed: "the client closed without one",
      reset: "the connection broke",
      idle: "the client was silent for too long",
      loginDeadline: "the client did not log in in time",
      stalled: "the client did not take what was sent",
      proxyRejected: "no acceptable PROXY header",
      tlsFailed: "the TLS handshake failed",
      shutDown: "the server, a worker or the address went away",
      operator: "somebody ended it here or by the API",
      fault: "a fault of the server; the log has it",
      workerDied: "the worker process was killed or crashed",
    },
  },
];

const MORE_RIGHTS = "The server may not bind this port: start it as root with --run-as, or take a port above 1023.";

/** @type {Record<string, string>} by errno */
export const ADVICE = {
  EADDRINUSE: "Another program listens there: stop it, or take another address.",
  EADDRNOTAVAIL: "This machine does not have that address: add it to an interface, or take [::].",
  EACCES: MORE_RIGHTS,
  EPERM: MORE_RIGHTS,
};
export const TRYING_AGAIN = "The server tries again every five seconds.";
