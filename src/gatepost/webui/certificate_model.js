// A certificate as people want to know it: whether it is valid, what it is called, and who is served with it. No DOM, no network.

/** @import {Tone} from "./parts/small.js" */
/** @import {Obj} from "./server/schema.js" */

const SOON_MS = 30 * 86_400_000;

/** @param {Obj} certificate @param {number} now @returns {{word: string, tone: Tone}} */
export function validityOf(certificate, now) {
  const until = Date.parse(certificate.notValidAfter);
  if (until <= now) return { word: "Expired", tone: "bad" };
  if (Date.parse(certificate.notValidBefore) > now) return { word: "Not valid yet", tone: "busy" };
  if (certificate.fileProblem) return { word: "Files not usable", tone: "bad" }; // what they held before is served on
  if (until - now < SOON_MS) return { word: "Expires soon", tone: "busy" };
  return { word: "Valid", tone: "good" };
}

/** @param {Obj} certificate */
export function namesOfCertificate(certificate) {
  return Object.keys(certificate.subjectAlternativeNames ?? {});
}

/** The common name of the issuer, else all of its name. @param {Obj} certificate */
export function issuerOf(certificate) {
  const issuer = String(certificate.issuer ?? "");
  return /(?:^|,)CN=((?:\\.|[^,\\])+)/.exec(issuer)?.[1].replace(/\\(.)/g, "$1") ?? issuer;
}

/**
 * When it is served: for the names that clients ask for (SNI), and where they ask for none that is known.
 * @param {Obj} certificate
 * @param {Obj[]} all
 * @param {string | null} defaultId
 * @returns {{isDefault: boolean, isNamed: boolean, words: string}}
 */
export function useOf(certificate, all, defaultId) {
  const hasDefault = all.some((each) => each.id === defaultId);
  const isDefault = certificate.id === defaultId || (certificate.isSelfSigned && !hasDefault);
  const isNamed = !certificate.isSelfSigned && namesOfCertificate(certificate).length > 0;
  const parts = [...(isNamed ? ["for its names"] : []), ...(isDefault ? ["where no other fits"] : [])];
  return { isDefault, isNamed, words: parts.join(", ") || "not served: another one is the default" };
}
