// PEM text (RFC 7468) as people have it in their files: which block is a certificate, which a key, and in which order the
// certificates of a chain belong. Pure. Nothing is verified here: that is the server's.

/**
 * @typedef {{chain: string[], keys: string[], problem: string | null}} Pieces certificates and keys as PEM blocks
 */

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g;

/** @param {string} text @returns {Pieces} */
export function piecesOf(text) {
  /** @type {Pieces} */
  const pieces = { chain: [], keys: [], problem: null };
  const blocks = [...text.matchAll(BLOCK)];
  for (const [block, label] of blocks) {
    if (label === "CERTIFICATE" || label === "TRUSTED CERTIFICATE") pieces.chain.push(`${block}\n`);
    else if (isEncrypted(label, block)) pieces.problem = "The private key is encrypted. Give it without a passphrase: openssl pkey -in key.pem";
    else if (label.endsWith("PRIVATE KEY")) pieces.keys.push(`${block}\n`);
    else if (label === "CERTIFICATE REQUEST") pieces.problem = "This is a request for a certificate. Give the certificate that was made from it.";
  }
  if (blocks.length === 0) pieces.problem = "There is no PEM text (-----BEGIN …) in it. Convert it first, as with openssl x509 or openssl pkcs12.";
  return pieces;
}

/** @param {string} label @param {string} block */
function isEncrypted(label, block) {
  return label === "ENCRYPTED PRIVATE KEY" || (label.endsWith("PRIVATE KEY") && block.includes("Proc-Type: 4,ENCRYPTED"));
}

/**
 * The server's certificate first, then each issuer after what it signed; null where they are not all of one chain.
 * @param {string[]} certificates PEM blocks
 * @returns {string[] | null}
 */
export function inOrder(certificates) {
  const links = [...new Set(certificates)].map((pem) => ({ pem, ...namesOf(pem) }));
  const leaves = links.filter((each) => !links.some((other) => other !== each && other.issuer === each.subject));
  if (leaves.length !== 1) return null;
  const chain = [leaves[0]];
  for (;;) {
    const last = chain[chain.length - 1];
    const issuer = links.find((each) => each.subject === last.issuer && !chain.includes(each));
    if (!issuer) break;
    chain.push(issuer);
  }
  return chain.length === links.length ? chain.map((each) => each.pem) : null;
}

/**
 * Issuer and subject as they stand in a certificate (RFC 5280 section 4.1), to be compared alone.
 * @param {string} pem
 * @returns {{issuer: string, subject: string}} what cannot be read is like nothing else
 */
function namesOf(pem) {
  try {
    const der = atob(pem.replace(/-----[^-]+-----/g, "").replace(/\s/g, ""));
    const [signed] = elementsOf(der, elementsOf(der, { start: 0, end: der.length })[0]);
    const fields = elementsOf(der, signed);
    const first = der.charCodeAt(signed.start) === 0xa0 ? 1 : 0; // the version may be left out
    const [issuer, subject] = [fields[first + 2], fields[first + 4]];
    return { issuer: der.slice(issuer.start, issuer.end), subject: der.slice(subject.start, subject.end) };
  } catch {
    return { issuer: `issuer of ${pem}`, subject: `subject of ${pem}` };
  }
}

/** @typedef {{start: number, end: number}} Element where the contents of a DER element begin and end */

/**
 * The elements inside of one (ITU-T X.690 section 8.1): tags of one octet, definite lengths.
 * @param {string} der an octet a character
 * @param {Element} outer
 * @returns {Element[]}
 */
function elementsOf(der, outer) {
  const found = [];
  let at = outer.start;
  while (at < outer.end) {
    const short = der.charCodeAt(at + 1);
    const more = short > 0x80 ? short - 0x80 : 0;
    let length = more ? 0 : short;
    for (let position = 0; position < more; position += 1) length = length * 256 + der.charCodeAt(at + 2 + position);
    const start = at + 2 + more;
    if (!(start + length <= outer.end)) throw new RangeError("an element is longer than what it is in");
    found.push({ start, end: start + length });
    at = start + length;
  }
  return found;
}
