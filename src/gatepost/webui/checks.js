// Addresses and networks as they are typed, checked before the server is asked. Pure. Each check gives null, or what is
// wrong in words; the server has the last word.

const OCTET = /^(0|[1-9]\d{0,2})$/;

/** @param {string} text */
function isIpv4(text) {
  const parts = text.split(".");
  return parts.length === 4 && parts.every((part) => OCTET.test(part) && Number(part) < 256);
}

/** RFC 4291 section 2.2. @param {string} text */
function isIpv6(text) {
  const halves = text.split("::");
  if (halves.length > 2) return false;
  const groups = halves.map((half) => (half === "" ? [] : half.split(":")));
  const last = groups.at(-1)?.at(-1);
  let count = groups.flat().length;
  if (last?.includes(".")) {
    if (!isIpv4(last)) return false;
    groups.at(-1)?.pop();
    count += 1; // an IPv4 address at the end stands for two groups
  }
  if (!groups.flat().every((group) => /^[0-9A-Fa-f]{1,4}$/.test(group))) return false;
  return halves.length === 2 ? count < 8 : count === 8;
}

/** `192.0.2.1:25`, `[2001:db8::1]:25`, `[fe80::1%eth0]:25`. @param {string} text */
export function checkSocketAddress(text) {
  const match = /^(?:\[([^\]%]+)(%[^\]]+)?\]|([^:[\]]+)):(\d+)$/.exec(text.trim());
  if (!match) {
    const isBare = isIpv6(text.trim()) || isIpv4(text.trim());
    return isBare ? "The port is missing: 192.0.2.1:25 or [2001:db8::1]:25." : "An address and a port: 192.0.2.1:25 or [2001:db8::1]:25.";
  }
  const [, ipv6, , ipv4, port] = match;
  if (ipv6 !== undefined && !isIpv6(ipv6)) return `${ipv6} is not an IPv6 address.`;
  if (ipv4 !== undefined && !isIpv4(ipv4)) return `${ipv4} is not an IP address. Names are not looked up.`;
  return Number(port) >= 1 && Number(port) <= 65535 ? null : "A port is a number from 1 to 65535.";
}

/** `192.0.2.0/24`, `2001:db8::/32`, `192.0.2.1`. @param {string} text */
export function checkNetwork(text) {
  const [address, prefix, ...rest] = text.trim().split("/");
  const bits = isIpv4(address) ? 32 : isIpv6(address) ? 128 : 0;
  if (!bits || rest.length) return "A network: 192.0.2.0/24, 2001:db8::/32, or one address.";
  if (prefix === undefined) return null;
  return OCTET.test(prefix) && Number(prefix) <= bits ? null : `A prefix length is a number from 0 to ${bits}.`;
}

/** @type {Record<string, (text: string) => string | null>} by the format of the schema */
export const CHECKS = { socketAddress: checkSocketAddress, ipNetwork: checkNetwork };
