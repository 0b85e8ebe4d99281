// What listeners do over time: rates out of counters that only grow, looked at again and again. No DOM, no network.

/** @import {Obj} from "./server/schema.js" */

export const SAMPLES_KEPT = 150;

/**
 * @typedef {{
 *   seconds: number[], accepted: number[], refused: number[], connections: number[],
 * }} Series one entry for each look; `accepted` and `refused` per second, `seconds` since 1970
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
    return this.#known.get(key)?.series ?? { seconds: [], accepted: [], refused: [], connections: [] };
  }

  /** @param {string} key @param {number} now @param {Counts} current */
  #addOne(key, now, current) {
    const known = this.#known.get(key);
    if (!known) {
      this.#known.set(key, { series: { seconds: [], accepted: [], refused: [], connections: [] }, last: current, at: now });
      return;
    }
    const elapsed = now - known.at;
    if (elapsed <= 0) return;
    const rate = (/** @type {"accepted" | "refused"} */ name) => Math.max(0, current[name] - known.last[name]) / elapsed;
    const { series } = known;
    const next = { seconds: now, accepted: rate("accepted"), refused: rate("refused"), connections: current.connections };
    const keep = 1 - SAMPLES_KEPT;
    known.series = {
      seconds: [...series.seconds.slice(keep), next.seconds],
      accepted: [...series.accepted.slice(keep), next.accepted],
      refused: [...series.refused.slice(keep), next.refused],
      connections: [...series.connections.slice(keep), next.connections],
    };
    known.last = current;
    known.at = now;
  }
}

/** `0.4`, `12`, `1,234`: a rate as it is read at a glance. @param {number | undefined} perSecond */
export function rateText(perSecond) {
  if (perSecond === undefined) return "–";
  return perSecond > 0 && perSecond < 10 ? perSecond.toFixed(1) : Math.round(perSecond).toLocaleString("en");
}
