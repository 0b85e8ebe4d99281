// What listeners do over time: rates out of counters that only grow, looked at again and again. No DOM, no network.

/** @import {Obj} from "./server/schema.js" */

export const SAMPLES_KEPT = 150;
const SHARE_OVER_S = 60; // one look has too few new connections for a share of them

/**
 * @typedef {{
 *   seconds: number[], accepted: number[], refused: number[], tlsHandshakes: number[], tlsFailures: number[],
 *   connections: number[], tlsShare: (number | null)[],
 * }} Series one entry for each look: `seconds` since 1970; what was accepted, refused, and shook hands or failed to, per second;
 *   the connections that are open; how many of 100 that were accepted in the last minute have TLS, null where none was accepted
 * @typedef {"accepted" | "refused" | "tlsHandshakes" | "tlsFailures"} Counter one that only grows
 * @typedef {{connections: number, accepted: number, refused: number, tlsHandshakes: number, tlsFailures: number}} Counts
 */

/** @param {Record<string, number> | undefined} byReason */
function sum(byReason) {
  return Object.values(byReason ?? {}).reduce((total, count) => total + count, 0);
}

/** @param {Obj} status a ListenerStatus @returns {Counts} */
export function countsOf(status) {
  return {
    connections: status.connections,
    accepted: status.accepted,
    refused: sum(status.refused) + sum(status.proxyRejected),
    tlsHandshakes: status.tlsHandshakes,
    tlsFailures: status.tlsFailures,
  };
}

/** @param {Counts[]} all @returns {Counts} */
export function totalOf(all) {
  const total = { connections: 0, accepted: 0, refused: 0, tlsHandshakes: 0, tlsFailures: 0 };
  for (const counts of all) {
    for (const name of /** @type {(keyof Counts)[]} */ (Object.keys(total))) total[name] += counts[name];
  }
  return total;
}

/** @returns {Series} */
function nothingYet() {
  return { seconds: [], accepted: [], refused: [], tlsHandshakes: [], tlsFailures: [], connections: [], tlsShare: [] };
}

/** Remembers the looks at things that have a key, and gives each a series. */
export class Traffic {
  /** @type {Map<string, {series: Series, last: Counts, at: number}>} */
  #known = new Map();

  /**
   * @param {number} now seconds since 1970
   * @param {Map<string, Counts>} counts by key; a key that is missing is forgotten
   */
  add(now, counts) {
    for (const key of this.#known.keys()) if (!counts.has(key)) this.#known.delete(key);
    for (const [key, current] of counts) this.#addOne(key, now, current);
  }

  /** @param {string} key @returns {Series} */
  of(key) {
    return this.#known.get(key)?.series ?? nothingYet();
  }

  /** @param {string} key @param {number} now @param {Counts} current */
  #addOne(key, now, current) {
    const known = this.#known.get(key);
    if (!known) {
      this.#known.set(key, { series: nothingYet(), last: current, at: now });
      return;
    }
    const elapsed = now - known.at;
    if (elapsed <= 0) return;
    known.series = continued(known.series, now, current, (name) => Math.max(0, current[name] - known.last[name]) / elapsed);
    known.last = current;
    known.at = now;
  }
}

/** @param {Series} series @param {number} now @param {Counts} current @param {(name: Counter) => number} rate @returns {Series} */
function continued(series, now, current, rate) {
  /** @type {<T>(values: T[], value: T) => T[]} */
  const next = (values, value) => [...values.slice(1 - SAMPLES_KEPT), value];
  const longer = {
    seconds: next(series.seconds, now),
    accepted: next(series.accepted, rate("accepted")),
    refused: next(series.refused, rate("refused")),
    tlsHandshakes: next(series.tlsHandshakes, rate("tlsHandshakes")),
    tlsFailures: next(series.tlsFailures, rate("tlsFailures")),
    connections: next(series.connections, current.connections),
  };
  return { ...longer, tlsShare: next(series.tlsShare, lastShare(longer)) };
}

/** Of the newest look back. @param {Omit<Series, "tlsShare">} series @returns {number | null} */
function lastShare({ seconds, accepted, tlsHandshakes }) {
  const now = seconds[seconds.length - 1];
  let [came, secured] = [0, 0];
  for (let at = seconds.length - 1; at >= 0 && now - seconds[at] < SHARE_OVER_S; at -= 1) {
    came += accepted[at];
    secured += tlsHandshakes[at];
  }
  return came === 0 ? null : Math.min(100, (100 * secured) / came); // who began TLS now can have come a minute ago
}

/** `0.4`, `12`, `1,234`: a rate as it is read at a glance. @param {number | undefined} perSecond */
export function rateText(perSecond) {
  if (perSecond === undefined) return "–";
  return perSecond > 0 && perSecond < 10 ? perSecond.toFixed(1) : Math.round(perSecond).toLocaleString("en");
}

/** `83 %`, and a dash where nobody came. @param {number | null | undefined} share of 100 */
export function shareText(share) {
  return share === undefined || share === null ? "–" : `${Math.round(share)} %`;
}
