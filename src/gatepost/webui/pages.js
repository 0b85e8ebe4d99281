// The pages there are, in the order of the menu. `app.js` says which view stands behind each. Pure data.

/**
 * @typedef {{path: string, name: string, group: string, type: string | null, permission: string, purpose?: string, loss?: string}} Page
 *   `type`: the object type whose objects are behind `path/id`; `permission`: without it the page is not in the menu; `purpose`:
 *   what the objects are good for, said while there is none; `loss`: what goes when one is deleted
 */

/** @type {Page[]} */
export const PAGES = [
  { path: "/overview", name: "Overview", group: "", type: null, permission: "sysListenerStatusGet" },
  { path: "/connections", name: "Connections", group: "", type: null, permission: "sysConnectionGet" },
  { path: "/history", name: "History", group: "", type: null, permission: "sysChangeGet" },
  { path: "/listeners", name: "Listeners", group: "Network", type: "x:NetworkListener", permission: "sysNetworkListenerGet" },
  {
    path: "/certificates",
    name: "Certificates",
    group: "Network",
    type: "x:Certificate",
    permission: "sysCertificateGet",
    purpose: "Without one no listener can offer TLS. Upload what your certificate authority gave you, or name the files that it keeps renewed.",
  },
  {
    path: "/blocked",
    name: "Blocked networks",
    group: "Network",
    type: "x:BlockedIp",
    permission: "sysBlockedIpGet",
    purpose:
      "Its clients are refused as soon as they connect, at every listener, for an hour or for good: those who guess passwords, or come too often.",
    loss: "Its clients may connect again at once.",
  },
  {
    path: "/allowed",
    name: "Allowed networks",
    group: "Network",
    type: "x:AllowedIp",
    permission: "sysAllowedIpGet",
    purpose: "What is listed here is served even where it lies in a blocked network: your office, your monitoring.",
    loss: "Blocked networks count for its clients too, from then on.",
  },
  { path: "/general", name: "General", group: "Network", type: "x:SystemSettings", permission: "sysSystemSettingsGet" },
  {
    path: "/domains",
    name: "Domains",
    group: "Directory",
    type: "x:Domain",
    permission: "sysDomainGet",
    purpose: "A domain is what stands behind the @ of an address. Accounts are made in one, and mail for it is taken: begin here.",
    loss: "Mail for it is refused from then on. One that accounts or aliases are in is not deleted.",
  },
  {
    path: "/accounts",
    name: "Accounts",
    group: "Directory",
    type: "x:Account",
    permission: "sysAccountGet",
    purpose: "Whoever has a mailbox, or signs in here, has an account.",
    loss: "Its mail and its API keys are deleted with it; nothing brings the mail back. Whoever is logged in is told to leave.",
  },
  {
    path: "/api-keys",
    name: "API keys",
    group: "Directory",
    type: "x:ApiKey",
    permission: "sysApiKeyGet",
    purpose:
      "A program signs in with a key in place of somebody's password. A key can be limited to what the program does and where it runs, and be withdrawn alone.",
    loss: "Programs that sign in with it are refused at once.",
  },
];

/**
 * The pages that somebody may see. Who may see no account but the own one has a page of that one in place of the list.
 * @param {import("./server/session.js").Session} session
 * @param {import("./server/schema.js").Schema} schema
 * @returns {Page[]}
 */
export function pagesFor(session, schema) {
  return PAGES.filter((page) => session.may(page.permission) && (page.type === null || schema.types.has(page.type))).map((page) =>
    isOwnAccount(page, session) ? { ...page, name: "Your account", group: "" } : page,
  );
}

/** @param {Page} page @param {import("./server/session.js").Session} session */
export function isOwnAccount(page, session) {
  return page.path === "/accounts" && !session.mayEverywhere(page.permission);
}

/** @param {string} type with `x:` */
export function pathOfType(type) {
  return PAGES.find((page) => page.type === type)?.path ?? null;
}

/**
 * Where an object is shown; null where its type has no page.
 * @param {string} type with `x:`
 * @param {string} id
 */
export function pathOfObject(type, id) {
  const path = pathOfType(type);
  if (path === null) return null;
  return id === "singleton" ? path : `${path}/${encodeURIComponent(id)}`;
}
