// What does not make sense together in a listener as it is typed, in words. Pure. The server refuses what cannot work; this also
// tells of what works and is hardly meant.

/** @import {Obj} from "./server/schema.js" */

const TLS_DETAILS = ["tlsTimeout", "tlsDisableProtocols", "tlsDisableCipherSuites", "tlsIgnoreClientOrder"];
const VERSIONS = ["tls12", "tls13"];

/**
 * Remarks by property.
 * @param {Obj} listener
 * @param {Obj} defaults
 * @param {Obj | null} settings those of the whole server; null where they are not known
 * @returns {Record<string, string>}
 */
export function remarksOn(listener, defaults, settings) {
  return {
    ...tlsRemarks(listener, defaults),
    ...proxyRemarks(listener),
    ...limitRemarks(listener, settings),
    ...addressRemarks(listener),
  };
}

/** @param {Obj} listener @param {Obj} defaults @returns {Record<string, string>} */
function tlsRemarks(listener, defaults) {
  /** @type {Record<string, string>} */
  const remarks = {};
  if (!listener.useTls) {
    for (const name of TLS_DETAILS) {
      const isOwn = JSON.stringify(listener[name]) !== JSON.stringify(defaults[name]);
      if (isOwn) remarks[name] = "Without effect as long as TLS is not offered here.";
    }
    if (listener.tlsImplicit) remarks.tlsImplicit = "Needs TLS: switch “Offer TLS” on, or this off.";
    return remarks;
  }
  if (listener.protocol === "http" && !listener.tlsImplicit) {
    remarks.tlsImplicit = "HTTP cannot begin TLS later as mail protocols can: as it is, everything here goes in clear.";
  }
  if (VERSIONS.every((version) => listener.tlsDisableProtocols?.[version])) {
    remarks.tlsDisableProtocols = "No version is left. Leave one, or switch “Offer TLS” off.";
  }
  return remarks;
}

/** @param {Obj} listener @returns {Record<string, string>} */
function proxyRemarks(listener) {
  const networks = Object.keys(listener.overrideProxyTrustedNetworks ?? {});
  if (!networks.some((network) => network.endsWith("/0"))) return {};
  return {
    overrideProxyTrustedNetworks:
      "This is everybody: who sends no PROXY header gets no connection here, and who sends one can claim any address.",
  };
}

/** @param {Obj} listener @param {Obj | null} settings @returns {Record<string, string>} */
function limitRemarks(listener, settings) {
  const most = settings?.maxConnections ?? null;
  if (most === null || listener.maxConnections === null || listener.maxConnections <= most) return {};
  return { maxConnections: `The whole server takes ${most.toLocaleString("en")}: that limit is reached first.` };
}

/** @param {Obj} listener @returns {Record<string, string>} */
function addressRemarks(listener) {
  const addresses = Object.keys(listener.bind ?? {});
  if (listener.protocol !== "lmtp") return {};
  if (addresses.some((address) => address.endsWith(":25"))) return { bind: "LMTP is not spoken on port 25. Take another one, as 24." };
  if (addresses.every(isLoopback)) return {};
  return { bind: "LMTP is for programs of this machine or network: whoever reaches these addresses can deliver mail." };
}

/** @param {string} address */
function isLoopback(address) {
  return address.startsWith("127.") || address.startsWith("[::1]");
}
