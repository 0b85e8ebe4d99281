// Values as people read and write them: times, durations, sizes, numbers. Pure: no DOM, no network.

const UNITS = /** @type {const} */ ([["d", 86_400_000], ["h", 3_600_000], ["m", 60_000], ["s", 1_000], ["ms", 1]]);
const DURATION = /^\s*(?:(\d+)d)?\s*(?:(\d+)h)?\s*(?:(\d+)m(?!s))?\s*(?:(\d+)s)?\s*(?:(\d+)ms)?\s*$/;

/** `90000` → `1m 30s`. @param {number} milliseconds */
export function durationText(milliseconds) {
  let rest = milliseconds;
  const parts = [];
  for (const [unit, length] of UNITS) {
    const count = Math.floor(rest / length);
    if (count) parts.push(`${count}${unit}`);
    rest -= count * length;
  }
  return parts.join(" ") || "0s";
}

/** `1m 30s` → 90000; a number alone counts seconds. null for what is no duration. @param {string} text */
export function parseDuration(text) {
  const trimmed = text.trim();
  if (/^\d+$/.test(trimmed)) return Number(trimmed) * 1000;
  const match = DURATION.exec(trimmed);
  if (!match || trimmed === "") return null;
  return UNITS.reduce((sum, [, length], position) => sum + Number(match[position + 1] ?? 0) * length, 0);
}

const SIZES = ["octets", "KiB", "MiB", "GiB", "TiB"];

/** `1536` → `1.5 KiB`. @param {number} octets */
export function sizeText(octets) {
  let value = octets;
  let unit = 0;
  while (value >= 1024 && unit < SIZES.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${SIZES[unit]}`;
}

/** `1536` → `1.5 KiB`, `1000` → `1,000 octets`: in the largest unit that says it exactly. @param {number} octets */
export function exactSizeText(octets) {
  let value = octets;
  let unit = 0;
  while (value >= 1024 && value % 512 === 0 && unit < SIZES.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${numberText(value)} ${SIZES[unit]}`;
}

/** `1.5 MiB`, `50m`, `5 GB` (of 1024) → octets; a number alone counts octets. null for what is no size. @param {string} text */
export function parseSize(text) {
  const match = /^([\d,]+(?:\.\d+)?)\s*(?:octets?|b|bytes?|([kmgt])(?:i?b)?)?$/i.exec(text.trim());
  if (!match) return null;
  return Math.round(Number(match[1].replaceAll(",", "")) * 1024 ** (" kmgt".indexOf(match[2]?.toLowerCase() ?? " ")));
}

/** @param {number} value */
export function numberText(value) {
  return value.toLocaleString("en");
}

/**
 * `3 minutes ago`, `in 2 days`.
 * @param {Date} moment
 * @param {Date} now
 * @param {boolean} [isShort] as `3m ago`
 */
export function relativeText(moment, now, isShort = false) {
  const format = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: isShort ? "narrow" : "long" });
  const seconds = (moment.getTime() - now.getTime()) / 1000;
  const size = Math.abs(seconds);
  if (size < 5) return "just now";
  if (size < 60) return format.format(Math.round(seconds), "second");
  if (size < 3600) return format.format(Math.round(seconds / 60), "minute");
  if (size < 86_400) return format.format(Math.round(seconds / 3600), "hour");
  if (size < 60 * 86_400) return format.format(Math.round(seconds / 86_400), "day");
  if (size < 730 * 86_400) return format.format(Math.round(seconds / (30 * 86_400)), "month");
  return format.format(Math.round(seconds / (365 * 86_400)), "year");
}

/** `2026-11-23 14:05:09 UTC`. @param {Date} moment */
export function exactText(moment) {
  return `${moment.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/**
 * `1 listener`, `3 listeners`.
 * @param {number} count
 * @param {string} singular
 * @param {string} plural
 */
export function counted(count, singular, plural) {
  return `${numberText(count)} ${count === 1 ? singular : plural}`;
}

/** What a change of a property does to what runs. */
export const EFFECTS = {
  now: { word: "Now", help: "Applied at once, also to the open listening socket. Open connections stay as they are." },
  next: { word: "Next connection", help: "Applies to connections that come from then on. Open ones stay as they are." },
  rebind: { word: "Opens new sockets", help: "New sockets are opened first, then the old ones stop accepting. No connection is lost." },
  none: null,
};
