// What new listeners begin with: the usual ways in, each with its well-known port. Pure data.

/** @import {Obj} from "./server/schema.js" */

/** @typedef {{key: string, label: string, words: string, next?: string, values: Obj}} Template `next`: what is left to do */

const ONE_PROXY = { "127.0.0.1/32": true, "::1/128": true };

/**
 * @param {string} name
 * @param {string} protocol
 * @param {string} address
 * @param {"none" | "startTls" | "implicit"} tls
 * @param {Obj} [proxies]
 * @returns {Obj} the same properties for all, so that another template replaces what this one sets
 */
function values(name, protocol, address, tls, proxies = {}) {
  return {
    name,
    protocol,
    bind: { [address]: true },
    useTls: tls !== "none",
    tlsImplicit: tls === "implicit",
    overrideProxyTrustedNetworks: proxies,
  };
}

/** @type {Template[]} */
export const TEMPLATES = [
  {
    key: "smtp",
    label: "Mail from other servers",
    words: "SMTP on port 25, with STARTTLS",
    values: values("smtp", "smtp", "[::]:25", "startTls"),
  },
  {
    key: "submissions",
    label: "Mail from your people",
    words: "SMTP submission on port 465, TLS from the first byte",
    values: values("submissions", "smtp", "[::]:465", "implicit"),
  },
  {
    key: "submission",
    label: "Mail from your people, older programs",
    words: "SMTP submission on port 587, with STARTTLS",
    values: values("submission", "smtp", "[::]:587", "startTls"),
  },
  {
    key: "imaps",
    label: "Mailboxes",
    words: "IMAP on port 993, TLS from the first byte",
    values: values("imaps", "imap", "[::]:993", "implicit"),
  },
  {
    key: "pop3s",
    label: "Mailboxes by POP3",
    words: "POP3 on port 995, TLS from the first byte",
    values: values("pop3s", "pop3", "[::]:995", "implicit"),
  },
  {
    key: "sieve",
    label: "Mail filters",
    words: "ManageSieve on port 4190, with STARTTLS",
    values: values("sieve", "manageSieve", "[::]:4190", "startTls"),
  },
  {
    key: "https",
    label: "Web and API",
    words: "HTTP on port 443, TLS from the first byte",
    values: values("https", "http", "[::]:443", "implicit"),
  },
  {
    key: "https-behind-haproxy",
    label: "Web behind HAProxy",
    words: "HTTP with TLS on port 8443; HAProxy passes connections on and says who the client is",
    next: "Put the addresses of HAProxy under “Trusted proxy networks”, and send-proxy-v2 behind the address of this server in HAProxy.",
    values: values("https-behind-haproxy", "http", "[::]:8443", "implicit", ONE_PROXY),
  },
  {
    key: "imaps-behind-haproxy",
    label: "Mailboxes behind HAProxy",
    words: "IMAP with TLS on port 10993; HAProxy passes connections on and says who the client is",
    next: "Put the addresses of HAProxy under “Trusted proxy networks”, and send-proxy-v2 behind the address of this server in HAProxy.",
    values: values("imaps-behind-haproxy", "imap", "[::]:10993", "implicit", ONE_PROXY),
  },
  {
    key: "lmtp",
    label: "Delivery by a program here",
    words: "LMTP on port 24 of loopback: no other machine reaches it",
    values: values("lmtp", "lmtp", "127.0.0.1:24", "none"),
  },
  {
    key: "http",
    label: "Administration from this machine",
    words: "HTTP in clear on port 8080 of loopback: no other machine reaches it",
    values: values("http", "http", "127.0.0.1:8080", "none"),
  },
];

/**
 * What a new listener begins with; its name is one that no listener has.
 * @param {string | null} key
 * @param {string[]} names of the listeners that there are
 * @returns {Obj}
 */
export function templateValues(key, names) {
  const template = TEMPLATES.find((each) => each.key === key);
  if (!template) return {};
  const taken = new Set(names.map((name) => name.toLowerCase()));
  let name = template.values.name;
  for (let number = 2; taken.has(name); number += 1) name = `${template.values.name}-${number}`;
  return { ...template.values, name };
}
